"""The script that measures the demo's first picture reads a matrix as people do."""

import numpy as np
from lab.first_picture import RIGHT, strongest

from nmt.inference.alignment import AttentionMatrix


def test_strongest_source_word_of_each_target_word() -> None:
    weights = np.array([[0.9, 0.1, 0.0], [0.1, 0.3, 0.6], [0.0, 0.5, 0.2]])
    found = strongest(AttentionMatrix(["I", "love", "you"], ["Je", "t'", "aime"], weights))
    assert found == [("Je", "I", 0.9), ("t'", "you", 0.6), ("aime", "love", 0.5)]
    assert [each[:2] for each in found] == RIGHT
