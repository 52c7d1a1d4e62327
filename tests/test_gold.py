"""Alignments that people made: read with care, and counted by hand."""

from pathlib import Path

import pytest

from nmt.errors import DataError
from nmt.evaluation.gold import Agreement, Gold, agreement, read_gold
from nmt.inference.alignment import Link, pharaoh

# A, S, P -> |A & S|, |A & P|, |A|, |S|; AER, precision, recall
AGREEMENTS: list[tuple[list[Link], set[Link], set[Link], Agreement, tuple[float, float, float]]] = [
    # 1 of the 2 sure ones is found, and 2 of the 3 found are possible: 1 - (1 + 2) / (3 + 2)
    (
        [(0, 0), (1, 1), (2, 0)], {(0, 0), (2, 2)}, {(0, 0), (2, 2), (1, 1)},
        Agreement(1, 2, 3, 2), (0.4, 2 / 3, 1 / 2),
    ),
    # a possible link that is not found costs nothing
    ([(0, 0)], {(0, 0)}, {(0, 0), (1, 1)}, Agreement(1, 1, 1, 1), (0.0, 1.0, 1.0)),
    ([(0, 1)], {(0, 0)}, {(0, 0)}, Agreement(0, 0, 1, 1), (1.0, 0.0, 0.0)),
    ([], {(0, 0)}, {(0, 0)}, Agreement(0, 0, 0, 1), (1.0, 1.0, 0.0)),
    ([], set(), set(), Agreement(0, 0, 0, 0), (0.0, 1.0, 1.0)),
    ([(0, 0), (0, 0)], {(0, 0)}, {(0, 0)}, Agreement(1, 1, 1, 1), (0.0, 1.0, 1.0)),  # a link counts once
]  # fmt: skip


@pytest.mark.parametrize(("links", "sure", "possible", "counts", "rates"), AGREEMENTS)
def test_alignment_error_rate(
    links: list[Link], sure: set[Link], possible: set[Link], counts: Agreement, rates: tuple[float, float, float]
) -> None:
    found = agreement(links, Gold(frozenset(sure), frozenset(possible)))
    assert found == counts
    assert (found.error_rate, found.precision, found.recall) == pytest.approx(rates)


def test_gold_alignments(tmp_path: Path) -> None:
    (tmp_path / "gold").write_text("0-0 1-1 1p2 2?0\n\n", encoding="utf-8")
    first, second = read_gold(tmp_path / "gold", [("a b c", "x y z"), ("a", "x")])
    assert first == Gold(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (1, 1), (1, 2), (2, 0)}))
    assert second == Gold(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0-0\n", ": has 1 line, but the texts have 2; write one line per pair"),
        ("0-0\n" * 3, ": has more lines, but the texts have 2; write one line per pair"),
        ("0-0\n0:0\n", ":2: '0:0' is not a link; write 0-0 (0p0 if it is only possible), from 0"),
        (
            "0-0 3-0\n\n",
            ":1: 3-0 is outside the 3 and 3 words of this pair; "
            "punctuation marks are words, and an apostrophe ends one; --words spaces counts tokens",
        ),
    ],
)
def test_gold_alignments_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "gold").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_gold(tmp_path / "gold", [("l'eau.", "a b c"), ("a", "x")])
    assert str(caught.value) == f"{tmp_path / 'gold'}{message}"


def test_the_bundled_gold_alignments_fit_the_words(tmp_path: Path) -> None:
    folder = Path(__file__).parent.parent / "data" / "en-fr"
    parts = [(folder / f"test.{end}").read_text(encoding="utf-8").split("\n")[:50] for end in ("en", "fr", "align")]
    (tmp_path / "gold").write_text("\n".join(parts[2]) + "\n", encoding="utf-8")
    gold = read_gold(tmp_path / "gold", list(zip(*parts[:2], strict=True)))
    assert [pharaoh(sorted(line.sure)) for line in gold] == parts[2]
