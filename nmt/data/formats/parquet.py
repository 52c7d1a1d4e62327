"""Parquet files, read by pyarrow if it is installed."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nmt.data.corpus import Pair
from nmt.data.formats.json_rows import find_keys, value_at
from nmt.data.formats.text import one_line
from nmt.errors import DataError, extra


def read_parquet(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read two columns of a table, found as the keys of JSON objects are; rows are numbered."""
    path = files[0]
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise DataError(f"{path}: Parquet files need pyarrow, which is not installed: {extra('parquet')}") from None
    try:
        table = parquet.ParquetFile(path)
        batches = table.iter_batches(batch_size=1000)
        rows = enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
        first = next(rows, None)
        if first is None:
            return
        keys = find_keys(f"{path}:{first[0]}", first[1], languages, columns)
        for number, row in itertools.chain([first], rows):
            source, target = (one_line(value_at(row, key, f"{path}:{number}")) for key in keys)
            yield Pair(number, source, target)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: not a valid Parquet file ({str(error)[:80]}); export it again") from None
