"""File formats of parallel text. To add one: write its reader in a file here, and name it in `FORMATS`.

A reader yields a `Pair` for each unit of its files, numbered by line, row or unit. It never yields line breaks inside
a text, keeps no more than one unit in memory, and raises a one-line DataError with file, line and remedy.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nmt.data.corpus import Pair
from nmt.data.formats.gettext import po_languages, read_po
from nmt.data.formats.json_rows import read_json_rows
from nmt.data.formats.parquet import read_parquet
from nmt.data.formats.tables import read_bars, read_csv, read_tsv
from nmt.data.formats.text import read_iwslt, read_text
from nmt.data.formats.tmx import read_tmx, tmx_languages
from nmt.data.formats.wmt import read_sgm, read_wmt_xml, wmt_xml_languages
from nmt.data.formats.xliff import read_xliff, xliff_languages

# (files, (source language, target language), columns, notes, encoding): notes count what was repaired or left out,
# and the encoding is that of text which is not UTF-8 (see read_lines); XML and PO files name their own.
Reader = Callable[[tuple[Path, ...], tuple[str, str], tuple[str, ...], "Counter[str]", str], Iterator[Pair]]


@dataclass(frozen=True)
class Format:
    """Say how a kind of file is read."""

    read: Reader
    endings: tuple[str, ...] = ()  # of its files, without that of a compression; empty: found by content or layout
    files: int = 1  # 1: both sides are in one file; 2: a file for each side
    languages: Callable[[Path], tuple[str, str] | None] = lambda _: None  # those that the file itself names
    columns: bool = False  # whether the user can say in which columns or keys the two sides are


FORMATS: dict[str, Format] = {
    "text": Format(read_text, files=2),
    "iwslt": Format(read_iwslt, files=2),
    "sgm": Format(read_sgm, files=2),
    "tsv": Format(read_tsv, (".tsv", ".tab"), columns=True),
    "csv": Format(read_csv, (".csv",), columns=True),
    "bars": Format(read_bars, (".bars",), columns=True),
    "jsonl": Format(read_json_rows, (".jsonl", ".json", ".ndjson"), columns=True),
    "tmx": Format(read_tmx, (".tmx",), languages=tmx_languages),
    "xliff": Format(read_xliff, (".xlf", ".xliff", ".sdlxliff", ".mqxliff"), languages=xliff_languages),
    "po": Format(read_po, (".po",), languages=po_languages),
    "wmt": Format(read_wmt_xml, (".xml",), languages=wmt_xml_languages),
    "parquet": Format(read_parquet, (".parquet",), columns=True),
}
