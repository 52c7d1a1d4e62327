"""What is known of each word of a translation: where it stands, how probable it is, what else could come there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, SPACE_MARK, UNK_ID, Piece, Subword
from nmt.data.words import split_words
from nmt.inference.alignment import owners
from nmt.inference.search import Searchable
from nmt.inference.trace import Node
from nmt.kernels.deferred_gradients import deferred_gradients

LONGEST_WORD = 12  # tokens of an alternative


@dataclass(frozen=True)
class Alternative:
    """Hold a word that could come at a position. `prefix` is the translation up to it, with it: ask for its
    continuation."""

    text: str  # "" for the end of the sentence
    probability: float
    prefix: str


@dataclass(frozen=True)
class WordDetail:
    """Hold a word and its place in the text, in characters (`start`, `end`) and in code units of UTF-16, as
    JavaScript counts (`start16`, `end16`); the ends are excluded."""

    text: str
    start: int
    end: int
    start16: int
    end16: int
    probability: float | None = None  # geometric mean over its tokens; None for words of the source
    confidence: float | None = None  # chance that it is right; None if the run has no calibration
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class TracedNode:
    """Hold a hypothesis of the search, as text. `parent` is the number of another node, -1 for the first."""

    parent: int
    text: str  # of its last token
    log_prob: float
    fate: str  # lived, ended or pruned
    best: bool  # whether the translation goes through it


@dataclass(frozen=True)
class Details:
    """Hold what is known of each word of a line and of its translation."""

    source: list[WordDetail] = field(default_factory=list)
    target: list[WordDetail] = field(default_factory=list)
    probability: float = 1.0  # geometric mean over the tokens, the end counted
    tokens: int = 0
    trace: tuple[TracedNode, ...] = ()
    confidence: float | None = None  # expected share of right words; None if the run has no calibration

    def moved(self, source: str, target: str) -> "Details":
        """Return the same behind other text, on both sides."""
        return replace(
            self,
            source=[_moved(word, source) for word in self.source],
            target=[_moved(word, target) for word in self.target],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        found: dict[str, Any] = {
            "probability": self.probability,
            "confidence": self.confidence,
            "source": [_as_dict(word, source=True) for word in self.source],
            "target": [_as_dict(word) for word in self.target],
        }
        return {**found, "trace": [vars(node) for node in self.trace]} if self.trace else found


def joined(source: str, target: str, parts: Sequence[tuple[str, str, Details | None]]) -> Details | None:
    """Return the details of a line out of (source, target, details) of its parts, each moved to its place; None if a
    part has none. Searches are not joined."""
    details, read, written = [], 0, 0
    for part_source, part_target, of_part in parts:
        if of_part is None:
            return None
        read, written = max(source.find(part_source, read), read), max(target.find(part_target, written), written)
        details.append(of_part.moved(source[:read], target[:written]))
        read, written = read + len(part_source), written + len(part_target)
    tokens = sum(each.tokens for each in details)
    log_prob = sum(math.log(max(each.probability, 1e-300)) * each.tokens for each in details)
    # Confidence is the mean over the words of all parts, where each part that has words knows its own.
    with_words = [each for each in details if each.target]
    weighted = [each.confidence * len(each.target) for each in with_words if each.confidence is not None]
    known = bool(weighted) and len(weighted) == len(with_words)
    return Details(
        [word for each in details for word in each.source],
        [word for each in details for word in each.target],
        math.exp(log_prob / max(tokens, 1)),
        tokens,
        confidence=sum(weighted) / sum(len(each.target) for each in with_words) if known else None,
    )


def _moved(word: WordDetail, before: str) -> WordDetail:
    more, more16 = len(before), utf16(before)
    return replace(
        word,
        start=word.start + more,
        end=word.end + more,
        start16=word.start16 + more16,
        end16=word.end16 + more16,
        alternatives=tuple(replace(each, prefix=before + each.prefix) for each in word.alternatives),
    )


def _as_dict(word: WordDetail, *, source: bool = False) -> dict[str, Any]:
    found = {name: getattr(word, name) for name in ("text", "start", "end", "start16", "end16")}
    if source:
        return found
    found |= {"probability": word.probability, "confidence": word.confidence}
    return {**found, "alternatives": [vars(each) for each in word.alternatives]}


def utf16(text: str) -> int:
    """Return how many code units a text has in UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)


def place_words(text: str, kind: str = "scripts") -> list[WordDetail]:
    """Return the words of a text with their places."""
    found, place, place16 = [], 0, 0
    for word in split_words(text, kind):
        place16 += utf16(text[place : word.start])
        size = utf16(word.text)
        found.append(WordDetail(word.text, word.start, word.end, place16, place16 + size))
        place, place16 = word.end, place16 + size
    return found


def word_probabilities(
    text: str, kind: str, pieces: Sequence[Piece], log_probs: Sequence[float]
) -> tuple[list[float], list[int]]:
    """Return the probability of each word, as the geometric mean over its tokens, and the first of its tokens (-1:
    none)."""
    words = split_words(text, kind)
    sums, counts, first = [0.0] * len(words), [0] * len(words), [-1] * len(words)
    for piece, word in owners(words, pieces):
        sums[word] += log_probs[piece]
        counts[word] += 1
        first[word] = piece if first[word] < 0 else first[word]
    return [math.exp(total / max(count, 1)) for total, count in zip(sums, counts, strict=True)], first


@torch.inference_mode()
def next_words(
    model: Searchable, source: Tensor, tokens: Sequence[int], starts: Sequence[int], count: int, target: Subword
) -> list[tuple[Alternative, ...]]:
    """Return the likeliest words at each of `starts`, places among `tokens`, most probable first; `source` (1, src).

    A word is its first token and what greedy search adds until the next word begins; its probability is the product.
    """
    found: dict[int, tuple[Alternative, ...]] = {}
    with deferred_gradients():
        memory, state = model.encode(source)
        last = BOS_ID
        for place in range(max(starts, default=-1) + 1):
            log_probs, state, _ = model.step(torch.tensor([last], device=memory.mask.device), state, memory)
            last = tokens[place] if place < len(tokens) else EOS_ID
            if place in starts:
                found[place] = _at_place(model, memory, state, log_probs, tokens[:place], count, target)
    return [found.get(place, ()) for place in starts]


def _at_place(
    model: Searchable, memory: Any, state: Any, log_probs: Tensor, before: Sequence[int], count: int, target: Subword
) -> tuple[Alternative, ...]:
    log_probs = log_probs.clone()
    log_probs[:, [PAD_ID, BOS_ID, UNK_ID]] = -math.inf
    if not before:
        log_probs[:, EOS_ID] = -math.inf
    best = log_probs[0].topk(min(count, log_probs.size(1)))
    rows = torch.zeros(len(best.indices), dtype=torch.long, device=log_probs.device)
    state = tuple(part.index_select(1, rows) for part in state)
    words = [[token] for token in best.indices.tolist()]
    totals, open_ = best.values.tolist(), [token != EOS_ID for [token] in words]
    for _ in range(LONGEST_WORD):
        if not any(open_):
            break
        last = torch.tensor([word[-1] for word in words], device=log_probs.device)
        after, state, _ = model.step(last, state, memory)
        values, following = after.max(dim=1)
        for row, (value, token) in enumerate(zip(values.tolist(), following.tolist(), strict=True)):
            open_[row] = open_[row] and _goes_on(target, words[row], token)
            words[row].append(token)
            totals[row] += value if open_[row] else 0.0
            if not open_[row]:
                words[row].pop()
                words[row].append(PAD_ID)  # keeps the rows in step; left out below
    found: dict[str, Alternative] = {}
    start = target.decode(before)
    for word, total in zip(words, totals, strict=True):
        own = [token for token in word if token != PAD_ID]
        text = "" if own == [EOS_ID] else target.decode([*before, *own])
        shown = text[len(start) :].strip() if text.startswith(start) else target.decode(own)
        if (shown or own == [EOS_ID]) and shown not in found and "\ufffd" not in shown:
            found[shown] = Alternative(shown, math.exp(total), text or start)
    return tuple(sorted(found.values(), key=lambda each: -each.probability))


def _goes_on(target: Subword, word: Sequence[int], token: int) -> bool:
    """Return whether a token continues a word rather than beginning the next."""
    if token <= EOS_ID:
        return False
    byte, so_far = int(target.byte_values[token]), [each for each in word if each != PAD_ID]
    # If the last tokens are bytes that do not make a whole character yet, only another byte continues it.
    values = [int(target.byte_values[each]) for each in so_far]
    lead = next((place for place in reversed(range(len(values))) if not 0x80 <= values[place] < 0xC0), None)
    if lead is not None and values[lead] >= 0xC0:
        size = 2 if values[lead] < 0xE0 else 3 if values[lead] < 0xF0 else 4
        if len(values) - lead < size:
            return byte >= 0
    piece: str = target.processor.id_to_piece(token)
    if byte >= 0:  # any character whose UTF-8 begins with it will do; "" for a byte that begins none
        following = b"\x90" if byte == 0xED else b"\xa0"  # 0xED 0xA0 would begin a surrogate
        tries = ((bytes([byte]) + following * more).decode("utf-8", "ignore") for more in range(4))
        piece = next((text for text in tries if text), "")
    if not piece or piece.startswith(SPACE_MARK):
        return False
    text = target.decode(so_far)
    begun = split_words(text, "scripts")
    if not begun:
        return True
    glued = split_words(text + piece + "a", "scripts")
    return glued[len(begun) - 1].end > begun[-1].end


def traced(nodes: Sequence[Node], best: Sequence[int], target: Subword) -> tuple[TracedNode, ...]:
    """Return the nodes of a search, with their tokens as text; `best` are the tokens of the translation."""
    path: dict[int, int] = {0: 0}  # node -> how many tokens of the translation it has
    wanted = [*best, EOS_ID]
    for number, node in enumerate(nodes):
        place = path.get(node.parent)
        if place is not None and place < len(wanted) and node.token == wanted[place]:
            path[number] = place + 1
    pieces: list[str] = target.processor.id_to_piece([node.token for node in nodes])
    return tuple(
        TracedNode(node.parent, "" if node.token == BOS_ID else piece, node.log_prob, node.fate, number in path)
        for number, (node, piece) in enumerate(zip(nodes, pieces, strict=True))
    )
