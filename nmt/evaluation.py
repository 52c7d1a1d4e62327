"""Scoring: the test sets of a run, any other test set, or a translation made elsewhere."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt import run as runs
from nmt.config import Settings
from nmt.data.corpus import ParallelFiles, parallel_files, read_lines, read_pairs
from nmt.decoding.translator import Translator
from nmt.errors import DataError
from nmt.metrics import METRICS, Score, score


@dataclass(frozen=True)
class SetScores:
    """Scores of one test set, or of a part of it. `seconds` is the time of its translation; 0 if it has none."""

    sentences: int
    scores: dict[str, Score]
    seconds: float = 0.0
    decoding: str = ""


@dataclass(frozen=True)
class Evaluation:
    run: str
    sets: dict[str, SetScores]


def evaluate(
    path: Path,
    translator: Translator,
    files: tuple[Path, Path] | None,
    changes: dict[str, int | float],
    say: Callable[[str], None],
) -> Evaluation:
    """Translates and scores `files` (source, reference), or all test sets of the run. Saves the result in the run."""
    settings = runs.load_settings(path)
    if files is not None:
        sets = _score_set(translator, ParallelFiles(*files), files[0].name, {}, changes, say)
        return Evaluation(str(path), sets)
    if not settings.data.test:
        raise DataError(f"{path / runs.CONFIG}: data.test: names no test set; give --source and --reference")
    sets = {}
    for stem in settings.data.test:
        test = parallel_files(settings.data.folder, stem, settings.data.source, settings.data.target)
        sets |= _score_set(translator, test, stem, _parts(settings, stem), changes, say)
    result = Evaluation(str(path), sets)
    content = json.dumps(to_json(result), ensure_ascii=False, indent=1)
    runs.write_atomic(path / runs.SCORES, content.encode())
    return result


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


def _score_set(
    translator: Translator,
    files: ParallelFiles,
    name: str,
    parts: dict[str, list[int]],
    changes: dict[str, int | float],
    say: Callable[[str], None],
) -> dict[str, SetScores]:
    pairs = list(read_pairs(files))
    if not pairs:
        raise DataError(f"{files.source}: is empty; there is nothing to score")
    say(f"translating {name}: {len(pairs):,} lines")
    started = time.perf_counter()
    hypotheses = [
        translation.text
        for translation in translator.translate([pair.source for pair in pairs], attention=False, changes=changes)
    ]
    seconds = time.perf_counter() - started
    used = translator.settings.model_copy(update=changes)
    decoding = f"beam {used.beam_size}, length penalty {used.length_penalty:g}"
    references = [pair.target for pair in pairs]
    sets = {name: SetScores(len(pairs), score_all(hypotheses, references), seconds, decoding)}
    for part, lines in parts.items():
        if not lines:
            raise DataError(f"{name}.{part}: is empty; write one line number per line, or remove the file")
        if max(lines) > len(pairs):
            raise DataError(f"{name}.{part}: names line {max(lines)}, but {files.source.name} has {len(pairs)}")
        scores = score_all([hypotheses[line - 1] for line in lines], [references[line - 1] for line in lines])
        sets[f"{name}/{part}"] = SetScores(len(lines), scores, 0.0, decoding)
    return sets


def score_files(hypothesis: Path, reference: Path) -> Evaluation:
    """Scores a translation against its reference, line by line."""
    pairs = list(read_pairs(ParallelFiles(hypothesis, reference)))
    if not pairs:
        raise DataError(f"{hypothesis}: is empty; there is nothing to score")
    scores = score_all([pair.source for pair in pairs], [pair.target for pair in pairs])
    return Evaluation(str(hypothesis), {reference.name: SetScores(len(pairs), scores)})


def score_all(hypotheses: list[str], references: list[str]) -> dict[str, Score]:
    """Every metric, with confidence intervals."""
    return {metric: score(metric, hypotheses, references, confidence=True) for metric in METRICS}


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    return {"run": evaluation.run, "sets": {name: _set_json(scores) for name, scores in evaluation.sets.items()}}


def _set_json(scores: SetScores) -> dict[str, Any]:
    values: dict[str, Any] = {metric: round(found.value, 4) for metric, found in scores.scores.items()}
    values["confidence"] = {metric: round(found.interval, 4) for metric, found in scores.scores.items()}
    values["signatures"] = {metric: found.signature for metric, found in scores.scores.items()}
    values["sentences"] = scores.sentences
    values["decoding"] = scores.decoding
    if scores.seconds:
        values["sentences_per_second"] = round(scores.sentences / scores.seconds, 2)
    return values
