"""The scripts behind docs/lab/claims.md: what they write, and that they find what is certain at any size."""

import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import ablation
import long_sentences
import open_book
import pytest
import remember
import torch

from nmt import config
from nmt.errors import extra
from nmt.model.attention import ATTENTIONS
from nmt.model.init import initialise

PROJECT = Path(__file__).parent.parent
CLAIMS = (PROJECT / "docs" / "lab" / "claims.md").read_text(encoding="utf-8")


def columns(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def test_a_sequence_has_one_mark_and_its_word_is_the_answer() -> None:
    inputs, first = remember.sequences(6, 3, torch.Generator().manual_seed(1))
    assert inputs.shape == (6, 4, 33)  # the marked word and three more; 32 words and the mark
    assert inputs[:, :, 32].tolist() == [[1.0, 0.0, 0.0, 0.0]] * 6
    assert (inputs[:, :, :32].sum(dim=-1) == 1).all()
    assert inputs[:, 0, :32].argmax(dim=-1).tolist() == first.tolist()


@pytest.mark.parametrize(("cell", "factor"), [("rnn", 0.5), ("lstm", 0.75)])
def test_gradient_is_what_the_equations_say(cell: str, factor: float) -> None:
    """No input and no bias: a tanh RNN with U = I/2 passes on half of it; an LSTM with forget gate 3/4 that of c."""
    model = remember.Recall(cell, 4)
    with torch.no_grad():
        for weight in model.recurrent.parameters():
            weight.zero_()
        layer = model.recurrent.layers[0]
        if cell == "rnn":
            layer.weight_hh_l0.copy_(0.5 * torch.eye(4))
        else:
            layer.bias_ih_l0[4:8] = torch.tensor(3.0).log()  # sigmoid(log 3) = 3/4
    # h = o tanh(c) with c = 0 and output gate 1/2: what reaches c_1 is half of what c_T passes back.
    share = 1.0 if cell == "rnn" else 0.5
    for distance in (1, 3):
        assert remember.gradient(model, distance, count=5) == pytest.approx(share * factor**distance, rel=1e-6)


def test_first_weights_of_a_variant_are_the_packages() -> None:
    torch.manual_seed(1)
    model = remember.Recall("rnn", 8)
    initialise(model)
    recurrence = model.recurrent.layers[0].weight_hh_l0
    torch.testing.assert_close(recurrence @ recurrence.T, torch.eye(8), atol=1e-5, rtol=0)
    assert [variant.initialised for variant in remember.VARIANTS.values()] == [True, False, True, True, False]


@pytest.mark.slow  # make lab
def test_remember(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tanh RNN with PyTorch's first weights loses nearly all of the gradient over 60 steps, whatever the seed."""
    small = ["--steps", "60", "--hidden", "16", "--seeds", "1", "2", "--distances", "1", "60", "--cells", "rnn", "lstm"]
    remember.main(["--out", str(tmp_path), "--learning-rate", "0.02", *small])
    result = json.loads((tmp_path / "remember.json").read_text(encoding="utf-8"))
    assert result["settings"]["distances"] == [1, 60]
    assert len(result["variants"]) == 4
    for runs in result["variants"].values():
        assert [run["seed"] for run in runs] == [1, 2]
        for run in runs:
            assert [len(run[key]) for key in ("accuracy", "gradient_before", "gradient_after")] == [2, 2, 2]
            assert all(0 <= share <= 1 for share in run["accuracy"])
            assert run["accuracy"][0] > 3 / 32  # three times chance, one word later
    for run in result["variants"]["tanh RNN, uniform (PyTorch)"]:
        near, far = run["gradient_before"]
        assert 0 < far < 1e-6 < near
    assert b"<svg" in (tmp_path / "remember.svg").read_bytes()
    rows = capsys.readouterr().out.strip().split("\n")
    assert columns(rows[0])[2:] == ["d = 1", "d = 60"]
    assert len(rows) == 2 + 4 * 3


def test_each_word_of_i_love_you_looks_most_at_the_right_one() -> None:
    found = json.loads((PROJECT / "docs" / "lab" / "pictures" / "i_love_you.json").read_text(encoding="utf-8"))
    looked_at = {
        word: found["source_words"][max(range(len(row)), key=row.__getitem__)]
        for word, row in zip(found["target_words"], found["attention"], strict=True)
    }
    assert {word: looked_at[word] for word in ("Je", "t'", "aime")} == {"Je": "I", "t'": "you", "aime": "love"}
    for word, row in zip(found["target_words"], found["attention"], strict=True):
        assert f"| {word} | {' | '.join(f'{weight:.2f}' for weight in row)} |" in CLAIMS


@pytest.mark.slow  # make lab
def test_open_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every attention is timed; reading 20,000 pieces costs `additive` more than reading 4, and `none` nothing."""
    sizes = ["--lengths", "4", "20000", "--steps", "3", "--repetitions", "3", "--hidden", "32"]
    open_book.main(["--out", str(tmp_path), *sizes])
    result = json.loads((tmp_path / "open_book.json").read_text(encoding="utf-8"))
    times = result["seconds_per_token"]
    assert {route: list(rows) for route, rows in times.items()} == {
        "step": list(ATTENTIONS),
        "attention": list(ATTENTIONS),
        "search": ["none", "local"],
    }
    for rows in times.values():
        for lengths in rows.values():
            assert {length: len(repetitions) for length, repetitions in lengths.items()} == {"4": 3, "20000": 3}
            assert all(isinstance(seconds, float) for repetitions in lengths.values() for seconds in repetitions)
    alone = {name: min(times["attention"][name]["20000"]) for name in ("none", "additive")}
    assert alone["additive"] > 2 * min(times["attention"]["additive"]["4"])
    assert alone["additive"] > 3 * alone["none"]
    assert b"<svg" in (tmp_path / "open_book.svg").read_bytes()
    rows = capsys.readouterr().out.strip().split("\n")
    assert columns(rows[0]) == ["time", "attention", "4", "20,000", "20,000 / 4"]
    assert len(rows) == 2 + 12 + 12 + 2


def test_hypotheses_of_a_beam_have_a_name_of_their_own(tmp_path: Path) -> None:
    small = ["--steps", "2", "--repetitions", "1", "--hidden", "16", "--attentions", "coverage", "dot"]
    open_book.main(["--out", str(tmp_path), "--beam", "3", "--lengths", "4", "8", *small])
    result = json.loads((tmp_path / "open_book_beam3.json").read_text(encoding="utf-8"))
    assert result["settings"]["rows"] == 3
    assert result["seconds_per_token"]["search"] == {}


@pytest.mark.parametrize("script", [remember, open_book])
def test_without_matplotlib_the_remedy_is_said(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match=re.escape(extra("plot"))):
        script.main(["--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def result(system: str, seed: int, bleu: float, by_length: tuple[float, float], aer: float | None) -> dict[str, object]:
    groups = [{"words": words, "bleu": bleu} for words, bleu in zip(([1, 5], [6, 48]), by_length, strict=True)]
    return {
        "system": system, "seed": seed, "bleu": bleu, "chrf": 50.0, "aer": aer, "by_length": groups,
        "parameters": 2_500_000,
    }  # fmt: skip


def speed(system: str, tokens: float, sentences: float) -> dict[str, object]:
    return {"system": system, "training_tokens_per_second": tokens, "sentences_per_second": sentences}


SPEEDS = [speed("dot", 900.0, 20.0), speed("dot", 1000.0, 10.0), speed("dot", 2000.0, 90.0)]
RESULTS = [
    result("dot", 1, 20.0, (30.0, 10.0), 40.0),
    result("none", 1, 10.0, (28.0, 2.0), None),
    result("dot", 2, 24.0, (32.0, 14.0), 50.0),
]


def test_systems_in_a_table(tmp_path: Path) -> None:
    """In the order of SYSTEMS; of two seeds the mean and Student's interval: 22 +- 12.71 * 2.83 / sqrt(2); of speeds,
    which have no seed, the median."""
    files = [tmp_path / f"bundled-{name}.jsonl" for name in ("1", "2", "speed")]
    for file, part in zip(files, (RESULTS[:2], RESULTS[2:], SPEEDS), strict=True):
        file.write_text("".join(json.dumps(each) + "\n" for each in part))
    rows = [columns(row) for row in ablation.table(ablation.results(files))]
    assert rows[2:] == [
        ["none", "1", "10.0", "50.0", "", "", "", "2.50 M"],
        ["dot", "2", "22.0 ± 25.4", "50.0 ± 0.0", "45.0 ± 63.5", "1,000", "20", "2.50 M"],
    ]


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    title, _, row = (columns(row) for row in ablation.table(RESULTS[1:2]))
    assert title == ["system", "seeds", "BLEU", "chrF2++", "parameters"]
    assert row == ["none", "1", "10.0", "50.0", "2.50 M"]


def test_systems_of_another_study_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"^error: --systems: dot: not in this study, which has the recipe, no dropout"
    ):
        ablation.main(["run", "--study", "recipe", "--out", str(tmp_path), "--systems", "dot", "the recipe"])


def test_every_system_of_every_study_is_a_config() -> None:
    for study in ablation.STUDIES.values():
        for name in study.systems:
            file, *changes = ablation._words(study, name, ["data.folder=."])
            assert config.load(file, changes)


def test_long_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(each) + "\n" for each in RESULTS))
    picture = tmp_path / "lengths.svg"
    long_sentences.main([str(tmp_path / "results.jsonl"), "--systems", "none", "dot", "--out", str(picture)])
    rows = [columns(row) for row in capsys.readouterr().out.strip().split("\n")]
    assert rows[0] == ["system", "1-5", "6-48"]
    assert rows[2:] == [["none", "28.0", "2.0"], ["dot", "31.0", "12.0"]]
    assert b"<svg" in picture.read_bytes()


@pytest.mark.parametrize(("name", "script"), [("remember", remember), ("open_book", open_book)])
def test_tables_of_the_page_are_those_of_the_numbers(name: str, script: ModuleType) -> None:
    """docs/lab/claims.md shows what is in docs/lab/pictures, row by row."""
    result = json.loads((PROJECT / "docs" / "lab" / "pictures" / f"{name}.json").read_text(encoding="utf-8"))
    for row in script.table(result):
        assert row in CLAIMS, f"docs/lab/claims.md lacks: {row}"


def test_commands_of_the_page_are_understood() -> None:
    lines = re.findall(r"^python scripts/lab/(\w+)\.py(.*)$", CLAIMS, re.MULTILINE)
    scripts = {"remember": remember, "open_book": open_book, "long_sentences": long_sentences, "ablation": ablation}
    assert {name for name, _ in lines} == set(scripts)
    for name, arguments in lines:
        scripts[name]._options(shlex.split(arguments))


@pytest.mark.parametrize(
    ("file", "name"), [("ablation", "ablation"), ("ablation", "ablation_multi30k"), ("recipe", "recipe")]
)
def test_the_page_of_a_study_has_its_table(file: str, name: str) -> None:
    page = (PROJECT / "docs" / "lab" / f"{file}.md").read_text(encoding="utf-8")
    rows = list(ablation.table(ablation.results([PROJECT / "docs" / "lab" / "pictures" / f"{name}.jsonl"])))
    assert len(rows) > 7
    for row in rows:
        assert row in page


@pytest.mark.parametrize(
    ("name", "systems"),
    [("long_sentences", ["none", "general", "additive"]), ("ablation_multi30k", ["none", "scaled dot", "additive"])],
)
def test_scores_by_length_are_those_of_the_numbers(name: str, systems: list[str]) -> None:
    found = ablation.results([PROJECT / "docs" / "lab" / "pictures" / f"{name}.jsonl"])
    for row in long_sentences.table(found, systems):
        assert row in CLAIMS


def test_scores_of_documentation_by_length_are_those_of_the_numbers() -> None:
    found = json.loads((PROJECT / "docs" / "lab" / "pictures" / "long_sentences_en_ko.json").read_text())
    for system, scores in found.items():
        row = " | ".join(f"{group['chrf']:.1f}" for group in scores["by_length"])
        assert f"| {system} | {row} |" in CLAIMS
    columns = " | ".join("-".join(map(str, group["words"])) for group in found["none"]["by_length"])
    assert f"| system | {columns} |" in CLAIMS
