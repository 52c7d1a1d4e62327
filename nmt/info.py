"""What `nmt info` shows, as lines of text."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from nmt import config
from nmt import run as runs
from nmt.errors import DataError
from nmt.files import read_json
from nmt.model import Seq2Seq


def describe_run(path: Path) -> Iterator[str]:
    """Settings, parameters, data, scores and provenance of a run."""
    loaded = runs.load_run(path, torch.device("cpu"))
    yield f"run: {path}"
    yield ""
    yield config.dump(loaded.settings).rstrip()
    yield ""
    yield from describe_parameters(loaded.model)
    vocabulary = " and ".join(f"{len(subword):,}" for subword in dict.fromkeys(loaded.subwords))
    yield f"vocabulary: {vocabulary} pieces"
    if (path / runs.PROVENANCE).exists():
        yield from _describe_json(path / runs.PROVENANCE, _describe_provenance)
    if (path / runs.SCORES).exists():
        yield from _describe_json(path / runs.SCORES, _describe_scores)
    else:
        yield "scores: none yet; make them with: nmt eval"


def describe_parameters(model: Seq2Seq) -> Iterator[str]:
    """Parameters of each part; a shared matrix counts where it first appears."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[_part(name)] += parameter.numel()
    yield "parameters:"
    for part, count in counts.items():
        yield f"  {part:<18}{count:>12,}"
    yield f"  {'total':<18}{sum(counts.values()):>12,}"


def _part(name: str) -> str:
    first, second, *_ = name.split(".")
    return {"embedding": "source embedding", "attention": "attention"}.get(second, first.replace("_", " "))


def _describe_json(path: Path, describe: Callable[[Any], Iterator[str]]) -> list[str]:
    """Raises DataError if the file is not what this program wrote."""
    values = read_json(path)
    try:
        return list(describe(values))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{path}: damaged: lacks what it should hold; copy the run again, or remove the file") from None


def _describe_provenance(provenance: Any) -> Iterator[str]:
    yield ""
    yield "provenance:"
    yield f"  command   {' '.join(provenance['command'])}"
    if parent := provenance.get("parent"):
        yield f"  parent    {parent['run']}  sha256 {parent['sha256'][:16]}"
    yield f"  pairs     {provenance['pairs']['train']:,} training, {provenance['pairs']['valid']:,} validation"
    for stem, notes in provenance["left_out"].items():
        for note, count in notes.items():
            yield f"            {stem}: {note}: {count:,}"
    for name, digest in provenance["data"].items():
        yield f"  data      {name}  sha256 {digest[:16]}"
    yield f"  versions  {', '.join(f'{name} {version}' for name, version in provenance['versions'].items())}"
    yield f"  machine   {provenance['machine']}, {provenance['device']}"


def _describe_scores(evaluation: Any) -> Iterator[str]:
    yield ""
    yield "scores:"
    for name, scores in evaluation["sets"].items():
        yield f"  {name}: {scores['sentences']:,} lines, {scores['decoding']}"
        for metric, signature in scores["signatures"].items():
            yield f"    {metric} {scores[metric]:.1f} ± {scores['confidence'][metric]:.1f}  [{signature}]"
