"""R1: killed at any moment and started again, a run ends with the same bits as one that was never stopped."""

import functools
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from nmt.training.checkpoint_manager import CheckpointManager
from nmt.training.trainer import Trainer
from reliability.job import CASES, check_equal, ended, fork, sampled

WORDS = ["training.save_every=1", "training.max_steps=30"]
PLACES = {b"step": "_step", b"save": "_save", b"validation": "_validate", b"edge": "_load_epoch"}  # of an epoch
Place = Any  # a C string that both processes see


def announce(place: Place) -> None:
    """Training says where it is."""
    for name, method in PLACES.items():
        setattr(Trainer, method, _announced(getattr(Trainer, method), name, place))


def _announced(method: Callable[..., None], name: bytes, place: Place) -> Callable[..., None]:
    def announced(self: Trainer, *values: object, **options: object) -> None:
        outer, place.value = place.value, name
        method(self, *values, **options)
        place.value = outer or b"loop"

    return announced


def killed_somewhere(chance: random.Random, aim: bytes, *words: str) -> bytes | None:
    """Trains in a process that is killed: in the place that is aimed at, or at any time. Where it was, or None if it
    finished before."""
    place = multiprocessing.get_context("forkserver").RawArray("c", 16)
    process = fork("train", "digits.yaml", *words, before=functools.partial(announce, place))
    if aim:
        while place.value != aim and process.is_alive():
            pass
    else:
        starting = chance.random() < 0.2
        while not starting and not place.value and process.is_alive():
            time.sleep(0.001)
        process.join(chance.uniform(0.0, 0.15))
    process.kill()
    status = ended(process)
    assert status in {0, -signal.SIGKILL}
    return place.value if status else None


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", sampled(CASES, 4))
def test_killed_at_random(
    workplace, uninterrupted, tmp_path, monkeypatch, record_property, case: str, kills: int
) -> None:
    """A third of the kills within a save, some of them in validations and between epochs, many of them in one run."""
    expected, chance = uninterrupted(case, *WORDS), random.Random(f"{case} {kills}")
    monkeypatch.chdir(workplace)
    places: Counter[bytes] = Counter()
    in_runs = [0]
    while places.total() < kills:
        aim = {0: b"save", 1: b"validation", 4: b"edge", 3: b"save", 6: b"save"}.get(places.total() % 9, b"")
        folder = tmp_path / str(len(in_runs))
        place = killed_somewhere(chance, aim, f"run={folder}", *CASES[case], *WORDS)
        if place is None:
            check_equal(folder, expected)
            in_runs.append(0)
        else:
            places[place] += 1
            in_runs[-1] += 1
    last = tmp_path / str(len(in_runs))
    assert ended(fork("train", "digits.yaml", f"run={last}", *CASES[case], *WORDS)) == 0
    check_equal(last, expected)
    record_property("cases", kills)
    assert places[b"save"] >= kills // 4
    if kills >= 60:
        assert places[b"validation"] >= 3 and places[b"step"] + places[b"loop"] >= 5, places
        assert max(in_runs) >= 10, in_runs


def kill_itself(owner: type, method: str, count: int, after: bool) -> None:
    real, left = getattr(owner, method), count

    def killing(*values: object, **options: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*values, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, method, killing)


EDGES = [
    (Trainer, "_load_epoch", 2, False),  # the first is the beginning
    (Trainer, "_validate", 1, True),
    pytest.param(Trainer, "_load_epoch", 2, True, marks=pytest.mark.slow),
    pytest.param(Trainer, "_load_epoch", 3, False, marks=pytest.mark.slow),
    pytest.param(Trainer, "_validate", 3, False, marks=pytest.mark.slow),
    pytest.param(Trainer, "_finish", 1, False, marks=pytest.mark.slow),
    pytest.param(Trainer, "_finish", 1, True, marks=pytest.mark.slow),
    pytest.param(CheckpointManager, "export_best", 2, False, marks=pytest.mark.slow),
    pytest.param(CheckpointManager, "export_best", 2, True, marks=pytest.mark.slow),
    pytest.param(CheckpointManager, "save", 5, True, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("owner", "method", "count", "after"), EDGES)
def test_killed_at_an_edge(
    workplace, uninterrupted, tmp_path, monkeypatch, owner: type, method: str, count: int, after: bool
) -> None:
    """Of an epoch, a validation, the end of training, the writing of the model, a save."""
    case = "conditional"
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}", *CASES[case], *WORDS]
    before = functools.partial(kill_itself, owner, method, count, after)
    assert ended(fork(*words, before=before)) == -signal.SIGKILL
    assert ended(fork(*words)) == 0
    check_equal(tmp_path / "run", uninterrupted(case, *WORDS))
