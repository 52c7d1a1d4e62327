"""Tables: a row has the source in one column and the target in another (`.tsv`, `.csv`, `a ||| b`)."""

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from nmt.data.corpus import Pair, read_lines
from nmt.data.encodings import AUTO
from nmt.data.formats.columns import find_columns
from nmt.data.formats.text import one_line
from nmt.errors import DataError
from nmt.shown import amount

BARS = " ||| "
LONGEST_FIELD = 1 << 24  # characters; a quote that is never closed is found before memory is full
Row = tuple[int, list[str]]  # its line in the file, its cells


def read_tsv(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read columns between tabs. Quotation marks are text."""
    return _table(files[0], tab_rows, languages, columns, notes, encoding, guess=True)


def read_csv(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read columns between commas, semicolons or tabs; a field in double quotes may hold them, and line breaks."""
    return _table(files[0], csv_rows, languages, columns, notes, encoding, guess=False)


def read_bars(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read `source ||| target`, as fast_align does."""
    return _table(files[0], bar_rows, languages, columns, notes, encoding, guess=True)


def tab_rows(path: Path, notes: Counter[str], encoding: str = AUTO) -> Iterator[Row]:
    """Yield (line, cells) of a table whose cells are separated by tabs."""
    for number, line in enumerate(read_lines(path, notes, encoding), start=1):
        yield number, line.split("\t")


def bar_rows(path: Path, notes: Counter[str], encoding: str = AUTO) -> Iterator[Row]:
    """Yield (line, cells) of a table whose cells are separated by `|||`."""
    for number, line in enumerate(read_lines(path, notes, encoding), start=1):
        yield number, [cell.strip() for cell in f" {line} ".split(BARS)]


def csv_rows(path: Path, notes: Counter[str], encoding: str = AUTO) -> Iterator[Row]:
    """Return rows with the line in which each starts. Raises DataError for a quote that is not closed or not alone."""
    return parse_csv(read_lines(path, notes, encoding), path)


def parse_csv(lines: Iterator[str], path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file, given its lines. Raises DataError as `csv_rows` does."""
    first = next(lines, "")
    csv.field_size_limit(LONGEST_FIELD)
    ended = (f"{line}\n" for line in itertools.chain([first], lines))
    reader = csv.reader(ended, delimiter=delimiter_of(first), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f'{path}:{start}: {error}; close each quoted field, and write a quotation mark inside one twice ("")'
        ) from None


def delimiter_of(line: str) -> str:
    """Return the most frequent of comma, semicolon and tab outside quotes in the first line of a table."""
    outside = "".join(line.split('"')[::2])
    return max(",;\t", key=outside.count)


def _table(
    path: Path,
    rows: Callable[[Path, Counter[str], str], Iterator[Row]],
    languages: tuple[str, str],
    columns: tuple[str, ...],
    notes: Counter[str],
    encoding: str,
    *,
    guess: bool,
) -> Iterator[Pair]:
    found = rows(path, notes, encoding)
    first = list(itertools.islice(found, 20))
    if not any(cells for _, cells in first):
        return
    where = find_columns(f"{path}:1", [cells for _, cells in first], languages, columns, guess)
    needed = max(where.source, where.target)
    if guess and not columns and not where.header and len(first[0][1]) > 2:
        notes["tables with more than two columns and no header, read as source, target and the rest ignored"] += 1
    for line, cells in itertools.chain(first[1:] if where.header else first, found):
        if len(cells) <= needed:
            if not any(cell.strip() for cell in cells):
                yield Pair(line, "", "")
                continue
            raise DataError(
                f"{path}:{line}: has {amount(len(cells), 'column')}, and column {needed + 1} is needed; repair the row"
            )
        yield Pair(line, one_line(cells[where.source]), one_line(cells[where.target]))
