"""Batches: padding, begin and end, and the shift, on sentences written out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nmt.data.batch import make_batch, pad_sources
from nmt.data.dataset import Dataset
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID

PAIRS = [([5, 6, 7], [8, 9]), ([4], [4, 5, 6, 7]), ([9, 8, 7, 6, 5], [6])]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """The pairs as files: all ids end to end, and where each sentence begins and ends."""
    np.array([1, 2, 3], np.int64).tofile(tmp_path / "lines")
    for side, sentences in zip(("source", "target"), zip(*PAIRS, strict=True), strict=True):
        np.concatenate(sentences).astype(np.int32).tofile(tmp_path / f"{side}.ids")
        np.cumsum([0, *map(len, sentences)], dtype=np.int64).tofile(tmp_path / f"{side}.offsets")
    return Dataset(tmp_path)


def test_batch(dataset: Dataset) -> None:
    batch = make_batch(dataset, [0, 1])
    assert batch.source.tolist() == [[5, 6, 7, EOS_ID], [4, EOS_ID, PAD_ID, PAD_ID]]
    assert batch.target_input.tolist() == [[BOS_ID, 8, 9, PAD_ID, PAD_ID], [BOS_ID, 4, 5, 6, 7]]
    assert batch.target_output.tolist() == [[8, 9, EOS_ID, PAD_ID, PAD_ID], [4, 5, 6, 7, EOS_ID]]
    assert batch.target_tokens == 3 + 5
    assert batch.source.dtype == torch.int64


def test_order_is_that_of_the_indices(dataset: Dataset) -> None:
    batch = make_batch(dataset, np.array([2, 0]))
    assert batch.source.tolist() == [[9, 8, 7, 6, 5, EOS_ID], [5, 6, 7, EOS_ID, PAD_ID, PAD_ID]]
    assert batch.target_input.tolist() == [[BOS_ID, 6, PAD_ID], [BOS_ID, 8, 9]]


def test_moving_a_batch_changes_nothing(dataset: Dataset) -> None:
    batch = make_batch(dataset, [1])
    moved = batch.to(torch.device("cpu"))
    assert [part.tolist() for part in moved[:3]] == [part.tolist() for part in batch[:3]]
    assert moved.target_tokens == batch.target_tokens == 5


def test_an_empty_source_is_the_end_alone() -> None:
    assert pad_sources([[], [7, 8]]).tolist() == [[EOS_ID, PAD_ID, PAD_ID], [7, 8, EOS_ID]]
    assert pad_sources([[]]).tolist() == [[EOS_ID]]
