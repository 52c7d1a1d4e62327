"""Flags on translations: each by hand, and none on a sound one."""

import numpy as np
import pytest

from nmt.inference.alignment import AttentionMatrix
from nmt.inference.quality_flags import FLAGS, flags

SOURCE = "A man in a red shirt is reading a newspaper on a bench."
SOUND = "Un homme en chemise rouge lit un journal sur un banc."


def attention(*received: float) -> AttentionMatrix:
    """One target word; so much went to each source word."""
    return AttentionMatrix(["x"] * len(received), ["y"], np.array([received]))


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (SOURCE, SOUND, []),
        (SOURCE, "Un homme en chemise rouge lit un lit un lit un journal.", ["repetition"]),
        (SOURCE, "Un homme homme homme lit un journal sur un banc rouge.", ["repetition"]),
        (SOURCE, "Un homme assis sur un banc lit un homme assis sur un banc lit", ["repetition"]),
        (SOURCE, "Un homme lit un journal . . . sur un un banc.", []),
        (SOURCE, "lit un journal sur un banc et lit un journal sur un banc", []),
        ("Very, very, very good!", "Très, très, très bien !", []),
        ("No no no!", "Non non non !", []),
        (SOURCE, "Un homme.", ["length"]),
        ("Hello.", "Bonjour, je suis un homme.", ["length"]),
        ("Yes.", "Oui, bien sûr.", []),
        (SOURCE, "A man in a red shirt is reading a journal on a bench.", ["copied"]),
        ("Anna Maria Rossi", "Anna Maria Rossi", []),
        ("He has 3 dogs and 12 cats.", "Il a 3 chiens et 12 chats.", []),
        ("He has 3 dogs and 12 cats.", "Il a 3 chiens et 13 chats.", ["numbers"]),
        ("It has 21 cats, in 2016 200 dogs.", "Il a 12 chats, en 2016 200 chiens.", ["numbers"]),
        ("4 people sit on a ledge.", "Quatre personnes sont assises.", []),
        ("Four people sit on a ledge.", "4 personnes sont assises.", []),
        ("4 people sit on a ledge.", "5 personnes sont assises.", ["numbers"]),
        ("40 people sit on a ledge.", "Quatre personnes sont assises.", ["numbers"]),
        ("Four people sit on a ledge.", "44 personnes sont assises.", ["numbers"]),
        ("It is 3.14 wide.", "Il fait 3,14 de large.", []),
        ("It costs 1,250 euros.", "Cela coûte 1 250 euros.", []),
        ("", "", []),
        (" ", "quelque chose", []),
        (SOURCE, "", ["length"]),
    ],
)  # fmt: skip
def test_text(source: str, target: str, expected: list[str]) -> None:
    assert flags(source, target, -1.0, None) == expected


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ((1.0, 0.9, 0.2, 0.3, 0.8), []),
        ((1.0, 0.0, 0.1, 0.05, 0.9), []),
        ((1.0, 0.0, 0.1, 0.05, 0.1, 0.9), ["uncovered"]),
        ((0.0, 0.0, 0.0, 0.0), ["uncovered"]),
    ],
)
def test_attention(received: tuple[float, ...], expected: list[str]) -> None:
    assert flags(SOURCE, SOUND, -1.0, attention(*received)) == expected


@pytest.mark.parametrize(("log_prob", "expected"), [(-3.0, []), (-17.9, []), (-18.1, ["improbable"])])
def test_probability(log_prob: float, expected: list[str]) -> None:
    """12 words, 1.5 nats for each."""
    assert flags(SOURCE, SOUND, log_prob, None) == expected


def test_all_are_in_the_order_of_the_table() -> None:
    found = flags("He has 30 red dogs and a cat", "a cat a cat a cat a cat red red red red he he has has", -99.0, None)
    assert found == [name for name in FLAGS if name in found] == ["repetition", "copied", "numbers", "improbable"]
