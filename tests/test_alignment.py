"""Attention between words: numbers worked out by hand, and the drawing letter by letter."""

import numpy as np
import pytest

from nmt.data.subword import Piece
from nmt.decoding.alignment import AttentionMatrix, draw, pharaoh, piece_attention, word_attention

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
    assert links == [(0, 0), (2, 1)]  # the end gets (0.2 + 0.6) / 2 = 0.4 of chat, less than 0.5


def test_a_word_that_looks_at_the_end_is_not_aligned() -> None:
    weights = WEIGHTS.copy()
    weights[2] = [0.0, 0.0, 0.0, 0.0, 1.0]  # chat: cat 0.3, end 0.6
    _, links = word_attention(weights, SOURCE, TARGET, SOURCE_PIECES, TARGET_PIECES)
    assert links == [(0, 0)]


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
    assert links == [(1, 0)]


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


def test_pharaoh() -> None:
    assert pharaoh([(0, 0), (2, 1)]) == "0-0 2-1"
    assert pharaoh([]) == ""


# Drawing -------------------------------------------------------------------------------------------------------------

MATRIX = AttentionMatrix(
    ["a", "big", "elephant"], ["un", "éléphant"], np.array([[0.9, 0.006, 0.004], [0.0, 0.25, 1.0]], np.float32)
)


def test_a_drawing() -> None:
    assert draw(MATRIX) == ("             a  big elephant\nun        0.90 0.01        ·\néléphant     · 0.25     1.00")


def test_a_drawing_in_as_many_blocks_as_the_width_needs() -> None:
    assert draw(MATRIX, 20) == (
        "             a  big\n"
        "un        0.90 0.01\n"
        "éléphant     · 0.25\n"
        "\n"
        "          elephant\n"
        "un               ·\n"
        "éléphant      1.00"
    )


def test_a_word_wider_than_the_terminal_is_shown_all_the_same() -> None:
    matrix = AttentionMatrix(["incomprehensibility", "a"], ["x"], np.array([[0.5, 0.5]]))
    assert draw(matrix, 10) == "   incomprehensibility\nx                 0.50\n\n      a\nx  0.50"


def test_korean_takes_two_columns_and_a_combining_mark_none() -> None:
    matrix = AttentionMatrix(["학교에", "e\u0301t"], ["to", "나는"], np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert draw(matrix) == "      학교에   e\u0301t\nto      0.50 0.50\n나는    1.00    ·"


def test_nothing_to_draw() -> None:
    assert draw(AttentionMatrix([], ["a"], np.zeros((1, 0)))) == ""
