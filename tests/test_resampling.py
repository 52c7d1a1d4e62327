"""Sentences cut into pieces anew: the same text, other pieces, a pure function of seed, epoch and sentence."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nmt import config
from nmt.data.prepare import Prepared, prepare
from nmt.data.resampling import Cutter, Resampled
from nmt.data.subword import EOS_ID

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def prepared(request: pytest.FixtureRequest, tiny_config: Path) -> Prepared:
    return prepare(config.load(tiny_config, [f"subword.model_type={request.param}"]))


def drawn(prepared: Prepared, alpha: float, seed: int = 1, epoch: int = 0) -> list[list[int]]:
    sentences = Resampled(prepared.train, prepared.subwords, alpha, seed, epoch)
    return [ids.tolist() for index in range(100) for ids in (sentences.source(index), sentences.target(index))]


def plain(prepared: Prepared) -> list[list[int]]:
    data = prepared.train
    return [ids.tolist() for index in range(100) for ids in (data.source(index), data.target(index))]


def test_the_text_stays_and_the_pieces_change(prepared: Prepared) -> None:
    before, after = plain(prepared), drawn(prepared, 0.2)
    decode = prepared.subwords.source.decode
    assert [decode(ids) for ids in after] == [decode(ids) for ids in before]
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    assert changed > 100
    assert min(min(ids) for ids in after) > EOS_ID


def test_draws_are_a_function_of_seed_epoch_and_sentence(prepared: Prepared) -> None:
    first = drawn(prepared, 0.2)
    assert drawn(prepared, 0.2) == first
    assert drawn(prepared, 0.2, seed=2) != first
    assert drawn(prepared, 0.2, epoch=1) != first
    sentences = Resampled(prepared.train, prepared.subwords, 0.2, 1, 0)
    assert sentences.target(7).tolist() == first[15]  # whatever was drawn before
    assert sentences.source(7).tolist() == first[14]


def test_draws_are_the_same_in_another_process(prepared: Prepared, tmp_path: Path) -> None:
    """Where memory lies elsewhere, and hashes differ."""
    subword = prepared.subwords.source
    (tmp_path / "model").write_bytes(subword.model)
    ids = [prepared.train.source(index).tolist() for index in range(20)]
    program = f"""
import random
from pathlib import Path
from nmt.data.resampling import Cutter
from nmt.data.subword import load_subword
cutter, chance = Cutter(load_subword(Path({str(tmp_path / "model")!r})), 0.3), random.Random(5)
print([cutter.cut(ids, chance) for ids in {ids!r}])
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    cutter, chance = Cutter(subword, 0.3), random.Random(5)
    assert json.loads(found.stdout) == [cutter.cut(each, chance) for each in ids]


def test_frequencies_of_a_unigram_model_by_hand(tiny_config: Path) -> None:
    """A word's segmentations come as often as their probabilities to the power of alpha say."""
    subword = prepare(config.load(tiny_config)).subwords.source
    word, chance = tuple(subword.encode("children")), random.Random(1)
    candidates = [tuple(ids) for ids in subword.processor.nbest_encode_as_ids("children", 64)]
    weights = [math.exp(0.5 * sum(subword.processor.get_score(piece) for piece in ids)) for ids in candidates]
    cutter = Cutter(subword, 0.5)
    drawn = Counter(tuple(cutter.cut(list(word), chance)) for _ in range(4000))
    assert len(candidates) > 3
    for ids, weight in zip(candidates, weights, strict=True):
        assert drawn[ids] / 4000 == pytest.approx(weight / sum(weights), abs=0.03)


def test_a_bpe_model_without_dropout_merges_as_sentencepiece_does(tiny_config: Path) -> None:
    prepared = prepare(config.load(tiny_config, ["subword.model_type=bpe"]))
    cutter, characters = Cutter(prepared.subwords.source, 0.0), Cutter(prepared.subwords.source, 1.0)
    for index in range(100):
        ids = prepared.train.source(index).tolist()
        assert cutter.cut(ids, random.Random(0)) == ids
        if not any(map(cutter.processor.is_byte, ids)):
            assert len(characters.cut(ids, random.Random(0))) == len("".join(map(cutter.pieces.__getitem__, ids)))


def test_a_joint_vocabulary_draws_each_side_apart(tmp_path: Path, prepared: Prepared) -> None:
    """Equal text on both sides is not cut alike."""
    from nmt.data.corpus import Pair
    from nmt.data.dataset import Dataset
    from nmt.data.write_dataset import write_dataset

    text = "The children were waiting for the train in front of the station."
    pairs = [Pair(number, text, text) for number in range(1, 21)]
    write_dataset(tmp_path / "same", pairs, prepared.subwords, None, Counter())
    sentences = Resampled(Dataset(tmp_path / "same"), prepared.subwords, 0.2, 1, 0)
    assert any(sentences.source(index).tolist() != sentences.target(index).tolist() for index in range(20))


def test_smaller_alpha_of_a_unigram_model_gives_more_pieces(tiny_config: Path) -> None:
    """Kudo 2018: it flattens the distribution over ways to cut a sentence."""
    prepared = prepare(config.load(tiny_config))
    counts = [sum(map(len, drawn(prepared, alpha))) for alpha in (0.05, 0.3, 1.0)]
    assert counts[0] > counts[1] > counts[2] >= sum(map(len, plain(prepared)))
