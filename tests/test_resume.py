"""Stopped and resumed equals never stopped, bit for bit, wherever the stop comes."""

import functools
import json
import os
import platform
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from reliability.job import CASES, check_equal, make_workplace, result, run

from nmt import config
from nmt.errors import ConfigError, DataError, UserError
from nmt.runs.store import CHECKPOINTS, METRICS, WEIGHTS, load_settings
from nmt.training import resume
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.signals import Signals
from nmt.training.train import TrainResult
from nmt.training.train import train as resume_train


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def uninterrupted(workplace: Path) -> Callable[[str], Path]:
    """The run of a case that nothing ever stopped."""

    @functools.cache
    def trained(case: str) -> Path:
        folder = workplace / f"whole-{case}"
        assert run(workplace, folder, *CASES[case]).signal == 0
        return folder

    return trained


# Stops at chosen places ----------------------------------------------------------------------------------------------


class Crash(BaseException):
    """Stands for a process that is no more: nothing in the program catches it."""


class StopAt(Signals):
    """SIGTERM, or a crash, at the `count`-th time that training looks whether a signal came."""

    def __init__(self, count: int, crash: bool) -> None:
        super().__init__()
        self.left, self.crash = count, crash

    def check(self) -> None:
        self.left -= 1
        if self.left == 0 and self.crash:
            raise Crash
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)
        super().check()


def until_finished(monkeypatch: pytest.MonkeyPatch, start: Callable[[], TrainResult], count: int, crash: bool) -> int:
    """Starts again and again, each time stopped at the same count, until training ends by itself; how many times."""
    for starts in range(1, 40):
        monkeypatch.setattr("nmt.training.train.Signals", lambda: StopAt(count, crash))
        try:
            if start().signal == 0:
                return starts
        except Crash:
            pass
    raise AssertionError("no end")


@pytest.mark.parametrize(
    ("case", "count", "least"),
    [
        # A validation looks before each step of its search, seven times; training does before each step. So training
        # is stopped inside validations, and between steps.
        ("conditional", 8, 5),
        ("luong, accumulate, average of weights", 9, 4),
        ("bahdanau, plateau", 10, 3),
        ("sampled inputs, sgd", 9, 4),
        ("resampled pieces, coverage", 11, 3),
    ],
)
def test_stopped_by_a_signal(
    workplace, uninterrupted, monkeypatch, tmp_path, case: str, count: int, least: int
) -> None:
    expected = uninterrupted(case)
    starts = until_finished(monkeypatch, lambda: run(workplace, tmp_path / "run", *CASES[case]), count, crash=False)
    assert starts >= least
    check_equal(tmp_path / "run", expected)


@pytest.mark.parametrize(("case", "count"), [("conditional", 12), ("luong, accumulate, average of weights", 13)])
def test_crashed_between_steps_and_in_validations(
    workplace, uninterrupted, monkeypatch, tmp_path, case: str, count: int
) -> None:
    expected = uninterrupted(case)
    starts = until_finished(monkeypatch, lambda: run(workplace, tmp_path / "run", *CASES[case]), count, crash=True)
    assert starts > 2
    check_equal(tmp_path / "run", expected)


def test_crashed_before_the_first_checkpoint(workplace, uninterrupted, monkeypatch, tmp_path) -> None:
    """What was recorded before is forgotten, since those steps come again."""
    expected = uninterrupted("conditional")
    monkeypatch.setattr("nmt.training.train.Signals", lambda: StopAt(4, crash=True))
    with pytest.raises(Crash):
        run(workplace, tmp_path / "run")
    assert len((tmp_path / "run" / METRICS).read_text().splitlines()) == 2
    assert not list_checkpoints(tmp_path / "run" / CHECKPOINTS)
    monkeypatch.undo()
    run(workplace, tmp_path / "run")
    check_equal(tmp_path / "run", expected)


def test_crashed_between_a_validation_and_its_checkpoint(workplace, uninterrupted, monkeypatch, tmp_path) -> None:
    """The checkpoint of the same step knows nothing of the validation, which is done and recorded again."""
    folder = tmp_path / "run"
    monkeypatch.setattr("nmt.training.train.Signals", lambda: StopAt(6, crash=False))
    assert run(workplace, folder).signal == signal.SIGTERM
    assert [path.name for path in list_checkpoints(folder / CHECKPOINTS)][-1] == "step-00000004-0000"
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash_at(5, os.fsync))  # the settings, the metrics, and now the model
        with pytest.raises(Crash):
            run(workplace, folder)
    last = json.loads((folder / METRICS).read_text().splitlines()[-1])
    assert (last["kind"], last["step"]) == ("validation", 4)
    run(workplace, folder)
    check_equal(folder, uninterrupted("conditional"))


def test_crashed_while_writing(workplace, uninterrupted, tmp_path) -> None:
    """At file operations of all kinds: a checkpoint's files, its manifest, the model, the metrics."""
    expected = uninterrupted("conditional")
    chance, folder, crashes = random.Random(4), tmp_path / "run", 0
    for _ in range(8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", crash_at(chance.randint(1, 22), os.fsync))
            try:
                run(workplace, folder)
            except Crash:
                crashes += 1
    assert crashes >= 4
    run(workplace, folder)
    check_equal(folder, expected)


def crash_at(left: int, operation: Callable[[int], None]) -> Callable[[int], None]:
    def failing(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash
        operation(descriptor)

    return failing


def test_what_a_crash_left_is_removed(workplace, uninterrupted, monkeypatch, tmp_path) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr("nmt.training.train.Signals", lambda: StopAt(9, crash=True))
    with pytest.raises(Crash):
        run(workplace, folder)
    monkeypatch.undo()
    (folder / f"{WEIGHTS}.tmp-1").write_bytes(b"half")
    (folder / CHECKPOINTS / "step-00000009-0002.tmp-1").mkdir()
    (folder / CHECKPOINTS / "step-00000009-0002.tmp-1" / WEIGHTS).write_bytes(b"half")
    run(workplace, folder)
    check_equal(folder, uninterrupted("conditional"))


@pytest.mark.parametrize("damage", ["older", "half", "none"])
def test_crashed_between_a_checkpoint_and_the_model(workplace, uninterrupted, tmp_path, damage: str) -> None:
    """The checkpoint knows that it is the best, and the next start makes it the run's model; also if that has nothing
    else to do."""
    folder, file = tmp_path / "run", tmp_path / "run" / WEIGHTS
    shutil.copytree(uninterrupted("conditional"), folder)
    if damage == "older":
        run(workplace, tmp_path / "short", "training.max_steps=4", "training.average=false")
        shutil.copy(tmp_path / "short" / WEIGHTS, file)
    elif damage == "half":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    run(workplace, folder)
    check_equal(folder, uninterrupted("conditional"))


def test_a_line_of_the_log_is_of_all_updates_since_the_last(workplace, tmp_path) -> None:
    """Also of those before a validation."""
    losses = []
    for every in (3, 4):
        folder = tmp_path / str(every)
        run(workplace, folder, "training.log_every=4", f"training.validate_every={every}", "training.average=false")
        records = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
        losses.append([record["loss"] for record in records if record["kind"] == "train"])
    assert len(losses[0]) == 3 and losses[0] == losses[1]


# Starting again ------------------------------------------------------------------------------------------------------


def test_more_steps_equal_a_longer_run(workplace, tmp_path) -> None:
    words = ["training.schedule=constant", "training.average=false"]
    run(workplace, tmp_path / "long", *words)
    run(workplace, tmp_path / "short", *words, "training.max_steps=8")
    assert result(tmp_path / "short")["weights"] != result(tmp_path / "long")["weights"]
    run(workplace, tmp_path / "short", *words)
    check_equal(tmp_path / "short", tmp_path / "long")


def test_a_finished_run_stays_as_it_is(workplace, uninterrupted, tmp_path, capsys) -> None:
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted("conditional"), folder)
    before = contents(folder)
    capsys.readouterr()
    outcome = run(workplace, folder)
    output = capsys.readouterr().out
    assert "already finished: training.max_steps=12 reached\n" in output
    assert (outcome.signal, outcome.stop.text) == (0, "training.max_steps=12 reached")
    assert contents(folder) == before


def test_an_older_default_of_the_normalisation_stays(workplace, uninterrupted, tmp_path, capsys, monkeypatch) -> None:
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted("conditional"), folder)
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if "source_normalization" not in line and "target_norm" not in line]
    older = "\n".join(lines).replace("normalization: nfc", "normalization: nmt_nfkc")
    (folder / "config.yaml").write_text(older, encoding="utf-8")
    monkeypatch.setattr(resume, "read_trained_with", lambda _: {})  # older checkpoints have no settings
    capsys.readouterr()
    settings = config.load(workplace / "digits.yaml", [f"run={folder}", *CASES["conditional"]])
    resume.check_start(settings, folder)
    assert "note: subword.normalization stays nmt_nfkc, the default when this run began" in capsys.readouterr().out
    changed = settings.subword.model_copy(update={"vocab_size": 350})
    with pytest.raises(ConfigError, match=r"^subword\.vocab_size: "):
        resume.check_start(settings.model_copy(update={"subword": changed}), folder)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "train.log"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model.hidden=16", "model.hidden: 8 -> 16: cannot be changed once a run has checkpoints"),
        ("model.cell=gru", "model.cell: lstm -> gru: cannot be changed once a run has checkpoints"),
        ("training.seed=3", "training.seed: 1 -> 3: cannot be changed once a run has checkpoints"),
        ("training.accumulate=2", "training.accumulate: 1 -> 2: cannot be changed once a run has checkpoints"),
        ("subword.vocab_size=29", "subword.vocab_size: 30 -> 29: cannot be changed once a run has checkpoints"),
        ("data.valid=train", "data.valid: valid -> train: cannot be changed once a run has checkpoints"),
    ],
)
def test_what_cannot_change_is_refused(workplace, uninterrupted, word: str, message: str) -> None:
    folder = uninterrupted("conditional")
    before = contents(folder)
    with pytest.raises(ConfigError) as error:
        run(workplace, folder, word, "training.max_steps=14")
    assert error.value.problems[0] == message
    assert "run=" in error.value.problems[-1]
    assert contents(folder) == before


def test_every_refused_change_is_named(workplace, uninterrupted) -> None:
    with pytest.raises(ConfigError) as error:
        run(workplace, uninterrupted("conditional"), "model.hidden=16", "training.seed=3")
    assert [problem.split(":")[0] for problem in error.value.problems[:2]] == ["model.hidden", "training.seed"]


def test_what_may_change_is_shown(workplace, uninterrupted, tmp_path, capsys) -> None:
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted("conditional"), folder)
    capsys.readouterr()
    run(workplace, folder, "training.max_steps=13", "decoding.beam_size=7", "training.keep_last=2")
    output = capsys.readouterr().out
    changed = [line for line in output.split("\n") if line.startswith("changed: ")]
    assert changed == [
        "changed: training.max_steps: 12 -> 13",
        "changed: training.keep_last: 1 -> 2",
        "changed: decoding.beam_size: 5 -> 7",
    ]
    assert "resuming from step 12 " in output
    assert load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1]).progress.step == 13
    assert config.load(folder / "config.yaml").decoding.beam_size == 7


def test_a_moved_run_goes_on(workplace, uninterrupted, tmp_path) -> None:
    shutil.copytree(uninterrupted("conditional"), tmp_path / "moved")
    assert run(workplace, tmp_path / "moved").stop.text == "training.max_steps=12 reached"


# What a start must not do ---------------------------------------------------------------------------------------------


def test_a_model_is_not_replaced_by_a_training_from_the_start(workplace, uninterrupted, tmp_path) -> None:
    """As when the checkpoints were removed to save space, or in a run that was exported."""
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted("conditional"), folder)
    shutil.rmtree(folder / CHECKPOINTS)
    before = contents(folder)
    with pytest.raises(DataError, match="no checkpoints to resume from; training here would overwrite it"):
        run(workplace, folder)
    assert contents(folder) == before
    (folder / WEIGHTS).unlink()
    run(workplace, folder)
    check_equal(folder, uninterrupted("conditional"))


@pytest.mark.parametrize(
    ("word", "message"),
    [("training.precision=fp16", "set training.precision=auto"), ("model.hidden=60000", "does not fit into memory")],
)
def test_a_start_that_fails_does_not_bind_the_next(workplace, uninterrupted, tmp_path, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(workplace, tmp_path / "run", word)
    assert not (tmp_path / "run").exists()
    run(workplace, tmp_path / "run")
    check_equal(tmp_path / "run", uninterrupted("conditional"))


def test_settings_may_change_until_there_is_a_checkpoint(workplace, uninterrupted, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("nmt.training.train.Signals", lambda: StopAt(4, crash=True))
    with pytest.raises(Crash):
        run(workplace, tmp_path / "run", "model.hidden=16")
    monkeypatch.undo()
    run(workplace, tmp_path / "run")
    check_equal(tmp_path / "run", uninterrupted("conditional"))


def test_two_at_once_are_not_possible(workplace, uninterrupted, monkeypatch, tmp_path) -> None:
    refused: list[str] = []

    class Another(Signals):
        """A second training begins between two steps of the first."""

        def check(self) -> None:
            if not refused:
                with pytest.raises(DataError) as caught:
                    run(workplace, tmp_path / "run")
                refused.append(str(caught.value))

    monkeypatch.setattr("nmt.training.train.Signals", Another)
    run(workplace, tmp_path / "run")
    assert refused == [
        f"{tmp_path / 'run'}: another training process is using it (process {os.getpid()} on {platform.node()}); "
        "wait until it ends, or train in another directory: run=runs/NAME"
    ]
    check_equal(tmp_path / "run", uninterrupted("conditional"))


def test_a_run_of_an_earlier_version_resumes_as_it_began(tiny_config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["subword.model_type=word", f"run={folder}", "training.max_steps=2"]
    settings = config.load(tiny_config, [*words, "training.hide_words=0"])
    resume_train(settings, ["nmt", "train"])
    path = folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text("".join(line for line in text.splitlines(True) if "hide_words" not in line), encoding="utf-8")
    again = config.load(tiny_config, [*words, "training.max_steps=4"])
    assert again.training.hide_words == 0.1
    resume_train(again, ["nmt", "train"])
    assert load_settings(folder).training.hide_words == 0  # it stays so when the run is resumed once more
    assert resume.with_earlier_defaults(again, folder).training.hide_words == 0
    given = config.load(tiny_config, [*words, "training.hide_words=0.1"])
    assert resume.with_earlier_defaults(given, folder) == given
