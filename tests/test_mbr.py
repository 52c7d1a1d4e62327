"""MBR decoding: chrF of all pairs as sacreBLEU has it, and the candidate that is most like the others."""

from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

import nmt
from nmt.inference.mbr import pairwise_chrf, rank_by_chrf
from nmt.inference.sampling import Sampling
from nmt.inference.search import Hypothesis

TEXTS = [
    "The cat sat on the mat.", "The cat sat on a mat.", "the  cats sit", "A dog", "a", "ab", "aaaaaaaa", "aaa", "",
    " ", "나는 고양이를 좋아한다.", "나는 개를 좋아한다", "ça va, 👍🏽 !", "The cat sat on the mat.", "abcdefgh",
]  # fmt: skip


def test_chrf_of_all_pairs_is_sacrebleus() -> None:
    found = pairwise_chrf(TEXTS)
    expected = [[CHRF().sentence_score(one, [other]).score for other in TEXTS] for one in TEXTS]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(set(np.round(found, 3).ravel().tolist())) > 20


def hypotheses(*texts: str) -> list[Hypothesis]:
    return [Hypothesis([ord(character) for character in text], -1.0 - index, -2.0) for index, text in enumerate(texts)]


def decode(tokens: list[int]) -> str:
    return "".join(map(chr, tokens))


def test_ranks_by_hand() -> None:
    """Of ab, cd, ab: ab is like one of the two others, cd like none."""
    first, second = rank_by_chrf(hypotheses("ab", "cd", "ab"), decode)
    assert (decode(first.tokens), decode(second.tokens)) == ("ab", "cd")
    assert (first.score, second.score) == (50.0, 0.0)
    assert first.log_prob == -2.0


def test_equals_keep_their_order_and_one_sample_is_its_own_best() -> None:
    assert [decode(each.tokens) for each in rank_by_chrf(hypotheses("xy", "ab", "cd"), decode)] == ["xy", "ab", "cd"]
    [only] = rank_by_chrf(hypotheses("ab"), decode)
    assert (decode(only.tokens), only.score) == ("ab", 0.0)


def brute_force(texts: list[str]) -> dict[str, float]:
    """{text: mean chrF against the other samples}, one pair at a time."""
    found = {}
    for index, text in enumerate(texts):
        others = texts[:index] + texts[index + 1 :]
        found[text] = sum(CHRF().sentence_score(text, [other]).score for other in others) / len(others)
    return found


def test_ranks_are_those_of_every_pair_compared() -> None:
    expected = brute_force(TEXTS)
    found = {decode(each.tokens): each.score for each in rank_by_chrf(hypotheses(*TEXTS), decode)}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found == pytest.approx(expected, abs=1e-4)


def test_translations(tiny_run: Path) -> None:
    translator, lines = nmt.load(tiny_run), ["I love you.", "", "the cat and the dog"]
    short, sampling = {"max_length": 12}, Sampling(temperature=0.7, seed=3)
    samples = translator.translate(lines, sampling=sampling, n_best=8, changes=short)
    found = translator.translate(lines, sampling=sampling, mbr=8, n_best=2, changes=short)
    assert found[1].text == ""
    for drawn, translation in ((samples[0], found[0]), (samples[2], found[2])):
        utility = brute_force([each.text for each in drawn.candidates])
        assert utility[translation.text] == pytest.approx(max(utility.values()), abs=1e-3)
        assert [each.score for each in translation.candidates] == pytest.approx(
            sorted(utility.values(), reverse=True)[:2], abs=1e-3
        )
    assert translator.translate(lines, mbr=2, changes=short)[0].text  # without `sampling`: the model's distribution
