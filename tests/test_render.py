"""Attention as text, letter by letter."""

import numpy as np

from nmt.inference.alignment import AttentionMatrix
from nmt.inference.render import draw

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
