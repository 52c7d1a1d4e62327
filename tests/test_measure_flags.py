"""How often flags are right: what is spoilt, by hand; the counts on a tiny run; the page shows the committed counts."""

import json
import re
from pathlib import Path
from random import Random

import measure_flags
import pytest
from measure_flags import ANY, KINDS, Line

import nmt
from nmt.config import changed
from nmt.inference.quality_flags import FLAGS, flags

PROJECT = Path(__file__).parent.parent
PAGE = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")
LINE = Line("A B C d", "un deux trois quatre cinq six sept huit", ("et neuf", "et dix"))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("cut after a quarter", "un deux"),
        ("goes on with two other translations", "un deux trois quatre cinq six sept huit et neuf et dix"),
        ("cut after half", "un deux trois quatre"),
        ("the source instead", "A B C d"),
        ("one digit changed", None),
        ("another line's translation instead", "et neuf"),
    ],
)
def test_spoilt_by_hand(how: str, expected: str | None) -> None:
    [kind] = [kind for kind in KINDS if kind.how == how]
    assert kind.spoil(LINE, Random(1)) == expected
    assert not kind.of_source


def test_a_phrase_said_again_follows_itself() -> None:
    words, lengths = LINE.output.split(), set()
    for seed in range(200):
        longer = (measure_flags.say_again(LINE, Random(seed)) or "").split()
        size = len(longer) - len(words)
        ends = [end for end in range(len(words) + 1) if longer == words[:end] + longer[end : end + size] + words[end:]]
        assert any(longer[end : end + size] == words[end - size : end] for end in ends) or (
            size == 2 and any(longer[end : end + 2] == 2 * words[end - 1 : end] for end in ends)
        )
        lengths.add(size)
    assert lengths == set(range(2, 9))  # 1 word comes twice more
    assert measure_flags.say_again(LINE._replace(output=""), Random(1)) is None


def test_one_digit_changes() -> None:
    line = LINE._replace(output="en 2016, 7 fois")
    changed = {measure_flags.change_number(line, Random(seed)) or "" for seed in range(300)}
    assert len(changed) == 5 * 9  # each of five digits becomes each of nine others
    for text in changed:
        assert sum(new != old for new, old in zip(text, line.output, strict=True)) == 1


def test_shuffled_and_backwards() -> None:
    shuffled = measure_flags.shuffle_output(LINE, Random(1))
    assert shuffled and shuffled != LINE.output and sorted(shuffled.split()) == sorted(LINE.output.split())
    assert sorted((measure_flags.shuffle_source(LINE, Random(1)) or "").split()) == ["A", "B", "C", "d"]
    assert measure_flags.shuffle("mot", Random(1)) is None
    assert measure_flags.reverse_words(LINE._replace(source="A red dog."), Random(1)) == "A der .god"


def test_lines_without_room_are_no_cases() -> None:
    short = Line("a a", "un un", ("un un", "trois"))
    assert [kind.how for kind in KINDS if kind.spoil(short, Random(1)) is None] == [
        "cut after a quarter",
        "cut after half",
        "one digit changed",
        "another line's translation instead",
        "its words shuffled",
        "translated from shuffled words",
    ]


def test_every_flag_has_a_kind_of_error() -> None:
    assert list(dict.fromkeys(kind.flag for kind in KINDS)) == list(FLAGS)
    assert len({kind.how for kind in KINDS}) == len(KINDS)


def test_texts_are_judged_as_the_model_reads_them(tiny_run: Path) -> None:
    """The four steps of training leave each piece about as probable as any: far below DOUBT."""
    translator = nmt.load(tiny_run, threads=1)
    source = "I have 12 red dogs."
    found = measure_flags.judge(translator, [(source, "J'ai 13 chiens rouges."), (source, source), ("", "un")])
    assert found == [["numbers", "improbable"], ["copied", "improbable"], []]


def test_a_tiny_run_is_measured(
    tiny_run: Path,
    tiny_corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    translator = nmt.load(tiny_run, threads=1)
    translator.settings = changed(translator.settings, beam_size=2, max_length=10)  # its translations have no end
    monkeypatch.setattr(nmt, "load", lambda run, threads: translator)
    for language in ("en", "fr"):
        lines = (tiny_corpus / f"test.{language}").read_text(encoding="utf-8").split("\n")[:4]
        (tmp_path / f"few.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    few, out = tmp_path / "few.en", tmp_path / "flags.json"
    measure_flags.main(
        [str(tiny_run), "--source", str(few), "--reference", str(tmp_path / "few.fr"), "--out", str(out)]
    )
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["source"] == "few.en" and result["lines"] == 4
    assert result["references"]["improbable"] == result["references"][ANY] == 4
    own = translator.translate(few.read_text(encoding="utf-8").strip().split("\n"))
    raised = [flags(each.source, each.text, each.log_prob, each.attention) for each in own]
    assert result["outputs"] == {name: sum(name in each for each in raised) for name in FLAGS} | {
        ANY: sum(each != [] for each in raised)
    }
    rows = {kind["how"]: kind for kind in result["kinds"]}
    assert rows["the source instead"]["cases"] == rows["the source instead"]["raised"][ANY] == 4
    for kind in result["kinds"]:
        assert max(kind["raised"][name] for name in FLAGS) <= kind["raised"][ANY] <= kind["cases"] <= 4
    assert capsys.readouterr().out.strip().split("\n") == measure_flags.table(result)


def test_rates_by_hand() -> None:
    """Of 40 spoilt lines 30 have the flag and 35 any; of 200 clean ones 10 and 20: 0.75 / (0.75 + 0.05) are right."""
    clean = {"outputs": {"length": 10, ANY: 20}, "references": {"length": 0, ANY: 1}, "lines": 200}
    kinds = [
        {"flag": "length", "how": "cut", "cases": 40, "raised": {"length": 30, ANY: 35}},
        {"flag": "length", "how": "rare", "cases": 0, "raised": {"length": 0, ANY: 0}},
    ]
    assert measure_flags.table(clean | {"kinds": kinds})[2:] == [
        "| length | cut | 40 | 75.0% | 87.5% | 5.0% | 0.0% | 93.8% |",
        "| length | rare | 0 | 0.0% | 0.0% | 5.0% | 0.0% |  |",
        "| any flag | all of these | 40 | 87.5% | 87.5% | 10.0% | 0.5% | 89.7% |",
    ]


def test_the_page_shows_the_numbers() -> None:
    result = json.loads((PROJECT / "docs" / "lab" / "flags.json").read_text(encoding="utf-8"))
    assert [(kind["flag"], kind["how"]) for kind in result["kinds"]] == [(kind.flag, kind.how) for kind in KINDS]
    for row in measure_flags.table(result):
        assert row in PAGE, f"docs/reliability.md lacks: {row}"
    assert f"BLEU {result['bleu']}" in PAGE
    flagged, chrf = result["outputs"][ANY], result["chrf"]
    sentence = f"chrF2++ of the {flagged} that have one is {chrf['flagged']}, of the others {chrf['others']}."
    assert sentence in " ".join(PAGE.split())


def test_the_command_of_the_page_is_understood() -> None:
    [command] = re.findall(r"^python scripts/lab/measure_flags\.py(.*)$", PAGE, re.MULTILINE)
    options = measure_flags._options(command.split())
    assert options.out == PROJECT / "docs" / "lab" / "flags.json"
