"""Test sets: those that a run's config names, or any other source with its reference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nmt import run as runs
from nmt.config import Settings
from nmt.data.corpus import ParallelFiles, parallel_files, read_lines, read_pairs
from nmt.data.encodings import AUTO
from nmt.decoding.gold import Gold, read_gold
from nmt.errors import DataError


@dataclass(frozen=True)
class EvaluationSet:
    """A test set. `parts` are line numbers, from 0; `gold` are its word alignments, if `gold_file` is there."""

    name: str
    sources: list[str]
    references: list[str]
    gold_file: Path
    parts: dict[str, list[int]] = field(default_factory=dict)
    gold: list[Gold] | None = None


def configured_sets(run: Path, warn: Callable[[str], None]) -> list[EvaluationSet]:
    """All test sets of a run's config. Warns of a part that none of them has, as where a config was copied."""
    settings = runs.load_settings(run)
    if not settings.data.test:
        raise DataError(f"{run / runs.CONFIG}: data.test: names no test set; give --source and --reference")
    found = []
    for stem in settings.data.test:
        files = parallel_files(settings.data.folder, stem, settings.data.source, settings.data.target)
        found.append(
            read_set(
                files,
                stem,
                Path(settings.data.folder) / f"{stem}.align",
                _parts(settings, stem),
                settings.data.encoding,
            )
        )
    for part in settings.data.parts:
        if not any(part in each.parts for each in found):
            missing = " or ".join(f"{stem}.{part}" for stem in settings.data.test)
            warn(f"data.parts: {settings.data.folder} has no {missing}; {part} is left out")
    return found


def read_set(
    files: ParallelFiles, name: str, gold: Path, parts: dict[str, list[int]] | None = None, encoding: str = AUTO
) -> EvaluationSet:
    """Source and reference, with the gold alignments if there is such a file. Line numbers of `parts` are from 1."""
    pairs = [(pair.source, pair.target) for pair in read_pairs(files, encoding=encoding)]
    if not pairs:
        raise DataError(f"{files.source}: is empty; there is nothing to score")
    for part, lines in (parts or {}).items():
        if not lines:
            raise DataError(f"{name}.{part}: is empty; write one line number per line, or remove the file")
        if max(lines) > len(pairs):
            raise DataError(f"{name}.{part}: names line {max(lines)}, but {files.source.name} has {len(pairs)}")
    return EvaluationSet(
        name,
        [source for source, _ in pairs],
        [target for _, target in pairs],
        gold,
        {part: [line - 1 for line in lines] for part, lines in (parts or {}).items()},
        read_gold(gold, pairs) if gold.exists() else None,
    )


def _parts(settings: Settings, stem: str) -> dict[str, list[int]]:
    """{part: line numbers, from 1} of the parts that this test set has."""
    found = {}
    for part in settings.data.parts:
        path = Path(settings.data.folder) / f"{stem}.{part}"
        if path.exists():
            found[part] = [_line_number(line, path, number) for number, line in enumerate(read_lines(path), start=1)]
    return found


def _line_number(line: str, path: Path, number: int) -> int:
    if not (line.isascii() and line.isdecimal() and len(line) < 13) or int(line) < 1:
        raise DataError(f"{path}:{number}: {line[:20]!r} is not a line number; write one number per line, from 1")
    return int(line)
