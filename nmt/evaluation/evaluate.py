"""Scoring: a run on test sets, or a translation made elsewhere; and one run against another."""

import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nmt.bootstrap import Difference, Score, Statistics, resampling_seed
from nmt.data.encodings import AUTO
from nmt.data.opening import check_distinct
from nmt.data.words import split_words
from nmt.errors import ConfigError, DataError
from nmt.evaluation.gold import Agreement, Gold, agreement
from nmt.evaluation.test_sets import EvaluationSet, read_texts
from nmt.files import write_atomic
from nmt.inference.align import align
from nmt.inference.request import ALIGNED, with_changes
from nmt.inference.translation import warnings_of
from nmt.inference.translator import Translator
from nmt.languages import language_of_file, language_of_text
from nmt.metrics import AER, METRICS, default_metrics, statistics
from nmt.runs import store
from nmt.shown import amount, counted

AER_SIGNATURE = "nrefs:1|attention:forced|links:strongest-both-ways"
LENGTHS = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100)  # last length of each group, in source words; one more is open
SMALL_GROUP = 10  # lines; a smaller group is joined with the next


@dataclass(frozen=True)
class Group:
    """Hold the lines whose source has `shortest` to `longest` words, punctuation marks counted."""

    shortest: int
    longest: int
    sentences: int
    scores: dict[str, Score]


@dataclass(frozen=True)
class SetScores:
    """Scores of one test set, or of a part of it. `seconds` is the time of its translation; 0 if it has none."""

    sentences: int
    scores: dict[str, Score]
    seconds: float = 0.0
    decoding: str = ""
    by_length: list[Group] = field(default_factory=list)
    statistics: dict[str, Statistics] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Evaluation:
    """Hold the scores of a test set."""

    run: str
    sets: dict[str, SetScores]
    language: str = ""  # of the references, as the metrics take it


@dataclass(frozen=True)
class Wanted:
    """Say what to find out: by default the usual metrics of the language, which is that of the references."""

    metrics: tuple[str, ...] = ()
    by_length: bool = False
    language: str = ""
    words: str = "scripts"  # what a word is in lengths and gold alignments, out of WORDS

    def on(self, reference: Sequence[str]) -> "Wanted":
        """Return the request with the language of this text's script, if none is known, and with its usual metrics.

        Raises ConfigError, before anything is translated, if a metric or its interval cannot be had here.
        """
        language = self.language or language_of_text(reference)
        metrics = self.metrics or default_metrics(language)
        resampling_seed()
        for metric in metrics:
            if metric != AER:
                METRICS[metric].make(language)
        return replace(self, metrics=metrics, language=language)


# Scores --------------------------------------------------------------------------------------------------------------


def evaluate(
    run: Path,
    translator: Translator,
    sets: Sequence[EvaluationSet],
    wanted: Wanted,
    changes: dict[str, Any],
    say: Callable[[str], None],
    warn: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Translates and scores. The alignment error rate is that of the references, which the model reads.

    Warns of translations that were cut, split, limited or empty.
    """
    wanted = wanted.on(sets[0].references[0])
    gold: dict[str, list[Gold]] = {}  # of the test sets that have some
    if AER in wanted.metrics:
        if not translator.attends:
            raise ConfigError(f"--metric {AER}: {run} has no attention")
        gold = {data.name: links for data in sets if (links := data.gold(wanted.words, warn))}
        if not gold:
            files = ", ".join(str(data.gold_file) for data in sets)
            raise DataError(f"--metric {AER}: needs gold word alignments beside a test set: {files}")
    found: dict[str, SetScores] = {}
    for data in sets:
        found |= _score_set(translator, data, gold.get(data.name), wanted, changes, say, warn)
    return Evaluation(str(run), found, wanted.language)


def _score_set(
    translator: Translator,
    data: EvaluationSet,
    gold: list[Gold] | None,
    wanted: Wanted,
    changes: dict[str, Any],
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, SetScores]:
    counts: dict[str, Statistics] = {}
    seconds, decoding = 0.0, ""
    texts = [metric for metric in wanted.metrics if metric != AER]
    if texts:
        say(f"translating {data.name}: {amount(len(data.sources), 'line')}")
        started = time.perf_counter()
        translations = translator.translate(data.sources, attention=False, changes=changes)
        seconds = time.perf_counter() - started
        for note, count in warnings_of(translations).items():
            if count:
                warn(f"{data.name}: {counted(note, count)}")
        used = translator.settings.model_copy(update=changes)
        decoding = f"beam {used.beam_size}, length penalty {used.length_penalty:g}"
        visible = translator.subwords.target.normalizer.visible
        references = [[visible(line) for line in lines] for lines in data.references]
        if references != data.references:
            warn(f"{data.name}: references are scored without their invisible characters, which no output has")
        counts = text_statistics([translation.text for translation in translations], references, wanted)
    if gold is not None:
        say(f"aligning {data.name}: {amount(len(data.sources), 'line')}")
        how = {name: value for name, value in changes.items() if name in ALIGNED}
        counts[AER] = alignment_statistics(translator, data.pairs(), gold, wanted.words, how)
    whole = _scores(counts, data.sources, wanted, seconds, decoding)
    sets = {data.name: whole}
    for part, lines in data.parts.items():
        chosen = {metric: found.select(lines) for metric, found in counts.items()}
        sources = [data.sources[line] for line in lines]
        sets[f"{data.name}/{part}"] = _scores(chosen, sources, replace(wanted, by_length=False), 0.0, decoding)
    return sets


def text_statistics(hypotheses: list[str], references: list[list[str]], wanted: Wanted) -> dict[str, Statistics]:
    """Return the statistics of each line, by metric; a sum of them gives the score of a corpus."""
    return {
        metric: statistics(metric, hypotheses, references, language=wanted.language)
        for metric in wanted.metrics
        if metric != AER
    }


def alignment_statistics(
    translator: Translator,
    pairs: list[tuple[str, str]],
    gold: Sequence[Gold],
    words: str = "scripts",
    changes: Mapping[str, Any] | None = None,
) -> Statistics:
    """Return the statistics of the alignment error rate, in percent."""
    aligned = align(translator, pairs, words=words, changes=changes)
    rows = np.array([agreement(found.links, known) for found, known in zip(aligned, gold, strict=True)], np.float64)
    share = with_changes(translator.settings, changes or {}).link_share
    measured = AER_SIGNATURE if share == 1 else f"{AER_SIGNATURE}|share:{share:g}"
    return Statistics("AER", lambda _: measured, rows, lambda total: 100 * Agreement(*map(float, total)).error_rate)


def _scores(
    counts: dict[str, Statistics], sources: list[str], wanted: Wanted, seconds: float = 0.0, decoding: str = ""
) -> SetScores:
    scores = {metric: found.score(confidence=True) for metric, found in counts.items()}
    groups = []
    if wanted.by_length:
        lengths = [len(split_words(source, wanted.words)) for source in sources]
        for shortest, longest, lines in group_by_length(lengths):
            of_group = {metric: found.select(lines).score(confidence=True) for metric, found in counts.items()}
            groups.append(Group(shortest, longest, len(lines), of_group))
    return SetScores(len(sources), scores, seconds, decoding, groups, counts)


def score_lines(
    hypotheses: list[str], references: list[str], sources: list[str], wanted: Wanted, decoding: str
) -> SetScores:
    """Score translations of lines, each against one reference. `wanted` has its metrics."""
    return _scores(text_statistics(hypotheses, [references], wanted), sources, wanted, decoding=decoding)


def score_files(
    hypothesis: Path, references: Sequence[Path], source: Path | None, wanted: Wanted, encoding: str = AUTO
) -> Evaluation:
    """Scores a translation against its references, line by line. Lengths need the source."""
    if AER in wanted.metrics:
        raise ConfigError(f"--metric {AER}: needs the attention of a model; remove --hypothesis")
    told = wanted.language or next(filter(None, (language_of_file(path.name) for path in references)), "")
    check_distinct(hypothesis, *references, source)
    hypotheses, *texts = read_texts([hypothesis, *references, *([source] if source else [])], encoding)
    sources = texts.pop() if source else [""] * len(hypotheses)
    wanted = replace(wanted, language=told).on(texts[0])
    counts = text_statistics(hypotheses, texts, wanted)
    name = " ".join(path.name for path in references)
    return Evaluation(str(hypothesis), {name: _scores(counts, sources, wanted)}, wanted.language)


# By length -----------------------------------------------------------------------------------------------------------


def group_by_length(lengths: Sequence[int]) -> list[tuple[int, int, list[int]]]:
    """Return (shortest, longest, indices of these lengths): LENGTHS, with small groups joined, the last one up to
    the end."""
    bounds = [*(bound for bound in LENGTHS if bound < max(lengths)), max(lengths)]
    groups: list[tuple[int, int, list[int]]] = []
    shortest, lines = min(1, *lengths), []
    for before, bound in itertools.pairwise([-1, *bounds]):
        lines += [line for line, length in enumerate(lengths) if before < length <= bound]
        if len(lines) >= SMALL_GROUP or bound == bounds[-1]:
            groups.append((shortest, bound, sorted(lines)))
            shortest, lines = bound + 1, []
    if len(groups) > 1 and len(groups[-1][2]) < SMALL_GROUP:
        (shortest, _, lines), (_, longest, rest) = groups[-2:]
        groups[-2:] = [(shortest, longest, sorted(lines + rest))]
    return groups


# Two runs ------------------------------------------------------------------------------------------------------------


def compare(first: Evaluation, second: Evaluation) -> dict[str, dict[str, Difference]]:
    """Return {test set: {metric: second minus first}}, by paired bootstrap resampling."""
    return {
        name: {
            metric: found.compare(second.sets[name].statistics[metric]) for metric, found in scores.statistics.items()
        }
        for name, scores in first.sets.items()
    }


# JSON ----------------------------------------------------------------------------------------------------------------


def save(run: Path, evaluation: Evaluation) -> None:
    """Keeps the result in the run, for `nmt info`."""
    content = json.dumps(to_json(evaluation), indent=1)
    write_atomic(run / store.SCORES, content.encode())


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as it is saved and printed."""
    sets: dict[str, dict[str, Any]] = {}
    for name, scores in evaluation.sets.items():
        values = {**_scores_json(scores.scores), "sentences": scores.sentences, "decoding": scores.decoding}
        if scores.seconds:
            values["sentences_per_second"] = round(scores.sentences / scores.seconds, 2)
        if scores.by_length:
            values["by_length"] = [
                {"words": [group.shortest, group.longest], "sentences": group.sentences, **_scores_json(group.scores)}
                for group in scores.by_length
            ]
        sets[name] = values
    return {"run": evaluation.run, "sets": sets}


def _scores_json(scores: dict[str, Score]) -> dict[str, Any]:
    values: dict[str, Any] = {metric: round(found.value, 4) for metric, found in scores.items()}
    values["confidence"] = {metric: round(found.interval, 4) for metric, found in scores.items()}
    values["signatures"] = {metric: found.signature for metric, found in scores.items()}
    return values


def comparison_json(first: Evaluation, second: Evaluation) -> dict[str, Any]:
    """Return the result of both, and `difference`: second minus first."""
    difference = {
        name: {
            metric: {
                "value": round(found.value, 4),
                "confidence": round(found.interval, 4),
                "p_value": round(found.p_value, 4),
            }
            for metric, found in metrics.items()
        }
        for name, metrics in compare(first, second).items()
    }
    return {**to_json(first), "other": to_json(second), "difference": difference}
