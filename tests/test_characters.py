"""Characters that search spells in bytes: the automaton against Python's decoder, and whole searches."""

import itertools
import random

import pytest
import torch
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import EOS_ID, UNK_ID
from nmt.decoding.characters import WholeCharacters, _after
from nmt.decoding.sampling import Sampling, sample
from nmt.decoding.search import search
from nmt.model.memory import Memory

FIRST = 4  # tokens: four of control, 256 bytes, two characters
BYTES = {FIRST + byte: byte for byte in range(256)}
VOCAB = FIRST + 256 + 2


def accepted(text: bytes) -> bool:
    state = 0
    for byte in text:
        state = _after(state, byte)
        if state < 0:
            return False
    return state == 0


def legal(text: bytes) -> bool:
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return False
    return not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in characters)


def test_one_and_two_bytes_are_those_of_utf_8() -> None:
    for size in (1, 2):
        for values in itertools.product(range(256), repeat=size):
            assert accepted(bytes(values)) == legal(bytes(values)), values


def test_every_kind_of_three_and_four_bytes() -> None:
    """The values at which UTF-8 begins to forbid or to allow something."""
    edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE]
    edges += [0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    for size in (3, 4):
        for values in itertools.product(edges, repeat=size):
            assert accepted(bytes(values)) == legal(bytes(values)), values


class Bytes:
    """A model whose distributions are random, fixed by the seed, and mostly of bytes."""

    def __init__(self, seed: int) -> None:
        self.table = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(seed)).log_softmax(dim=-1)
        self.table[:, EOS_ID] -= 3

    def encode(self, source: Tensor) -> tuple[Memory, tuple[Tensor, ...]]:
        mask = source != 0
        keys = torch.zeros(*source.shape, 1)
        return Memory(keys, keys, mask), (torch.zeros(1, source.size(0), 1),)

    def step(self, tokens: Tensor, state: tuple[Tensor, ...], memory: Memory) -> tuple[Tensor, ...]:
        return self.table[tokens].clone(), state, torch.zeros(len(tokens), memory.mask.size(1))  # type: ignore[return-value]


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_search_spells_characters(seed: int, beam_size: int) -> None:
    """Also where the length limit falls within one."""
    model = WholeCharacters(Bytes(seed), BYTES, VOCAB, torch.device("cpu"))
    source = torch.full((3, 4), FIRST)
    for limit in (1, 2, 3, 9):
        settings = DecodingSettings(beam_size=beam_size, max_length=limit, replace_unknown=False)
        found = [hypothesis for row in search(model, source, settings, beam_size) for hypothesis in row]
        found += [hypothesis for row in sample(model, source, settings, Sampling(seed=seed), 4) for hypothesis in row]
        assert found
        for hypothesis in found:
            spelt = b"".join(bytes([BYTES[t]]) if t in BYTES else b" " for t in hypothesis.tokens)
            assert legal(spelt), spelt
            assert UNK_ID not in hypothesis.tokens
            assert hypothesis.log_prob > float("-inf")


def test_random_bytes_that_search_could_spell_are_all_of_utf_8() -> None:
    chance = random.Random(0)
    for _ in range(2000):
        text = "".join(
            chr(chance.choice([0x41, 0xA0, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF])) for _ in range(3)
        )
        assert accepted(text.encode())
