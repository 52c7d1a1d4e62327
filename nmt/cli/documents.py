"""`nmt translate` for files whose format is kept: PO, XLIFF, TMX, tables, JSON and subtitles."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.streams import open_output
from nmt.errors import ConfigError
from nmt.shown import amount, counted, shown

if TYPE_CHECKING:
    from nmt.data.documents.segments import Document
    from nmt.inference.translation import Translation


def chosen_format(path: Path | None, given: str | None) -> str | None:
    """Return the document format of the input; None for plain text. Raise ConfigError for an unknown name."""
    if given == "text" or (given is None and (path is None or path.suffix in {"", ".txt"})):
        return None  # at once: the readers of all formats take a while to import
    from nmt.data.documents import DOCUMENTS, document_format

    if given is not None and given not in DOCUMENTS:
        raise ConfigError(f"--format {given}: not a format; give text, {', '.join(DOCUMENTS)}")
    if path is None:
        raise ConfigError(f"--format {given}: needs a file; name it with --input")
    return given or document_format(path)


def check_document_options(format_name: str | None, given: Mapping[str, object]) -> None:
    """Raise ConfigError for options that have no effect on a document, or on plain text."""
    documents_only = {"--column": given["--column"], "--overwrite": given["--overwrite"]}
    text_only = {name: value for name, value in given.items() if name not in documents_only}
    if format_name is None:
        problems = [
            f"{name}: has no effect on plain text; name the kind of file, as in --format tsv"
            for name, value in documents_only.items()
            if value
        ]
    else:
        problems = [
            f"{name}: has no effect on {format_name}, which keeps its file format; remove it, or add --format text"
            for name, value in text_only.items()
            if value
        ]
    if problems:
        raise ConfigError(*problems)


def languages_of_run(run: Path) -> tuple[str, str]:
    """Return the source and target language of a run."""
    from nmt.runs.store import load_settings

    data = load_settings(run).data
    return data.source, data.target


def read_document(
    path: Path, format_name: str, runs: list[Path] | None, columns: Sequence[str] | None, overwrite: bool, encoding: str
) -> "Document":
    """Read a document and its texts, in the translation direction of the run."""
    from nmt.data.documents import open_document
    from nmt.runs.store import newest

    run = runs[0] if runs else newest()
    return open_document(path, format_name, languages_of_run(run), tuple(columns or ()), overwrite, encoding)


def prefixes_of(document: "Document | None", key: str | None) -> list[str] | None:
    """Return what each translation begins with, by a key of the rows. Raise ConfigError if there are no rows."""
    if key is None:
        return None
    if document is None or document.prefixes is None:
        raise ConfigError("--prefix-field: needs a JSONL file as --input; for plain text there is --prefix-file")
    return document.prefixes(key)


def translate_document(
    document: "Document",
    translate: Callable[[list[str], int], "list[Translation]"],
    window: int,
    input_file: Path,
    output_file: Path | None,
) -> None:
    """Translate the texts of a document, a window at a time, write it, and report what was done."""
    texts: list[str] = []
    for start in range(0, len(document.texts), window):
        texts += [found.text for found in translate(document.texts[start : start + window], start + 1)]
    with open_output(output_file) as target:
        target.write(document.filled(texts))
        target.flush()
    done = "nothing to translate: every text has its translation; --overwrite translates all again"
    if texts:
        done = f"{amount(len(texts), 'text')} translated; review them"
    print(shown(f"{input_file}: {done}"), file=sys.stderr)
    for note, count in document.notes.items():
        if count:
            print(shown(f"warning: {counted(note, count)}"), file=sys.stderr)
