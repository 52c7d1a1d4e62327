"""What `nmt info` and `nmt check` show, as lines of text."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nmt import config
from nmt import run as runs
from nmt.config import Settings
from nmt.data.batch import make_batch
from nmt.data.corpus import Pair, parallel_files, read_pairs, usable_pairs
from nmt.data.dataset import Dataset
from nmt.data.prepare import Prepared, prepare
from nmt.data.sampler import epoch_batches
from nmt.data.subword import UNK_ID, Subword
from nmt.device import choose_device, describe
from nmt.errors import DataError
from nmt.files import read_json, run_file_exists
from nmt.memory import memory_at_hand
from nmt.model import model_shapes
from nmt.shown import shown
from nmt.training.optimizer import memory_needed
from nmt.training.pieces import with_inherited_pieces
from nmt.training.vectors import find_vectors

# A run ---------------------------------------------------------------------------------------------------------------


def describe_run(path: Path) -> Iterator[str]:
    """Settings, parameters, data, scores and provenance of a run, in lines that are safe to show."""
    return map(shown, _describe_run(path))


def _describe_run(path: Path) -> Iterator[str]:
    loaded = runs.load_run(path, torch.device("cpu"))
    yield f"run: {path}"
    yield ""
    yield from config.dump(loaded.settings).rstrip().split("\n")
    yield ""
    yield from describe_parameters({name: weight.shape for name, weight in runs.named_weights(loaded.model).items()})
    vocabulary = " and ".join(f"{len(subword):,}" for subword in dict.fromkeys(loaded.subwords))
    yield f"vocabulary: {vocabulary} pieces"
    if run_file_exists(path, runs.PROVENANCE):
        yield from _describe_json(path / runs.PROVENANCE, _describe_provenance)
    if run_file_exists(path, runs.SCORES):
        yield from _describe_json(path / runs.SCORES, _describe_scores)
    else:
        yield "scores: none yet; make them with: nmt eval"


def describe_parameters(shapes: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Parameters of each part; a shared matrix counts where it first appears."""
    counts: Counter[str] = Counter()
    for name, shape in shapes.items():
        counts[_part(name)] += math.prod(shape)
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
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
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


# A config ------------------------------------------------------------------------------------------------------------


def check_config(settings: Settings, say: Callable[[str], None]) -> None:
    """Everything that can be known before training. Trains the subword model, as `nmt train` would, and keeps it."""
    for line in config.dump(settings).rstrip().split("\n"):
        say(line)
    say("")
    device = choose_device(settings)
    data = prepare(with_inherited_pieces(settings), say)
    find_vectors(settings, data.subwords, say)
    for line in _check_text(settings):
        say(line)
    for line in _check_pieces(settings, data):
        say(line)
    shapes = model_shapes(settings.model, [len(subword) for subword in data.subwords])
    for line in describe_parameters(shapes):
        say(line)
    needed = memory_needed(settings, shapes.values())
    say(f"device: {describe(device)}; memory for weights, gradients and optimizer: {needed / 1e6:,.0f} MB")
    if device.type == "cpu" and needed > memory_at_hand():
        say("warning: that is more memory than is free here")
    say("")
    for line in _sample_batches(settings, data):
        say(line)


def _check_text(settings: Settings) -> Iterator[str]:
    """Counts, duplicates and overlaps of the text files."""
    data = settings.data
    train = _read(settings, data.train)
    yield f"{data.train}: {len(train):,} usable pairs"
    repeated = len(train) - len({(pair.source, pair.target) for pair in train})
    if repeated:
        yield f"  {repeated:,} pairs are repetitions of another"
    known = {pair.source for pair in train}
    for stem in (data.valid, *data.test):
        try:
            pairs = _read(settings, stem)
        except DataError as error:
            yield f"warning: {error}"
            continue
        overlap = sum(pair.source in known for pair in pairs)
        yield f"{stem}: {len(pairs):,} usable pairs"
        if overlap:
            yield f"  warning: {overlap:,} of its source lines are in {data.train}: scores on them say little"


def _read(settings: Settings, stem: str) -> list[Pair]:
    data = settings.data
    files = parallel_files(data.folder, stem, data.source, data.target)
    return list(usable_pairs(read_pairs(files, encoding=data.encoding), Counter()))


def _check_pieces(settings: Settings, data: Prepared) -> Iterator[str]:
    yield "lengths in pieces (median, 95 %, longest):"
    for name, lengths in (("source", data.train.source_lengths()), ("target", data.train.target_lengths())):
        yield f"  {name}  {np.median(lengths):.0f}, {np.percentile(lengths, 95):.0f}, {lengths.max()}"
    for language, subword, read in (
        (settings.data.source, data.subwords.source, data.valid.source),
        (settings.data.target, data.subwords.target, data.valid.target),
    ):
        ids = np.concatenate([read(index) for index in range(len(data.valid))])
        unknown, spelt = int((ids == UNK_ID).sum()), int(np.isin(ids, _byte_ids(subword)).sum())
        yield (
            f"  {language}: {len(subword):,} pieces; of {len(ids):,} in {settings.data.valid} "
            f"{unknown:,} are unknown and {spelt:,} are bytes"
        )


def _byte_ids(subword: Subword) -> list[int]:
    return [index for index in range(len(subword)) if subword.processor.is_byte(index)]


def _sample_batches(settings: Settings, data: Prepared) -> Iterator[str]:
    """The first sentences of three batches of the first epoch, turned back into text."""
    dataset: Dataset = data.train
    batches = epoch_batches(dataset.source_lengths(), dataset.target_lengths(), settings.training, epoch=0)
    yield f"an epoch has {len(batches):,} batches; three of them:"
    for number in np.linspace(0, len(batches) - 1, min(3, len(batches)), dtype=int):
        batch = make_batch(dataset, batches[number])
        share = 1 - batch.target_tokens / batch.target_output.numel()
        yield f"batch {number + 1}: source {tuple(batch.source.shape)}, target {tuple(batch.target_output.shape)}"
        yield f"  {batch.target_tokens:,} target tokens, {share:.1%} padding"
        for index in batches[number][:2].tolist():
            yield f"  line {dataset.lines[index]}: {data.subwords.source.decode(dataset.source(index).tolist())[:120]}"
            yield f"  {'':>4}-> {data.subwords.target.decode(dataset.target(index).tolist())[:120]}"
