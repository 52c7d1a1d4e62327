"""R3: a signal at any instant ends the step or validation; everything is saved; the same command resumes exactly."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from nmt.model import Seq2Seq
from nmt.runs.store import CHECKPOINTS, METRICS
from nmt.training import checkpoint, validation
from nmt.training import step as step_module
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.signals import Signals
from reliability.job import call, check_equal, ended, fork, sampled

WORDS = ["training.validate_every=1", "training.save_every=1"]
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def _a_terminal_that_can_be_closed() -> Iterator[None]:
    """Also where these tests run under `nohup`, which has SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def heed_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Place(NamedTuple):
    """What is called in a step, in a validation, or for each of the four files of a save."""

    module: ModuleType
    name: str


STEP, VALIDATION, SAVE = (
    Place(step_module, "batch_loss"),
    Place(validation, "batch_loss"),
    Place(checkpoint, "write_synced"),
)
INSTANTS = [  # the n-th call
    *((place, count) for count in range(1, 7) for place in (STEP, VALIDATION, SAVE)),
    (SAVE, 8),
    (SAVE, 15),
]


def signalled(place: Place, count: int, *numbers: signal.Signals) -> pytest.MonkeyPatch:
    """These signals come in the middle of the `count`-th call."""
    real, left = getattr(place.module, place.name), count

    def calling(*values, **options):
        nonlocal left
        left -= 1
        if left == 0:
            for number in numbers:
                signal.raise_signal(number)
        return real(*values, **options)

    patch = pytest.MonkeyPatch()
    patch.setattr(place.module, place.name, calling)
    return patch


def saved_step(folder: Path) -> int:
    return load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1]).progress.step


@pytest.mark.parametrize(("place", "count"), sampled(INSTANTS, 10))
@pytest.mark.parametrize("number", STATUS)
def test_at_an_instant(workplace, uninterrupted, tmp_path, number: signal.Signals, place: Place, count: int) -> None:
    assert len(INSTANTS) == 20
    words = ["train", workplace / "digits.yaml", f"run={tmp_path / 'run'}", *WORDS]
    patch = signalled(place, count + (place == VALIDATION), number)  # the untrained model's loss comes first
    stopped = call(*words)
    patch.undo()
    assert (stopped.status, stopped.errors) == (STATUS[number], "")
    step = saved_step(tmp_path / "run")
    if place != SAVE:
        assert step == count, "the step at hand ends, and none begins"
    assert stopped.output.splitlines()[-1] == f"stopped at step {step:,}, saved; run the same command again to resume"
    assert call(*words).status == 0
    check_equal(tmp_path / "run", uninterrupted("conditional", *WORDS))


@pytest.mark.parametrize("place", sampled([STEP, VALIDATION, SAVE], 3))
def test_a_second_interrupt_leaves_at_once(workplace, uninterrupted, tmp_path, place: Place) -> None:
    words = ["train", workplace / "digits.yaml", f"run={tmp_path / 'run'}", *WORDS]
    patch = signalled(place, 4, signal.SIGINT, signal.SIGINT)
    stopped = call(*words)
    patch.undo()
    assert (stopped.status, stopped.errors.strip()) == (130, "")
    assert "saved" not in stopped.output
    assert call(*words).status == 0
    check_equal(tmp_path / "run", uninterrupted("conditional", *WORDS))


# Processes -----------------------------------------------------------------------------------------------------------


def wait_for(process, path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path.exists()


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
        assert signals.received == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", STATUS)
def test_a_process(workplace, tmp_path, monkeypatch, record_property, number: signal.Signals, times: int) -> None:
    """Stopped again and again."""
    monkeypatch.chdir(workplace)
    folder, chance, steps = tmp_path / "run", random.Random(times), [0]
    words = ["train", "digits.yaml", f"run={folder}", "training.max_steps=1000000", "training.schedule=constant"]
    for _ in range(times):
        output = tmp_path / "output"
        output.unlink(missing_ok=True)
        process = fork(*words, output=output, before=heed_hangups)
        wait_for(process, folder / METRICS)
        while process.is_alive() and "vocabulary of" not in (output.read_text() if output.exists() else ""):
            time.sleep(0.01)
        time.sleep(chance.uniform(0.2, 0.7))
        os.kill(process.pid, number)
        assert ended(process, 30) == STATUS[number], output.read_text()
        steps.append(saved_step(folder))
        assert output.read_text().splitlines()[-1].startswith(f"stopped at step {steps[-1]:,}, saved")
    assert steps == sorted(steps) and steps[-1] > 0
    record_property("cases", times)


def hang() -> None:
    def step(*values, **options):
        Path("hanging").touch()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STATUS)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.01)

    step_module.batch_loss = step


def test_a_process_whose_step_does_not_end(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    process = fork("train", "digits.yaml", f"run={tmp_path / 'run'}", before=hang)
    wait_for(process, workplace / "hanging")
    os.kill(process.pid, signal.SIGINT)
    process.join(1.0)
    assert process.is_alive(), "the step does not end, so nothing is saved"
    os.kill(process.pid, signal.SIGINT)
    assert ended(process, 10) == 130


# A model of a usual size ---------------------------------------------------------------------------------------------

BEGUN = "begun"  # a byte for each step of training, of a search, and each batch whose loss is validated


def count_work() -> None:
    """Make the process tell what it begins."""
    heed_hangups()

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def begin(*values: Any, **options: Any) -> Any:
            with Path(BEGUN).open("ab") as file:
                file.write(b".")
            return work(*values, **options)

        return begin

    Seq2Seq.step = counted(Seq2Seq.step)  # type: ignore[method-assign]
    for module in (step_module, validation):
        module.batch_loss = counted(module.batch_loss)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A corpus of random words and a config with embedding = hidden = 512 and a vocabulary of 8,000."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(7990)]
    (tmp_path / "corpus").mkdir()
    for stem, count in (("train", 2000), ("valid", 50)):
        text = "".join(" ".join(chance.choices(words, k=12)) + "\n" for _ in range(count))
        if stem == "train":  # every word is there
            text += "".join(" ".join(words[start : start + 10]) + "\n" for start in range(0, len(words), 10))
        for side in "ab":
            (tmp_path / "corpus" / f"{stem}.{side}").write_text(text)
    (tmp_path / "large.yaml").write_text(
        "data: {folder: corpus, source: a, target: b}\n"
        "subword: {model_type: word, vocab_size: 7000}\n"
        "model: {embedding: 512, hidden: 512}\n"
        "training: {max_steps: 100000, batch_tokens: 500, validate_every: 4, save_every: 2, log_every: 1}\n"
        "decoding: {max_length: 20}\n"
        "threads: 1\n"
    )
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("number", STATUS)
def test_a_large_model_begins_nothing_more(large, monkeypatch, record_property, number: signal.Signals) -> None:
    """What it is computing when the signal comes, it finishes, and one step more if the signal comes between two."""
    monkeypatch.chdir(large)
    chance = random.Random(int(number))
    for _ in range(3):
        output, begun = large / "output", large / BEGUN
        output.unlink(missing_ok=True)
        begun.unlink(missing_ok=True)
        process = fork("train", "large.yaml", "run=run", output=output, before=count_work)
        wait_for(process, begun)
        time.sleep(chance.uniform(0.5, 8.0))
        os.kill(process.pid, number)
        before = begun.stat().st_size
        assert ended(process, 900) == STATUS[number], output.read_text()
        assert begun.stat().st_size - before <= 2
    record_property("cases", 3)
