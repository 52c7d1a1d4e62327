"""The batches of an epoch: every sentence once, in the pieces that the settings ask for, each with its line."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from nmt import config
from nmt.data.batch import Batch
from nmt.data.prepare import Prepared, prepare
from nmt.data.subword import EOS_ID, PAD_ID
from nmt.training.batches import EpochBatches


@pytest.fixture(scope="module")
def prepared(tiny_config: Path) -> Prepared:
    return prepare(config.load(tiny_config, []))


def batches_of(prepared: Prepared, tiny_config: Path, *words: str) -> EpochBatches:
    return EpochBatches(prepared.train, config.load(tiny_config, list(words)), prepared.subwords, None)


def chosen_in(batches: EpochBatches, epoch: int) -> list[list[int]]:
    batches.begin(epoch)
    return [indices.tolist() for indices in batches.chosen(0, len(batches))]


def pieces_of(batch: Batch) -> list[list[int]]:
    return [row[(row != PAD_ID) & (row != EOS_ID)].tolist() for row in batch.target_output]


def test_every_sentence_comes_once_an_epoch_in_an_order_of_its_own(prepared: Prepared, tiny_config: Path) -> None:
    batches = batches_of(prepared, tiny_config)
    first, second = chosen_in(batches, 0), chosen_in(batches, 1)
    for chosen in (first, second):
        assert sorted(itertools.chain(*chosen)) == list(range(len(prepared.train)))
    assert first != second
    assert chosen_in(batches, 0) == first


def test_some_of_the_batches_and_fewer_at_the_end(prepared: Prepared, tiny_config: Path) -> None:
    batches = batches_of(prepared, tiny_config)
    all_of_them = chosen_in(batches, 0)
    assert [indices.tolist() for indices in batches.chosen(1, 2)] == all_of_them[1:3]
    assert [indices.tolist() for indices in batches.chosen(len(batches) - 1, 4)] == all_of_them[-1:]


@pytest.mark.parametrize("alpha", [0, 0.2])
def test_pieces_are_drawn_anew_only_if_asked_for(prepared: Prepared, tiny_config: Path, alpha: float) -> None:
    batches = batches_of(prepared, tiny_config, f"subword.sampling={alpha}")
    indices = np.arange(50)
    made = []
    for epoch in (0, 1, 0):
        batches.begin(epoch)
        made.append(pieces_of(batches.make(indices)))
    plain = [prepared.train.target(index).tolist() for index in range(50)]
    assert made[2] == made[0]
    assert [pieces == plain for pieces in made] == [not alpha] * 3
    assert (made[0] == made[1]) == (not alpha)


def test_lines_are_those_of_the_files(prepared: Prepared, tiny_config: Path) -> None:
    lines = prepared.train.lines.tolist()
    batches = batches_of(prepared, tiny_config)
    assert batches.places([np.array([7, 2]), np.array([5])]) == [(0, lines[2]), (0, lines[5]), (0, lines[7])]
