"""Alignments that people made, and how well others agree with them."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.data.corpus import read_lines
from nmt.data.pharaoh import parse_links
from nmt.data.words import split_words
from nmt.errors import DataError
from nmt.inference.alignment import Link
from nmt.shown import amount


class Gold(NamedTuple):
    """Hold the links of human annotators: the sure ones, and the possible ones, which include the sure ones."""

    sure: frozenset[Link]
    possible: frozenset[Link]


BETWEEN_SPACES = "its links seem to count words between spaces, of which the text has fewer; if so, give --words spaces"

OUTSIDE = {  # what to say of a link to a word that is not there, by what a word is
    "spaces": "with --words spaces, words are what spaces separate",
    "scripts": "punctuation marks are words, and an apostrophe ends one; --words spaces counts tokens",
}


def read_gold(
    path: Path,
    pairs: Sequence[tuple[str, str]],
    words: str = "scripts",
    warn: Callable[[str], None] = lambda _: None,
) -> list[Gold]:
    """Read one line per pair: `0-0` is sure, `0p0` or `0?0` possible. Raises DataError where it does not fit the pairs.

    `words` says what a word is, out of WORDS. Warns if the links seem to count other words.
    """
    lines = list(itertools.islice(read_lines(path), len(pairs) + 1))
    if len(lines) != len(pairs):
        has = amount(len(lines), "line") if len(lines) < len(pairs) else "more lines"
        raise DataError(f"{path}: has {has}, but the texts have {len(pairs)}; write one line per pair")
    gold = []
    for number, (line, (source, target)) in enumerate(zip(lines, pairs, strict=True), start=1):
        sizes = (len(split_words(source, words)), len(split_words(target, words)))
        links = parse_links(line, f"{path}:{number}", sizes, OUTSIDE[words])
        sure = frozenset((link.source, link.target) for link in links if link.sure)
        gold.append(Gold(sure, frozenset((link.source, link.target) for link in links)))
    if words == "scripts" and counts_between_spaces(gold, pairs):
        warn(f"{path}: {BETWEEN_SPACES}")
    return gold


def counts_between_spaces(gold: Sequence[Gold], pairs: Sequence[tuple[str, str]]) -> bool:
    """Return whether all links fit the words that spaces separate, where the text has more words by its script: then
    the links are likely to be another tool's, and to count those."""
    fewer = False
    for links, pair in zip(gold, pairs, strict=True):
        between = [len(split_words(text, "spaces")) for text in pair]
        fewer = fewer or any(len(split_words(text)) > size for text, size in zip(pair, between, strict=True))
        if any(link[0] >= between[0] or link[1] >= between[1] for link in links.possible):
            return False
    return fewer


class Agreement(NamedTuple):
    """Hold the counts |A & S|, |A & P|, |A|, |S| of an alignment A and gold links S and P, summed over sentences."""

    sure_found: int | float
    possible_found: int | float
    found: int | float
    sure: int | float

    @property
    def error_rate(self) -> float:
        """Return AER = 1 - (|A & S| + |A & P|) / (|A| + |S|), 0 to 1 (Och & Ney 2003)."""
        return 1 - (self.sure_found + self.possible_found) / (self.found + self.sure) if self.found + self.sure else 0.0

    @property
    def precision(self) -> float:
        """Return the share of the links found that are in the gold alignment."""
        return self.possible_found / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Return the share of the sure gold links that were found."""
        return self.sure_found / self.sure if self.sure else 1.0


def agreement(links: Sequence[Link], gold: Gold) -> Agreement:
    """Count how the links of a pair agree with its gold alignment."""
    found = set(links)
    return Agreement(len(found & gold.sure), len(found & gold.possible), len(found), len(gold.sure))
