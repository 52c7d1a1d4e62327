"""Test sets: those that a run's config names, or any other source with its reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nmt import run as runs
from nmt.config import Settings
from nmt.data.corpus import parallel_files, read_lines
from nmt.decoding.gold import Gold, read_gold
from nmt.errors import DataError


@dataclass(frozen=True)
class EvaluationSet:
    """A test set. `references` has one list of lines for each reference; `parts` are line numbers, from 0."""

    name: str
    sources: list[str]
    references: list[list[str]]
    gold_file: Path  # word alignments, which need not exist
    parts: dict[str, list[int]] = field(default_factory=dict)

    def pairs(self) -> list[tuple[str, str]]:
        """Source and first reference."""
        return list(zip(self.sources, self.references[0], strict=True))

    def gold(self) -> list[Gold] | None:
        """The gold alignments of source and first reference; None if there is no such file. They are read only here,
        since the file may be another tool's. Raises DataError if it does not fit the text."""
        return read_gold(self.gold_file, self.pairs()) if self.gold_file.exists() else None


def configured_sets(run: Path, warn: Callable[[str], None]) -> list[EvaluationSet]:
    """All test sets of a run's config. Warns of a part that none of them has, as where a config was copied. Raises
    DataError if no set has a further reference that the config names."""
    settings = runs.load_settings(run)
    data = settings.data
    if not data.test:
        raise DataError(f"{run / runs.CONFIG}: data.test: names no test set; give --source and --reference")
    found, more = [], dict.fromkeys(data.references, 0)
    for stem in data.test:
        files = parallel_files(data.folder, stem, data.source, data.target)
        others = [path for ending in more if (path := Path(data.folder) / f"{stem}.{ending}").exists()]
        for path in others:
            more[path.name.removeprefix(f"{stem}.")] += 1
        gold = Path(data.folder) / f"{stem}.align"
        found.append(read_set(files.source, [files.target, *others], stem, gold, _parts(settings, stem)))
    for part in data.parts:
        if not any(part in each.parts for each in found):
            warn(f"data.parts: {data.folder} has no {_any_of(data.test, part)}; {part} is left out")
    for ending, count in more.items():
        if not count:
            raise DataError(
                f"data.references: {data.folder} has no {_any_of(data.test, ending)}; add the file, or remove {ending} "
                "from data.references"
            )
    return found


def _any_of(stems: Sequence[str], ending: str) -> str:
    return " or ".join(f"{stem}.{ending}" for stem in stems)


def read_set(
    source: Path, references: Sequence[Path], name: str, gold: Path, parts: dict[str, list[int]] | None = None
) -> EvaluationSet:
    """A source and its references. Line numbers of `parts` are from 1."""
    sources, *texts = read_texts([source, *references])
    for part, lines in (parts or {}).items():
        if not lines:
            raise DataError(f"{name}.{part}: is empty; write one line number per line, or remove the file")
        if max(lines) > len(sources):
            raise DataError(f"{name}.{part}: names line {max(lines)}, but {source.name} has {len(sources)}")
    numbered = {part: [line - 1 for line in lines] for part, lines in (parts or {}).items()}
    return EvaluationSet(name, sources, texts, gold, numbered)


def read_texts(paths: Sequence[Path]) -> list[list[str]]:
    """Files whose lines correspond, each read once. Raises DataError if they differ in length, or are empty."""
    texts = [list(read_lines(path)) for path in paths]
    for path, lines in zip(paths, texts, strict=True):
        if len(lines) != len(texts[0]):
            raise DataError(
                f"{paths[0]} has {len(texts[0])} lines and {path} has {len(lines)}; "
                "line N of one must translate line N of the other"
            )
    if not texts[0]:
        raise DataError(f"{paths[0]}: is empty; there is nothing to score")
    return texts


def _parts(settings: Settings, stem: str) -> dict[str, list[int]]:
    """{part: line numbers, from 1} of the parts that this test set has."""
    found = {}
    for part in settings.data.parts:
        path = Path(settings.data.folder) / f"{stem}.{part}"
        if path.exists():
            found[part] = [_line_number(line, path, number) for number, line in enumerate(read_lines(path), start=1)]
    return found


def _line_number(line: str, path: Path, number: int) -> int:
    if not line.isdecimal() or int(line) < 1:
        raise DataError(f"{path}:{number}: {line[:20]!r} is not a line number; write one number per line, from 1")
    return int(line)
