"""TSV and CSV with a column of translations; every other cell stays as it is."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.data.corpus import is_blank
from nmt.data.documents.segments import Document, Lines
from nmt.data.formats.columns import find_columns
from nmt.data.formats.tables import delimiter_of, parse_csv
from nmt.errors import DataError
from nmt.shown import amount


class _Cells(NamedTuple):
    """Say how a table writes its cells."""

    separator: str
    plain: Callable[[str], str]  # what stands in the file -> what it means
    written: Callable[[str], str]  # and back


_TAB_CELL = re.compile(r"([^\t\n]*)(\t|\n|\Z)")


def open_tsv(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open columns between tabs. A translation is put into the second of `columns`, or into a new one at the end."""
    cells = _Cells("\t", _whole, lambda content: content.replace("\t", " "))
    return _table(path, _rows(text, _TAB_CELL), cells, languages, columns, overwrite)


def open_csv(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open columns between commas, semicolons or tabs, with quoted fields."""
    for _ in parse_csv(iter(text.split("\n")), path):  # raises DataError where quotes do not close
        pass
    separator = delimiter_of(text.partition("\n")[0])
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{separator}\n]*)({separator}|\n|\Z)')

    def written(content: str) -> str:
        special = any(mark in content for mark in (separator, '"', "\n", "\r"))
        return '"' + content.replace('"', '""') + '"' if special else content

    return _table(path, _rows(text, cell), _Cells(separator, _unquoted, written), languages, columns, overwrite)


def _rows(text: str, cell: re.Pattern[str]) -> list[list[str]]:
    """Return rows of cells as they stand in the file; the last cell of a row keeps its `\\r`, and an end without
    newline."""
    rows: list[list[str]] = [[]]
    for found in cell.finditer(text):
        rows[-1].append(found[1])
        if found[2] == "\n":
            rows.append([])
        elif not found[2]:
            break
    return rows


def _whole(cell: str) -> str:
    return cell.removesuffix("\r").removeprefix("\ufeff")


def _unquoted(cell: str) -> str:
    cell = _whole(cell)
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _table(
    path: Path,
    rows: list[list[str]],
    cells: _Cells,
    languages: tuple[str, str],
    columns: tuple[str, ...],
    overwrite: bool,
) -> Document:
    filled = [row for row in rows if any(row)]
    first = [[cells.plain(cell) for cell in row] for row in filled[:20]]
    source, target, header = _columns(path, first, languages, columns)
    found = Lines()
    fillers: list[tuple[int, Callable[[Sequence[str]], str]]] = []
    for number, row in enumerate(rows):
        if not any(row) or (header and row is filled[0]):
            continue
        if len(row) <= source:
            raise DataError(
                f"{path}:{number + 1}: has {amount(len(row), 'column')}, but column {source + 1} is to be translated"
            )
        if overwrite or target is None or len(row) <= target or is_blank(cells.plain(row[target])):
            fillers.append((number, found.add(cells.plain(row[source]))))

    def write(translations: Sequence[str]) -> bytes:
        copies = [list(row) for row in rows]
        if target is None and header:
            _put(copies[rows.index(filled[0])], None, languages[1])
        for number, filler in fillers:
            _put(copies[number], target, cells.written(filler(translations)))
        return "\n".join(cells.separator.join(row) for row in copies).encode()

    return Document(found.texts, write)


def _put(row: list[str], target: int | None, content: str) -> None:
    """Puts a cell into a row, which may be too short; a `\\r` stays at the end."""
    end = "\r" if row[-1].endswith("\r") else ""
    row[-1] = row[-1].removesuffix("\r")
    if target is None:
        row.append(content)
    else:
        row += [""] * (target + 1 - len(row))
        row[target] = content
    row[-1] += end


def _columns(
    path: Path, rows: list[list[str]], languages: tuple[str, str], columns: tuple[str, ...]
) -> tuple[int, int | None, bool]:
    """Find the source column, the target column or None for a new one, and whether there is a header."""
    if not rows:
        return 0, None, False
    if len(columns) == 2:
        return tuple(find_columns(f"{path}:1", rows, languages, columns, guess=True))  # type: ignore[return-value]
    if len(columns) == 1:
        source, _, header = find_columns(f"{path}:1", rows, languages, columns * 2, guess=True)
        return source, None, header
    if len(rows[0]) == 1:
        return 0, None, False
    try:
        found = find_columns(f"{path}:1", rows, languages, (), guess=False)
    except DataError:
        found = None
    if found is None or not found.header:
        raise DataError(
            f"{path}: a table of {len(rows[0])} columns whose header does not name {languages[0]} and {languages[1]}; "
            "say which to translate: --column 1 (into a new column), --column 1 --column 2 (into an empty one), "
            "or --format text for whole lines"
        )
    return found.source, found.target, True
