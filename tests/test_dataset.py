"""The memory-mapped corpus: what goes in comes out, and what is left out is counted."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nmt.config import SubwordSettings
from nmt.data import write_dataset as writing
from nmt.data.batch import make_batch
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.subword import Subword, Subwords
from nmt.data.subword_training import train_subword
from nmt.data.write_dataset import write_dataset


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    """Two vocabularies of single characters, so that lengths can be counted by hand: a space, then the letters."""
    settings = SubwordSettings(model_type="char", vocab_size=100, character_coverage=1.0)
    return Subwords(*(Subword(train_subword([text], settings), "test") for text in ("abcdef", "uvwxyz")))


PAIRS = [Pair(1, "abc", "xy"), Pair(3, "f", "uvwxyz"), Pair(4, "fed", "z"), Pair(9, "a b", "x")]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_what_goes_in_comes_out(
    tmp_path: Path, subwords: Subwords, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", chunk)
    notes: Counter[str] = Counter()
    write_dataset(tmp_path / "set", iter(PAIRS), subwords, 100, notes)
    dataset = Dataset(tmp_path / "set")
    assert len(dataset) == 4
    assert dataset.lines.tolist() == [1, 3, 4, 9]
    for index, pair in enumerate(PAIRS):
        assert subwords.source.decode(dataset.source(index).tolist()) == pair.source
        assert subwords.target.decode(dataset.target(index).tolist()) == pair.target
    assert dataset.source_lengths().tolist() == [4, 2, 4, 4]  # with the space in front
    assert dataset.target_lengths().tolist() == [3, 7, 2, 2]
    assert not notes


@pytest.mark.parametrize("chunk", [1, 100])
def test_pairs_that_are_too_long_are_left_out_and_counted(
    tmp_path: Path, subwords: Subwords, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", chunk)
    notes: Counter[str] = Counter()
    long = [Pair(20, "a" * 1_000_000, "x"), Pair(21, "a", "x" * 4), Pair(22, "\u200b", "x"), Pair(23, "a", "xxx")]
    write_dataset(tmp_path / "set", [*PAIRS, *long], subwords, 4, notes)
    dataset = Dataset(tmp_path / "set")
    assert dataset.lines.tolist() == [1, 4, 9, 23]
    assert dataset.target(3).tolist() == subwords.target.encode("xxx")
    assert notes == {
        "pairs longer than 4 pieces left out (data.max_length)": 3,
        "pairs with a side of no pieces left out": 1,
    }


def test_an_empty_dataset(tmp_path: Path, subwords: Subwords) -> None:
    write_dataset(tmp_path / "set", [], subwords, None, Counter())
    dataset = Dataset(tmp_path / "set")
    assert len(dataset) == 0
    assert dataset.source_lengths().tolist() == []


def test_no_limit_keeps_everything(tmp_path: Path, subwords: Subwords) -> None:
    write_dataset(tmp_path / "set", [Pair(1, "a" * 5000, "x")], subwords, None, Counter())
    assert Dataset(tmp_path / "set").source_lengths().tolist() == [5001]


def test_sentences_are_read_from_the_disk_not_into_memory(tmp_path: Path, subwords: Subwords) -> None:
    write_dataset(tmp_path / "set", PAIRS, subwords, None, Counter())
    sentence = Dataset(tmp_path / "set").source(1)
    assert isinstance(sentence, np.memmap)
    assert not sentence.flags.writeable


def test_a_batch_is_padded_and_shifted_once(tmp_path: Path, subwords: Subwords) -> None:
    write_dataset(tmp_path / "set", PAIRS, subwords, None, Counter())
    batch = make_batch(Dataset(tmp_path / "set"), [2, 1])
    first, second = subwords.source.encode("fed"), subwords.source.encode("f")
    assert batch.source.tolist() == [[*first, 3], [*second, 3, 0, 0]]
    first, second = subwords.target.encode("z"), subwords.target.encode("uvwxyz")
    assert batch.target_input.tolist() == [[2, *first, 0, 0, 0, 0, 0], [2, *second]]
    assert batch.target_output.tolist() == [[*first, 3, 0, 0, 0, 0, 0], [*second, 3]]
    assert batch.target_tokens == 3 + 8
