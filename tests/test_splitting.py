"""Lines that are too long: split at sentence ends only, nothing lost, joined as they stood."""

import numpy as np
import pytest

import nmt
from nmt.decoding.alignment import AttentionMatrix
from nmt.decoding.sampling import Sampling
from nmt.decoding.splitting import join, join_attention, join_links, split_line
from nmt.decoding.translator import Translator


@pytest.mark.parametrize(
    ("line", "longest", "expected"),
    [
        ("One two. Three four. Five.", 100, ["One two. Three four. Five."]),
        ("One two. Three four. Five.", 20, ["One two. Three four.", "Five."]),
        ("One two. Three four. Five.", 1, ["One two.", "Three four.", "Five."]),
        ("One two three four five six.", 5, ["One two three four five six."]),
        ('He said "no!" Then he left.', 15, ['He said "no!"', "Then he left."]),
        ("Pi is 3.14 and e is 2.72 or so.", 5, ["Pi is 3.14 and e is 2.72 or so."]),
        ("Really?! Yes... no.", 9, ["Really?!", "Yes...", "no."]),
        ("\u4e00\u4e8c\u3002\u4e09\u56db\u3002", 3, ["\u4e00\u4e8c\u3002", "\u4e09\u56db\u3002"]),
        (" One.  Two. ", 5, ["One.", "Two."]),
        ("", 5, [""]),
    ],
)
def test_split(line: str, longest: int, expected: list[str]) -> None:
    parts = split_line(line, len, longest)
    assert parts.texts == expected
    assert "".join(parts.texts).replace(" ", "") == line.replace(" ", "")


def test_parts_come_together_as_they_stood() -> None:
    for line in ("One two. Three four. Five.", "\u4e00\u4e8c\u3002\u4e09\u56db\u3002", "A! \u4e00\u3002B."):
        parts = split_line(line, len, 1)
        assert len(parts.texts) > 1
        assert join(parts.texts, parts.spaced) == line


def test_attention_is_that_of_the_parts() -> None:
    one = AttentionMatrix(["a", "b"], ["x"], np.array([[0.7, 0.3]]))
    other = AttentionMatrix(["c"], ["y", "z"], np.array([[1.0], [0.9]]))
    whole = join_attention([one, other])
    assert whole is not None
    assert (whole.source, whole.target) == (["a", "b", "c"], ["x", "y", "z"])
    assert whole.weights.tolist() == [[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.9]]
    assert join_links([[(1, 0)], [(0, 0), (0, 1)]], [one, other]) == [(1, 0), (2, 1), (2, 2)]
    assert join_attention([one, None]) is None


def test_a_translator_translates_the_parts(tiny_run) -> None:
    whole = nmt.load(tiny_run)
    parts = Translator(whole.members, whole.subwords, whole.settings, longest=12)
    line = "We see the old house. They do not like the small garden! Is she here?"
    found = parts.translate([line, "Yes."])
    sentences = [
        each.strip() for each in ("We see the old house.", "They do not like the small garden!", "Is she here?")
    ]
    alone = whole.translate(sentences)
    assert found[0].parts == 3
    assert found[0].text == " ".join(each.text for each in alone)
    assert found[0].log_prob == pytest.approx(sum(each.log_prob for each in alone), abs=1e-4)
    assert found[0].source == line and found[0].attention is not None
    assert found[0].attention.source == [word for each in alone for word in each.attention.source]
    assert found[1].text == whole.translate(["Yes."])[0].text
    assert found[1].parts == 1


def test_parts_of_a_line_are_sampled_apart(tiny_run) -> None:
    whole = nmt.load(tiny_run)
    parts = Translator(whole.members, whole.subwords, whole.settings, longest=12)
    sentence, drawn = "We see the old house.", {"sampling": Sampling(seed=1), "changes": {"max_length": 10}}
    [[found], [again]] = (parts.translate([f"{sentence} {sentence}"], first_line=7, **drawn) for _ in range(2))
    [alone] = whole.translate([sentence], first_line=7, **drawn)
    assert found.parts == 2
    assert found.text == again.text
    assert found.text.startswith(alone.text)
    assert found.text != f"{alone.text} {alone.text}"


def test_the_score_of_parts_found_by_mbr_is_their_mean(tiny_run) -> None:
    whole = nmt.load(tiny_run)
    parts = Translator(whole.members, whole.subwords, whole.settings, longest=12)
    how = {"sampling": Sampling(top_k=1, seed=1), "mbr": 3, "changes": {"max_length": 10}}
    [found] = parts.translate(["We see the old house. They do not like it."], **how)
    assert found.parts == 2
    assert found.score == found.candidates[0].score == pytest.approx(100)  # all samples are equal, a chrF of 100
    alone = [each.log_prob for each in whole.translate(["We see the old house.", "They do not like it."], **how)]
    assert found.log_prob == pytest.approx(sum(alone), abs=1e-4)


def test_a_run_knows_how_long_its_training_pairs_were(tiny_run) -> None:
    assert nmt.load(tiny_run).longest == 100
