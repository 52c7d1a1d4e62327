"""Characters that search spells in bytes: the automaton against Python's decoder, and whole searches."""

import itertools
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import EOS_ID, UNK_ID
from nmt.inference.characters import Characters, after
from nmt.inference.constraints import Constraints
from nmt.inference.sampling import Sampling, sample
from nmt.inference.search import Hypothesis, search
from nmt.model.memory import Memory

FIRST = 4  # tokens: four of control, 256 bytes, two characters
VALUES = np.array([-1] * FIRST + list(range(256)) + [-1, -1])
VOCAB = len(VALUES)


def accepted(text: bytes) -> bool:
    state = 0
    for byte in text:
        state = after(state, byte)
        if state < 0:
            return False
    return state == 0


def legal(text: bytes) -> bool:
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return False
    return not any(
        ord(character) < 32 or 127 <= ord(character) < 160 or 0xFFFD <= ord(character) < 0x10000
        for character in characters
    )


def test_one_and_two_bytes_are_those_of_utf_8() -> None:
    for size in (1, 2):
        for values in itertools.product(range(256), repeat=size):
            assert accepted(bytes(values)) == legal(bytes(values)), values


def test_every_kind_of_three_and_four_bytes() -> None:
    """The values at which UTF-8 begins to forbid or to allow something."""
    edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBC, 0xBD, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEE]
    edges += [0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF]
    for size, values in (
        (3, edges),
        (4, [0x41, 0x80, 0x8F, 0x90, 0xA0, 0xBF, 0xC2, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5]),
    ):
        for text in itertools.product(values, repeat=size):
            assert accepted(bytes(text)) == legal(bytes(text)), text


def test_every_character_can_be_spelt() -> None:
    chance = random.Random(0)
    edges = [0x41, 0xA0, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFC, 0x10000, 0x10FFFF]
    for _ in range(2000):
        assert accepted("".join(chr(chance.choice(edges)) for _ in range(3)).encode())


class Bytes:
    """A model whose distributions are random, fixed by the seed, and mostly of bytes."""

    def __init__(self, seed: int, tokens: Tensor | None = None) -> None:
        self.table = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(seed)).log_softmax(dim=-1)
        self.table[:, EOS_ID] -= 3
        if tokens is not None:
            self.table = self.table[tokens][:, tokens]

    def encode(self, source: Tensor) -> tuple[Memory, tuple[Tensor, ...]]:
        keys = torch.zeros(*source.shape, 1)
        return Memory(keys, keys, source != 0), (torch.zeros(1, source.size(0), 1),)

    def step(self, tokens: Tensor, state: tuple[Tensor, ...], memory: Memory) -> tuple[Tensor, ...]:
        return self.table[tokens].clone(), state, torch.zeros(len(tokens), memory.mask.size(1))


def spelt(hypothesis: Hypothesis, values: np.ndarray) -> bytes:
    return b"".join(bytes([values[token]]) if values[token] >= 0 else b"x" for token in hypothesis.tokens)


def hypotheses(model: Bytes, constraints: Constraints, settings: DecodingSettings, seed: int) -> list[Hypothesis]:
    source = torch.full((3, 4), FIRST)
    found = [each for row in search(model, source, settings, settings.beam_size, constraints) for each in row]
    drawn = sample(model, source, settings, Sampling(seed=seed), 4, constraints=constraints)
    return found + [each for row in drawn for each in row]


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("more", [{}, {"no_repeat_ngram": 1}, {"min_length": 3}], ids=str)
def test_search_spells_characters(seed: int, beam_size: int, more: dict[str, int]) -> None:
    """Also where the length limit falls within one."""
    constraints = Constraints(characters=Characters.of(VALUES))
    for limit in (3, 4, 9):
        settings = DecodingSettings(beam_size=beam_size, max_length=limit, **more)
        found = hypotheses(Bytes(seed), constraints, settings, seed)
        assert len(found) >= 15
        for hypothesis in found:
            assert legal(spelt(hypothesis, VALUES)), hypothesis
            assert len(hypothesis.tokens) <= limit
            assert UNK_ID not in hypothesis.tokens
            assert hypothesis.log_prob > float("-inf")
    assert any(len(spelt(hypothesis, VALUES)) > len(spelt(hypothesis, VALUES).decode()) for hypothesis in found)


@pytest.mark.parametrize("seed", range(6))
def test_a_part_of_the_vocabulary_spells_characters(seed: int) -> None:
    """As a shortlist has it: a character begins only if the tokens that it needs are there."""
    chosen = np.random.default_rng(seed).random(VOCAB) < 0.4
    chosen[:FIRST] = chosen[-1] = True
    tokens = torch.from_numpy(np.flatnonzero(chosen))
    constraints = Constraints(characters=Characters.of(VALUES)).among(tokens)
    settings = DecodingSettings(beam_size=3, max_length=8)
    for hypothesis in hypotheses(Bytes(seed, tokens), constraints, settings, seed):
        assert legal(spelt(hypothesis, VALUES[tokens.numpy()])), hypothesis


def test_leads_without_their_continuations_do_not_begin() -> None:
    values = np.array([-1] * FIRST + [0xC3, 0xE2, 0x82, -1])  # 0x82 continues both, and E2 needs it twice
    characters = Characters.of(values)
    assert characters is not None
    assert characters.illegal.tolist() == [FIRST + 2]
    characters = characters.among(torch.tensor([0, 1, 2, 3, 4, 5, 7]))
    assert characters is not None
    assert characters.illegal.tolist() == [4, 5]


def test_a_vocabulary_without_bytes_costs_nothing() -> None:
    assert Characters.of(np.full(10, -1)) is None
