"""Test sets: those that a run's config names, or any other source with its reference."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nmt.data.corpora import HELD_OUT, find_tests
from nmt.data.corpus import read_lines
from nmt.data.encodings import AUTO
from nmt.data.formats.sides import read_side
from nmt.data.opening import check_regular
from nmt.data.sources import TextSource
from nmt.errors import DataError
from nmt.evaluation.gold import Gold, read_gold
from nmt.runs import store

MOST_COUNTED = 10_000  # further lines of a text that is longer than another, counted for the message


@dataclass(frozen=True)
class EvaluationSet:
    """Hold a test set. `references` has one list of lines for each reference; `parts` are line numbers, from 0."""

    name: str
    sources: list[str]
    references: list[list[str]]
    gold_file: Path  # word alignments, which need not exist
    parts: dict[str, list[int]] = field(default_factory=dict)

    def pairs(self) -> list[tuple[str, str]]:
        """Return source and first reference."""
        return list(zip(self.sources, self.references[0], strict=True))

    def gold(self, words: str = "scripts", warn: Callable[[str], None] = lambda _: None) -> list[Gold] | None:
        """Return the gold alignments of source and first reference; None if there is no such file. They are read
        only here, since the file may be another tool's. `words` says what a word is, out of WORDS. Raises DataError
        if it does not fit the text."""
        return read_gold(self.gold_file, self.pairs(), words, warn) if self.gold_file.exists() else None


def configured_sets(run: Path, warn: Callable[[str], None]) -> list[EvaluationSet]:
    """Read all test sets of a run's config. Warns of a part that none of them has, as where a config was copied.
    Raises DataError if no set has a further reference that the config names."""
    data = store.load_settings(run).data
    if not (data.test or data.hold_out_test):
        raise DataError(f"{run / store.CONFIG}: data.test: names no test set; give --source and --reference")
    try:
        sources = find_tests(data, run)
    except DataError as error:
        raise DataError(f"{error}; or score another text: --test FILE, or --source FILE --reference FILE") from None
    folder = run / HELD_OUT if data.hold_out_test else Path(data.folder)
    found = []
    for source in sources:
        # The files that may lie beside a test set: further references, line numbers of parts, gold alignments.
        beside = {ending: folder / f"{source.name}.{ending}" for ending in (*data.references, *data.parts, "align")}
        for path in beside.values():
            check_regular(path)
        references = [beside[ending] for ending in data.references if beside[ending].exists()]
        parts = {part: read_numbers(beside[part]) for part in data.parts if beside[part].exists()}
        found.append(read_source(source, beside["align"], references, parts))
    names = [source.name for source in sources]
    for part in data.parts:
        if not any(part in each.parts for each in found):
            warn(f"data.parts: {data.folder} has no {_any_of(names, part)}; {part} is left out")
    for ending in data.references:
        if not any((Path(data.folder) / f"{name}.{ending}").exists() for name in names):
            raise DataError(
                f"data.references: {data.folder} has no {_any_of(names, ending)}; add the file, or remove {ending} "
                "from data.references"
            )
    return found


def _any_of(names: Sequence[str], ending: str) -> str:
    return " or ".join(f"{name}.{ending}" for name in names)


def read_source(
    source: TextSource,
    gold: Path,
    references: Sequence[Path] = (),
    parts: dict[str, list[int]] | None = None,
) -> EvaluationSet:
    """Read a parallel text as a test set, with further references (a line per pair). `parts` are line numbers, from
    1."""
    pairs = list(source.pairs())
    if not pairs:
        raise DataError(f"{source.files[0]}: is empty; there is nothing to score")
    sides = [iter([pair.target for pair in pairs]), *(read_side(path, source.encoding) for path in references)]
    texts = _read_together([source.files[0], *references], sides)
    places = {pair.line: place for place, pair in enumerate(pairs)}
    for part, lines in (parts or {}).items():
        if not lines:
            raise DataError(f"{source.name}.{part}: is empty; write one line number per line, or remove the file")
        if missing := [line for line in lines if line not in places]:
            file, last = source.files[0].name, pairs[-1].line
            raise DataError(f"{source.name}.{part}: names line {missing[0]}, but {file} has {last}")
    numbered = {part: [places[line] for line in lines] for part, lines in (parts or {}).items()}
    return EvaluationSet(source.name, [pair.source for pair in pairs], texts, gold, numbered)


def read_set(source: Path, references: Sequence[Path], name: str, gold: Path, encoding: str = AUTO) -> EvaluationSet:
    """Read a source and its references, a file of lines each."""
    sources, *texts = read_texts([source, *references], encoding)
    return EvaluationSet(name, sources, texts, gold)


def read_texts(paths: Sequence[Path], encoding: str = AUTO) -> list[list[str]]:
    """Read files whose lines correspond, each read once. Raises DataError if they differ in length, or are empty."""
    texts = _read_together(paths, [read_side(path, encoding) for path in paths])
    if not texts[0]:
        raise DataError(f"{paths[0]}: is empty; there is nothing to score")
    return texts


def _read_together(paths: Sequence[Path], sides: Sequence[Iterator[str]]) -> list[list[str]]:
    """Return the lines of texts that correspond, no more of each than the shortest has: another may have no end.

    Raise DataError if they differ in length.
    """
    texts: list[list[str]] = [[] for _ in sides]
    for row in itertools.zip_longest(*sides):
        if None in row:
            sizes = [len(texts[0]) + (line is not None) for line in row]
            for place, side in enumerate(sides):
                sizes[place] += sum(1 for _ in itertools.islice(side, MOST_COUNTED))
            most = len(texts[0]) + MOST_COUNTED
            counts = [f"more than {most:,}" if size > most else f"{size:,}" for size in sizes]
            other = next(place for place, size in enumerate(sizes) if size != sizes[0])
            raise DataError(
                f"{paths[0]} has {counts[0]} {'line' if sizes[0] == 1 else 'lines'} and "
                f"{paths[other]} has {counts[other]}; "
                "line N of one must translate line N of the other"
            )
        for text, line in zip(texts, row, strict=True):
            text.append(line)
    return texts


def read_numbers(path: Path) -> list[int]:
    """Read line numbers, from 1, one per line."""
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        if not (line.isascii() and line.isdecimal() and len(line) < 13) or int(line) < 1:
            raise DataError(f"{path}:{number}: {line[:20]!r} is not a line number; write one number per line, from 1")
        found.append(int(line))
    return found
