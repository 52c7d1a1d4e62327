"""What `nmt check` shows before training: changed settings, text, vocabulary, size, sample batches.

The text is read once, one pair at a time; of each pair only hashes are kept.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from nmt import config
from nmt.config import Settings
from nmt.data.batch import Batch, make_batch
from nmt.data.batching import epoch_batches, epoch_order
from nmt.data.corpora import find_tests
from nmt.data.corpus import Pair
from nmt.data.filters import Survey, kept, pair_hash
from nmt.data.prepare import Prepared, prepare
from nmt.data.sources import TextSource
from nmt.data.subword import UNK_ID
from nmt.device import choose_device, describe
from nmt.errors import DataError
from nmt.info import describe_parameters
from nmt.memory import memory_at_hand, resident_bytes
from nmt.model import model_shapes
from nmt.shown import amount
from nmt.training.batch_size import with_batch_tokens
from nmt.training.footprint import footprint
from nmt.training.initialization import find_vectors, load_origins

Hashes = npt.NDArray[np.uint64]


def check_config(settings: Settings, say: Callable[[str], None]) -> None:
    """Check everything that can be known before training. Trains the subword model, as `nmt train` would, and keeps
    it."""
    for line in config.dump(settings, defaults=False).rstrip().split("\n"):
        say(line)
    say("# every other setting has its default: docs/settings.md")
    say("")
    own = resident_bytes()  # before text is read: training reads it as well, but need not learn subwords again
    device = choose_device(settings)
    data = prepare(load_origins(settings, device).with_subwords(settings), say)
    settings = with_batch_tokens(settings, data, device, say)
    find_vectors(settings, data.subwords, say)
    for line in _check_text(settings, data):
        say(line)
    for line in _check_pieces(settings, data):
        say(line)
    shapes = model_shapes(settings.model, [len(subword) for subword in data.subwords])
    for line in describe_parameters(shapes):
        say(line)
    found = footprint(settings, [len(subword) for subword in data.subwords], shapes.values(), _largest(settings, data))
    needed = own + found.total
    say(f"device: {describe(device)}")
    say(
        f"memory for training: about {needed / 1e6:,.0f} MB: {(own + found.always) / 1e6:,.0f} for the program and its "
        f"libraries, {found.weights / 1e6:,.0f} for weights, gradients and optimizer, {found.batch / 1e6:,.0f} for the "
        f"largest batch, {found.saving / 1e6:,.0f} for saving"
    )
    if device.type == "cpu" and found.total > memory_at_hand():
        say("warning: that is more memory than is free here")
    say("")
    for line in _sample_batches(settings, data):
        say(line)


def _check_text(settings: Settings, data: Prepared) -> Iterator[str]:
    """Count pairs, suspicious pairs by kind, and pairs that several texts share."""
    known_sources, known_pairs = [], []
    for number, (source, _) in enumerate(data.corpora.train):
        survey = Survey(source, settings.data.filters)
        sources, pairs = _read(survey.read(data.training.pairs(number, Counter())))
        yield f"{source.name}: {amount(len(pairs), 'usable pair')}"
        for line in survey.findings():
            yield f"  {line}"
        known_sources.append(sources)
        known_pairs.append(pairs)
    train = " and ".join(source.name for source, _ in data.corpora.train)
    everything = np.concatenate(known_pairs)
    if len(known_pairs) > 1 and (repeated := len(everything) - sum(len(np.unique(pairs)) for pairs in known_pairs)):
        yield f"  pairs of one training text that repeat one of another: {repeated:,}"
    # Each test text, or why it cannot be found.
    tests: list[TextSource | DataError] = []
    if "test" in data.held_out.texts:
        tests.append(data.held_out.texts["test"])
    else:
        for entry in settings.data.test:
            try:
                tests += find_tests(settings.data.model_copy(update={"test": [entry]}))
            except DataError as error:
                tests.append(error)
    for other in [*(source for source, _ in data.valid_sets), *tests]:
        if isinstance(other, DataError):
            yield f"warning: {other}"
            continue
        sources, pairs = _read(kept(other, other.pairs(), (), Counter()))
        yield f"{other.name}: {amount(len(pairs), 'usable pair')}"
        if overlap := int(np.isin(sources, np.concatenate(known_sources)).sum()):
            same = int(np.isin(pairs, everything).sum())
            yield (
                f"  warning: {overlap:,} of its source lines are in {train}, {same:,} with the same translation: "
                "scores on them say little; remove them from the training text"
            )


def _read(read: Iterator[Pair]) -> tuple[Hashes, Hashes]:
    """Return hashes of the source sides, and of the pairs."""
    sources, pairs = array("Q"), array("Q")
    for pair in read:
        digest = blake2b(pair.source.strip().encode(), digest_size=8)
        sources.append(int.from_bytes(digest.digest()))
        pairs.append(pair_hash(pair))
    return np.array(sources, np.uint64), np.array(pairs, np.uint64)


def _check_pieces(settings: Settings, data: Prepared) -> Iterator[str]:
    yield "lengths in pieces (median, 95 %, longest):"
    for name, lengths in (("source", data.train.source_lengths()), ("target", data.train.target_lengths())):
        yield f"  {name}  {np.median(lengths):.0f}, {np.percentile(lengths, 95):.0f}, {lengths.max()}"
    for language, subword, read in (
        (settings.data.source, data.subwords.source, data.valid.source),
        (settings.data.target, data.subwords.target, data.valid.target),
    ):
        ids = np.concatenate([read(index) for index in range(len(data.valid))])
        pieces_of_bytes = [index for index in range(len(subword)) if subword.processor.is_byte(index)]
        unknown, spelt = int((ids == UNK_ID).sum()), int(np.isin(ids, pieces_of_bytes).sum())
        yield (
            f"  {language}: {len(subword):,} pieces; of {len(ids):,} in {data.valid_sets[0][0].name} "
            f"{unknown:,} are unknown and {spelt:,} are bytes"
        )


def _largest(settings: Settings, data: Prepared) -> Batch:
    """Return the batch of the first epoch with the most padded tokens."""
    source, target = data.train.source_lengths(), data.train.target_lengths()
    batches = epoch_batches(source, target, settings.training, 0)
    padded = [len(batch) * (int(source[batch].max()) + int(target[batch].max()) + 2) for batch in batches]
    return make_batch(data.train, batches[int(np.argmax(padded))])


def _sample_batches(settings: Settings, data: Prepared) -> Iterator[str]:
    """Yield the first sentences of three batches of the first epoch, turned back into text."""
    dataset, training = data.train, settings.training
    order = epoch_order(list(zip(dataset.sizes, data.weights, strict=True)), training.seed, 0)
    batches = epoch_batches(dataset.source_lengths(), dataset.target_lengths(), training, 0, order)
    yield f"an epoch has {amount(len(batches), 'batch', 'batches')}; some of them:"
    for number in np.linspace(0, len(batches) - 1, min(3, len(batches)), dtype=int):
        batch = make_batch(dataset, batches[number])
        share = 1 - batch.target_tokens / batch.target_output.numel()
        yield f"batch {number + 1}: source {tuple(batch.source.shape)}, target {tuple(batch.target_output.shape)}"
        yield f"  {amount(batch.target_tokens, 'target token')}, {share:.1%} padding"
        for index in batches[number][:2].tolist():
            place = f"line {dataset.lines[index]}"
            if len(data.corpora.train) > 1:
                place = f"{data.corpora.train[dataset.text_of(index)].source.name}, {place}"
            yield f"  {place}: {data.subwords.source.decode(dataset.source(index).tolist())[:120]}"
            yield f"  {'':>4}-> {data.subwords.target.decode(dataset.target(index).tolist())[:120]}"
