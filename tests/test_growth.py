"""scripts/lab/growth.py: the table by hand, the text, and that the page shows the numbers that are kept."""

import json
from pathlib import Path

import growth
import pytest

PROJECT = Path(__file__).parent.parent
KEPT = PROJECT / "docs" / "lab" / "pictures" / "growth.json"
RESULT = {
    "update": {"25": {"seconds_per_token": 0.00044, "peak_mb": 700.4}},
    "batch": {"1024": {"update_seconds": 1.234, "save_seconds": 0.456, "peak_mb": 900.0}},
    "preparing": {"10000": {"seconds_per_pair": 0.00025, "order_seconds": 0.01, "peak_mb": 1264.0}},
}


def test_table() -> None:
    rows = list(growth.table(RESULT))
    assert rows[2] == "| 25 | 440 | 700 |"
    assert rows[6] == "| 1,024 | 1.23 | 0.46 | 900 |"
    assert rows[-1] == "| 10,000 | 2.5 | 250 | 0.01 | 1,264 |"


def test_picture(tmp_path: Path) -> None:
    growth.draw(RESULT, tmp_path / "growth.svg")
    assert b"<svg" in (tmp_path / "growth.svg").read_bytes()


def test_text_has_the_lines_that_were_asked_for_and_frequent_words(tmp_path: Path) -> None:
    growth.write_text(tmp_path / "a", 1_200, 1)
    lines = (tmp_path / "a").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == 1_200
    assert {len(line.split()) for line in lines} == {growth.PER_LINE}
    words = " ".join(lines).split()
    assert max(words.count(word) for word in set(words[:100])) > 0.05 * len(words)


@pytest.mark.skipif(not KEPT.exists(), reason="not measured yet")
def test_the_page_shows_what_was_measured() -> None:
    page = (PROJECT / "docs" / "lab" / "benchmarks.md").read_text(encoding="utf-8")
    for row in growth.table(json.loads(KEPT.read_text(encoding="utf-8"))):
        assert row in page
