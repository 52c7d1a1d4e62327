"""Files that are translated and kept: only the translations are new, everything else stays as it is.

To add a format: write a function that makes a `Document` out of a file's text, and name it in `DOCUMENTS`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.data.corpus import open_binary
from nmt.data.documents.gettext import open_po
from nmt.data.documents.json_rows import open_json
from nmt.data.documents.segments import Document
from nmt.data.documents.subtitles import open_subtitles
from nmt.data.documents.tables import open_csv, open_tsv
from nmt.data.documents.tmx import open_tmx
from nmt.data.documents.xliff import open_xliff
from nmt.data.formats.recognise import plain_suffix
from nmt.errors import DataError

_DECLARATION = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_CHARSET = re.compile(rb"Content-Type:[^\n]*?charset=([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class DocumentFormat:
    """`open` takes path, text, (source language, target language), columns, overwrite."""

    open: Callable[[Path, str, tuple[str, str], tuple[str, ...], bool], Document]
    endings: tuple[str, ...]
    columns: bool = False  # whether the user can say which column or key is translated


DOCUMENTS: dict[str, DocumentFormat] = {
    "po": DocumentFormat(open_po, (".po", ".pot")),
    "xliff": DocumentFormat(open_xliff, (".xlf", ".xliff", ".sdlxliff", ".mqxliff")),
    "tmx": DocumentFormat(open_tmx, (".tmx",)),
    "tsv": DocumentFormat(open_tsv, (".tsv", ".tab"), columns=True),
    "csv": DocumentFormat(open_csv, (".csv",), columns=True),
    "jsonl": DocumentFormat(open_json, (".jsonl", ".json", ".ndjson"), columns=True),
    "srt": DocumentFormat(open_subtitles, (".srt", ".vtt")),
}


def document_format(path: Path) -> str | None:
    """The format of a file by its ending; None for plain text, whose lines are translated one by one."""
    suffix = plain_suffix(path)
    return next((name for name, kind in DOCUMENTS.items() if suffix in kind.endings), None)


def open_document(
    path: Path, format_name: str, languages: tuple[str, str], columns: tuple[str, ...] = (), overwrite: bool = False
) -> Document:
    """Reads a file whose texts are to be translated. It is written in the encoding in which it was.

    Raises DataError with file and line if it is damaged, and for `columns` that the format does not have.
    """
    kind = DOCUMENTS[format_name]
    if columns and not kind.columns:
        raise DataError(f"{path}: {format_name} has no columns or fields to choose from; remove --column and --field")
    if len(columns) > 2:
        raise DataError(f"{path}: {len(columns)} columns are given; give the source, and the target if it is there")
    with open_binary(path) as file:
        raw = file.read()
    encoding = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise DataError(f"{path}:{line}: not {encoding.upper()}; convert the file to UTF-8") from None
    document = kind.open(path, text, languages, columns, overwrite)
    if encoding == "utf-8":
        return document
    written = document.write
    errors = "xmlcharrefreplace" if format_name in {"xliff", "tmx"} else "strict"

    def write(translations: Sequence[str]) -> bytes:
        try:
            return written(translations).decode().encode(encoding, errors)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise DataError(f"{path}: {encoding} has no {character!r}; convert the file to UTF-8 first") from None

    document.write = write
    return document


def _encoding(raw: bytes) -> str:
    """By byte order mark, XML declaration or PO header, else UTF-8."""
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            return name
    found = _DECLARATION.match(raw.removeprefix(b"\xef\xbb\xbf").lstrip()) or _CHARSET.search(raw[:4096])
    name = found[1].decode().lower() if found else "utf-8"
    return "utf-8" if name in {"utf-8", "utf8", "charset", "us-ascii", "ascii"} else name
