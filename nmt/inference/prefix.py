"""A translation that begins with given text: search may choose only tokens that spell it, then anything.

The text may be cut anywhere, inside a word too. Its complete words are forced token by token, as the subword model
cuts them. The last word may be spelt by any tokens that agree with its text, the last of which may reach beyond it: so
`mai` can become the single token `maison`, which a forced token `mai` would rule out.

Each prefix is a small automaton, and those of a batch are kept in one table of (state, token, next state). The state of
each hypothesis travels with the model's own, so beams, samples and ensembles need to know nothing of it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.data.subword import BOS_ID, EOS_ID, SPACE_MARK, UNK_ID, Subword
from nmt.inference.search import Encoded, Searchable
from nmt.model import State

FREE = 0  # the state in which any token may come
ROOM = 10  # tokens that may follow a prefix which is longer than the translation was expected to be
LONGEST = 200  # bytes of a last word whose spelling is left open; more is forced


class Prefix(NamedTuple):
    """Hold a text that a translation begins with, in tokens and bytes."""

    forced: list[int]  # tokens of the complete words
    rest: bytes  # text of the last word, with the space before it
    tokens: int  # in the usual segmentation of the whole


@dataclass(frozen=True)
class Spelling:
    """Hold the bytes that each token spells; none for tokens that are no text."""

    surfaces: tuple[bytes, ...]
    byte_tokens: frozenset[int] = frozenset()  # those that spell a single byte of any character

    @classmethod
    @lru_cache(maxsize=4)  # a whole vocabulary is read once
    def of(cls, subword: Subword) -> "Spelling":
        """Read how each token of a vocabulary is spelt."""
        pieces: list[str] = subword.processor.id_to_piece(list(range(len(subword))))
        byte = subword.byte_values.tolist()
        return cls(
            tuple(
                b"" if index <= EOS_ID else bytes([value]) if value >= 0 else piece.encode()
                for index, (piece, value) in enumerate(zip(pieces, byte, strict=True))
            ),
            frozenset(index for index, value in enumerate(byte) if value >= 0),
        )

    @cached_property
    def ordered(self) -> list[tuple[bytes, int]]:
        """Return (spelling, token) of every token that has one, sorted, so that a prefix is found by bisection."""
        return sorted((surface, token) for token, surface in enumerate(self.surfaces) if surface)

    def agreeing(self, rest: bytes) -> Iterator[tuple[int, int]]:
        """Yield (token, how many bytes of `rest` it spells) of each token whose text agrees with the beginning of
        `rest`."""
        for length in range(1, len(rest)):
            place = bisect_left(self.ordered, (rest[:length], -1))
            while place < len(self.ordered) and self.ordered[place][0] == rest[:length]:
                yield self.ordered[place][1], length
                place += 1
        place = bisect_left(self.ordered, (rest, -1))
        while place < len(self.ordered) and self.ordered[place][0].startswith(rest):
            yield self.ordered[place][1], len(rest)
            place += 1


def prefix_of(text: str, subword: Subword) -> Prefix | None:
    """Return the prefix that a raw text stands for; None for a text that shows nothing."""
    ids = subword.encode(text) if text.strip() else []
    if not ids:
        return None
    pieces: list[str] = subword.processor.id_to_piece(ids)
    if UNK_ID in ids:
        return Prefix(ids, b"", len(ids))
    start = max((place for place, piece in enumerate(pieces) if piece.startswith(SPACE_MARK)), default=0)
    if text[-1].isspace() and not pieces[-1].endswith(SPACE_MARK):
        return Prefix(ids, SPACE_MARK.encode(), len(ids) + 1)
    surfaces = Spelling.of(subword).surfaces
    rest = b"".join(surfaces[token] for token in ids[start:])
    if len(rest) > LONGEST:
        return Prefix(ids, b"", len(ids))
    return Prefix(ids[:start], rest, len(ids))


@dataclass(frozen=True)
class Prefixes:
    """Hold the prefixes of a batch of sentences, as one automaton."""

    start: Int[Tensor, "batch"]  # the first state of each sentence
    least: Int[Tensor, "batch"]  # tokens that each translation must have room for; 0 where there is no prefix
    first: Int[Tensor, " states_and_end"]  # where the entries of each state begin, in the table
    keys: Int[Tensor, " entries"]  # state x vocabulary + token, ascending
    following: Int[Tensor, " entries"]  # the state after it
    vocab: int

    @classmethod
    def of(cls, prefixes: Sequence[Prefix | None], spelling: Spelling) -> "Prefixes":
        """Build the automaton: a chain of states for the forced tokens, then one state for each byte of the rest."""
        rows: list[list[tuple[int, int]]] = [[]]  # (token, next state) of each state; FREE has none
        starts = []
        for prefix in prefixes:
            starts.append(len(rows) if prefix and (prefix.forced or prefix.rest) else FREE)
            if prefix is None:
                continue
            for place, token in enumerate(prefix.forced):
                last = place == len(prefix.forced) - 1 and not prefix.rest
                rows.append([(token, FREE if last else len(rows) + 1)])
            rows += _spellings(prefix.rest, spelling, len(rows))
        vocab = len(spelling.surfaces)
        entries = [(state * vocab + token, then) for state, row in enumerate(rows) for token, then in sorted(row)]
        counts = torch.tensor([len(row) for row in rows])
        first = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
        least = [prefix.tokens + ROOM if prefix else 0 for prefix in prefixes]
        keys = torch.tensor([key for key, _ in entries], dtype=torch.long)
        following = torch.tensor([then for _, then in entries], dtype=torch.long)
        return cls(torch.tensor(starts), torch.tensor(least), first, keys, following, vocab)

    def to(self, device: torch.device) -> "Prefixes":
        """Move the tensors to a device."""
        parts = {name: part.to(device) for name, part in vars(self).items() if isinstance(part, Tensor)}
        return Prefixes(**parts, vocab=self.vocab)

    def after(self, state: Int[Tensor, "rows"], tokens: Int[Tensor, "rows"]) -> Int[Tensor, "rows"]:
        """Return the state after a token that was allowed. Begin changes nothing."""
        if not len(self.keys):
            return state
        wanted = state * self.vocab + tokens
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        known = self.keys[place] == wanted
        then = torch.where(known, self.following[place], FREE)
        return torch.where(tokens == BOS_ID, state, then)

    def forbid(self, log_probs: Float[Tensor, "rows vocab"], state: Int[Tensor, "rows"]) -> Float[Tensor, "rows vocab"]:
        """Set every token that does not agree with the prefix of its row to -inf."""
        rows = state.nonzero().squeeze(1)
        if not len(rows):
            return log_probs
        counts = self.first[state[rows] + 1] - self.first[state[rows]]
        row = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        within = torch.arange(len(row), device=rows.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
        tokens = self.keys[self.first[state[rows]].repeat_interleave(counts) + within] % self.vocab
        kept = torch.full((len(rows), log_probs.size(1)), float("-inf"), device=rows.device, dtype=log_probs.dtype)
        kept[row, tokens] = log_probs[rows[row], tokens]
        log_probs[rows] = kept
        return log_probs


def _spellings(rest: bytes, spelling: Spelling, first: int) -> list[list[tuple[int, int]]]:
    """Return (token, next state) of a state for each byte of `rest`, numbered from `first`. No way leads nowhere."""
    alive = {len(rest)}
    found: list[list[tuple[int, int]]] = [[] for _ in rest]
    for place in reversed(range(len(rest))):
        ways = [(token, length) for token, length in spelling.agreeing(rest[place:]) if place + length in alive]
        text = [way for way in ways if way[0] not in spelling.byte_tokens]  # bytes only where no text will do
        found[place] = [
            (token, FREE if place + length == len(rest) else first + place + length) for token, length in text or ways
        ]
        if ways:
            alive.add(place)
    return found


class Prefixed:
    """Hold a model whose translations begin with given text. The last part of its state is that of the automaton."""

    def __init__(self, model: Searchable, prefixes: Prefixes) -> None:
        self.model = model
        self.prefixes = prefixes

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Encoded, State]:
        """Encode the source; the state gets one more part, the place of each row in its prefix."""
        memory, state = self.model.encode(source)
        return memory, (*state, self.prefixes.start.double().view(1, -1, 1))

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Any
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        """Return the next log-probabilities, of which only those stay that spell the prefix."""
        place = self.prefixes.after(state[-1][0, :, 0].long(), tokens)
        log_probs, after, attention = self.model.step(tokens, state[:-1], memory)
        return self.prefixes.forbid(log_probs, place), (*after, place.double().view(1, -1, 1)), attention
