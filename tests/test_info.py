"""What `nmt info` and `nmt check` say."""

import shutil
from pathlib import Path

import pytest

from nmt import config
from nmt.check import check_config
from nmt.errors import DataError
from nmt.info import describe_parameters, describe_run
from nmt.model import model_shapes
from nmt.runs import store


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_parameters_are_counted_once_and_by_part() -> None:
    settings = config.ModelSettings(embedding=4, hidden=6, attention="dot", tying="all", decoder_layers=2)
    lines = list(describe_parameters(model_shapes(settings, [10, 10])))
    assert lines[0] == "parameters:"
    counts = {line[:20].strip(): int(line[20:].replace(",", "")) for line in lines[1:]}
    total = counts.pop("total")
    assert sum(counts.values()) == total
    assert counts["source embedding"] == 10 * 4  # the only matrix of the vocabulary, as all three are tied
    assert all(len(line) == len(lines[1]) for line in lines[1:])


def test_a_run_is_described(run: Path) -> None:
    text = "\n".join(describe_run(run))
    lines = text.split("\n")
    assert lines[0] == f"run: {run}"
    assert "  vocab_size: 360" in lines
    assert any(line.startswith("vocabulary: ") for line in lines)
    assert "  command   nmt train" in lines
    assert "  pairs     179 training, 20 validation" in lines
    assert "            train: pairs longer than 100 pieces left out (data.max_length): 21" in lines
    assert sum(line.startswith("  data      ") and len(line.split()[-1]) == 16 for line in lines) == 4
    assert "scores: none yet; make them with: nmt eval" in lines
    total = next(line for line in lines if line.startswith("  total"))
    assert int(total.split()[1].replace(",", "")) > 10_000
    assert "\n\n\n" not in text


def test_scores_are_shown_with_their_signature(run: Path) -> None:
    (run / store.SCORES).write_text(
        '{"run": "x", "sets": {"test": {"sentences": 1000, "decoding": "beam 5", "bleu": 37.26, '
        '"confidence": {"bleu": 1.0}, "signatures": {"bleu": "sig"}}}}',
        encoding="utf-8",
    )
    lines = list(describe_run(run))
    assert lines[-3:] == ["scores:", "  test: 1,000 lines, beam 5", "    bleu 37.3 ± 1.0  [sig]"]


@pytest.mark.parametrize("name", [store.PROVENANCE, store.SCORES])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_json_is_refused_in_one_line(run: Path, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(describe_run(run))
    assert str(caught.value) == f"{run / name}: damaged: not a JSON object; copy the run again, or remove the file"


@pytest.mark.parametrize("name", [store.PROVENANCE, store.SCORES])
@pytest.mark.parametrize("content", ["{}", '{"sets": [], "command": 1}', '{"sets": {"test": 3}, "command": [3]}'])
def test_json_that_lacks_something_is_refused_in_one_line(run: Path, name: str, content: str) -> None:
    (run / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(describe_run(run))
    assert str(caught.value) == (
        f"{run / name}: damaged: required fields are missing; copy the run again, or remove the file"
    )


def test_a_check_shows_settings_data_lengths_sizes_and_batches(tiny_corpus: Path, tmp_path: Path) -> None:
    corpus = Path(shutil.copytree(tiny_corpus, tmp_path / "corpus"))
    for language in ("en", "fr"):  # one repeated pair, one blank line, one test line that is a training line
        train = (corpus / f"train.{language}").read_text(encoding="utf-8")
        first = train.split("\n")[0]
        (corpus / f"train.{language}").write_text(f"{train}{first}\n\n", encoding="utf-8")
        test = (corpus / f"test.{language}").read_text(encoding="utf-8")
        (corpus / f"test.{language}").write_text(f"{test}{first}\n", encoding="utf-8")
    file = corpus / "a.yaml"
    file.write_text(
        "data:\n  folder: .\n  source: en\n  target: fr\n  test: [test, other]\nsubword:\n  vocab_size: 360\n"
        "model:\n  hidden: 16\n  embedding: 16\ntraining:\n  max_steps: 1\n  batch_tokens: 300\nthreads: 1\n",
        encoding="utf-8",
    )
    lines: list[str] = []
    check_config(config.load(file), lines.append)
    text = "\n".join(lines)
    assert "warning: train: pairs with a blank side left out: 1" in lines
    assert (
        "train: 201 usable pairs\n  pairs that repeat an earlier one: 1 (0.5 %), such as line 201; to leave them"
        in text
    )
    assert (
        "test: 21 usable pairs\n  warning: 1 of its source lines are in train, 1 with the same translation: scores"
        in text
    )
    [missing] = [line for line in lines if line.startswith(f"warning: {corpus / 'other'}: no such text in en and fr; ")]
    assert "the folder has a.yaml, test.en, test.fr, train.en" in missing
    assert "device: cpu (1 thread)" in lines
    [memory] = [line for line in lines if line.startswith("memory for training: about ")]
    assert " MB: " in memory
    assert memory.endswith("for saving")
    assert text.count("\nbatch ") == 3
    assert sum(line.startswith("      -> ") for line in lines) in range(3, 7)
    assert not [line for line in lines if line != line.rstrip()]
