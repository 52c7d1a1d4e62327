"""What a report says: everything of a run, gathered into plain values for the page and for the short form."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt import config
from nmt.api import load_translator
from nmt.bootstrap import Difference
from nmt.config import Settings
from nmt.data.words import split_words
from nmt.errors import ConfigError, DataError, UserError
from nmt.evaluation.evaluate import Evaluation, SetScores, Wanted, compare, evaluate, score_lines
from nmt.evaluation.outputs import Outputs
from nmt.evaluation.test_sets import configured_sets
from nmt.files import read_json, run_file_exists
from nmt.inference.align import align
from nmt.inference.alignment import AttentionMatrix
from nmt.inference.confidence import Calibration, calibrate
from nmt.inference.translator import Translator
from nmt.metrics import LOSS, METRICS, better, default_metrics
from nmt.report.outputs_of import Say, comparable, outputs_of
from nmt.report.records import Records, read_records
from nmt.runs import store
from nmt.runs.weights import read_header_of

VALIDATION = "validation text"
SHORTEST, LONGEST = 4, 14  # words of the sentences whose attention is shown
PICTURES = 4


@dataclass
class Told:
    """Hold what is known of one run."""

    path: Path
    name: str
    settings: Settings
    records: Records
    outputs: Outputs | None
    provenance: Mapping[str, Any]
    statistics: Any  # TrainingStatistics, or None
    earlier: Mapping[str, Any]  # scores.json: the last result of `nmt eval`
    parameters: int
    calibration: Calibration | None = None
    scores: dict[str, SetScores] = field(default_factory=dict)  # by test set, the validation text first

    @property
    def metric(self) -> str:
        """Return the metric that chose the best checkpoint."""
        return self.settings.training.metric

    @property
    def best(self) -> Mapping[str, Any] | None:
        """Return the validation whose model is kept."""
        return self.records.best(self.metric, better)

    @property
    def seconds(self) -> float:
        """Return the training time that is recorded."""
        every = [*self.records.train, *self.records.validations, *self.records.others]
        return max((float(each.get("seconds", 0.0)) for each in every), default=0.0)


@dataclass
class Contents:
    """Hold what a report is about: a run, perhaps with another one that it is compared with."""

    run: Told
    other: Told | None
    differences: dict[str, dict[str, Difference]]  # by test set and metric: the run minus the other
    attention: list[AttentionMatrix]
    made: str  # when
    notes: list[str]


class Loader:
    """Load each translator once."""

    def __init__(self, device: str | None = None, threads: int | None = None) -> None:
        self._how = (device, threads)
        self._known: dict[Path, Translator] = {}

    def __call__(self, run: Path) -> Translator:
        if run not in self._known:
            self._known[run] = load_translator(run, *self._how)
        return self._known[run]


def gather(
    run: Path,
    other: Path | None = None,
    *,
    tests: bool = False,
    say: Say = lambda _: None,
    load: Callable[[Path], Translator] | None = None,
    pictures: bool = True,
) -> Contents:
    """Gather everything about a run. With `tests`, its test sets are translated too, as `nmt eval` does.

    Raises DataError if one is not a run or is damaged, ConfigError if two runs cannot be compared.
    """
    load = load or Loader()
    notes: list[str] = []

    def note(line: str) -> None:
        say(line)
        notes.append(line.removeprefix("note: ")) if line.startswith("note: ") else None

    first = _told(run, outputs_of(run, note, load), note)
    second = None
    if other is not None:
        own, theirs = first.settings.data, store.load_settings(other).data
        if (own.source, own.target) != (theirs.source, theirs.target):
            raise ConfigError(
                f"{other} translates {theirs.source} -> {theirs.target}, and {first.path} {own.source} -> "
                f"{own.target}; they cannot be compared"
            )
        second = _told(other, comparable(first.outputs, other, note, load), note)
    if tests:  # those of the first run's config, with each run
        try:
            sets = configured_sets(run, note)
        except UserError as error:
            note(f"note: no test scores: {error}")
        else:
            for told in filter(None, (first, second)):
                wanted = Wanted(by_length=True, language=told.outputs.language if told.outputs else "")
                told.scores |= evaluate(told.path, load(told.path), sets, wanted, {}, note, note).sets
    differences = {}
    if second:
        differences = compare(*(Evaluation(str(told.path), told.scores) for told in (second, first)))
    attention = _pictures(first, load) if pictures and first.outputs else []
    return Contents(first, second, differences, attention, time.strftime("%Y-%m-%d %H:%M"), notes)


def _told(run: Path, outputs: Outputs | None, note: Say) -> Told:
    settings = store.load_settings(run)
    header = read_header_of(run, store.WEIGHTS) if run_file_exists(run, store.WEIGHTS) else None
    if header is None:
        raise DataError(f"{run / store.WEIGHTS}: no such file: the run has no validated model yet; nmt watch shows it")
    from nmt.model import model_shapes

    sizes = [len(subword) for subword in store.load_subwords(run)]
    parameters = sum(math.prod(shape) for shape in model_shapes(settings.model, sizes).values())
    told = Told(
        run, run.resolve().name, config.portable(settings, run), read_records(run), outputs,
        _json(run, store.PROVENANCE, note), store.load_statistics(run), _json(run, store.SCORES, note), parameters,
        store.load_calibration(run),
    )  # fmt: skip
    if outputs:  # score the kept translations by those metrics that validation has, with intervals
        chosen = {told.metric} - {LOSS}
        metrics = tuple(dict.fromkeys([*chosen, *default_metrics(outputs.language)[:2]]))
        wanted = Wanted(metrics, by_length=True, language=outputs.language)
        scores = score_lines(outputs.hypotheses, outputs.references, outputs.sources, wanted, "greedy")
        told.scores[VALIDATION] = scores
    return told


def _json(run: Path, name: str, note: Say) -> Mapping[str, Any]:
    """Return a file of a run; {} if there is none, or if it is damaged, with a note."""
    if not run_file_exists(run, name):
        return {}
    try:
        return read_json(run / name)
    except DataError as error:
        note(f"note: {error}")
        return {}


def _pictures(told: Told, load: Callable[[Path], Translator]) -> list[AttentionMatrix]:
    """Return the attention of a few translations, of different lengths."""
    outputs = told.outputs
    assert outputs is not None
    if told.settings.model.attention == "none":
        return []
    lengths = [len(split_words(source)) for source in outputs.sources]
    fitting = [
        index for index, length in enumerate(lengths) if SHORTEST <= length <= LONGEST and outputs.hypotheses[index]
    ]
    fitting.sort(key=lambda index: (lengths[index], index))
    places = [round((number + 0.5) * len(fitting) / PICTURES - 0.5) for number in range(PICTURES)] if fitting else []
    chosen = list(dict.fromkeys(fitting[min(place, len(fitting) - 1)] for place in places))
    pairs = [(outputs.sources[index], outputs.hypotheses[index]) for index in chosen]
    return [found.words for found in align(load(told.path), pairs)] if pairs else []


def keep_calibration(run: Path, outputs: Outputs | None, load: Callable[[Path], Translator]) -> None:
    """Calibrate the model of a run on its kept translations, unless that is done. Raises OSError."""
    if outputs is None or store.load_calibration(run) is not None:
        return
    translator, model = load(run), store.model_hash(run)
    found = calibrate(translator, model, outputs.sources, outputs.references, outputs.hypotheses)
    if found is not None:
        store.save_calibration(run, found)


# Settings ------------------------------------------------------------------------------------------------------------


def from_each_other(first: Settings, second: Settings) -> list[tuple[str, Any, Any]]:
    """Return (key, value in the first, value in the second) of the settings that differ, apart from where they lie."""
    found = config.differences(first, second)
    return [(key, *values) for key, values in found.items() if key not in {"run", "data.folder"}]


def metric_name(metric: str) -> str:
    """Return a metric as it is printed."""
    return METRICS[metric].name if metric in METRICS else metric
