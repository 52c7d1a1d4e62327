"""Quality flags on translations, from the text, its attention and its probability: for a second look by people.

A flag is no proof; docs/reliability.md tells how often they are right, as `scripts/lab/measure_flags.py` measured it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nmt.data.words import Word, split_words
from nmt.inference.alignment import Attention
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator

LONGER = 2.5  # words of one side for each that the other suggests
USUAL = (1.0, 1.0, 1.0)  # target words for a source word, where no training text tells: lowest, median, highest
MOST_WORDS = 2000  # that are searched for repetitions, since that takes the square of the time
SHORT = 4  # words below which a ratio means nothing
UNREAD = 0.15  # attention that a source word received, summed over the target
SKIPPED = 4  # words in a row that nobody looked at
SAME = 0.8  # share of the target's words that stand in the source as they are
NUMBER = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?!\d)|\d+")
DOUBT = 1.5  # nats per word


class Evidence(NamedTuple):
    """Hold a line and its translation, as text and as words; `log_prob` is the natural log, summed.

    `ratio` is how many target words come for a source word in the training text: lowest, median, highest.
    """

    texts: tuple[str, str]
    source: Sequence[Word]
    target: Sequence[Word]
    log_prob: float
    attention: Attention | None
    ratio: tuple[float, float, float]


def flags_of(translation: Translation, translator: Translator, words: str = "scripts") -> list[str]:
    """Names out of FLAGS, in its order; of a line that was translated in parts, those of any part."""
    ratio = translator.statistics.word_ratio if translator.statistics else USUAL
    found: set[str] = set()
    for part in translation.of or (translation,):
        found.update(flags(part.source, part.text, part.log_prob, part.attention, ratio, words))
    return [name for name in FLAGS if name in found]


def flags(
    source: str,
    target: str,
    log_prob: float,
    attention: Attention | None,
    ratio: tuple[float, float, float] = USUAL,
    words: str = "scripts",
) -> list[str]:
    """Names out of FLAGS, in its order. A blank line has none."""
    own, found = split_words(source, words), split_words(target, words)
    if not own:
        return []
    evidence = Evidence((source, target), own, found, log_prob, attention, ratio)
    return [name for name, applies in FLAGS.items() if applies(evidence)]


def repetition(evidence: Evidence) -> bool:
    """Return whether a word comes three times in a row, or a group of words twice, where the source repeats nothing.

    Of characters that are words, which many words double, a group of four twice, or a shorter one more often.
    """
    return _repeats(evidence.target) and not _repeats(evidence.source)


def _repeats(words: Sequence[Word]) -> bool:
    words = words[:MOST_WORDS]
    known: dict[str, int] = {}
    ids = np.array([known.setdefault(word.text.lower(), len(known)) for word in words])
    tells = np.array([word.text.isalnum() for word in words], bool)
    alone = np.array([word.alone for word in words], bool)
    for size in range(1, len(words) // 2 + 1):
        # Runs of words that equal the word `size` places later: where a run starts, edges is 1, after its end -1.
        same = np.concatenate([[0], ids[:-size] == ids[size:], [0]])
        edges = np.diff(same)
        for start, end in zip((edges == 1).nonzero()[0], (edges == -1).nonzero()[0], strict=True):
            doubled = alone[start : start + size].all() and size < 4
            enough = 4 if doubled else 2 if size == 1 else size  # words in a row that are the same `size` words later
            if end - start >= enough and tells[start : start + size].any():
                return True
    return False


def length(evidence: Evidence) -> bool:
    """Return whether one side has more than LONGER times the words expected from the other, unlike any training
    pair."""
    lowest, median, highest = evidence.ratio
    source, target = len(evidence.source), len(evidence.target)
    short, long = sorted((source * median, float(target)))
    return max(source, target) > SHORT and long > LONGER * max(short, 1.0) and not lowest <= target / source <= highest


def uncovered(evidence: Evidence) -> bool:
    """Return whether no target word attends to SKIPPED source words in a row. Two characters count as a word."""
    if evidence.attention is None:
        return False
    received = evidence.attention.weights.sum(axis=0)  # (target, source) -> (source,)
    alone = [word.alone for word in evidence.source]
    alone += [False] * (len(received) - len(alone))
    even = min(float(received.mean()), 1.0) if any(alone) else 1.0  # the characters of a token share what it received
    run = longest = 0.0
    for weight, single in zip(received, alone, strict=False):
        run = run + (0.5 if single else 1.0) if weight < UNREAD * even else 0.0
        longest = max(longest, run)
    return longest >= SKIPPED


def copied(evidence: Evidence) -> bool:
    """Return whether nearly all words of the target are words of the source."""
    target = [word.text for word in evidence.target if word.text.isalpha()]
    known = {word.text.lower() for word in evidence.source}
    return len(target) >= SHORT and sum(word.lower() in known for word in target) > SAME * len(target)


def numbers(evidence: Evidence) -> bool:
    """Return whether the numbers in figures differ; 1,250 and 1 250 are equal. A single digit may be spelt out: 3,
    trois."""
    source, target = (Counter(re.sub(r"\D", "", found) for found in NUMBER.findall(text)) for text in evidence.texts)
    lost, new = source - target, target - source
    return bool(lost and new) or any(len(number) > 1 for number in lost | new)


def improbable(evidence: Evidence) -> bool:
    """Return whether the model itself finds the translation improbable: more than DOUBT nats per word."""
    return -evidence.log_prob > DOUBT * max(len(evidence.target), 1)


FLAGS: dict[str, Callable[[Evidence], bool]] = {
    "repetition": repetition,
    "length": length,
    "uncovered": uncovered,
    "copied": copied,
    "numbers": numbers,
    "improbable": improbable,
}
