"""Which sentences make a batch: every one once, within the limit, little padding, and the same for the same seed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from nmt.config import TrainingSettings
from nmt.data.batching import by_count, by_tokens, chunked, epoch_batches, epoch_order, length_batches, longest_first

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
    assert by_tokens(nothing, nothing, 100) == []
    assert by_count(nothing, 5) == []
    assert epoch_order([(0, 1.0)], 1, 0).tolist() == []


# Orders that must never change, since runs resume in them -------------------------------------------------------------


def digest(batches: Iterable[Iterable[int]]) -> str:
    return hashlib.sha256(" ".join(",".join(map(str, batch)) for batch in batches).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("settings", "epoch", "expected"),
    [
        (TrainingSettings(batch_tokens=300, seed=5), 0, "5928c7fadb4c9353"),
        (TrainingSettings(batch_tokens=300, seed=5), 3, "ebddf65f9fdf7f69"),
        (TrainingSettings(batch_sentences=7), 0, "320af2864caeaadc"),
        (TrainingSettings(batch_sentences=7), 3, "4d3651c7a58a6704"),
    ],
)
def test_the_order_of_a_single_corpus_is_that_of_the_first_version(
    settings: TrainingSettings, epoch: int, expected: str
) -> None:
    source, target = lengths()
    assert digest(epoch_batches(source, target, settings, epoch)) == expected
    order = epoch_order([(200, 1.0), (300, 1.0)], settings.seed, epoch)
    assert digest(epoch_batches(source, target, settings, epoch, order)) == expected


def test_the_other_orders_are_those_of_the_first_version() -> None:
    source, target = lengths()
    longest, everything = np.maximum(source, target), np.arange(500)
    assert digest(length_batches(everything, longest, longest, 4000)) == "35d3b0e8202760b3"  # validation
    assert digest(length_batches(everything, source, target, 4000)) == "a77db6260f584307"  # teachers
    assert digest(longest_first(range(0, 500, 2), source.tolist(), 64)) == "61a694d33f26c572"  # translation


# Several corpora ------------------------------------------------------------------------------------------------------


def test_pairs_come_as_often_as_their_weight_says() -> None:
    orders = [epoch_order([(10, 1.0), (4, 2.0), (100, 0.25), (8, 1.5)], 1, epoch) for epoch in range(40)]
    counts = [np.bincount(order, minlength=122) for order in orders]
    for count in counts:
        assert set(count[:10]) == {1} and set(count[10:14]) == {2}
        assert count[14:114].sum() == 25 and count[14:114].max() == 1
        assert count[114:].sum() == 12 and count[114:].min() == 1
    assert (counts[0] != counts[1]).any()  # another sample in every epoch
    assert sum(counts)[14:114].min() > 0
    assert epoch_order([(100, 0.25)], 1, 7).tolist() == epoch_order([(100, 0.25)], 1, 7).tolist()
    assert epoch_order([(100, 0.25)], 2, 7).tolist() != epoch_order([(100, 0.25)], 1, 7).tolist()


def test_items_in_chunks() -> None:
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([], 2)) == []
