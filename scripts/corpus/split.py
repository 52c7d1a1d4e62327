"""Training, validation and test parts, with word pairs that are kept for the test."""

import random
from collections import Counter
from functools import cache
from itertools import islice
from typing import NamedTuple

from .english_verbs import gerund, participle, past, third
from .nouns import NOUNS
from .sentence import Sentence
from .words import split_words

Pair = tuple[str, str]
TRAIN, VALID, TEST, RECOMBINED = 20_000, 1_000, 1_000, 250
COMMON = 45
KNOWN = 6
RARE_PAIR = range(2, 13)


class Corpus(NamedTuple):
    """The three parts, the line numbers of the recombined test pairs (from 1) and the word pairs kept out."""

    train: list[Sentence]
    valid: list[Sentence]
    test: list[Sentence]
    recombined: list[int]
    reserved: list[Pair]


@cache
def surface_forms(key: str) -> frozenset[str]:
    """The English forms of a lexicon key such as `noun:car` or `verb:eat`."""
    kind, _, word = key.partition(":")
    if kind == "noun":
        return frozenset((word, NOUNS[word].en_plural))
    if kind == "verb":
        return frozenset((word, third(word), past(word), participle(word), gerund(word)))
    return frozenset((word,))


def source_words(sentence: Sentence) -> frozenset[str]:
    """The lower-cased English words of a pair."""
    return frozenset(word.lower() for word in split_words(sentence.en))


def together(words: frozenset[str], pair: Pair) -> bool:
    """Whether forms of both words of a pair occur."""
    return bool(words & surface_forms(pair[0])) and bool(words & surface_forms(pair[1]))


def reserve(pool: list[Sentence], rng: random.Random, wanted: int) -> list[Pair]:
    """Draws pairs of common words that meet in few sentences, until enough sentences hold one."""
    met: Counter[Pair] = Counter()
    keys: Counter[str] = Counter()
    for sentence in pool:
        built = dict.fromkeys(sentence.pairs)
        met.update(list(built))
        keys.update(list(dict.fromkeys(key for pair in built for key in pair)))
    fit = [p for p, n in met.items() if n in RARE_PAIR and min(keys[p[0]], keys[p[1]]) >= COMMON]
    fit = sorted(p for p in fit if not any(" " in key for key in p) and "verb:be" not in p)
    rng.shuffle(fit)
    used: Counter[str] = Counter()
    chosen: list[Pair] = []
    total = 0
    for pair in fit:
        if total < wanted and max(used[pair[0]], used[pair[1]]) < 2:
            used.update(pair)
            chosen.append(pair)
            total += met[pair]
    return chosen


def holders(pool: list[Sentence], reserved: list[Pair]) -> tuple[list[Sentence], list[Sentence]]:
    """Sentences built from a reserved pair, and sentences in which none of them meets."""
    partners: dict[str, list[frozenset[str]]] = {}
    for first, second in reserved:
        for form in sorted(surface_forms(first)):
            partners.setdefault(form, []).append(surface_forms(second))
    kept = frozenset(reserved)
    held, rest = [], []
    for sentence in pool:
        words = source_words(sentence)
        if any(pair in kept for pair in sentence.pairs):
            held.append(sentence)
        elif not any(words & forms for word in words for forms in partners.get(word, ())):
            rest.append(sentence)
    return held, rest


def word_counts(sentences: list[Sentence]) -> Counter[str]:
    """How often each word of either side occurs."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update("en:" + word for word in split_words(sentence.en))
        counts.update("fr:" + word for word in split_words(sentence.fr))
    return counts


def familiar(sentence: Sentence, counts: Counter[str]) -> bool:
    """Whether all words of a pair are known well enough to be asked for."""
    words = ["en:" + word for word in split_words(sentence.en)] + ["fr:" + word for word in split_words(sentence.fr)]
    return all(counts[word] >= KNOWN for word in words)


def take(source: list[Sentence], amount: int, counts: Counter[str], targets: Counter[str]) -> list[Sentence]:
    """The first sentences made of familiar words and with a translation of their own."""
    fit = (s for s in source if familiar(s, counts) and targets[s.fr] == 1)
    return list(islice(fit, amount))


def divide(fixed: list[Sentence], pool: list[Sentence], rng: random.Random) -> Corpus:
    """Splits a pool of distinct sentences; the fixed ones all go to training."""
    reserved = reserve(pool, rng, RECOMBINED * 2)
    held, rest = holders(pool, reserved)
    rng.shuffle(rest)
    rng.shuffle(held)
    targets = Counter(sentence.fr for sentence in fixed + pool)
    known = word_counts(fixed + rest[:TRAIN])
    counts = Counter({word: count - 2 if count < 3 * KNOWN else count for word, count in known.items()})
    recombined = take(held, RECOMBINED, counts, targets)
    asked = take(rest, VALID + TEST - RECOMBINED, counts, targets)
    chosen = frozenset(sentence.en for sentence in asked)
    train = fixed + [sentence for sentence in rest if sentence.en not in chosen][: TRAIN - len(fixed)]
    rng.shuffle(train)
    valid, test = asked[:VALID], asked[VALID:] + recombined
    rng.shuffle(test)
    special = frozenset(sentence.en for sentence in recombined)
    return Corpus(train, valid, test, [i for i, s in enumerate(test, 1) if s.en in special], reserved)
