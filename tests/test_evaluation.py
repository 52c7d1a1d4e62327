"""Evaluation: the test sets of a run, their parts, other files, and a translation made elsewhere."""

import json
import shutil
from pathlib import Path

import pytest

import nmt
from nmt import config
from nmt import run as runs
from nmt.decoding.translator import Translator
from nmt.errors import DataError
from nmt.evaluation import Evaluation, evaluate, score_files, to_json

QUICK = {"beam_size": 1, "max_length": 8}


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return nmt.load(tiny_run)


@pytest.fixture
def run(tiny_run: Path, tiny_corpus: Path, tmp_path: Path) -> Path:
    """A copy of the run, on a copy of the corpus whose test set has a part of its lines 1 and 3."""
    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.copytree(tiny_corpus, tmp_path / "corpus")
    (tmp_path / "corpus" / "test.odd").write_text("1\n3\n", encoding="utf-8")
    set_data(tmp_path / "run", folder=str(tmp_path / "corpus"), parts=["odd", "missing"])
    return tmp_path / "run"


def set_data(run: Path, **changes: object) -> None:
    settings = runs.load_settings(run)
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=changes)})
    (run / runs.CONFIG).write_text(config.dump(settings), encoding="utf-8")


def result(run: Path, translator: Translator, files: tuple[Path, Path] | None = None) -> tuple[Evaluation, list[str]]:
    said: list[str] = []
    return evaluate(run, translator, files, QUICK, said.append), said


def test_the_test_sets_of_a_run_and_their_parts(run: Path, translator: Translator) -> None:
    found, said = result(run, translator)
    assert said == ["translating test: 20 lines"]
    assert {name: scores.sentences for name, scores in found.sets.items()} == {"test": 20, "test/odd": 2}
    assert list(found.sets["test"].scores) == ["bleu", "chrf", "ter"]
    assert {scores.decoding for scores in found.sets.values()} == {"beam 1, length penalty 1"}
    assert found.sets["test"].seconds > 0
    assert found.sets["test/odd"].seconds == 0
    assert json.loads((run / runs.SCORES).read_text(encoding="utf-8")) == to_json(found)


def test_a_part_is_scored_on_its_lines(run: Path, translator: Translator, tmp_path: Path) -> None:
    found, _ = result(run, translator)
    for language in ("en", "fr"):
        lines = (tmp_path / "corpus" / f"test.{language}").read_text(encoding="utf-8").split("\n")
        (tmp_path / f"part.{language}").write_text(f"{lines[0]}\n{lines[2]}\n", encoding="utf-8")
    alone, _ = result(run, translator, (tmp_path / "part.en", tmp_path / "part.fr"))
    assert alone.sets["part.en"].scores == found.sets["test/odd"].scores


def test_other_files_are_not_saved_in_the_run(run: Path, translator: Translator, tiny_corpus: Path) -> None:
    found, said = result(run, translator, (tiny_corpus / "valid.en", tiny_corpus / "valid.fr"))
    assert list(found.sets) == ["valid.en"]
    assert said == ["translating valid.en: 20 lines"]
    assert not (run / runs.SCORES).exists()


def test_the_shape_of_the_json(run: Path, translator: Translator) -> None:
    found = to_json(result(run, translator)[0])
    assert set(found) == {"run", "sets"}
    assert found["run"] == str(run)
    scores = found["sets"]["test"]
    assert set(scores) == {
        "bleu", "chrf", "ter", "confidence", "signatures", "sentences", "decoding", "sentences_per_second",
    }  # fmt: skip
    assert set(scores["confidence"]) == set(scores["signatures"]) == {"bleu", "chrf", "ter"}
    assert scores["sentences"] == 20


def test_a_translation_made_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("the cat sat on the mat\n\n", encoding="utf-8")
    (tmp_path / "test.en").write_text("the cat sat on the mat\na dog\n", encoding="utf-8")
    found = score_files(tmp_path / "mine.txt", tmp_path / "test.en")
    [(name, scores)] = found.sets.items()
    assert (found.run, name, scores.sentences) == (str(tmp_path / "mine.txt"), "test.en", 2)
    assert scores.scores["ter"].value == pytest.approx(25.0)  # two words of eight are missing
    assert scores.decoding == ""


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("1\nx\n", "{folder}/test.odd:2: 'x' is not a line number; write one number per line, from 1"),
        ("0\n", "{folder}/test.odd:1: '0' is not a line number; write one number per line, from 1"),
        ("1\n21\n", "test.odd: names line 21, but test.en has 20"),
        ("", "test.odd: is empty; write one line number per line, or remove the file"),
    ],
)
def test_parts_that_cannot_be(run: Path, translator: Translator, part: str, message: str) -> None:
    folder = run.parent / "corpus"
    (folder / "test.odd").write_text(part, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        result(run, translator)
    assert str(caught.value) == message.format(folder=folder)
    assert not (run / runs.SCORES).exists()


def test_nothing_to_score(run: Path, translator: Translator) -> None:
    for language in ("en", "fr"):
        (run.parent / "corpus" / f"test.{language}").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.en: is empty; there is nothing to score$"):
        result(run, translator)
    empty = run.parent / "corpus" / "test.en"
    with pytest.raises(DataError, match=r"test\.en: is empty; there is nothing to score$"):
        score_files(empty, empty)


def test_no_test_set(run: Path, translator: Translator) -> None:
    set_data(run, test=[])
    with pytest.raises(DataError) as caught:
        result(run, translator)
    assert str(caught.value) == f"{run / 'config.yaml'}: data.test: names no test set; give --source and --reference"


def test_unequal_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\n", encoding="utf-8")
    (tmp_path / "b").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        score_files(tmp_path / "a", tmp_path / "b")
    assert str(caught.value) == (
        f"{tmp_path / 'a'} has 1 lines and {tmp_path / 'b'} has 2; line N of one must translate line N of the other"
    )
