"""Which sentences make a batch: every one once, within the limit, little padding, and the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from nmt.config import TrainingSettings
from nmt.data.sampler import cut, epoch_batches

DATA = Path(__file__).parent.parent / "data" / "en-fr"


def lengths(count: int = 500, longest: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    source = random.integers(1, longest, count)
    return source, np.maximum(1, source + random.integers(-3, 4, count))


def as_lists(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


def test_a_pure_function_of_seed_and_epoch() -> None:
    source, target = lengths()
    settings = TrainingSettings(seed=5, batch_tokens=300)
    first = as_lists(epoch_batches(source, target, settings, 3))
    np.random.seed(99)
    assert as_lists(epoch_batches(source.copy(), target.copy(), settings, 3)) == first
    assert as_lists(epoch_batches(source, target, settings, 4)) != first
    assert as_lists(epoch_batches(source, target, settings.model_copy(update={"seed": 6}), 3)) != first


@pytest.mark.parametrize("batch_sentences", [0, 1, 7, 1000])
def test_every_sentence_comes_once(batch_sentences: int) -> None:
    source, target = lengths()
    settings = TrainingSettings(batch_tokens=300, batch_sentences=batch_sentences)
    for epoch in range(2):
        batches = as_lists(epoch_batches(source, target, settings, epoch))
        assert sorted(index for batch in batches for index in batch) == list(range(len(source)))
        assert all(batches)


@pytest.mark.parametrize("batch_tokens", [45, 300, 5000])
def test_no_batch_exceeds_the_limit(batch_tokens: int) -> None:
    source, target = lengths()
    for batch in epoch_batches(source, target, TrainingSettings(batch_tokens=batch_tokens), 0):
        width = 1 + max(source[batch].max(), target[batch].max())  # with begin or end
        assert width * len(batch) <= batch_tokens


def test_batches_are_as_full_as_can_be() -> None:
    """12 padded pieces are six sentences of 2 (the end counted), or four of up to 3, or two of up to 6."""
    source = np.array([1] * 7 + [2] * 4 + [5] * 2)
    batches = epoch_batches(source, source, TrainingSettings(batch_tokens=12), 0)
    assert sorted(sorted(source[batch].tolist()) for batch in batches) == [[1] * 6, [1, 2, 2, 2], [2, 5], [5]]


def test_a_sentence_longer_than_the_limit_is_a_batch_of_its_own() -> None:
    source, target = np.array([3, 90, 4, 3]), np.array([3, 2, 4, 70])
    batches = as_lists(epoch_batches(source, target, TrainingSettings(batch_tokens=15), 0))
    assert sorted(map(sorted, batches)) == [[0, 2], [1], [3]]


def test_batch_sentences() -> None:
    source, target = lengths(50)
    batches = epoch_batches(source, target, TrainingSettings(batch_sentences=8), 0)
    assert sorted(len(batch) for batch in batches) == [2, 8, 8, 8, 8, 8, 8]


def test_order_of_batches_and_of_equal_lengths_is_random() -> None:
    source = np.full(60, 5)
    first, second = (as_lists(epoch_batches(source, source, TrainingSettings(batch_tokens=60), e)) for e in (0, 1))
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    source, target = lengths()
    order = [source[batch].mean() for batch in epoch_batches(source, target, TrainingSettings(batch_tokens=300), 0)]
    assert order != sorted(order)


def test_little_padding_on_the_bundled_corpus() -> None:
    """Characters over four stand for pieces: about what a subword model of 8,000 makes of this text."""
    source, target = (
        np.array([1 + len(line) // 4 for line in (DATA / f"train.{end}").read_text(encoding="utf-8").split("\n")[:-1]])
        for end in ("en", "fr")
    )
    batches = epoch_batches(source, target, TrainingSettings(), 0)
    padded = sum(len(batch) * (source[batch].max() + target[batch].max() + 2) for batch in batches)
    assert 1 - (source.sum() + target.sum() + 2 * len(source)) / padded < 0.05


def test_nothing_to_cut() -> None:
    nothing = np.zeros(0, np.int64)
    assert cut(nothing, nothing, 100, 0) == []
    assert cut(nothing, nothing, 100, 5) == []
