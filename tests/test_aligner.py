"""The aligner on corpora whose links are known, and its parts by hand."""

import random

import numpy as np
import pytest
import torch

from nmt.data import aligner
from nmt.data.aligner import Link, align, symmetrised
from nmt.data.dataset import Ids

Corpus = tuple[list[Ids], list[Ids], list[list[Link]]]


def corpus(pairs: list[tuple[list[int], list[int], list[Link]]]) -> Corpus:
    sources, targets, links = zip(*pairs, strict=True)
    return [np.array(ids, np.int32) for ids in sources], [np.array(ids, np.int32) for ids in targets], list(links)


def swapped(count: int) -> Corpus:
    """The source is noun adjective noun adjective ...; the target has each adjective before its noun.

    No word comes twice in a sentence: which of two equal ones is meant, nothing could tell.
    """
    chance, pairs = random.Random(3), []
    for _ in range(count):
        words = zip(chance.sample(range(8), 4), chance.sample(range(8, 16), 4), strict=True)
        source = [word for pair in words for word in pair][: 2 * chance.randint(1, 4)]
        order = [place ^ 1 for place in range(len(source))]
        pairs.append((source, [source[place] + 3 for place in order], [(place, place ^ 1) for place in order]))
    return corpus([(source, target, sorted(links)) for source, target, links in pairs])


def error_rate(found: list[list[Link]], links: list[list[Link]]) -> float:
    common = sum(len(set(one) & set(other)) for one, other in zip(found, links, strict=True))
    return 1 - 2 * common / sum(len(one) + len(other) for one, other in zip(found, links, strict=True))


def test_words_that_change_places() -> None:
    source, target, links = swapped(300)
    assert error_rate(list(align(source, target)), links) < 0.01
    straight = [[(place, place) for place in range(len(ids))] for ids in source]
    assert error_rate(straight, links) == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_a_word_for_two(backwards: bool) -> None:
    """Word 0 becomes 5 6, and the others become one word each; or the other way round."""
    chance, pairs = random.Random(4), []
    for _ in range(300):
        source = chance.sample(range(5), chance.randint(1, 4))
        parts = [[5, 6] if word == 0 else [word + 6] for word in source]
        owners = [place for place, part in enumerate(parts) for _ in part]
        target = [word for part in parts for word in part]
        links = [(place, number) for number, place in enumerate(owners)]
        pairs.append((target, source, sorted((t, s) for s, t in links)) if backwards else (source, target, links))
    sources, targets, known = corpus(pairs)
    assert error_rate(list(align(sources, targets)), known) < 0.03


def test_a_word_without_a_translation_stays_alone() -> None:
    """Target word 9 stands in every second sentence, anywhere, and comes from nothing."""
    chance, pairs = random.Random(5), []
    for number in range(400):
        source = chance.sample(range(8), 4)
        target, links = list(source), [(place, place) for place in range(4)]
        if number % 2:
            extra = chance.randint(0, 4)
            target.insert(extra, 9)
            links = [(place, place + (place >= extra)) for place in range(4)]
        pairs.append((source, target, links))
    sources, targets, links = corpus(pairs)
    assert error_rate(list(align(sources, targets)), links) < 0.03


def test_memory_does_not_change_the_links(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, _ = swapped(60)
    whole = list(align(source, target))
    monkeypatch.setattr(aligner, "CHUNK", 50)
    assert list(align(source, target)) == whole


def test_a_large_corpus_is_learnt_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, links = swapped(400)
    monkeypatch.setattr(aligner, "LINKS", sum(len(ids) ** 2 for ids in source) // 2)
    assert error_rate(list(align(source, target)), links) < 0.02


@pytest.mark.parametrize("sizes", [[(0, 0)], [(0, 2), (2, 0)], [(0, 2), (3, 3), (2, 0)], []])
def test_sentences_without_words(monkeypatch: pytest.MonkeyPatch, sizes: list[tuple[int, int]]) -> None:
    monkeypatch.setattr(aligner, "CHUNK", 1)
    sides = ([np.arange(pair[side], dtype=np.int32) for pair in sizes] for side in (0, 1))
    found = list(align(*sides))
    assert [bool(links) for links in found] == [bool(one and other) for one, other in sizes]


def grid(*rows: str) -> set[Link]:
    """Source words are rows, target words columns."""
    return {(s, t) for s, row in enumerate(rows) for t, mark in enumerate(row) if mark == "x"}


def test_symmetrised_by_hand() -> None:
    """Both directions have 0-0. 0-1 touches it and gives column 1 a link; 1-1 touches and gives row 1 one; 1-2 follows.

    3-4 touches nothing, and both of its words are free: the last step takes it. 3-0 has a word with a link.
    """
    forward = grid("xx...", ".....", ".....", "x....")
    backward = grid("x....", ".xx..", ".....", "....x")
    assert set(symmetrised(forward, backward)) == grid("xx...", ".xx..", ".....", "....x")


def test_symmetrised_keeps_what_both_have_and_no_more_than_one_has() -> None:
    chance = random.Random(6)
    for _ in range(200):
        forward = {(chance.randrange(5), target) for target in range(5)}
        backward = {(source, chance.randrange(5)) for source in range(5)}
        assert forward & backward <= set(symmetrised(forward, backward)) <= forward | backward


def test_digamma() -> None:
    x = np.array([0.01, 0.3, 1.0, 5.9, 6.0, 40.0, 1e6])
    assert aligner._digamma(x) == pytest.approx(torch.from_numpy(x).digamma().numpy(), abs=1e-6)
