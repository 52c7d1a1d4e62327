"""Characters that search spells in bytes: never an impossible one.

A vocabulary with byte fallback has a token for each byte. Only those may come next that end in a character of UTF-8
(RFC 3629, section 4): no stray continuation, no overlong form, no surrogate, nothing above U+10FFFF, no control
character, no U+FFFD, and no other token or end within a character. A character that the length limit leaves no room for
does not begin.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NO_BYTE = 256  # stands for a token that is text
BORDER = 0
# Where a hypothesis stands within a character: which bytes may come next, and where each leads.
_INSIDE = {
    1: (0x80, 0xBF, BORDER),  # the last byte
    2: (0x80, 0xBF, 1),
    3: (0x80, 0xBF, 2),
    4: (0xA0, 0xBF, 1),  # after E0: no overlong form
    5: (0x80, 0x9F, 1),  # after ED: no surrogate
    6: (0x90, 0xBF, 2),  # after F0: no overlong form
    7: (0x80, 0x8F, 2),  # after F4: nothing above U+10FFFF
    8: (0xA0, 0xBF, BORDER),  # after C2: no control character
    9: (0x80, 0xBF, 1),  # after EF: see below
    10: (0x80, 0xBC, BORDER),  # after EF BF: not U+FFFD, which stands for what could not be read, nor beyond
}
_STATES = len(_INSIDE) + 1
_AFTER_LEAD = {0xC2: 8, 0xE0: 4, 0xED: 5, 0xEF: 9, 0xF0: 6, 0xF4: 7}
_LONGEST = 4  # bytes of a character


def after(state: int, byte: int) -> int:
    """Return the state after a byte that may come, -1 if it may not."""
    if state != BORDER:
        first, last, following = _INSIDE[state]
        if not first <= byte <= last:
            return -1
        return 10 if state == 9 and byte == 0xBF else following
    if 0x20 <= byte < 0x7F:
        return BORDER
    if 0xC2 <= byte <= 0xF4:
        return _AFTER_LEAD.get(byte, 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3)
    return -1


@dataclass(frozen=True)
class Characters:
    """Hold what the tokens of a vocabulary spell, as tensors."""

    byte: Int[Tensor, " vocab"]  # the byte of each token, or NO_BYTE
    size: Int[Tensor, " vocab"]  # bytes of the character that a token begins; 1 for text
    illegal: Int[Tensor, " illegal"]  # tokens that begin no character
    allowed: Bool[Tensor, "states vocab"]  # what may come next within a character
    following: Int[Tensor, "states bytes"]  # the state after each byte; BORDER after one that is not allowed

    @classmethod
    def of(cls, values: npt.NDArray[np.integer]) -> "Characters | None":
        """Return those of a vocabulary, given the byte of each token or -1; None if it has no bytes."""
        if not (values >= 0).any():
            return None
        # {(state, byte): next state} of the bytes that may come, if only these are known.
        known = {int(value) for value in values if value >= 0}
        ways = {(state, each): then for state in range(_STATES) for each in known if (then := after(state, each)) >= 0}
        possible: dict[tuple[int, int], int] = {}
        while len(possible) != len(ways):  # no way leads nowhere
            possible, alive = ways, {BORDER} | {state for state, _ in ways}
            ways = {place: then for place, then in possible.items() if then in alive}
        byte = np.where(values < 0, NO_BYTE, values)
        following = np.full((_STATES, NO_BYTE + 1), BORDER)
        allowed = np.zeros((_STATES, len(values)), bool)
        for (state, value), then in possible.items():
            following[state, value] = then
            allowed[state, byte == value] = True
        # The bytes of a character, by its first one: 1 below 0xC2 and for a piece that is no byte, then 2, 3 and 4.
        size = np.where(byte == NO_BYTE, 1, 1 + np.searchsorted([0xC2, 0xE0, 0xF0], byte, side="right"))
        illegal = np.flatnonzero((byte != NO_BYTE) & ~allowed[BORDER])
        return cls(*map(torch.from_numpy, (byte.astype(np.int64), size, illegal, allowed, following)))

    def to(self, device: torch.device) -> "Characters":
        """Move the tensors to a device."""
        return Characters(*(getattr(self, part.name).to(device) for part in fields(self)))

    def among(self, tokens: Int[Tensor, " tokens"]) -> "Characters | None":
        """Return those of a vocabulary that has only some of the tokens."""
        values = self.byte[tokens.to(self.byte.device)]
        found = Characters.of(torch.where(values == NO_BYTE, -1, values).cpu().numpy())
        return found and found.to(self.byte.device)

    def states(self, tokens: Int[Tensor, "rows time"]) -> Int[Tensor, " rows"]:
        """Return where each hypothesis stands, by its last bytes."""
        state = torch.zeros(tokens.size(0), dtype=torch.long, device=tokens.device)
        for token in tokens[:, 1 - _LONGEST :].unbind(dim=1):
            state = self.following[state, self.byte[token]]
        return state

    @property
    def longest(self) -> int:
        """Return the most tokens that a character may take."""
        return _LONGEST

    def begun(self, tokens: Int[Tensor, "rows time"]) -> Bool[Tensor, " rows"]:
        """Return which hypotheses end in a byte, and may be in the middle of a character."""
        return self.byte[tokens[:, -1]] != NO_BYTE

    def within(self, log_probs: Float[Tensor, "rows vocab"], tokens: Int[Tensor, "rows time"]) -> "_Within":
        """Return what may come next in the hypotheses that are in the middle of a character. Call it before other
        constraints."""
        state = self.states(tokens)
        inside = state != BORDER
        return _Within(inside, log_probs.masked_fill(~(self.allowed[state] & inside.unsqueeze(1)), -math.inf))

    def leave_room(self, log_probs: Float[Tensor, "rows vocab"], room: Int[Tensor, " rows"]) -> None:
        """Forbid, in place, tokens that begin a longer character than there is room for; `room` is how many tokens
        each row may still have."""
        log_probs.masked_fill_(self.size > room.clamp(min=1).unsqueeze(1), -math.inf)


@dataclass(frozen=True)
class _Within:
    """Hold which hypotheses are in the middle of a character, and the log-probabilities of what may come next."""

    rows: Bool[Tensor, " rows"]
    log_probs: Float[Tensor, "rows vocab"]

    def put_back(self, log_probs: Float[Tensor, "rows vocab"]) -> Float[Tensor, "rows vocab"]:
        """Return the log-probabilities of all hypotheses, whatever other constraints did to these."""
        return torch.where(self.rows.unsqueeze(1), self.log_probs, log_probs)
