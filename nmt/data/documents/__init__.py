"""Files that are translated and kept: only the translations are new, everything else stays as it is.

To add a format: write a function that makes a `Document` out of a file's text, and name it in `DOCUMENTS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.data.documents.gettext import open_po
from nmt.data.documents.json_rows import open_json
from nmt.data.documents.segments import Document
from nmt.data.documents.sgm import open_sgm
from nmt.data.documents.subtitles import open_subtitles
from nmt.data.documents.tables import open_csv, open_tsv
from nmt.data.documents.tmx import open_tmx
from nmt.data.documents.xliff import open_xliff
from nmt.data.encodings import AUTO, UTF8, encoding_of, remedy
from nmt.data.formats.gettext import po_charset
from nmt.data.formats.markup import xml_encoding
from nmt.data.formats.recognise import plain_suffix, root_format
from nmt.data.opening import BLOCK, open_binary
from nmt.errors import DataError

LARGEST = 256_000_000  # bytes of a document: it is kept in memory as a whole


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
    "sgm": DocumentFormat(open_sgm, (".sgm", ".sgml")),
    "srt": DocumentFormat(open_subtitles, (".srt", ".vtt")),
}


def document_format(path: Path) -> str | None:
    """Return the format of a file by its ending; None for plain text, whose lines are translated one by one.

    Raises DataError for XML of another kind, and for HTML.
    """
    suffix = plain_suffix(path)
    if suffix in {".html", ".htm", ".xhtml"}:
        raise DataError(
            f"{path}: HTML keeps its tags in nmt serve (POST /translate_file), not here; --format text translates its "
            "lines, tags and all"
        )
    if suffix == ".xml" and path.is_file():
        root = root_format(path)
        if root not in DOCUMENTS:
            raise DataError(f"{path}: XML of this kind cannot be filled in; --format text translates its lines")
        return root
    return next((name for name, kind in DOCUMENTS.items() if suffix in kind.endings), None)


def open_document(
    path: Path,
    format_name: str,
    languages: tuple[str, str],
    columns: tuple[str, ...] = (),
    overwrite: bool = False,
    encoding: str = AUTO,
) -> Document:
    """Read a file whose texts are to be translated. It is written in the encoding in which it was.

    `encoding` is that of text which is not UTF-8 and does not name its own. Raise DataError with file and line if the
    file is damaged or too large, and for `columns` that the format does not have.
    """
    with open_binary(path) as file:
        raw = file.read(LARGEST + 1)
    return document_of(path, raw, format_name, languages, columns, overwrite, encoding)


def document_of(
    path: Path,
    raw: bytes,
    format_name: str,
    languages: tuple[str, str],
    columns: tuple[str, ...] = (),
    overwrite: bool = False,
    encoding: str = AUTO,
) -> Document:
    """Make a document out of the content of a file, as `open_document` does. `path` only names it in messages."""
    kind = DOCUMENTS[format_name]
    if columns and not kind.columns:
        raise DataError(f"{path}: {format_name} has no columns or fields to choose from; remove --column and --field")
    if len(columns) > 2:
        raise DataError(f"{path}: {len(columns)} columns are given; give the source, and the target if it is there")
    if len(raw) > LARGEST:
        raise DataError(f"{path}: has more than {LARGEST:,} bytes; split it, or translate its lines with --format text")
    found = _encoding(raw, format_name, encoding)
    try:
        text = raw.decode(found)
    except (UnicodeError, LookupError) as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        what = remedy(raw[:BLOCK]) if found == UTF8 else f"not {found}, which the file or --encoding names"
        raise DataError(f"{path}:{line}: {what}") from None
    document = kind.open(path, text, languages, columns, overwrite)
    if found != UTF8:
        write, errors = document.write, "xmlcharrefreplace" if format_name in {"xliff", "tmx"} else "strict"

        def write_encoded(translations: Sequence[str]) -> bytes:
            try:
                return write(translations).decode().encode(found, errors)
            except UnicodeEncodeError as error:
                character = error.object[error.start]
                raise DataError(f"{path}: {found} has no {character!r}; convert the file to UTF-8 first") from None

        document.write = write_encoded
    return document


def _encoding(raw: bytes, format_name: str, given: str) -> str:
    """Find the encoding: by the byte order mark, else by what XML and PO files declare, else UTF-8 or what is given."""
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            return name
    declared = xml_encoding(raw) if format_name in {"xliff", "tmx"} else ""
    declared = po_charset(raw) if format_name == "po" else declared
    return declared or encoding_of(raw[:BLOCK], given)
