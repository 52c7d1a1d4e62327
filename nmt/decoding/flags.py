"""What looks wrong about a translation, from the text, its attention and its probability: for a second look by people.

A flag is no proof; docs/reliability.md tells how often they are right, as `scripts/measure_flags.py` measured it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nmt.data.words import split_words
from nmt.decoding.alignment import AttentionMatrix

LONGER = 2.5  # words of one side for each of the other
SHORT = 4  # words below which a ratio means nothing
UNREAD = 0.15  # attention that a source word received, summed over the target
SKIPPED = 4  # words in a row that nobody looked at
SAME = 0.8  # share of the target's words that stand in the source as they are
NUMBER = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?!\d)|\d+")
DOUBT = 1.5  # nats per word


class Evidence(NamedTuple):
    """A line and its translation, as text and in words; `log_prob` is the natural log, summed."""

    texts: tuple[str, str]
    source: list[str]
    target: list[str]
    log_prob: float
    attention: AttentionMatrix | None


def flags(source: str, target: str, log_prob: float, attention: AttentionMatrix | None) -> list[str]:
    """Names out of FLAGS, in its order. Of a blank line there is nothing to say."""
    words, found = ([word.text for word in split_words(text)] for text in (source, target))
    if not words:
        return []
    evidence = Evidence((source, target), words, found, log_prob, attention)
    return [name for name, applies in FLAGS.items() if applies(evidence)]


def repetition(evidence: Evidence) -> bool:
    """A word three times in a row, or a group of words twice, where the source repeats nothing."""
    return _repeats(evidence.target) and not _repeats(evidence.source)


def _repeats(words: Sequence[str]) -> bool:
    lowered = [word.lower() for word in words]
    for size in range(1, len(words) // 2 + 1):
        enough = 2 if size == 1 else size  # words in a row that are the same `size` words later
        run = 0
        for start, (word, later) in enumerate(zip(lowered, lowered[size:], strict=False)):
            run = run + 1 if word == later else 0
            if run >= enough and any(each.isalnum() for each in lowered[start + 1 : start + 1 + size]):
                return True
    return False


def length(evidence: Evidence) -> bool:
    """One side has more than LONGER times the words of the other."""
    short, long = sorted((len(evidence.source), len(evidence.target)))
    return long > SHORT and long > LONGER * max(short, 1)


def uncovered(evidence: Evidence) -> bool:
    """SKIPPED words of the source in a row to which no word of the target looked."""
    if evidence.attention is None:
        return False
    received = evidence.attention.weights.sum(axis=0)
    run = longest = 0
    for weight in received:
        run = run + 1 if weight < UNREAD else 0
        longest = max(longest, run)
    return longest >= SKIPPED


def copied(evidence: Evidence) -> bool:
    """Nearly all words of the target are words of the source."""
    target = [word for word in evidence.target if word.isalpha()]
    known = {word.lower() for word in evidence.source}
    return len(target) >= SHORT and sum(word.lower() in known for word in target) > SAME * len(target)


def numbers(evidence: Evidence) -> bool:
    """The numbers in figures differ; 1,250 and 1 250 are one. One of a single digit may be spelt out: 3, trois."""
    source, target = (Counter(re.sub(r"\D", "", found) for found in NUMBER.findall(text)) for text in evidence.texts)
    lost, new = source - target, target - source
    return bool(lost and new) or any(len(number) > 1 for number in lost | new)


def improbable(evidence: Evidence) -> bool:
    """The model itself gives it little: more than DOUBT nats a word."""
    return -evidence.log_prob > DOUBT * max(len(evidence.target), 1)


FLAGS: dict[str, Callable[[Evidence], bool]] = {
    "repetition": repetition,
    "length": length,
    "uncovered": uncovered,
    "copied": copied,
    "numbers": numbers,
    "improbable": improbable,
}
