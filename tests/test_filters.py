"""What each filter drops and keeps; nothing is dropped unless it is asked for."""

from collections import Counter
from pathlib import Path

import pytest

from nmt.data.corpus import Pair
from nmt.data.filters import FILTERS, Survey, kept, main_script
from nmt.data.sources import TextSource

ORDINARY = [
    ("I see the house.", "Je vois la maison."),
    ("We love our garden.", "Nous aimons notre jardin."),
    ("2021", "2021"),
    ("AT&T is 5 < 6.", "AT&T est 5 < 6."),
    ("OK", "Oui, bien sûr."),
]
DROPPED = [
    ("blank", "\u200b", "Rien."),
    ("identical", "Never translated.", " Never translated. "),
    ("duplicate", "I see the house.", "Je vois la maison."),
    ("ratio", "Yes.", "Oui, et voici tout ce que nous avons encore à dire de cette affaire."),
    ("script", "Good morning, my friends.", "Доброе утро, мои друзья."),
    ("markup", "Press <b>here</b>.", "Appuyez ici."),
    ("markup", "Press here.", 'Appuyez <a href="x">ici</a>.'),
    ("entities", "You &amp; me", "Toi et moi"),
    ("entities", "You and me", "Toi &#39; moi"),
]


def text_of(folder: Path, pairs: list[tuple[str, str]]) -> TextSource:
    for side, language in enumerate(("en", "fr")):
        lines = "".join(f"{pair[side]}\n" for pair in pairs)
        (folder / f"train.{language}").write_text(lines, encoding="utf-8")
    return TextSource("train", (folder / "train.en", folder / "train.fr"), "text", ("en", "fr"))


@pytest.mark.parametrize(("name", "source", "target"), DROPPED)
def test_each_filter_drops_what_it_is_for_and_nothing_else(tmp_path: Path, name: str, source: str, target: str) -> None:
    text = text_of(tmp_path, [*ORDINARY * (1 if name == "duplicate" else 3), (source, target)])
    notes: Counter[str] = Counter()
    pairs = list(kept(text, text.pairs(), [name], notes))
    assert len(pairs) == (5 if name == "duplicate" else 15)
    assert sum(notes.values()) == 1
    [note] = notes
    assert note.startswith("pairs ") and note.endswith(" left out")


def test_only_blank_pairs_are_dropped_by_default(tmp_path: Path) -> None:
    text = text_of(tmp_path, [*ORDINARY, *((source, target) for _, source, target in DROPPED)])
    notes: Counter[str] = Counter()
    assert len(list(kept(text, text.pairs(), [], notes))) == len(ORDINARY) + len(DROPPED) - 1
    assert notes == {"pairs with a blank side left out": 1}


def test_a_survey_counts_all_and_names_a_line_and_the_remedy(tmp_path: Path) -> None:
    text = text_of(tmp_path, [*ORDINARY, *((source, target) for _, source, target in DROPPED)])
    survey = Survey(text, ["entities"])
    assert len(list(survey.read(text.pairs()))) == 14
    assert survey.counts == {"identical": 1, "duplicate": 1, "ratio": 1, "script": 1, "markup": 2}
    lines = list(survey.findings())
    assert "pairs with markup: 2 (14.3 %), such as line 11; to leave them out: data.filters=[entities,markup]" in lines
    assert len(list(survey.findings(0.1))) == 1


def test_every_filter_keeps_ordinary_text_of_any_script(tmp_path: Path) -> None:
    pairs = [
        ("我们看到了房子。", "これは家です。"),
        ("你好，世界。", "世界、こんにちは。"),
        ("iPhone 很好。", "iPhoneは良い。"),
    ]
    text = text_of(tmp_path, pairs)
    for name in FILTERS:
        assert len(list(kept(text, text.pairs(), [name], Counter()))) == 3, name


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("", ""),
        ("12:30!", ""),
        ("house", "Latin"),
        ("maison été", "Latin"),
        ("дом", "Cyrillic"),
        ("漢字", "Han"),
        ("漢字かな交じり文", "Japanese"),
        ("한국어", "Hangul"),
        ("ภาษาไทย", "Thai"),
        ("हिन्दी", "Devanagari"),
        ("فارسی", "Arabic"),
        ("iPhone を昨日買いました", "Japanese"),
        ("ꦗꦮ", "Javanese"),
    ],
)
def test_scripts(line: str, script: str) -> None:
    assert main_script(line) == script


def test_a_long_stretch_of_pairs_is_read_once(tmp_path: Path) -> None:
    text = text_of(tmp_path, ORDINARY)
    pairs = iter([Pair(number, "a", "b") for number in range(3)])
    assert [pair.line for pair in kept(text, pairs, [], Counter())] == [0, 1, 2]
    assert next(pairs, None) is None
