"""Sampling: what is drawn follows the model's probabilities, stays in the nucleus, and can be drawn again."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import nmt
from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import pad_targets
from nmt.data.subword import EOS_ID, PAD_ID
from nmt.errors import ConfigError
from nmt.inference.request import COLDEST, Sampling
from nmt.inference.sampling import FEW, draw, sample, truncate, uniforms
from nmt.inference.scoring import token_log_probs
from nmt.inference.search import greedy_search
from nmt.model import Memory, Seq2Seq, State

VOCAB = 7  # padding, unknown, begin, end and three words
SOURCE = torch.tensor([[4, 5, EOS_ID], [6, EOS_ID, PAD_ID], [5, 5, EOS_ID]])


class Last:
    """A model whose next word depends on the last one. `rows` notes how many rows each step had."""

    def __init__(self, seed: int) -> None:
        self.log_probs = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(seed)).log_softmax(dim=-1)
        self.rows: list[int] = []

    def encode(self, source: Tensor) -> tuple[Memory, State]:
        values = source.unsqueeze(-1).float()
        return Memory(values, values, source != PAD_ID), (torch.zeros(1, len(source), 1),)

    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        assert len(tokens) == len(memory.mask) == state[0].size(1)
        self.rows.append(len(tokens))
        return self.log_probs[tokens], state, torch.zeros(len(tokens), memory.mask.size(1))


def real(seed: int) -> Seq2Seq:
    torch.manual_seed(seed)
    model = Seq2Seq(ModelSettings(embedding=6, hidden=8), VOCAB, VOCAB)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    return model.eval()


def decoding(**changes: int | float) -> DecodingSettings:
    return DecodingSettings(**{"max_length": 8, "allow_empty": True, **changes})


# A single draw by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.0, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 4), (1 - 2**-53, 4)]
)
def test_draw(chance: float, expected: int) -> None:
    """Probabilities 0, 0.5, 0.3, 0, 0.2, 0: what cannot be is never drawn, at no end."""
    logits = torch.tensor([[0.0, 0.5, 0.3, 0.0, 0.2, 0.0]]).log()
    assert draw(logits, torch.tensor([chance], dtype=torch.float64)).tolist() == [expected]


@pytest.mark.parametrize(
    ("top_k", "top_p", "expected"),
    [
        (0, 1.0, "abcd"),
        (1, 1.0, "a"),
        (2, 1.0, "ab"),
        (9, 1.0, "abcd"),
        (0, 0.01, "a"),
        (0, 0.35, "a"),
        (0, 0.45, "ab"),
        (0, 0.69, "ab"),
        (0, 0.71, "abc"),
        (0, 0.95, "abcd"),
        (3, 0.75, "ab"),  # of the three likeliest, a has 0.44 and b 0.33
        (2, 0.99, "ab"),
    ],
)
def test_truncate(top_k: int, top_p: float, expected: str) -> None:
    """a has 0.4, b 0.3, c 0.2, d 0.1, in any order; one more has 0."""
    shares = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1, "e": 0.0}
    for names in itertools.permutations(shares):
        logits = torch.tensor([[shares[name] for name in names]]).log()
        found = truncate(logits, top_k, top_p)
        assert (
            "".join(sorted(name for name, logit in zip(names, found[0], strict=True) if logit.isfinite())) == expected
        )
        kept = found.isfinite()
        assert torch.equal(found[kept], logits[kept])


def test_truncate_keeps_the_first_of_equals() -> None:
    assert truncate(torch.zeros(1, 5), 2, 1.0).isfinite().tolist() == [[True, True, False, False, False]]
    assert truncate(torch.zeros(1, 5), 0, 0.5).isfinite().tolist() == [[True, True, True, False, False]]
    logits = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0]])
    assert truncate(logits, 3, 1.0).isfinite().tolist() == [[True, True, False, True, False]]


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 5.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 0.3), (0, 0.9), (20, 1.0), (400, 0.9)])
def test_truncate_is_that_of_all_words_sorted(sharpness: float, top_k: int, top_p: float) -> None:
    """Of more words than are looked at first, many of them equal; flat rows and peaked ones."""
    logits = (sharpness * torch.randn(20, 3 * FEW, generator=torch.Generator().manual_seed(1))).round(decimals=1)
    ordered, words = logits.sort(dim=-1, descending=True, stable=True)
    ordered[:, top_k or len(logits[0]) :] = -math.inf
    shares = ordered.softmax(dim=-1)
    ordered[shares.cumsum(dim=-1) - shares >= top_p] = -math.inf
    assert torch.equal(truncate(logits, top_k, top_p), torch.empty_like(logits).scatter(1, words, ordered))


def test_the_nucleus_of_a_peaked_row_needs_no_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "sort", lambda *_, **__: pytest.fail("all words were sorted"))
    logits = torch.zeros(2, 3 * FEW)
    logits[:, 5] = 20
    assert truncate(logits, 0, 0.9).isfinite().nonzero().tolist() == [[0, 5], [1, 5]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0}, "temperature: 0 must be a finite number of 0.001 or more"),
        ({"temperature": 1e-300}, "temperature: 1e-300 must be a finite number of 0.001 or more"),
        ({"temperature": float("nan")}, "temperature: nan must be a finite number of 0.001 or more"),
        ({"top_k": -1}, "top_k: -1 must be 0 or more"),
        ({"top_p": 0.0}, "top_p: 0 must be more than 0 and at most 1"),
        ({"top_p": 1.5, "seed": -2}, "top_p: 1.5 must be more than 0 and at most 1\nseed: -2 must be 0 or more"),
    ],
)
def test_impossible_sampling_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Sampling(**wrong)
    assert str(caught.value) == message


# Distributions -------------------------------------------------------------------------------------------------------


def distribution(model: Last, sampling: Sampling, longest: int) -> dict[tuple[int, ...], float]:
    """The probability of every sequence, one at a time: conditional probabilities multiplied."""
    found: dict[tuple[int, ...], float] = {}

    def extend(words: tuple[int, ...], last: int, probability: float) -> None:
        may = (3, 4, 5, 6) if len(words) < longest else (3,)
        shares = {word: math.exp(float(model.log_probs[last, word]) / sampling.temperature) for word in may}
        ranked = sorted(shares, key=lambda word: -shares[word])[: sampling.top_k or None]
        total, mass, nucleus = sum(shares[word] for word in ranked), 0.0, []
        for word in ranked:
            if mass < sampling.top_p:
                nucleus.append(word)
            mass += shares[word] / total
        for word in nucleus:
            share = probability * shares[word] / sum(shares[other] for other in nucleus)
            if word == EOS_ID:
                found[words] = share
            else:
                extend((*words, word), word, share)

    extend((), 2, 1.0)
    return found


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=1),
        Sampling(2.0, seed=2),
        Sampling(0.5, seed=3),
        Sampling(top_k=2, seed=4),
        Sampling(top_p=0.7, seed=5),
    ],
    ids=str,
)
def test_frequencies_are_the_models_probabilities(sampling: Sampling) -> None:
    model, count = Last(0), 20_000
    expected = distribution(model, sampling, 2)
    assert sum(expected.values()) == pytest.approx(1)
    for drawn in sample(model, SOURCE[:2], decoding(max_length=2), sampling, count):
        assert len(drawn) == count
        found = Counter(tuple(each.tokens) for each in drawn)
        assert found.keys() <= expected.keys()
        for words, probability in expected.items():
            deviation = math.sqrt(probability * (1 - probability) / count)
            assert abs(found[words] / count - probability) < 5 * deviation, words


def test_the_coldest_is_greedy() -> None:
    for seed in range(4):
        model = real(seed)
        greedy = greedy_search(model, SOURCE, decoding())
        for found, drawn in zip(greedy, sample(model, SOURCE, decoding(), Sampling(COLDEST), 3), strict=True):
            assert [each.tokens for each in drawn] == [found.tokens] * 3
            assert drawn[0].log_prob == pytest.approx(found.log_prob, abs=1e-4)
            assert drawn[0].score == pytest.approx(found.score, abs=1e-4)


def test_log_probabilities_are_the_models_own() -> None:
    """Not those of the distribution that was cooled and cut."""
    model = real(1)
    for source, drawn in zip(SOURCE, sample(model, SOURCE, decoding(), Sampling(0.5, 3, 0.9, 1), 5), strict=True):
        for each in drawn:
            row = source[source != PAD_ID].unsqueeze(0)
            expected = token_log_probs([model], row, *pad_targets([each.tokens])).sum()
            assert each.log_prob == pytest.approx(float(expected), abs=1e-4)


def test_samples_leave_the_batch_when_they_end() -> None:
    model = Last(3)
    drawn = [each for found in sample(model, SOURCE, decoding(), Sampling(seed=1), 40) for each in found]
    steps = sum(len(each.tokens) + 1 for each in drawn)
    assert model.rows == sorted(model.rows, reverse=True)
    assert steps <= sum(model.rows) <= 1.25 * steps  # some that have ended stay until the batch shrinks
    assert model.rows[0] == 120 > model.rows[-1]


# Seeds ---------------------------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_whatever_the_company() -> None:
    model, settings = real(2), decoding(max_length=20)

    def tokens(source: Tensor, seed: int | None, lines: list[int]) -> list[list[list[int]]]:
        found = sample(model, source, settings, Sampling(seed=seed), 4, [(line, 0) for line in lines])
        return [[each.tokens for each in drawn] for drawn in found]

    together = tokens(SOURCE, 1, [1, 2, 3])
    assert together == tokens(SOURCE, 1, [1, 2, 3])
    assert [tokens(SOURCE[row : row + 1, : 2 + (row != 1)], 1, [row + 1])[0] for row in range(3)] == together
    assert together != tokens(SOURCE, 2, [1, 2, 3])
    assert together != tokens(SOURCE, 1, [2, 3, 4])
    assert tokens(SOURCE, None, [1, 2, 3]) != tokens(SOURCE, None, [1, 2, 3])
    assert len({str(each) for each in together[0]}) > 1


def test_chances_do_not_depend_on_how_many_are_needed() -> None:
    long, short = uniforms(1, [(5, 0), (9, 2)], 3, 40), uniforms(1, [(9, 2)], 3, 7)
    assert torch.equal(long[3:, :7], short)
    assert 0 <= float(long.min()) < 0.1
    assert 0.9 < float(long.max()) < 1


def test_each_part_of_a_line_has_chances_of_its_own() -> None:
    whole, first, second, later = (uniforms(7, [place], 2, 3) for place in [(4, 0), (4, 0), (4, 1), (4, 2)])
    assert torch.equal(whole, first)
    assert torch.equal(whole, torch.from_numpy(np.random.default_rng((7, 4)).random((3, 2)).T))  # the same for ever
    assert len({float(part[0, 0]) for part in (first, second, later)}) == 3


def test_chances_stay_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPS has no float64."""
    move = Tensor.to

    def checked(tensor: Tensor, *where: object, **how: object) -> Tensor:
        assert not (tensor.dtype == torch.float64 and isinstance(where[0], torch.device))
        return move(tensor, *where, **how)

    monkeypatch.setattr(Tensor, "to", checked)
    assert sample(real(1), SOURCE, decoding(), Sampling(seed=1))


# Lines ---------------------------------------------------------------------------------------------------------------


def test_samples_of_lines(tiny_run: Path) -> None:
    translator = nmt.load(tiny_run)
    lines, short = ["I love you.", "", "the cat", "I love you."], {"max_length": 10}

    def texts(lines: list[str], first_line: int = 1, **changes: int) -> list[list[str]]:
        found = translator.translate(
            lines, sampling=Sampling(seed=1), n_best=3, first_line=first_line, changes={**short, **changes}
        )
        return [[each.text for each in translation.candidates] for translation in found]

    together = texts(lines)
    assert [len(each) for each in together] == [3, 0, 3, 3]
    assert together == texts(lines, batch_size=1)
    assert together == texts(lines[:2]) + texts(lines[2:], first_line=3)
    assert together[0] != together[3]  # the same text on another line
    [translation] = translator.translate(["the cat"], sampling=Sampling(seed=1), attention=True, changes=short)
    assert translation.attention is not None
    assert len(translation.candidates) == 1
