"""R8: of several processes one is killed at any moment; all end, and the restarted run equals one never disturbed."""

import functools
import os
import random
import signal
import time
from pathlib import Path

import pytest
from ranks import Together, together

from nmt.training.checkpoint_manager import CheckpointManager
from nmt.training.trainer import Trainer
from reliability.job import CASES, check_equal
from reliability.test_killed import kill_itself

WORDS = ["training.save_every=1", "training.max_steps=30", "training.validate_every=10"]


@functools.cache
def undisturbed(workplace: Path, case: str, count: int) -> Path:
    """The run of a case that nothing disturbed, by several processes."""
    folder = workplace / "together" / f"{case[:8]} {count}"
    (workplace / "together").mkdir(exist_ok=True)
    together(workplace / "together", count, "train", "digits.yaml", f"run={folder}", *CASES[case], *WORDS)
    return folder


def finish(folder: Path, count: int, *words: str) -> None:
    """Start until the run is finished, as torchrun does."""
    together(folder, count, "train", "digits.yaml", *words)


def check_ended(ranks: Together, killed: int) -> None:
    """All ranks end, and each of the others says in one line who is gone. A rank that hangs fails the test."""
    statuses = ranks.ended()
    for rank, status in enumerate(statuses):
        if rank != killed:
            assert status == 2, (rank, statuses, ranks.lines(rank))
            assert len(ranks.errors()[rank]) == 1 and f"rank {killed} on host" in ranks.errors()[rank][0]


@pytest.mark.parametrize(
    ("case", "count", "kills"),
    [
        ("conditional", 2, 2),
        pytest.param("conditional", 2, 10, marks=pytest.mark.slow),
        pytest.param("luong, accumulate, average of weights", 2, 10, marks=pytest.mark.slow),
        pytest.param("sampled inputs, sgd", 4, 10, marks=pytest.mark.slow),
    ],
)
def test_killed_at_random(workplace, tmp_path, monkeypatch, record_property, case, count, kills) -> None:
    """Any rank, at any moment, many times in one run."""
    monkeypatch.chdir(workplace)
    expected, chance = undisturbed(workplace, case, count), random.Random(f"{case} {kills}")
    words = [f"run={tmp_path / 'run'}", *CASES[case], *WORDS]
    done = 0
    for _ in range(kills):
        ranks = Together(tmp_path, count, "train", "digits.yaml", *words)
        rank = chance.randrange(count)
        while not any("step" in path.name for path in (tmp_path / "run").glob("checkpoints/*")):
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 1.5))
        if ranks.processes[rank].is_alive():
            ranks.kill(rank, signal.SIGKILL)
            done += 1
        statuses = ranks.ended()
        if statuses == [0] * count:
            break
    finish(tmp_path, count, *words)
    check_equal(tmp_path / "run", expected)
    record_property("cases", done)


PLACES = {
    "a rank in a step": (1, Trainer, "_step", 5, False),
    "the leader in a validation": (0, Trainer, "_validate", 2, False),
    "the leader in a save": (0, CheckpointManager, "save", 4, False),
    "the leader at the end": (0, Trainer, "_finish", 1, True),
}


@pytest.mark.parametrize(
    "place", ["a rank in a step", *(pytest.param(p, marks=pytest.mark.slow) for p in [*PLACES][1:])]
)
def test_killed_in_a_place(workplace, tmp_path, monkeypatch, place) -> None:
    monkeypatch.chdir(workplace)
    rank, owner, method, count, after = PLACES[place]
    words = [f"run={tmp_path / 'run'}", *CASES["conditional"], *WORDS]
    only = {rank: functools.partial(kill_itself, owner, method, count, after)}
    check_ended(Together(tmp_path, 2, "train", "digits.yaml", *words, only=only), rank)
    finish(tmp_path, 2, *words)
    check_equal(tmp_path / "run", undisturbed(workplace, "conditional", 2))


def test_a_stopped_rank_is_named(workplace, tmp_path, monkeypatch) -> None:
    """SIGSTOP, as by a machine that hangs: the others name it after the time-out, and none waits for ever."""
    monkeypatch.chdir(workplace)
    words = [f"run={tmp_path / 'run'}", *WORDS, "training.max_steps=100000", "training.validate_every=100000"]
    ranks = Together(tmp_path, 2, "train", "digits.yaml", *words, environment={"NMT_RANK_TIMEOUT": "3"})
    while not list((tmp_path / "run").glob("checkpoints/step-*")):
        time.sleep(0.01)
    ranks.kill(1, signal.SIGSTOP)
    ranks.processes[0].join(30)
    assert ranks.processes[0].exitcode == 2
    [line] = ranks.errors()[0]
    assert "rank 1 on host" in line and "did not answer for 3 s (stopped or out of memory?)" in line
    ranks.kill(1, signal.SIGKILL)
    ranks.ended()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_one_rank_stops_all(workplace, tmp_path, monkeypatch, number) -> None:
    """All stop after the same step, the leader saves, and the run resumes exactly."""
    monkeypatch.chdir(workplace)
    words = [f"run={tmp_path / 'run'}", *CASES["conditional"], *WORDS]
    only = {1: functools.partial(signal_itself, number)}
    ranks = Together(tmp_path, 2, "train", "digits.yaml", *words, only=only)
    assert ranks.ended() == [128 + number, 128 + number]
    assert any("stopped at step" in line for line in ranks.lines(0)) and ranks.errors() == [[], []]
    finish(tmp_path, 2, *words)
    check_equal(tmp_path / "run", undisturbed(workplace, "conditional", 2))


def signal_itself(number: int) -> None:
    """Send a signal to this process in its fifth step."""
    real, left = Trainer._step, 5

    def signalled(self: Trainer) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)
        real(self)

    Trainer._step = signalled  # type: ignore[method-assign]
