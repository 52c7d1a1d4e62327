"""Guess the languages of a file with both sides: from what it declares, its header or keys, or its name."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nmt.data.formats import FORMATS
from nmt.data.formats.codes import is_code, normal, same_language
from nmt.data.formats.columns import SOURCE_NAMES, TARGET_NAMES
from nmt.data.formats.json_rows import json_rows
from nmt.data.formats.recognise import ANY, format_of_file
from nmt.data.formats.tables import csv_rows, tab_rows

_NO_LANGUAGES = {*SOURCE_NAMES, *TARGET_NAMES, "id", "url"}  # in a header, though they look like codes
_PAIR_IN_NAME = re.compile(r"(?:^|[._-])([A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?)-([A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?)$")


def guess_languages(path: Path) -> tuple[str, str] | None:
    """Guess the source and target language of a file with both sides: as it names them, or as its name does; else
    None."""
    name = format_of_file(path)
    if name is None:
        return None
    if declared := FORMATS[name].languages(path):
        return declared
    if name in {"tsv", "csv"}:
        rows = (tab_rows if name == "tsv" else csv_rows)(path, Counter(), ANY)
        if found := _languages_in_header(next(rows, (1, []))[1]):
            return found
    if name == "jsonl":
        _, first = next(json_rows(path, Counter(), ANY), (1, {}))
        inner = next((value for value in first.values() if isinstance(value, dict)), first)
        texts = [key for key, value in inner.items() if isinstance(value, str)]
        codes = [key for key in texts if is_code(key) and key not in _NO_LANGUAGES]
        if len(codes) == 2:
            return codes[0], codes[1]
    return _languages_in_name(path)


def is_reversed(path: Path, format_name: str, languages: tuple[str, str]) -> bool:
    """Return whether a table without a header has the target first, as its name says: `pairs.fr-en.tsv` for en into
    fr."""
    named = _languages_in_name(path)
    if not (named and same_language(languages[1], named[0]) and same_language(languages[0], named[1])):
        return False
    _, first = next(tab_rows(path, Counter(), ANY), (1, []))
    return format_name == "bars" or not _languages_in_header(first)


def _languages_in_header(first: Sequence[str]) -> tuple[str, str] | None:
    codes = [normal(cell) for cell in first if is_code(cell) and cell.strip().lower() not in _NO_LANGUAGES]
    return (codes[0], codes[1]) if len(codes) == 2 else None


def _languages_in_name(path: Path) -> tuple[str, str] | None:
    """Find the languages in a name: `pairs.en-fr.tsv`, `en-fr.tsv`, `news_en-fr` -> en, fr."""
    name = path.name
    while name:
        if found := _PAIR_IN_NAME.search(name):
            return found[1], found[2]
        if "." not in name:
            return None
        name = name.rpartition(".")[0]
    return None
