"""Shuffling in windows: every pair once per epoch, in an order that each window knows by itself."""

from pathlib import Path

import numpy as np
import pytest
from reliability.job import check_equal, make_workplace, run

from nmt import config
from nmt.data.prepare import prepare, sampling_weights
from nmt.data.windows import BLOCKS, Windows
from nmt.errors import ConfigError
from nmt.training.batches import EpochBatches

PARTS = [(1000, 1.0), (300, 2.0), (500, 0.5)]


def all_of(windows: Windows) -> np.ndarray:
    return np.concatenate([windows.shuffled(number) for number in range(len(windows))])


def test_an_epoch_has_every_pair_as_often_as_its_weight_says() -> None:
    counts = np.bincount(all_of(Windows(PARTS, 200, seed=1, epoch=0)), minlength=1800)
    assert (counts[:1000] == 1).all() and (counts[1000:1300] == 2).all()
    assert counts[1300:].max() == 1 and counts[1300:].sum() == pytest.approx(250, rel=0.4)


def test_the_order_is_a_function_of_seed_epoch_and_window() -> None:
    first = Windows([(5000, 1.0)], 640, seed=1, epoch=0)
    assert len(first) == 8 and all(len(first.shuffled(number)) <= 640 for number in range(8))
    assert (Windows([(5000, 1.0)], 640, seed=1, epoch=0).shuffled(5) == first.shuffled(5)).all()
    for seed, epoch in ((1, 1), (2, 0)):
        other = Windows([(5000, 1.0)], 640, seed, epoch)
        assert sorted(other.shuffled(5).tolist()) != sorted(first.shuffled(5).tolist())


def test_a_window_has_pairs_from_all_over_the_corpus() -> None:
    window = Windows([(100_000, 1.0)], 6400, seed=1, epoch=0).shuffled(3)
    assert len(np.unique(window // 100)) == BLOCKS and window.min() < 10_000 and window.max() > 90_000


def test_the_memory_of_a_huge_corpus_is_that_of_its_blocks() -> None:
    windows = Windows([(10**9, 1.0)], 1_000_000, seed=1, epoch=0)
    assert len(windows) == 1000 and len(windows.shuffled(500)) == 1_000_000


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("windows"))


def test_the_batches_of_all_windows_are_those_of_the_epoch(workplace) -> None:
    settings = config.load(workplace / "digits.yaml", ["training.shuffle_window=64"])
    data = prepare(settings)
    batches, found = EpochBatches(data.train, settings, data.subwords, None, data.weights), []
    batches.begin(0)
    assert batches.windows == 2
    for window in range(batches.windows):
        batches.begin(0, window)
        found += batches.chosen(0, len(batches))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(data.train)))
    assert all(len(batch) <= 8 for batch in found)


def test_training_resumes_in_any_window(workplace, tmp_path) -> None:
    words = ["training.shuffle_window=64", "training.max_steps=40", "training.validate_every=10"]
    words += ["training.schedule=constant", "training.average=false"]
    run(workplace, tmp_path / "whole", *words)
    for steps in (10, 20, 40):
        run(workplace, tmp_path / "stopped", *words, f"training.max_steps={steps}")
    check_equal(tmp_path / "stopped", tmp_path / "whole")


# Temperature ----------------------------------------------------------------------------------------------------------


def test_temperature() -> None:
    """By hand: 900 and 100 pairs at temperature 2 count as 30 to 10."""
    assert sampling_weights([900, 100], [1.0, 1.0], 1.0) == (1.0, 1.0)
    first, second = sampling_weights([900, 100], [1.0, 1.0], 2.0)
    assert (first * 900, second * 100) == (pytest.approx(750), pytest.approx(250))


def test_temperature_needs_several_texts(workplace) -> None:
    with pytest.raises(ConfigError, match=r"data\.temperature: has no effect on a single training text"):
        config.load(workplace / "digits.yaml", ["data.temperature=2"])
