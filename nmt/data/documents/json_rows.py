"""JSON lines and arrays with a key for the translation; other keys keep their values and their order."""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nmt.data.corpus import is_blank
from nmt.data.documents.segments import Document, Lines
from nmt.data.formats.codes import language_index
from nmt.data.formats.json_rows import Number, json_rows_in, value_at
from nmt.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = secrets.token_hex(16)  # no text of a file has it
_MARKED = re.compile(f'"{_MARK}([^"]*)"')
NEW_KEY = "translation"


def open_json(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open JSON objects, one per line or in an array. A translation is put under the second of `columns`, or
    `translation`.

    Without `columns`, `{"en": ..., "fr": ...}` and `{"translation": {"en": ..., "fr": ...}}` are filled.
    """
    rows = list(json_rows_in(text, path))
    is_array = text.lstrip("\ufeff \t\r\n").startswith("[")
    found = Lines()
    firsts: dict[int, int] = {}  # line of the file -> place of its first text
    fillers: dict[int, tuple[dict[str, Any], str, Callable[[Sequence[str]], str]]] = {}
    for line, row in rows:
        source, target = _keys(f"{path}:{line}", row, languages, columns)
        content = value_at(row, source, f"{path}:{line}")
        existing = _existing(row, target, f"{path}:{line}")
        if overwrite or is_blank(existing):
            firsts[line] = len(found.texts)
            fillers[line] = (row, target, found.add(content))

    def write(translations: Sequence[str]) -> bytes:
        for row, target, filler in fillers.values():
            *outer, last = [target] if target in row else target.split(".")
            for part in outer:
                row = row.setdefault(part, {})
            row[last] = filler(translations)
        if is_array:
            indent = 2 if "\n" in text.strip() else None
            return (_dumped([row for _, row in rows], indent) + "\n").encode()
        lines = text.split("\n")
        for line, (row, _, _) in fillers.items():
            end = "\r" if lines[line - 1].endswith("\r") else ""
            lines[line - 1] = _dumped(row) + end
        return "\n".join(lines).encode()

    def prefixes(key: str) -> list[str]:
        """Return the prefix of each text; it is that of the first line of its row."""
        begun = [""] * len(found.texts)
        for line, first in firsts.items():
            if first < len(begun):
                begun[first] = _existing(fillers[line][0], key, f"{path}:{line}")
        return begun

    return Document(found.texts, write, prefixes=prefixes)


def _keys(place: str, row: dict[str, Any], languages: tuple[str, str], columns: tuple[str, ...]) -> tuple[str, str]:
    if columns:
        return columns[0], columns[1] if len(columns) > 1 else NEW_KEY
    inner = row.get("translation")
    prefix, texts = ("translation.", inner) if isinstance(inner, dict) else ("", row)
    keys = list(texts)
    source, target = (language_index(language, keys) for language in languages)
    if source is None:
        listed = ", ".join(list(row)[:8])
        raise DataError(
            f"{place}: no key for {languages[0]}; name one to translate, as in --field text; it has {listed}"
        )
    return f"{prefix}{keys[source]}", f"{prefix}{keys[target] if target is not None else languages[1]}"


def _existing(row: dict[str, Any], key: str, place: str) -> str:
    value: Any = row
    for part in [key] if key in row else key.split("."):
        if isinstance(value, dict) and part not in value:
            return ""
        value = value[part] if isinstance(value, dict) else 0
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(
            f"{place}: {key} is not a text; name another key for the translation: --field SOURCE --field TARGET"
        )
    return value


def _dumped(value: Any, indent: int | None = None) -> str:
    """Return JSON with numbers as they were, and other scripts as they are, unless a text holds half a surrogate pair,
    which UTF-8 has not."""
    found = json.dumps(value, ensure_ascii=False, indent=indent, default=_marked)
    if not found.isascii() and _SURROGATE.search(found):
        found = json.dumps(value, indent=indent, default=_marked)
    return _MARKED.sub(r"\1", found)


def _marked(number: Number) -> str:
    """Return the text of a number, to be put in place of the string that it becomes here."""
    return f"{_MARK}{number.text}"
