"""What `nmt info` shows, as lines of text."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nmt import config
from nmt.errors import DataError
from nmt.files import read_json, run_file_exists
from nmt.runs import store
from nmt.runs.weights import named_weights
from nmt.shown import amount, counted, each_shown


@each_shown
def describe_run(path: Path) -> Iterator[str]:
    """Describe settings, parameters, data, scores and provenance of a run, in lines that are safe to show."""
    loaded = store.load_run(path, torch.device("cpu"))
    yield f"run: {path}"
    yield ""
    yield from config.dump(loaded.settings).rstrip().split("\n")
    yield ""
    yield from describe_parameters({name: weight.shape for name, weight in named_weights(loaded.model).items()})
    sizes = [f"{len(subword):,}" for subword in loaded.subwords]
    vocabulary = sizes[0] if loaded.subwords.joint else " and ".join(sizes)
    yield f"vocabulary: {vocabulary} pieces"
    if run_file_exists(path, store.PROVENANCE):
        yield from _describe_json(path / store.PROVENANCE, _describe_provenance)
    if run_file_exists(path, store.SCORES):
        yield from _describe_json(path / store.SCORES, _describe_scores)
    else:
        yield "scores: none yet; make them with: nmt eval"


def describe_parameters(shapes: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Count the parameters of each part; a shared matrix counts where it first appears."""
    counts: Counter[str] = Counter()
    for name, shape in shapes.items():
        first, second, *_ = name.split(".")
        part = {"embedding": "source embedding", "attention": "attention"}.get(second, first.replace("_", " "))
        counts[part] += math.prod(shape)
    yield "parameters:"
    for part, count in counts.items():
        yield f"  {part:<18}{count:>12,}"
    yield f"  {'total':<18}{sum(counts.values()):>12,}"


def _describe_json(path: Path, describe: Callable[[Any], Iterator[str]]) -> list[str]:
    """Raises DataError if the file is not what this program wrote."""
    values = read_json(path)
    try:
        return list(describe(values))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise DataError(
            f"{path}: damaged: required fields are missing; copy the run again, or remove the file"
        ) from None


def _describe_provenance(provenance: Any) -> Iterator[str]:
    yield ""
    yield "provenance:"
    yield f"  command   {' '.join(provenance['command'])}"
    if parent := provenance.get("parent"):
        yield f"  parent    {parent['run']}  sha256 {parent['sha256'][:16]}"
    train, valid = provenance["pairs"]["train"], provenance["pairs"]["valid"]
    shown_train = "an unknown number for" if train is None else f"{train:,}"  # until all are encoded
    yield f"  pairs     {shown_train} training, {valid:,} validation"
    for stem, notes in provenance["left_out"].items():
        for note, count in notes.items():
            yield f"            {stem}: {counted(note, count)}"
    for name, digest in provenance["data"].items():
        yield f"  data      {name}  sha256 {digest[:16]}"
    yield f"  versions  {', '.join(f'{name} {version}' for name, version in provenance['versions'].items())}"
    yield f"  machine   {provenance['machine']}, {provenance['device']}"


def _describe_scores(evaluation: Any) -> Iterator[str]:
    yield ""
    yield "scores:"
    for name, scores in evaluation["sets"].items():
        yield f"  {name}: {amount(scores['sentences'], 'line')}, {scores['decoding']}"
        for metric, signature in scores["signatures"].items():
            yield f"    {metric} {scores[metric]:.1f} ± {scores['confidence'][metric]:.1f}  [{signature}]"
