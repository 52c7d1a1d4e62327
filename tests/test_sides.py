"""Text of one language that is scored or aligned: lines and segments, and never markup."""

from pathlib import Path

import pytest

from nmt.data.formats.sides import read_side, read_two
from nmt.errors import DataError

SGM = """<{kind} setid="t" srclang="en" trglang="fr">
<doc docid="1" genre="news">
<seg id="1">{first}</seg>
<seg id="2">a &amp; b</seg>
</doc>
</{kind}>
"""
BOTH = {
    "a.tmx": '<tmx version="1.4"></tmx>',
    "memory.xml": '<?xml version="1.0"?><tmx version="1.4"></tmx>',
    "a.xlf": '<xliff version="1.2"></xliff>',
    "a.po": 'msgid "a"\nmsgstr "b"\n',
    "a.tsv": "a\tb\n",
    "a.jsonl": "{}\n",
}


@pytest.fixture
def segments(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "source.sgm", tmp_path / "reference"
    for path, kind, first in zip(paths, ("srcset", "refset"), ("one", "un"), strict=True):
        path.write_text(SGM.format(kind=kind, first=first))
    return paths


def test_segments_of_an_sgm_file(segments: tuple[Path, Path]) -> None:
    assert [list(read_side(path)) for path in segments] == [["one", "a & b"], ["un", "a & b"]]
    assert [(pair.source, pair.target) for pair in read_two(*segments)] == [("one", "un"), ("a & b", "a & b")]


def test_lines_stay_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("<range>\n\na <b>c</b>\n")
    (tmp_path / "b").write_text("d\n<range>\n\n")
    assert list(read_side(tmp_path / "a")) == ["<range>", "", "a <b>c</b>"]
    found = [(pair.source, pair.target) for pair in read_two(tmp_path / "a", tmp_path / "b")]
    assert found == [("<range>", "d"), ("", "<range>"), ("a <b>c</b>", "")]


@pytest.mark.parametrize("name", BOTH)
def test_a_file_of_both_languages_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BOTH[name])
    (tmp_path / "b").write_text("b\n")
    for read in (lambda: read_side(tmp_path / name), lambda: list(read_two(tmp_path / name, tmp_path / "b"))):
        with pytest.raises(DataError, match=r"holds both languages .*; give one file per language, or nmt eval --test"):
            read()


def test_a_segment_file_and_lines_are_refused(segments: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b\n")
    with pytest.raises(DataError, match="give two files of the same kind"):
        list(read_two(segments[0], tmp_path / "b"))
