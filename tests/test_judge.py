"""What judges a training: the metric, the validation set, and the model that training starts from."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from reliability.job import call, make_workplace, run

from nmt.data.corpus import Pair
from nmt.runs import store
from nmt.runs.store import CHECKPOINTS, METRICS, WEIGHTS
from nmt.runs.weights import unpack_weights
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.checkpoint_manager import CheckpointManager
from nmt.training.lock import RunFolder
from nmt.training.state import Progress, Validation
from nmt.training.validation import ValidationSet, carry_over_scores

SHORT = ["training.max_steps=4", "training.validate_every=2", "training.schedule=constant", "training.average=false"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def done(workplace: Path) -> Path:
    """A workplace with a finished run of four steps. Copy it first."""
    run(workplace, workplace / "run", *SHORT)
    return workplace


def progress_of(folder: Path) -> Progress:
    return load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1]).progress


def recorded(folder: Path) -> list[dict]:
    records = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [record for record in records if record["kind"] == "validation"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return unpack_weights((folder / WEIGHTS).read_bytes(), folder / WEIGHTS)[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


# The metric ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["exact", "cer", "wer", "chrf2", "ter"])
def test_any_metric_chooses_the_checkpoint(workplace, tmp_path, capsys, metric: str) -> None:
    run(workplace, tmp_path / "run", *SHORT, f"training.metric={metric}", "training.patience=9")
    progress = progress_of(tmp_path / "run")
    assert all({metric, "bleu", "chrf"} <= set(each.scores) for each in progress.validations)
    best = progress.best(metric)
    assert best is not None
    assert best.rank(metric) == max(each.rank(metric) for each in progress.validations)
    assert f"best checkpoint by training.metric={metric}" in capsys.readouterr().out
    assert [record[metric] for record in recorded(tmp_path / "run")] == [v.scores[metric] for v in progress.validations]


def test_the_metric_may_change_and_then_judges_anew(done, tmp_path) -> None:
    """So that the advice to choose by another metric can be followed in the same run."""
    shutil.copytree(done / "run", tmp_path / "run")
    words = ["train", done / "digits.yaml", f"run={tmp_path / 'run'}", *SHORT]
    found = call(*words, "training.max_steps=6", "training.metric=chrf")
    assert found.status == 0, found.errors
    assert "changed: training.metric: bleu -> chrf" in found.output
    assert (
        "note: the validation text or the metric has changed (chrf, on valid): earlier scores are not comparable"
        in (found.output)
    )
    again = call(*words, "training.max_steps=7", "training.metric=chrf")
    assert "earlier scores are not comparable" not in again.output


@pytest.mark.parametrize(
    ("ending", "tokenizer", "language", "word"),
    [("zh", "zh", "zh", ""), ("tgt", "zh", "zh", ""), ("zh", "13a", "fr", "data.target_language=fr")],
)
def test_validation_finds_the_words_of_the_language(
    tmp_path, capsys, ending: str, tokenizer: str, language: str, word: str
) -> None:
    place = make_workplace(tmp_path)
    digits = str.maketrans("0123456789", "零一二三四五六七八九")
    for stem in ("train", "valid"):
        text = (place / "corpus" / f"{stem}.b").read_text(encoding="utf-8")
        (place / "corpus" / f"{stem}.{ending}").write_text(text.translate(digits), encoding="utf-8")
    words = [f"data.target={ending}", "training.max_steps=1", "training.validate_every=1"]
    run(place, tmp_path / "run", *words, *([word] if word else []))
    assert f"|tok:{tokenizer}|" in (said := capsys.readouterr().out)
    assert f"languages: unknown -> {language};" in said
    assert set(progress_of(tmp_path / "run").validations[0].scores) == {
        "bleu",
        "chrf2" if tokenizer == "zh" else "chrf",
    }


# The validation set --------------------------------------------------------------------------------------------------


def with_other_validation_text(done: Path, place: Path) -> Path:
    shutil.copytree(done, place)
    for side in "ab":
        lines = (place / "corpus" / f"train.{side}").read_text().split("\n")[:9]
        (place / "corpus" / f"valid.{side}").write_text("\n".join(lines) + "\n")
    return place


def test_scores_of_another_validation_set_do_not_count(done, tmp_path) -> None:
    place = with_other_validation_text(done, tmp_path / "place")
    before = progress_of(place / "run")
    words = ["train", place / "digits.yaml", f"run={place / 'run'}", *SHORT, "training.max_steps=6"]
    found = call(*words, "--changed-data")
    assert found.status == 0, found.errors
    after = progress_of(place / "run")
    assert after.judge != before.judge
    assert after.validations[: len(before.validations)] == before.validations
    new = after.validations[len(before.validations) :]
    assert {each.judge for each in new} == {after.judge}
    assert [each.step for each in new if each.regular] == [4, 6]  # the current model at once
    assert after.best("bleu") in new
    assert {path.name for path in list_checkpoints(place / "run" / CHECKPOINTS)} <= {
        f"step-{each.step:08d}-{number:04d}" for number, each in enumerate(after.validations, start=1) if each in new
    }
    again = call(*words, "training.max_steps=7")
    assert again.status == 0
    assert "earlier scores do not count" not in again.output


def test_a_finished_run_is_judged_by_the_new_set(done, tmp_path) -> None:
    place = with_other_validation_text(done, tmp_path / "place")
    found = call("train", place / "digits.yaml", f"run={place / 'run'}", *SHORT, "--changed-data")
    assert found.status == 0, found.errors
    assert progress_of(place / "run").regular()[-1].step == 4
    again = call("train", place / "digits.yaml", f"run={place / 'run'}", *SHORT)
    assert "already finished" in again.output


def test_the_model_that_the_run_has_is_a_candidate_too(done, tmp_path) -> None:
    """As one from long before the last step: if it is the best on the new set as well, it stays."""
    place = with_other_validation_text(done, tmp_path / "place")
    state = load_checkpoint(list_checkpoints(place / "run" / CHECKPOINTS)[-1])
    settings = store.load_settings(place / "run")
    good = {name: tensor + 0.01 for name, tensor in weights(place / "run").items()}
    checkpoints = CheckpointManager(
        settings, store.load_run(place / "run", torch.device("cpu")).subwords, print, RunFolder(place / "run")
    )
    checkpoints.model = place / "run" / WEIGHTS
    checkpoints.export_best(good, state.progress)
    words = [*SHORT, "training.max_steps=5", "training.learning_rate=0.002", "training.metric=loss"]
    found = call("train", place / "digits.yaml", f"run={place / 'run'}", *words, "--changed-data")
    assert found.status == 0, found.errors
    assert "model so far: step 4" in found.output
    progress = progress_of(place / "run")
    [held] = [each for each in progress.validations if each.held]
    assert held not in progress.regular()
    assert same(weights(place / "run"), good) == (progress.best("loss") is held)


def test_runs_of_earlier_versions_go_on_with_their_scores() -> None:
    """They do not tell what their scores were measured on; it is the same if the text is."""
    data = ValidationSet(None, [Pair(1, "a", "b")], None)  # type: ignore[arg-type]
    said: list[str] = []
    for same_text, judge in ((True, data.fingerprint("bleu")), (False, "")):
        progress = Progress(validations=[Validation(1, 0.1, 2.0, {"bleu": 3.0})])
        carry_over_scores(progress, data, "bleu", same_text, said.append)
        assert progress.validations[0].judge == judge
    assert len(said) == 1 and said[0].startswith("note: the validation text or the metric has changed (bleu, on valid)")


def test_a_fingerprint_is_that_of_text_and_metric() -> None:
    one = ValidationSet(None, [Pair(1, "a", "b")], None)  # type: ignore[arg-type]
    other = one._replace(pairs=[Pair(1, "a", "c")])
    found = {each.fingerprint(metric) for each in (one, other) for metric in ("bleu", "chrf", "loss")}
    assert len(found) == 6
    assert one._replace(language="zh").fingerprint("bleu") not in found
    assert one._replace(language="fr").fingerprint("bleu") in found  # words are found in the same way
    assert one._replace(name="elsewhere").fingerprint("loss") in found


def test_several_validation_sets_are_scored_and_the_first_judges(done, tmp_path, monkeypatch, capsys) -> None:
    from nmt.training import train as training

    real = training.validation_sets

    def two(*given):
        [first] = real(*given)
        return [first, first._replace(name="other", pairs=[pair._replace(target="x") for pair in first.pairs])]

    monkeypatch.setattr(training, "validation_sets", two)
    run(done, tmp_path / "run", *SHORT)
    said = capsys.readouterr().out
    assert "    on other: loss " in said
    for record in recorded(tmp_path / "run"):
        assert set(record["sets"]) == {"other"}
        assert set(record["sets"]["other"]) == {"loss", "bleu", "chrf"}
        assert record["sets"]["other"]["loss"] == record["loss"]
    assert progress_of(tmp_path / "run").judge == progress_of(done / "run").judge


# The starting point --------------------------------------------------------------------------------------------------


def test_a_model_that_fine_tuning_only_spoils_is_kept(done, tmp_path, capsys) -> None:
    words = [*SHORT, f"training.start_from={done / 'run'}", "training.learning_rate=9", "training.metric=loss"]
    run(done, tmp_path / "run", *words)
    progress = progress_of(tmp_path / "run")
    assert [each.step for each in progress.validations] == [0, 2, 4]
    assert progress.best("loss") is progress.validations[0]
    assert same(weights(tmp_path / "run"), weights(done / "run"))
    assert "kept the initial model, since no later one is better" in capsys.readouterr().out
    assert [record["step"] for record in recorded(tmp_path / "run")] == [0, 2, 4]


def test_of_an_untrained_model_the_loss_alone_is_said(done, tmp_path, capsys) -> None:
    run(done, tmp_path / "run", *SHORT)
    assert "before training: loss 2." in capsys.readouterr().out
    assert [each.step for each in progress_of(tmp_path / "run").validations] == [2, 4]


def test_it_can_be_switched_off(done, tmp_path, capsys) -> None:
    run(done, tmp_path / "run", *SHORT, "training.validate_first=false")
    start = f"training.start_from={done / 'run'}"
    run(done, tmp_path / "other", *SHORT, "training.validate_first=false", start)
    assert "before training" not in capsys.readouterr().out
    assert [each.step for each in progress_of(tmp_path / "other").validations] == [2, 4]
    assert same(weights(tmp_path / "run"), weights(done / "run"))  # and nothing else is another
