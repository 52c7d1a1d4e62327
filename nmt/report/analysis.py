"""Where a translation differs from its reference, and two translations from each other: words, n-grams, lines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from nmt.data.words import split_words
from nmt.evaluation.outputs import Outputs

LONGEST = 400  # words of a line in which differences are marked
NGRAMS = 4  # words of the longest
MOST_NGRAMS = 20
FREQUENCIES = ((0, 0), (1, 4), (5, 9), (10, 99), (100, 999), (1000, 0))  # bounds of each group; 0: open


class Span(NamedTuple):
    """Hold a part of a line, and whether only this line has it."""

    text: str
    own: bool


def marked(line: str, other: str) -> list[Span]:
    """Return a line in parts: those that the other line has too, in the same order, and those that it has not."""
    words, others = split_words(line)[:LONGEST], split_words(other)[:LONGEST]
    if not words:
        return [Span(line, False)] if line else []
    found: list[Span] = []
    matcher = SequenceMatcher(None, [word.text for word in words], [word.text for word in others], autojunk=False)
    place = 0
    for kind, first, last, _, _ in matcher.get_opcodes():
        if first == last:
            continue
        start, end = words[first].start, words[last - 1].end
        if start > place:
            found.append(Span(line[place:start], False))
        found.append(Span(line[start:end], kind != "equal"))
        place = end
    return [*found, *([Span(line[place:], False)] if place < len(line) else [])]


class Group(NamedTuple):
    """Hold how well words of about one training frequency are translated."""

    label: str
    wanted: int  # words of the references
    precision: float | None  # share of the words in translations that the reference has too; None: there are none
    recall: float | None
    f1: float | None


def by_frequency(outputs: Outputs) -> list[Group]:
    """Return the F1 of words by how often they occur in the training text, most often last (as compare-mt does)."""
    totals = [[0, 0, 0] for _ in FREQUENCIES]  # wanted, given, right
    for reference, hypothesis in zip(outputs.references, outputs.hypotheses, strict=True):
        wanted, given = (Counter(word.text for word in split_words(line)) for line in (reference, hypothesis))
        for word in wanted.keys() | given.keys():
            seen = outputs.words.get(word, 0)
            group = totals[max(place for place, (least, _) in enumerate(FREQUENCIES) if seen >= least)]
            group[0] += wanted[word]
            group[1] += given[word]
            group[2] += min(wanted[word], given[word])
    groups = []
    for (least, most), (asked, made, right) in zip(FREQUENCIES, totals, strict=True):
        if not (asked or made):
            continue
        label = "never" if not least else f"{least:,}\u2013{most:,}" if most else f"{least:,} or more"
        precision, recall = right / made if made else None, right / asked if asked else None
        groups.append(Group(label, asked, precision, recall, 2 * right / (asked + made)))
    return groups


Ngram = tuple[str, ...]


def ngrams(line: str) -> Counter[Ngram]:
    """Count the n-grams of a line, of up to NGRAMS words."""
    words = [word.text for word in split_words(line)]
    return Counter(
        tuple(words[start : start + size]) for size in range(1, NGRAMS + 1) for start in range(len(words) - size + 1)
    )


def missed_and_added(outputs: Outputs) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the n-grams that references have and translations lack, and the reverse, most frequent first."""
    missed: Counter[Ngram] = Counter()
    added: Counter[Ngram] = Counter()
    for reference, hypothesis in zip(outputs.references, outputs.hypotheses, strict=True):
        wanted, given = ngrams(reference), ngrams(hypothesis)
        missed.update(wanted - given)
        added.update(given - wanted)
    return most_frequent(missed), most_frequent(added)


def only_one_right(first: Outputs, second: Outputs) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the n-grams that only the first run gets right, and those that only the second does, with how often."""
    found: tuple[Counter[Ngram], Counter[Ngram]] = (Counter(), Counter())
    for reference, one, other in zip(first.references, first.hypotheses, second.hypotheses, strict=True):
        wanted = ngrams(reference)
        right = [wanted & ngrams(line) for line in (one, other)]
        found[0].update(right[0] - right[1])
        found[1].update(right[1] - right[0])
    balance = [found[0] - found[1], found[1] - found[0]]
    return most_frequent(balance[0]), most_frequent(balance[1])


def most_frequent(counts: Mapping[Ngram, int]) -> list[tuple[str, int]]:
    """Return the most frequent n-grams as text; one that is part of a longer one with the same count is left out."""
    chosen: list[tuple[Ngram, int]] = []
    for ngram, count in sorted(counts.items(), key=lambda item: (-item[1], -len(item[0]), item[0])):
        if not any(character.isalnum() for word in ngram for character in word):
            continue
        shown = " ".join(ngram)
        if any(count == more and f" {shown} " in f" {' '.join(longer)} " for longer, more in chosen):
            continue
        chosen.append((ngram, count))
        if len(chosen) == MOST_NGRAMS:
            break
    return [(" ".join(ngram), count) for ngram, count in chosen]


def extremes(scores: Sequence[float], lengths: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Return the lines with the best scores, the longest of equal ones first, and those with the worst."""
    order = sorted(range(len(scores)), key=lambda index: (scores[index], lengths[index]))
    worst = order[: min(count, len(order) // 2)]
    return order[::-1][: min(count, len(order) - len(worst))], worst
