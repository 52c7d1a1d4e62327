"""Search that spells characters in bytes and never an impossible one.

A vocabulary with byte fallback has a token for each byte. `WholeCharacters` follows the bytes of each hypothesis and
lets only those tokens come next that can end in a character of UTF-8 (RFC 3629, section 4): no stray continuation, no
overlong form, no surrogate, nothing above U+10FFFF, no control character, and no other token or end within a character.
"""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.data.subword import Subword
from nmt.decoding.search import Encoded, Searchable
from nmt.model import State

# Where a hypothesis stands: at the border of a character, or (how many bytes are missing, the range of the next one).
BORDER = 0
_INSIDE = {
    1: (1, 0x80, 0xBF),
    2: (2, 0x80, 0xBF),
    3: (3, 0x80, 0xBF),
    4: (2, 0xA0, 0xBF),  # after E0: no overlong form
    5: (2, 0x80, 0x9F),  # after ED: no surrogate
    6: (3, 0x90, 0xBF),  # after F0: no overlong form
    7: (3, 0x80, 0x8F),  # after F4: not above U+10FFFF
    8: (1, 0xA0, 0xBF),  # after C2: no control character
}
_AFTER_LEAD = {0xC2: 8, 0xE0: 4, 0xED: 5, 0xF0: 6, 0xF4: 7}


def _after(state: int, byte: int) -> int:
    """Return the state after a byte that may come, -1 if it may not."""
    if state != BORDER:
        missing, first, last = _INSIDE[state]
        return missing - 1 if first <= byte <= last else -1
    if 0x20 <= byte < 0x7F:
        return BORDER
    if 0xC2 <= byte <= 0xF4:
        return _AFTER_LEAD.get(byte, 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3)
    return -1


class WholeCharacters:
    """A model with the restriction; `byte_of` is {token: byte}. Its state is the model's and one number a row."""

    def __init__(self, model: Searchable, byte_of: dict[int, int], vocab: int, device: torch.device) -> None:
        self.model = model
        self.next = torch.zeros(len(_INSIDE) + 1, vocab, dtype=torch.long, device=device)
        # What is added to log-probabilities, for each state.
        self.penalty = torch.full((len(_INSIDE) + 1, vocab), -math.inf, device=device)
        self.penalty[BORDER] = 0.0
        for token, byte in byte_of.items():
            for state in range(len(_INSIDE) + 1):
                after = _after(state, byte)
                self.next[state, token] = max(after, BORDER)
                self.penalty[state, token] = -math.inf if after < 0 else 0.0

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Encoded, State]:
        memory, state = self.model.encode(source)
        return memory, (*state, torch.zeros(1, source.size(0), 1, device=source.device))

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Any
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        log_probs, inner, attention = self.model.step(tokens, state[:-1], memory)
        place = self.next[state[-1].view(-1).long(), tokens]
        log_probs += self.penalty[place]  # (rows, vocab)
        return log_probs, (*inner, place.view(1, -1, 1).float()), attention


def whole_characters(model: Searchable, target: Subword, device: torch.device) -> Searchable:
    """Return a model that spells only whole characters: the same one if its vocabulary has no bytes."""
    return WholeCharacters(model, target.bytes, len(target), device) if target.bytes else model
