"""Evaluation: test sets, their parts, other files, a translation made elsewhere; lengths, alignments, comparisons."""

import json
import shutil
from pathlib import Path

import pytest
from endless import endless_lines

import nmt
from nmt import config
from nmt.bootstrap import Score
from nmt.data.corpus import ParallelFiles
from nmt.data.sources import find_source
from nmt.data.words import split_words
from nmt.errors import ConfigError, DataError
from nmt.evaluation import evaluate as evaluation
from nmt.evaluation.evaluate import (
    Evaluation,
    Wanted,
    compare,
    comparison_json,
    evaluate,
    group_by_length,
    save,
    score_files,
    to_json,
)
from nmt.evaluation.gold import Agreement, agreement, read_gold
from nmt.evaluation.test_sets import configured_sets, read_set, read_source
from nmt.inference.align import align
from nmt.inference.translator import Translator
from nmt.runs import store

BUNDLED = Path(__file__).parent.parent / "data" / "en-fr"
USUAL = Wanted()
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
    set_data(tmp_path / "run", folder=str(tmp_path / "corpus"), parts=["odd"])
    return tmp_path / "run"


def set_data(run: Path, **changes: object) -> None:
    settings = store.load_settings(run)
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=changes)})
    (run / store.CONFIG).write_text(config.dump(settings), encoding="utf-8")


def result(
    run: Path, translator: Translator, files: ParallelFiles | None = None, wanted: Wanted = USUAL
) -> tuple[Evaluation, list[str]]:
    said: list[str] = []
    sets = (
        configured_sets(run, print)
        if files is None
        else [read_set(files.source, [files.target], files.source.name, run.parent / "none.align")]
    )
    return evaluate(run, translator, sets, wanted, QUICK, said.append), said


def with_gold(run: Path) -> Path:
    """The run, after gold alignments are put beside its test set."""
    lines = (BUNDLED / "test.align").read_text(encoding="utf-8").split("\n")[:20]
    (run.parent / "corpus" / "test.align").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run


def test_the_test_sets_of_a_run_and_their_parts(
    run: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation.time, "perf_counter", iter([100.0, 107.5]).__next__)
    found, said = result(run, translator)
    assert said == ["translating test: 20 lines"]
    assert {name: scores.sentences for name, scores in found.sets.items()} == {"test": 20, "test/odd": 2}
    assert list(found.sets["test"].scores) == ["bleu", "chrf", "ter"]
    assert {scores.decoding for scores in found.sets.values()} == {"beam 1, length penalty 1"}
    assert found.sets["test"].seconds == 7.5
    assert found.sets["test/odd"].seconds == 0
    assert not (run / store.SCORES).exists()
    save(run, found)
    assert json.loads((run / store.SCORES).read_text(encoding="utf-8")) == to_json(found)


def values(scores: dict[str, Score]) -> dict[str, tuple[float, float]]:
    """Without signatures, which tell of the whole text, such as characters that were composed."""
    return {metric: (found.value, found.interval) for metric, found in scores.items()}


def test_a_part_is_scored_on_its_lines(run: Path, translator: Translator, tmp_path: Path) -> None:
    found, _ = result(run, translator)
    for language in ("en", "fr"):
        lines = (tmp_path / "corpus" / f"test.{language}").read_text(encoding="utf-8").split("\n")
        (tmp_path / f"part.{language}").write_text(f"{lines[0]}\n{lines[2]}\n", encoding="utf-8")
    alone, _ = result(run, translator, ParallelFiles(tmp_path / "part.en", tmp_path / "part.fr"))
    assert values(alone.sets["part.en"].scores) == values(found.sets["test/odd"].scores)


def test_other_files(run: Path, translator: Translator, tiny_corpus: Path) -> None:
    found, said = result(run, translator, ParallelFiles(tiny_corpus / "valid.en", tiny_corpus / "valid.fr"))
    assert list(found.sets) == ["valid.en"]
    assert said == ["translating valid.en: 20 lines"]


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
    found = score_files(tmp_path / "mine.txt", [tmp_path / "test.en"], None, USUAL)
    [(name, scores)] = found.sets.items()
    assert (found.run, name, scores.sentences) == (str(tmp_path / "mine.txt"), "test.en", 2)
    assert scores.scores["ter"].value == pytest.approx(25.0)  # two words of eight are missing
    assert scores.decoding == ""


def test_the_metrics_that_are_asked_for(run: Path, translator: Translator) -> None:
    found, _ = result(run, translator, None, Wanted(("tok-lc", "chrf"), language="fr"))
    for scores in found.sets.values():
        assert list(scores.scores) == ["tok-lc", "chrf"]
    assert "|tok:none+moses-lc-fr-" in to_json(found)["sets"]["test"]["signatures"]["tok-lc"]


# By length -----------------------------------------------------------------------------------------------------------


def numbered(groups: list[tuple[int, int, list[int]]]) -> list[tuple[int, int, int]]:
    return [(shortest, longest, len(lines)) for shortest, longest, lines in groups]


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        # enough in each; the last ends at the longest
        ([3] * 10 + [6] * 10 + [12] * 11, [(1, 5, 10), (6, 10, 10), (11, 12, 11)]),
        # 9 lines are too few: they go with the next, and at the end with the one before
        ([5] * 9 + [6] * 1 + [30] * 10 + [31] * 9, [(1, 10, 10), (11, 31, 19)]),
        ([3] * 10 + [200] * 10, [(1, 5, 10), (6, 200, 10)]),
        ([7, 2], [(1, 7, 2)]),
        ([0] * 10 + [1] * 10, [(0, 1, 20)]),
        ([0], [(0, 0, 1)]),
    ],
)
def test_groups_of_lengths(lengths: list[int], groups: list[tuple[int, int, int]]) -> None:
    found = group_by_length(lengths)
    assert numbered(found) == groups
    assert sorted(line for _, _, lines in found for line in lines) == list(range(len(lengths)))
    for shortest, longest, lines in found:
        assert all(shortest <= lengths[line] <= longest for line in lines)


def test_scores_by_length(run: Path, translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SMALL_GROUP", 5)
    found, _ = result(run, translator, None, Wanted(("bleu", "chrf"), by_length=True))
    assert found.sets["test/odd"].by_length == []
    groups = found.sets["test"].by_length
    assert len(groups) > 1
    assert sum(group.sentences for group in groups) == 20
    texts = {
        side: (tmp_path / "corpus" / f"test.{side}").read_text(encoding="utf-8").split("\n")[:20]
        for side in ("en", "fr")
    }
    for group in groups:
        lines = [i for i, line in enumerate(texts["en"]) if group.shortest <= len(split_words(line)) <= group.longest]
        for side, content in texts.items():
            (tmp_path / f"group.{side}").write_text("".join(f"{content[i]}\n" for i in lines), encoding="utf-8")
        files = ParallelFiles(tmp_path / "group.en", tmp_path / "group.fr")
        alone, _ = result(run, translator, files, Wanted(("bleu", "chrf")))
        assert values(alone.sets["group.en"].scores) == values(group.scores)
    first = to_json(found)["sets"]["test"]["by_length"][0]
    assert set(first) == {"words", "sentences", "bleu", "chrf", "confidence", "signatures"}
    assert (first["words"], first["sentences"]) == ([groups[0].shortest, groups[0].longest], groups[0].sentences)


def test_lengths_of_a_translation_made_elsewhere_are_those_of_its_source(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("a\n" * 10 + "a b c d e f\n" * 10, encoding="utf-8")
    (tmp_path / "mine").write_text("x y z w\n" * 10 + "u v w x\n" * 10, encoding="utf-8")
    (tmp_path / "reference").write_text("x y z w\n" * 10 + "a b c d\n" * 10, encoding="utf-8")
    wanted = Wanted(("bleu",), by_length=True)
    found = score_files(tmp_path / "mine", [tmp_path / "reference"], tmp_path / "source", wanted)
    groups = found.sets["reference"].by_length
    assert [(group.shortest, group.longest, group.sentences) for group in groups] == [(1, 5, 10), (6, 6, 10)]
    assert [group.scores["bleu"].value for group in groups] == [pytest.approx(100.0), 0.0]


# Alignments ----------------------------------------------------------------------------------------------------------


def test_alignment_error_rate_of_a_test_set_and_its_part(run: Path, translator: Translator) -> None:
    found, said = result(with_gold(run), translator, None, Wanted(("aer",)))
    assert said == ["aligning test: 20 lines"]  # nothing is translated for it
    corpus = run.parent / "corpus"
    texts = [(corpus / f"test.{side}").read_text(encoding="utf-8").split("\n")[:20] for side in ("en", "fr")]
    pairs = list(zip(*texts, strict=True))
    gold = read_gold(corpus / "test.align", pairs)
    counts = [agreement(each.links, known) for each, known in zip(align(translator, pairs), gold, strict=True)]
    for name, lines in (("test", range(20)), ("test/odd", (0, 2))):
        total = Agreement(*(sum(column) for column in zip(*(counts[line] for line in lines), strict=True)))
        score = found.sets[name].scores["aer"]
        assert score.name == "AER"
        assert score.value == pytest.approx(100 * total.error_rate)
        assert 0 < score.value <= 100
    score = found.sets["test"].scores["aer"]
    assert score.interval > 0
    assert score.signature == "nrefs:1|bs:1000|seed:12345|attention:forced|links:strongest-both-ways"
    assert (found.sets["test"].seconds, found.sets["test"].decoding) == (0.0, "")
    sets = configured_sets(run, print)
    more = evaluate(run, translator, sets, Wanted(("aer",)), {**QUICK, "link_share": 0.5}, print)
    assert more.sets["test"].scores["aer"].signature.endswith("|links:strongest-both-ways|share:0.5")
    assert more.sets["test"].scores["aer"].value != score.value


def test_no_error_rate_without_gold_alignments(run: Path, translator: Translator) -> None:
    with pytest.raises(DataError) as caught:
        result(run, translator, None, Wanted(("bleu", "aer")))
    assert str(caught.value) == (
        f"--metric aer: needs gold word alignments beside a test set: {run.parent / 'corpus' / 'test.align'}"
    )


def test_no_error_rate_of_a_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--metric aer: needs the attention of a model; remove --hypothesis$"):
        score_files(tmp_path / "a", [tmp_path / "b"], None, Wanted(("aer",)))


def test_gold_alignments_are_read_only_for_the_error_rate(run: Path, translator: Translator) -> None:
    """A file of that name may be another tool's, for other words."""
    (run.parent / "corpus" / "test.align").write_text("0-0 99-99\n", encoding="utf-8")
    found, _ = result(run, translator, None, Wanted(("bleu",)))
    assert list(found.sets["test"].scores) == ["bleu"]
    with pytest.raises(DataError, match=r"test\.align: has 1 line, but the texts have 20"):
        result(run, translator, None, Wanted(("bleu", "aer")))


# Several references, other forms of text, other languages ------------------------------------------------------------


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_several_references_of_a_translation_made_elsewhere(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", "the cat sat on the mat", "we see a house")
    first = write(tmp_path / "first.en", "the cat sat on the mat", "a house is what we see")
    second = write(tmp_path / "second.en", "a cat was sitting there", "we see a house")
    wanted = Wanted(("bleu", "exact", "wer"))
    both = score_files(mine, [first, second], None, wanted)
    [(name, scores)] = both.sets.items()
    assert name == "first.en second.en"
    assert [found.value for found in scores.scores.values()] == [pytest.approx(100), 100.0, 0.0]
    assert all(found.signature.startswith("nrefs:2|") for found in scores.scores.values())
    [one] = score_files(mine, [first], None, wanted).sets.values()
    assert one.scores["exact"].value == 50.0
    short = write(tmp_path / "short", "the cat")
    with pytest.raises(DataError) as caught:
        score_files(mine, [first, short], None, wanted)
    assert str(caught.value) == (
        f"{mine} has 2 lines and {short} has 1; line N of one must translate line N of the other"
    )


def test_several_references_of_the_test_sets_of_a_run(run: Path, translator: Translator) -> None:
    corpus = run.parent / "corpus"
    shutil.copy(corpus / "test.fr", corpus / "test.fr.1")
    set_data(run, test=["valid", "test"], parts=[], references=["fr.1"])
    found, _ = result(run, translator, None, Wanted(("chrf",)))
    assert [scores.scores["chrf"].signature[:7] for scores in found.sets.values()] == ["nrefs:1", "nrefs:2"]
    set_data(run, references=["fr.2"])
    with pytest.raises(DataError) as caught:
        configured_sets(run, print)
    assert str(caught.value) == (
        f"data.references: {corpus} has no valid.fr.2 or test.fr.2; add the file, or remove fr.2 from data.references"
    )


def test_a_test_set_in_one_file(run: Path, translator: Translator) -> None:
    corpus = run.parent / "corpus"
    sides = [(corpus / f"test.{side}").read_text(encoding="utf-8").split("\n")[:20] for side in ("en", "fr")]
    write(corpus / "pairs.tsv", *("\t".join(pair) for pair in zip(*sides, strict=True)))
    set_data(run, test=["test", "pairs.tsv"], parts=[])
    found, _ = result(run, translator, None, Wanted(("chrf", "exact")))
    assert list(found.sets) == ["test", "pairs.tsv"]
    assert found.sets["test"].scores == found.sets["pairs.tsv"].scores


@pytest.mark.parametrize(
    ("name", "language"), [("ref.zh", ""), ("ref", ""), ("ref.fr", "zh"), ("ref.cmn_Hans.txt", "")]
)
def test_the_language_of_the_references_finds_their_words(tmp_path: Path, name: str, language: str) -> None:
    lines = ["我们看见那座房子。", "你好，世界！"]
    reference = write(tmp_path / name, *lines)
    found = score_files(write(tmp_path / "mine", *lines), [reference], None, Wanted(language=language))
    assert found.language == "zh"
    [scores] = found.sets.values()
    assert {metric: each.value for metric, each in scores.scores.items()} == {
        "bleu": pytest.approx(100),
        "chrf2": pytest.approx(100),
        "cer": 0.0,
    }
    assert "|tok:zh|" in scores.scores["bleu"].signature


def test_tok_lc_of_an_unknown_language(tmp_path: Path) -> None:
    path = write(tmp_path / "text", "a b")
    with pytest.raises(ConfigError, match=r"^tok-lc: tokenises by the rules of a language, and it is not known; give"):
        score_files(path, [path], None, Wanted(("tok-lc",)))


# Two runs ------------------------------------------------------------------------------------------------------------


def test_a_comparison_is_second_minus_first(tmp_path: Path) -> None:
    references = [f"the cat number {number} sat on the mat" for number in range(20)]
    texts = {"reference": references, "bad": [line.replace("sat", "x") for line in references], "good": references}
    for name, lines in texts.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    bad, good = (score_files(tmp_path / name, [tmp_path / "reference"], None, USUAL) for name in ("bad", "good"))
    found = compare(bad, good)["reference"]
    assert list(found) == ["bleu", "chrf", "ter"]
    assert found["ter"].value == pytest.approx(-100 / 8)  # one of eight words
    assert found["ter"].interval == pytest.approx(0.0)  # in every line
    assert found["bleu"].value == pytest.approx(100 - bad.sets["reference"].scores["bleu"].value)
    assert compare(good, bad)["reference"]["bleu"].value == -found["bleu"].value
    values = comparison_json(bad, good)
    assert set(values) == {"run", "sets", "other", "difference"}
    assert set(values["other"]) == {"run", "sets"}
    assert values["difference"]["reference"]["ter"] == {"value": -12.5, "confidence": 0.0, "p_value": 0.001}


def test_a_run_does_not_differ_from_itself(run: Path, translator: Translator) -> None:
    one, other = (result(with_gold(run), translator, None, Wanted(("chrf", "aer")))[0] for _ in range(2))
    found = compare(one, other)
    assert set(found) == {"test", "test/odd"}
    assert {difference[1:] for differences in found.values() for difference in differences.values()} == {
        (0.0, 0.0, 1.0)
    }


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
    assert not (run / store.SCORES).exists()


def test_a_part_that_no_test_set_has_is_left_out(run: Path) -> None:
    """And said; that only some have it is as it should be."""
    set_data(run, test=["valid", "test"], parts=["odd", "typo"])
    said: list[str] = []
    assert [list(each.parts) for each in configured_sets(run, said.append)] == [[], ["odd"]]
    assert said == [f"data.parts: {run.parent / 'corpus'} has no valid.typo or test.typo; typo is left out"]


def test_a_seed_of_the_bootstrap_that_is_none_is_refused_before_anything_is_translated(
    run: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", "abc")
    monkeypatch.delattr(Translator, "translate")
    with pytest.raises(ConfigError, match=r"^SACREBLEU_SEED: 'abc' must be"):
        result(run, translator)


def test_nothing_to_score(run: Path, translator: Translator) -> None:
    for language in ("en", "fr"):
        (run.parent / "corpus" / f"test.{language}").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.en: is empty; there is nothing to score$"):
        result(run, translator)
    empty = run.parent / "corpus" / "test.en"
    with pytest.raises(DataError, match=r"test\.en: is empty; there is nothing to score$"):
        score_files(empty, [empty], None, USUAL)


def test_no_test_set(run: Path, translator: Translator) -> None:
    set_data(run, test=[])
    with pytest.raises(DataError) as caught:
        result(run, translator)
    assert str(caught.value) == f"{run / 'config.yaml'}: data.test: names no test set; give --source and --reference"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_text_that_does_not_end_is_not_read_to_its_end(tmp_path: Path, place: int) -> None:
    paths = [write(tmp_path / f"{number}", "a", "b") for number in range(3)]
    paths[place].unlink()
    with endless_lines(paths[place]) as written, pytest.raises(DataError) as caught:
        score_files(paths[0], paths[1:], None, USUAL)
    counts = ["more than 10,002" if number == place else "2" for number in range(3)]
    other = place or 1
    assert str(caught.value) == (
        f"{paths[0]} has {counts[0]} lines and {paths[other]} has {counts[other]}; line N of one must translate line N "
        "of the other"
    )
    assert written() < 1_000_000


def test_a_further_reference_is_not_read_to_its_end(tmp_path: Path) -> None:
    both = [write(tmp_path / f"test.{side}", "a", "b") for side in ("en", "fr")]
    source = find_source(tmp_path, "test", ("en", "fr"))
    with endless_lines(tmp_path / "more") as written, pytest.raises(DataError, match="has more than 10,002; line N of"):
        read_source(source, tmp_path / "none", [tmp_path / "more"])
    assert written() < 1_000_000 and both[0].exists()


def test_unequal_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\n", encoding="utf-8")
    (tmp_path / "b").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        score_files(tmp_path / "a", [tmp_path / "b"], None, USUAL)
    assert str(caught.value) == (
        f"{tmp_path / 'a'} has 1 line and {tmp_path / 'b'} has 2; line N of one must translate line N of the other"
    )
