"""R11: a run of every released format loads and translates as it did then."""

from pathlib import Path

import pytest

import nmt

GOLDEN = sorted((Path(__file__).parent.parent / "golden").iterdir())


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@pytest.mark.parametrize("folder", GOLDEN, ids=[folder.name for folder in GOLDEN])
def test_translations_are_what_they_were(folder: Path) -> None:
    expected = [line.split("\t") for line in lines(folder / "translations.txt")]
    found = nmt.load(folder, device="cpu", threads=1).translate(lines(folder / "source.txt"))
    assert [each.text for each in found] == [text for _, text in expected]
    assert [each.log_prob for each in found] == pytest.approx([float(log_prob) for log_prob, _ in expected], abs=1e-3)


def test_there_is_one() -> None:
    assert GOLDEN
