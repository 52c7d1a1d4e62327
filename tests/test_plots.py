"""Pictures: what is written in them, that they are files of their kind, and what cannot be drawn."""

import os
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from nmt.bootstrap import Score
from nmt.errors import ConfigError, DataError, extra
from nmt.evaluation.evaluate import Group
from nmt.inference.alignment import AttentionMatrix
from nmt.plots import attention_picture, check_picture, contact_sheet, length_picture, missing_characters

MATRIX = AttentionMatrix(
    ["a", "big", "elephant"], ["un", "éléphant"], np.array([[0.9, 0.006, 0.004], [0.0, 0.25, 1.0]], np.float32)
)
STARTS = {".svg": b"<?xml", ".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}


def texts(path: Path) -> list[str]:
    """Every text of an SVG file: matplotlib writes it as shapes, beside a comment that has its letters."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    tree = ElementTree.parse(path, parser)
    return [str(node.text).strip() for node in tree.iter() if not isinstance(node.tag, str)]


def groups(value: float) -> list[Group]:
    scores = [{"bleu": Score("BLEU", value - step, 2.0, "s"), "ter": Score("TER", 50.0, 1.0, "s")} for step in (0, 9)]
    return [Group(1, 5, 40, scores[0]), Group(6, 31, 1200, scores[1])]


def test_an_attention_matrix(tmp_path: Path) -> None:
    attention_picture(MATRIX, tmp_path / "a.svg")
    found = texts(tmp_path / "a.svg")
    for word in ("a", "big", "elephant", "un", "éléphant", "source", "target", "attention weight"):
        assert found.count(word) == 1
    assert [text for text in found if text in {"0.90", "0.01", "0.00", "0.25", "1.00"}] == [
        "0.90",
        "0.01",
        "0.25",
        "1.00",
    ]


def test_a_large_matrix_has_no_numbers(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(15)]
    attention_picture(AttentionMatrix(words, words, np.full((15, 15), 0.07)), tmp_path / "a.svg")
    assert "0.07" not in texts(tmp_path / "a.svg")
    attention_picture(AttentionMatrix(words[:14], words[:14], np.full((14, 14), 0.07)), tmp_path / "a.svg")
    assert texts(tmp_path / "a.svg").count("0.07") == 196


def test_scores_by_length(tmp_path: Path) -> None:
    length_picture({"test": {"runs/a": groups(40.0), "runs/b": groups(45.0)}}, tmp_path / "l.svg")
    found = texts(tmp_path / "l.svg")
    for text, count in {
        "BLEU": 1, "TER": 1, "test": 2, "runs/a": 2, "runs/b": 2, "length of the source in words (lines)": 2,
        "1-5": 2, "(40)": 2, "6-31": 2, "(1,200)": 2,
    }.items():  # fmt: skip
        assert found.count(text) == count, text


def test_one_run_needs_no_legend(tmp_path: Path) -> None:
    length_picture({"test": {"runs/a": groups(40.0)}, "other": {"runs/a": groups(45.0)}}, tmp_path / "l.svg")
    found = texts(tmp_path / "l.svg")
    assert "runs/a" not in found
    assert found.count("other") == found.count("test") == 2


@pytest.mark.parametrize("ending", STARTS)
def test_equal_pictures_are_equal_files_of_their_kind(tmp_path: Path, ending: str) -> None:
    contents = []
    for name in ("one", "two"):
        attention_picture(MATRIX, tmp_path / f"{name}{ending}")
        contents.append((tmp_path / f"{name}{ending}").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(STARTS[ending])


def test_the_settings_of_matplotlib_stay_as_they_were(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    attention_picture(MATRIX, tmp_path / "a.svg")
    assert dict(matplotlib.rcParams) == before


def test_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_picture(tmp_path / "a.SVG")
    with pytest.raises(ConfigError, match=r"^--plot a\.gif: the name must end in \.svg, \.png or \.pdf$"):
        check_picture(Path("a.gif"))
    with pytest.raises(DataError, match=r"none/a\.svg: cannot write: there is no folder .*none$"):
        check_picture(tmp_path / "none" / "a.svg")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(DataError, match=r"a\.svg: cannot write: Is a directory$"):
        attention_picture(MATRIX, tmp_path / "a.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError) as caught:
        check_picture(Path("a.svg"))
    assert str(caught.value) == f"--plot: needs matplotlib, which is not installed: {extra('plot')}"


def test_a_contact_sheet(tmp_path: Path) -> None:
    other = AttentionMatrix(["a"], ["un"], np.ones((1, 1), np.float32))
    contact_sheet([MATRIX, other, other, other], 5, tmp_path / "sheet.svg")
    found = texts(tmp_path / "sheet.svg")
    assert [found.count(text) for text in ("elephant", "un", "5", "8")] == [1, 4, 1, 1]


def test_characters_that_no_font_has_are_named_once(tmp_path: Path) -> None:
    said: list[str] = []
    matrix = AttentionMatrix(["a"], ["\U000e0fff\u0378x"], np.ones((1, 1), np.float32))  # not assigned to anything
    attention_picture(matrix, tmp_path / "one.png", said.append)
    attention_picture(MATRIX, tmp_path / "two.png", said.append)
    assert len(said) == 0 or (len(said) == 1 and "boxes stand for" in said[0] and "install a font" in said[0])
    assert missing_characters("a\u00e9 \t\n") == []


def test_a_pair_without_words_is_not_drawn(tmp_path: Path) -> None:
    empty = AttentionMatrix([], ["a"], np.zeros((1, 0)))
    with pytest.raises(DataError, match="nothing to draw: a side of this sentence pair is empty"):
        attention_picture(empty, tmp_path / "a.svg")
    contact_sheet([MATRIX, empty], 1, tmp_path / "b.svg")


@pytest.mark.parametrize("ending", STARTS)
@pytest.mark.parametrize("before", [None, b"an older picture"])
def test_a_disk_that_is_full_leaves_no_part_of_a_picture(tmp_path: Path, ending: str, before: bytes | None) -> None:
    path = tmp_path / f"a{ending}"
    if before:
        path.write_bytes(before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(DataError, match=rf"a\{ending}: cannot write: File too large$"):
            attention_picture(MATRIX, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({path.name: before} if before else {})


def test_a_picture_keeps_links_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to("real.svg")
    attention_picture(MATRIX, tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink() and (tmp_path / "real.svg").read_bytes().startswith(STARTS[".svg"])
    os.mkfifo(tmp_path / "pipe.svg")
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit((tmp_path / "pipe.svg").read_bytes)
        attention_picture(MATRIX, tmp_path / "pipe.svg")
        assert found.result() == (tmp_path / "real.svg").read_bytes()
    assert (tmp_path / "pipe.svg").is_fifo()
