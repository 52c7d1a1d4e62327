"""JSON: an object for each pair, one per line (`.jsonl`) or in an array (`.json`)."""

import codecs
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.data.corpus import Pair, open_text, read_lines
from nmt.data.encodings import AUTO, remedy
from nmt.data.formats.columns import sides_in
from nmt.data.formats.text import checked, one_line
from nmt.errors import DataError

_SPACE, _BETWEEN = re.compile(r"[ \t\r\n]*"), re.compile(r"[ \t\r\n,]*")
Row = tuple[int, dict[str, Any]]  # its line in the file, or its number in the array


class Number:
    """Hold a number as the file writes it: a float would turn 1e400 into infinity, which JSON has not."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class NotANumber(ValueError):
    """Signal `NaN`, `Infinity` or `-Infinity`, which Python writes and JSON has not."""


def _refuse(constant: str) -> None:
    raise NotANumber(f"{constant} is not a JSON number; write null instead")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def read_json_rows(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read two keys of each object: the `columns` (`a.b` for a key within a key), or those that name the languages.

    `{"translation": {"en": ..., "fr": ...}}` is read as well. `null` is an empty text.
    """
    rows = json_rows(files[0], notes, encoding)
    first = next(rows, None)
    if first is None:
        return
    keys = find_keys(f"{files[0]}:{first[0]}", first[1], languages, columns)
    for line, row in itertools.chain([first], rows):
        source, target = (one_line(value_at(row, key, f"{files[0]}:{line}")) for key in keys)
        yield Pair(line, source, target)


def json_rows(path: Path, notes: Counter[str], encoding: str = AUTO) -> Iterator[Row]:
    """Return the objects of a file, in constant memory. Raises DataError with file and line for anything else."""
    with open_text(path, encoding) as text:
        head = next(text.utf8()).removeprefix(b"\xef\xbb\xbf").lstrip()
    return (
        _array(path, _blocks(path, encoding))
        if head.startswith(b"[")
        else _lines(path, enumerate(read_lines(path, notes, encoding), start=1))
    )


def json_rows_in(text: str, path: Path) -> Iterator[Row]:
    """Return the objects of a text that is in memory; `path` only names it in messages. Raises DataError as
    `json_rows` does."""
    plain = text.removeprefix("\ufeff")
    return (
        _array(path, iter([plain]))
        if plain.lstrip().startswith("[")
        else _lines(path, enumerate(plain.split("\n"), start=1))
    )


def _lines(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            problem = "nested too deeply" if isinstance(error, RecursionError) else getattr(error, "msg", str(error))
            raise DataError(f"{path}:{number}: not JSON ({problem}); write one complete object per line") from None
        yield number, _checked(path, number, row)


def _array(path: Path, blocks: Iterator[str]) -> Iterator[Row]:
    """Yield the objects of `[{...}, {...}]`, however they are spread over lines."""
    decode = _DECODER.raw_decode
    count, line, inside, closed = 0, 1, False, False
    rest = ""
    wanted = (
        0  # characters at which an object that a block has cut is read again: twice as many, so that time is linear
    )
    for block in itertools.chain(blocks, [""]):
        rest, place = rest + block, 0
        if block and len(rest) < wanted:
            continue
        while True:
            skipped = _SPACE.match(rest, place) if not inside or closed else _BETWEEN.match(rest, place)
            end = skipped.end() if skipped else place
            line, place = line + rest.count("\n", place, end), end
            if place == len(rest):
                break
            if closed:
                raise DataError(f"{path}: text after the end of the array; remove it, or write one object per line")
            if not inside:
                inside, place = True, place + 1
            elif rest[place] == "]":
                closed, place = True, place + 1
            else:
                try:
                    row, end = decode(rest, place)
                except (RecursionError, NotANumber) as error:
                    problem = "nested too deeply" if isinstance(error, RecursionError) else error
                    raise DataError(f"{path}:{line}: not JSON ({problem}); repair object {count + 1}") from None
                except json.JSONDecodeError as error:
                    # It may only be cut off by the end of what has been read so far.
                    if error.pos < len(rest) - 16 and not error.msg.startswith("Unterminated"):
                        bad = line + rest.count("\n", place, error.pos)
                        raise DataError(f"{path}:{bad}: not JSON ({error.msg}); repair object {count + 1}") from None
                    break
                line, place, count = line + rest.count("\n", place, end), end, count + 1
                yield count, _checked(path, line, row)
        rest = rest[place:]
        wanted = 2 * len(rest)
    if not closed:
        raise DataError(f"{path}:{line}: object {count + 1} or the array is not closed; was the file cut short?")


def _blocks(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with open_text(path, encoding) as text:
        try:
            for block in text.utf8():
                yield decoder.decode(block)
        except UnicodeDecodeError:
            raise DataError(f"{path}: {remedy(text.head)}") from None


def _checked(path: Path, line: int, row: object) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{path}:{line}: not a JSON object; write {{...}} with a key for each language")
    return row


def find_keys(place: str, row: dict[str, Any], languages: tuple[str, str], columns: tuple[str, ...]) -> tuple[str, str]:
    """Return the keys of the two sides. Raises DataError that lists the keys of the row."""
    known = _keys(row)
    if columns:
        if len(columns) != 2:
            raise DataError(f"{place}: columns: give two keys, source and target, or none; {len(columns)} is given")
        for key in columns:
            value_at(row, key, place)
        return columns[0], columns[1]
    for names in (list(row), known):
        source, target = sides_in([name.rpartition(".")[2] for name in names], languages)
        if source is not None and target is not None and source != target:
            return names[source], names[target]
    listed = ", ".join(known[:8]) or "no texts"
    remedy = "write an object with a key for each language"
    if len(known) > 1:
        remedy = f"name two, as in {{path: {Path(place).name.partition(':')[0]}, columns: [{known[0]}, {known[1]}]}}"
    raise DataError(f"{place}: no keys for {languages[0]} and {languages[1]}; the object has {listed}; {remedy}")


def _keys(row: dict[str, Any]) -> list[str]:
    """Return the keys whose value is a text, those of nested objects with a dot."""
    found = []
    for key, value in row.items():
        if isinstance(value, str):
            found.append(key)
        elif isinstance(value, dict):
            found += [f"{key}.{inner}" for inner, text in value.items() if isinstance(text, str)]
    return found


def value_at(row: dict[str, Any], key: str, place: str) -> str:
    """Return the text under a key, or under `a.b`. Raises DataError if there is none."""
    value: object = row
    for part in [key] if key in row else key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise DataError(f"{place}: has no key {key!r}; its texts are {', '.join(_keys(row)[:8]) or 'none'}")
        value = value[part]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{place}: {key}: not a text; put it into quotation marks")
    return checked(value, f"{place}: {key}")
