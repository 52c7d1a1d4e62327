"""Parallel text from wherever it is: the sources that `data.train`, `data.valid` and `data.test` name.

A `TextSource` yields numbered pairs of lines and names the files that they come from. `FORMATS` says how each kind of
file is read.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nmt.data.corpus import Pair, ParallelFiles, read_pairs


@dataclass(frozen=True)
class TextSource:
    """One parallel text.

    `languages` are the source and target language as the config names them. `columns` say where the two sides are in a
    file that holds both: column numbers from 1, header names or JSON keys; empty if the format knows by itself.
    """

    name: str  # as messages show it
    files: tuple[Path, ...]
    format: str  # a key of FORMATS
    languages: tuple[str, str]
    columns: tuple[str, ...] = ()

    def pairs(self, notes: Counter[str] | None = None) -> Iterator[Pair]:
        """Every pair, blank ones included, numbered from 1 as in the file. Counts repairs in `notes`.

        Raises DataError with file and line if the text cannot be read.
        """
        return FORMATS[self.format](self, Counter() if notes is None else notes)


def read_text(source: TextSource, notes: Counter[str]) -> Iterator[Pair]:
    """Two text files; line N of one translates line N of the other."""
    return read_pairs(ParallelFiles(*source.files), notes)


FORMATS: dict[str, Callable[[TextSource, Counter[str]], Iterator[Pair]]] = {
    "text": read_text,
}
