"""Attention between words: numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

import nmt
from nmt.data.batch import pad_sources
from nmt.data.subword import BOS_ID, Piece
from nmt.inference.align import align
from nmt.inference.alignment import (
    AttentionMatrix,
    Link,
    pharaoh,
    piece_attention,
    strongest_links,
    word_attention,
)
from nmt.inference.translator import Translator

# "un chat" <- "a big cat"; pieces: un | ch|at | end, and a | big | ca|t | end
SOURCE, TARGET = "a big cat", "un chat"
SOURCE_PIECES = [Piece("▁a", 0, 1), Piece("▁big", 1, 5), Piece("▁ca", 5, 8), Piece("t", 8, 9)]
TARGET_PIECES = [Piece("▁un", 0, 2), Piece("▁ch", 2, 5), Piece("at", 5, 7)]
WEIGHTS = np.array(
    [
        [0.6, 0.1, 0.1, 0.1, 0.1],  # un
        [0.0, 0.2, 0.5, 0.1, 0.2],  # ch
        [0.0, 0.0, 0.1, 0.3, 0.6],  # at
        [0.0, 0.0, 0.0, 0.0, 1.0],  # end
    ]
)


def test_a_source_word_is_the_sum_and_a_target_word_the_mean_of_its_pieces() -> None:
    matrix, links = word_attention(WEIGHTS, SOURCE, TARGET, SOURCE_PIECES, TARGET_PIECES)
    assert matrix.source == ["a", "big", "cat"]
    assert matrix.target == ["un", "chat"]
    # un: 0.6, 0.1, 0.1 + 0.1.  chat: (0 + 0) / 2, (0.2 + 0) / 2, (0.5 + 0.1 + 0.1 + 0.3) / 2
    np.testing.assert_allclose(matrix.weights, [[0.6, 0.1, 0.2], [0.0, 0.1, 0.5]], atol=1e-6)
    # the end gets (0.2 + 0.6) / 2 = 0.4 of chat, less than cat's 0.5; nobody looks at big more than un does (0.1)
    assert links == [(0, 0), (1, 0), (2, 1)]


def test_a_word_that_looks_at_the_end_is_not_aligned() -> None:
    weights = WEIGHTS.copy()
    weights[2] = [0.0, 0.0, 0.0, 0.0, 1.0]  # chat: cat 0.3, end 0.6
    _, links = word_attention(weights, SOURCE, TARGET, SOURCE_PIECES, TARGET_PIECES)
    assert links == [(0, 0), (1, 0)]


def test_links_are_sorted_by_source() -> None:
    pieces = [Piece("▁a", 0, 1), Piece("▁b", 1, 3)]
    weights = np.array([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    assert word_attention(weights, "a b", "a b", pieces, pieces)[1] == [(0, 1), (1, 0)]


def test_a_piece_belongs_to_the_word_it_covers_most() -> None:
    # one piece over "l'" and "eau"; and a lone space, which goes with the word that follows
    source = [Piece("▁l'eau", 0, 5), Piece("▁", 5, 6), Piece("x", 6, 7)]
    weights = np.array([[0.5, 0.2, 0.2, 0.1], [0.0, 0.0, 0.0, 1.0]])
    matrix, links = word_attention(weights, "l'eau x", "a", source, [Piece("▁a", 0, 1)])
    assert matrix.source == ["l'", "eau", "x"]
    np.testing.assert_allclose(matrix.weights, [[0.0, 0.5, 0.4]], atol=1e-6)
    assert links == [(1, 0), (2, 0)]


def test_a_character_spelt_in_bytes_is_one_word() -> None:
    source = [Piece("▁", 0, 0), Piece("<0xEB>", 0, 0), Piece("<0x82>", 0, 0), Piece("<0x98>", 0, 1)]
    weights = np.array([[0.1, 0.2, 0.3, 0.3, 0.1], [0.0, 0.0, 0.0, 0.0, 1.0]])
    matrix, _ = word_attention(weights, "나", "a", source, [Piece("▁a", 0, 1)])
    np.testing.assert_allclose(matrix.weights, [[0.9]], atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [("", "un chat"), ("a big cat", "")])
def test_no_words_on_a_side(source: str, target: str) -> None:
    matrix, links = word_attention(WEIGHTS, source, target, SOURCE_PIECES, TARGET_PIECES)
    assert matrix.weights.shape == (len(matrix.target), len(matrix.source))
    assert links == []


def test_piece_attention_shows_the_ends() -> None:
    matrix = piece_attention(WEIGHTS, SOURCE_PIECES, TARGET_PIECES)
    assert matrix.source == ["▁a", "▁big", "▁ca", "t", "</s>"]
    assert matrix.target == ["▁un", "▁ch", "at", "</s>"]
    assert matrix.weights is WEIGHTS


LINKS: list[tuple[list[list[float]], list[float], list[Link]]] = [
    # the strongest of a row, and of a column: source 2 is nobody's first choice
    ([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]], [0.0, 0.0], [(0, 0), (1, 1), (2, 1)]),
    # two target words for one source word: both rows choose it
    ([[0.9, 0.1], [0.8, 0.2]], [0.0, 0.0], [(0, 0), (0, 1), (1, 1)]),
    # the end wins over 0.3, and ties with 0.4
    ([[0.3, 0.1], [0.2, 0.4]], [0.6, 0.4], [(1, 1)]),
    ([[0.0, 0.0], [0.5, 0.0]], [0.0, 0.0], [(0, 1)]),  # what got no attention is not linked
]


def test_a_share_links_what_gets_nearly_as_much() -> None:
    matrix, end = np.array([[0.5, 0.3, 0.1], [0.1, 0.9, 0.0]]), np.array([0.0, 0.0])
    assert strongest_links(matrix, end, 0.7) == strongest_links(matrix, end) == [(0, 0), (1, 1), (2, 0)]
    assert strongest_links(matrix, end, 0.6) == [(0, 0), (1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize(("matrix", "end", "links"), LINKS)
def test_the_strongest_links_of_both_directions(matrix: list[list[float]], end: list[float], links: list[Link]) -> None:
    assert strongest_links(np.array(matrix), np.array(end)) == links


# Given translations --------------------------------------------------------------------------------------------------

PAIRS = [("I love you.", "Je t'aime."), ("", "Je t'aime."), (" ", ""), ("We see the house.", "Nous voyons la maison.")]


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return nmt.load(tiny_run)


def test_given_translations_are_aligned_in_their_order(translator: Translator) -> None:
    together = align(translator, PAIRS)
    for pair, found in zip(PAIRS, together, strict=True):
        [alone] = align(translator, [pair])
        assert alone.links == found.links
        np.testing.assert_allclose(alone.words.weights, found.words.weights, atol=1e-6)
    assert [bool(found.links) for found in together] == [True, False, False, True]
    assert together[0].words.source == ["I", "love", "you", "."]
    assert together[0].words.target == ["Je", "t'", "aime", "."]
    assert together[2].words == AttentionMatrix([], [], together[2].words.weights)
    assert align(translator, []) == []


def test_a_row_is_the_attention_with_which_its_word_was_chosen(translator: Translator) -> None:
    """Row i belongs to piece i of the translation, not to the piece that was read in that step."""
    [model] = translator.members
    source, target = (translator.subwords.source.encode(PAIRS[3][0]), translator.subwords.target.encode(PAIRS[3][1]))
    [weights] = translator.attention([source], [target])
    with torch.inference_mode():
        memory, state = model.encode(pad_sources([source]))
        rows = []
        for token in [BOS_ID, *target]:
            _, state, attention = model.step(torch.tensor([token]), state, memory)
            rows.append(attention[0].numpy())
    np.testing.assert_allclose(weights, np.stack(rows), atol=1e-5)
    assert len(weights) == len(target) + 1  # one for each piece and one for the end


def test_what_the_model_does_not_read_is_not_linked(translator: Translator) -> None:
    cut = Translator(translator.members, translator.subwords, translator.settings.model_copy(update={"max_source": 8}))
    [found] = align(cut, [("the house " * 50, "la maison " * 50)])
    assert (len(found.words.source), len(found.words.target)) == (100, 100)
    assert found.words.weights[:8, :8].any()  # 8 pieces are 8 words at most
    assert not found.words.weights[8:].any()
    assert not found.words.weights[:, 8:].any()
    pairs = [("the house", "la maison " * 50), ("the house " * 50, "la maison"), ("the house", "la maison")]
    assert [each.cut for each in align(cut, pairs)] == [True, True, False]


def test_pharaoh() -> None:
    assert pharaoh([(0, 0), (2, 1)]) == "0-0 2-1"
    assert pharaoh([]) == ""
