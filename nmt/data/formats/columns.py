"""Where the two sides stand in a table: by column number, by header name, or by what the header says."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.data.formats.codes import is_code, language_index
from nmt.errors import DataError
from nmt.shown import amount

SOURCE_NAMES = ("source", "src", "source_text", "src_text", "input", "sentence", "text", "sentence1", "text1")
TARGET_NAMES = ("target", "tgt", "trg", "target_text", "tgt_text", "translation", "output", "sentence2", "text2")


class Columns(NamedTuple):
    """Hold which columns of a table are the two sides."""

    source: int  # from 0
    target: int
    header: bool  # the first row names the columns


def find_columns(
    place: str, rows: Sequence[Sequence[str]], languages: tuple[str, str], columns: tuple[str, ...], guess: bool
) -> Columns:
    """Find the columns of the two sides, given the first rows of a table. `place` begins each message.

    `columns` are numbers from 1 or names in the header. Without them the header decides: the two languages, or words
    such as `source` and `target`. Without a header they are the first two columns, if there are no others, or if
    `guess` and these two hold text. Raises DataError that lists the columns.
    """
    first = [cell.strip() for cell in rows[0]]
    if len(columns) not in {0, 2}:
        raise DataError(f"{place}: columns: give two, source and target, or none; {len(columns)} is given")
    if columns:
        return _named_columns(place, first, languages, columns)
    source, target = sides_in(first, languages)
    if len(first) == 2:  # beside the one language, the other column may name any
        if source is not None and target is None and is_code(first[1 - source]):
            target = 1 - source
        if target is not None and source is None and is_code(first[1 - target]):
            source = 1 - target
    if source is not None and target is not None and source != target:
        return Columns(source, target, True)
    if len(first) < 2:
        raise DataError(f"{place}: has one column; put a tab (in CSV: a comma) between source and target")
    text = [_holds_text([row[side] for row in rows if len(row) > 1]) for side in (0, 1)]
    if len(first) > 2 and not (guess and all(text)):
        raise DataError(
            f"{place}: has {len(first)} columns and no header for {languages[0]} and {languages[1]}: "
            f"{_shown(first)}; name two of them, as in {{path: {Path(place).name.partition(':')[0]}, "
            f"columns: {_proposal(rows, languages)}}}"
        )
    return Columns(0, 1, False)


def _named_columns(place: str, first: list[str], languages: tuple[str, str], columns: tuple[str, ...]) -> Columns:
    """Return the columns with these numbers or names. If both are numbers, the first row is a header if one of its two
    cells names its language or a side."""
    folded = [name.lower() for name in first]
    header = False
    found: list[int] = []
    for column, language in zip(columns, languages, strict=True):
        number = int(column) if column.isdecimal() else 0
        if 1 <= number <= len(first):
            found.append(number - 1)
        elif column in first and not column.isdecimal():
            found.append(first.index(column))
        elif column.lower() in folded:
            found.append(folded.index(column.lower()))
        else:
            raise DataError(
                f"{place}: has no column {column!r}; its first row has {_shown(first)}: name one or its number"
            )
        cell = first[found[-1]]
        known = cell.lower() in {*SOURCE_NAMES, *TARGET_NAMES} or language_index(language, [cell]) is not None
        header = header or not column.isdecimal() or known
    return Columns(found[0], found[1], header)


def sides_in(names: Sequence[str], languages: tuple[str, str]) -> tuple[int | None, int | None]:
    """Find the places of the two sides among names: languages (`en`, `French`, `text_en`), or words such as
    `source`."""
    source, target = (language_index(language, list(names)) for language in languages)
    if source is None and target is None:
        parts = [re.split(r"[ _.-]", name) for name in names]
        for choose in (-1, 0):  # `text_en`, `en_text`
            ends = [part[choose] if 1 < len(part) <= 3 else "" for part in parts]
            found = [language_index(language, ends) for language in languages]
            if None not in found and found[0] != found[1]:
                return found[0], found[1]
        folded = [name.strip().lower().replace(" ", "_") for name in names]
        source = next((folded.index(name) for name in SOURCE_NAMES if name in folded), None)
        target = next((folded.index(name) for name in TARGET_NAMES if name in folded), None)
    return source, target


def _holds_text(cells: list[str]) -> bool:
    """Return whether cells of a column can be sentences: most have letters, and they are not all the same."""
    lettered = sum(any(character.isalpha() for character in cell) for cell in cells)
    return lettered * 2 > len(cells) and (len(cells) < 3 or len(set(cells)) > 1)


def _proposal(rows: Sequence[Sequence[str]], languages: tuple[str, str]) -> str:
    """Return the value to write for `columns`, as well as header and cells tell it."""
    first = list(rows[0])
    source, target = (language_index(language, first) for language in languages)
    texts = [place for place in range(len(first)) if _holds_text([row[place] for row in rows if len(row) > place])]
    others = [place for place in [*texts, *range(len(first))] if place not in {source, target}]
    source = others.pop(0) if source is None else source
    target = next(place for place in others if place != source) if target is None else target
    return f"[{source + 1}, {target + 1}]"


def _shown(first: list[str], limit: int = 8) -> str:
    names = [repr(cell if len(cell) <= 30 else f"{cell[:30]}...") for cell in first[:limit]]
    return ", ".join(names) + (f" and {amount(len(first) - limit, 'other')}" if len(first) > limit else "")
