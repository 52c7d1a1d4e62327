"""Lines that hold more than those of training: split, nothing lost, joined as they stood."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt.inference.alignment import AttentionMatrix, join_attention, join_links
from nmt.inference.quality_flags import flags_of
from nmt.inference.render import draw
from nmt.inference.sampling import Sampling
from nmt.inference.segmentation import Capacity, join, split_line
from nmt.inference.translator import Translator


@pytest.mark.parametrize(
    ("line", "most", "expected"),
    [
        ("One two. Three four. Five.", (0, 100, 0), ["One two. Three four. Five."]),
        ("One two. Three four. Five.", (0, 20, 0), ["One two. Three four.", "Five."]),
        ("One two. Three four. Five.", (1, 100, 100), ["One two.", "Three four.", "Five."]),
        ("One two. Three four. Five.", (2, 100, 100), ["One two. Three four.", "Five."]),
        ("One two. Three four. Five.", (3, 12, 100), ["One two.", "Three four.", "Five."]),
        ("One two three four five six.", (1, 5, 0), ["One two three four five six."]),
        ("One two three, four five six.", (1, 20, 20), ["One two three,", "four five six."]),
        ("One two three four.", (1, 12, 12), ["One two", "three four."]),
        ("Incomprehensibilities.", (1, 5, 5), ["Incomprehensibilities."]),
        ("一二三，四五。六七。", (1, 5, 5), ["一二三，", "四五。", "六七。"]),
        (" One.  Two. ", (1, 50, 50), ["One.", "Two."]),
        ("", (1, 5, 5), [""]),
        (" ", (1, 5, 5), [" "]),
    ],
)
def test_split(line: str, most: tuple[int, int, int], expected: list[str]) -> None:
    parts = split_line(line, len, Capacity(*most))
    assert parts.texts == expected
    assert "".join(parts.texts).replace(" ", "") == line.replace(" ", "") or not line.strip()


def test_parts_come_together_as_they_stood() -> None:
    for line in ("One two. Three four. Five.", "\u4e00\u4e8c\u3002\u4e09\u56db\u3002", "A! \u4e00\u3002B."):
        parts = split_line(line, len, Capacity(1, 99, 99))
        assert len(parts.texts) > 1
        assert join(parts.texts, parts.spaces) == line
    assert join(["", "a", "", "b"], ["", " ", " ", " "]) == "a b"


def test_white_space_stays_where_every_character_counts() -> None:
    line = "  One two.   Three four.\tFive.  "
    parts = split_line(line, len, Capacity(1, 99, 99), verbatim=True)
    assert join(parts.texts, parts.spaces) == line.rstrip()
    parts = split_line(line, len, Capacity(1, 99, 99))
    assert join(parts.texts, parts.spaces) == "One two. Three four. Five."


def test_attention_is_that_of_the_parts() -> None:
    one = AttentionMatrix(["a", "b"], ["x"], np.array([[0.7, 0.3]]))
    other = AttentionMatrix(["c"], ["y", "z"], np.array([[1.0], [0.9]]))
    whole = join_attention([one, other])
    assert whole is not None
    assert (whole.source, whole.target) == (["a", "b", "c"], ["x", "y", "z"])
    assert whole.parts == (one, other)
    assert whole.weights.tolist() == [[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.9]]
    assert join_links([[(1, 0)], [(0, 0), (0, 1)]], [one, other]) == [(1, 0), (2, 1), (2, 2)]
    assert join_attention([one, None]) is None


@pytest.fixture(scope="module")
def whole(tiny_run: Path) -> Translator:
    """Takes a line as a whole, however long it is."""
    found = nmt.load(tiny_run)
    return Translator(found.members, found.subwords, found.settings)


def test_a_translator_translates_the_parts(tiny_run: Path, whole: Translator) -> None:
    parts = nmt.load(tiny_run)
    short = {"changes": {"max_length": 30, "max_ratio": 2.0}}
    line = "We see the old house. They do not like the small garden! Is she here?"
    found = parts.translate([line, "Yes."], **short)
    alone = whole.translate(["We see the old house.", "They do not like the small garden!", "Is she here?"], **short)
    assert found[0].parts == 3
    assert found[0].text == " ".join(each.text for each in alone)
    assert found[0].log_prob == pytest.approx(sum(each.log_prob for each in alone), abs=1e-4)
    assert found[0].source == line and found[0].attention is not None
    assert found[0].attention.source == [word for each in alone for word in each.attention.source]
    assert found[1].text == whole.translate(["Yes."], **short)[0].text
    assert found[1].parts == 1


def test_lines_of_a_corpus_of_paragraphs_stay_whole(tiny_run: Path) -> None:
    found = nmt.load(tiny_run)
    assert found.statistics is not None
    usual = replace(found.statistics, usual_sentences=3)
    paragraphs = Translator(found.members, found.subwords, found.settings, statistics=usual)
    sentences = ["We see it.", "I love you.", "Yes.", "No."]
    short = {"max_length": 10}
    lines = [" ".join(sentences[:count]) for count in (1, 2, 3, 4)]
    assert [each.parts for each in paragraphs.translate(lines, changes=short)] == [1, 1, 1, 2]


def test_as_many_sentences_come_out_as_go_in(tiny_run: Path) -> None:
    parts = nmt.load(tiny_run)
    lines = ["I love you.", " ".join(["I love you."] * 1000)]
    one, found = parts.translate(lines, beam_size=1, changes={"max_length": 4})
    assert found.parts == 1000
    assert found.text == " ".join([one.text] * 1000)


def test_what_is_joined_grows_with_the_line_and_not_with_its_square(tiny_run: Path) -> None:
    """The elements of attention, and the memory of flags and drawing, of a line with four times the sentences."""
    parts = nmt.load(tiny_run)

    def cost(sentences: int) -> tuple[int, int]:
        short = {"max_length": 6, "min_length": 6}
        [found] = parts.translate(["We see the old house. " * sentences], beam_size=1, changes=short)
        assert found.attention is not None and found.piece_attention is not None
        elements = sum(part.weights.size for part in (*found.attention.parts, *found.piece_attention.parts))
        tracemalloc.start()
        flags_of(found, parts)
        draw(found.attention)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return elements, peak

    small, large = cost(50), cost(200)
    assert large[0] == 4 * small[0]
    assert large[1] < 6 * small[1]


def test_parts_of_a_line_are_sampled_apart(tiny_run: Path, whole: Translator) -> None:
    sentence, drawn = "We see the old house.", {"sampling": Sampling(seed=1), "changes": {"max_length": 10}}
    [[found], [again]] = (
        nmt.load(tiny_run).translate([f"{sentence} {sentence}"], first_line=7, **drawn) for _ in range(2)
    )
    [alone] = whole.translate([sentence], first_line=7, **drawn)
    assert found.parts == 2
    assert found.text == again.text
    assert found.text.startswith(alone.text)
    assert found.text != f"{alone.text} {alone.text}"


def test_the_score_of_parts_found_by_mbr_is_their_mean(tiny_run: Path, whole: Translator) -> None:
    how = {"sampling": Sampling(top_k=1, seed=1), "mbr": 3, "changes": {"max_length": 10}}
    [found] = nmt.load(tiny_run).translate(["We see the old house. They do not like it."], **how)
    assert found.parts == 2
    assert found.score == found.candidates[0].score == pytest.approx(100)  # all samples are equal, a chrF of 100
    alone = [each.log_prob for each in whole.translate(["We see the old house.", "They do not like it."], **how)]
    assert found.log_prob == pytest.approx(sum(alone), abs=1e-4)
