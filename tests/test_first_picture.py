"""The first picture of every textbook: the attention of `I love you.`

`make lab` trains the demo for five seeds and looks at each. Here a small model, trained on short sentences with guided
attention and kept in tests/picture, shows it in a moment; its provenance.json has the command.
"""

from pathlib import Path

import numpy as np
from lab.first_picture import RIGHT, strongest

import nmt
from nmt.inference.alignment import AttentionMatrix

PICTURE = Path(__file__).parent / "picture"


def test_strongest_source_word_of_each_target_word() -> None:
    weights = np.array([[0.9, 0.1, 0.0], [0.1, 0.3, 0.6], [0.0, 0.5, 0.2]])
    found = strongest(AttentionMatrix(["I", "love", "you"], ["Je", "t'", "aime"], weights))
    assert found == [("Je", "I", 0.9), ("t'", "you", 0.6), ("aime", "love", 0.5)]
    assert [each[:2] for each in found] == RIGHT


def test_a_small_model_looks_at_the_right_words() -> None:
    [translation] = nmt.load(PICTURE, threads=1).translate(["I love you."])
    assert translation.text == "Je t'aime."
    assert translation.attention is not None
    assert [each[:2] for each in strongest(translation.attention)[:3]] == RIGHT
