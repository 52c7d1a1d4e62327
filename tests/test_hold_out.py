"""Held-out text: as much as asked for, always the same, and nothing of it is in the rest."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nmt.config import DataSettings
from nmt.data.corpus import Pair
from nmt.data.filters import kept
from nmt.data.hold_out import HeldOut, connected, hold_out, side_key
from nmt.data.sources import TextSource
from nmt.errors import DataError


def write(folder: Path, pairs: list[tuple[str, str]], name: str = "train") -> TextSource:
    for side, language in enumerate(("en", "fr")):
        (folder / f"{name}.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    return TextSource(name, (folder / f"{name}.en", folder / f"{name}.fr"), "text", ("en", "fr"))


def usable(source: TextSource, notes: Counter[str]) -> Iterator[Pair]:
    return kept(source, source.pairs(notes), (), notes)


def held_out(sources: list[TextSource], valid: float, test: float = 0, said: list[str] | None = None) -> HeldOut:
    data = DataSettings(source="en", target="fr", hold_out=valid, hold_out_test=test)
    fingerprint: list[object] = [path.read_text(encoding="utf-8") for source in sources for path in source.files]
    return hold_out(sources, data, fingerprint, usable, (said if said is not None else []).append)


def rest_of(held: HeldOut, sources: list[TextSource]) -> list[Pair]:
    return [pair for number, source in enumerate(sources) for pair in held.rest(number, usable(source, Counter()))]


def many(count: int) -> list[tuple[str, str]]:
    """Pairs of which many share a side with others, in other case, punctuation or space."""
    draw = random.Random(1)
    sources = [f"sentence {number}" for number in range(count)]
    targets = [f"phrase {number}" for number in range(count)]
    pairs = []
    for number in range(count):
        source, target = sources[number], targets[number]
        if draw.random() < 0.3:
            source = draw.choice([sources[number - 1].upper(), f"{sources[number - 1]}!", f" {sources[number - 1]} "])
        if draw.random() < 0.3:
            target = draw.choice([targets[number - 1].title(), f"« {targets[number - 1]} »"])
        pairs.append((source, target))
    return pairs


@pytest.mark.parametrize(("valid", "test"), [(30, 0), (30, 40), (0.1, 0.05), (0, 25)])
def test_no_side_of_a_held_out_pair_is_in_the_rest(tmp_path: Path, valid: float, test: float) -> None:
    sources = [write(tmp_path, many(400)), write(tmp_path, [*many(60), *many(400)[300:]], "more")]
    held = held_out(sources, valid, test)
    parts = [rest_of(held, sources), *(list(text.pairs()) for text in held.texts.values())]
    for side in (1, 2):
        keys = [{side_key(pair[side]) for pair in part} for part in parts]
        for number, one in enumerate(keys):
            assert not any(one & other for other in keys[number + 1 :])
    sizes = {part: len(list(text.pairs())) for part, text in held.texts.items()}
    total = sum(1 for source in sources for _ in source.pairs())
    wanted = {
        part: round(amount * total) if amount < 1 else amount for part, amount in (("valid", valid), ("test", test))
    }
    assert sizes == {part: amount for part, amount in wanted.items() if amount}


def test_every_pair_is_held_out_or_in_the_rest(tmp_path: Path) -> None:
    text = write(tmp_path, [*many(200), ("", "blank"), *many(200)[:20]])  # the last repeat the first
    held = held_out([text], 40)
    rest = {pair.line for pair in rest_of(held, [text])}
    lines = set(held.lines[0].tolist())
    assert rest | lines == {*range(1, 222)} - {201}
    assert not rest & lines
    shown = [(pair.source, pair.target) for pair in held.texts["valid"].pairs()]
    assert len(shown) == 40 == len(set(shown))


def test_the_choice_depends_on_the_text_alone(tmp_path: Path) -> None:
    first = held_out([write(tmp_path, many(300))], 20)
    texts = [pair[1:] for pair in first.texts["valid"].pairs()]
    again = held_out([write(tmp_path, [*many(300), ("one more", "un de plus")])], 20)
    after = [pair[1:] for pair in again.texts["valid"].pairs()]
    assert len(set(texts) & set(after)) >= 18  # another text, and nearly the same choice
    assert sorted(texts) != [pair[1:] for pair in write(tmp_path, many(300)).pairs()][:20]


def test_a_small_text_gives_a_fifth_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    pairs = [(f"line {number}", f"ligne {number}") for number in range(50)]
    held = held_out([write(tmp_path, pairs)], 500, 0, said)
    assert said[-1] == "data.hold_out: the valid set is 10 pairs of the training text, which is too small for 500"
    assert len(list(held.texts["valid"].pairs())) == 10
    held_out([write(tmp_path, pairs)], 1, 0, said)
    assert said[-1] == "data.hold_out: the valid set is 1 pair of the training text"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "b")], "data.hold_out: the training text has 1 usable pair, too few to hold some out; add text"),
        (
            [("the same", f"other {number}") for number in range(50)],
            "data.hold_out: no pairs can be held out, since all pairs of the training text are connected by equal "
            "sides; name files of their own in data.valid and data.test",
        ),
    ],
)
def test_text_of_which_nothing_can_be_held_out(tmp_path: Path, pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(DataError) as caught:
        held_out([write(tmp_path, pairs)], 5)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("House", "house!", True),
        ("a  b", "ab", True),
        ("ﬁne", "fine", True),
        ("\u0065\u0301t\u00e9", "été", True),
        ("Straße", "STRASSE", True),
        ("house", "houses", False),
        ("!", "?", False),
        ("किताब", "कतब", False),  # vowel signs are no punctuation
    ],
)
def test_sides_that_count_as_equal(one: str, other: str, same: bool) -> None:
    assert (side_key(one) == side_key(other)) is same


def test_connected_pairs_by_brute_force() -> None:
    draw = np.random.default_rng(3)
    for _ in range(30):
        count = int(draw.integers(1, 60))
        source, target = (draw.integers(0, 40, count).astype(np.uint64) for _ in range(2))
        groups = [{index} for index in range(count)]
        for one in range(count):
            for other in range(one):
                if (source[one] == source[other] or target[one] == target[other]) and groups[one] is not groups[other]:
                    groups[one] |= groups[other]
                    for index in groups[one]:
                        groups[index] = groups[one]
        assert connected(source, target).tolist() == [min(group) for group in groups]
