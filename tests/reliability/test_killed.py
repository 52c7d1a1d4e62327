"""R1: killed at any moment, a run that is started again ends as if nothing had happened, to the last bit."""

import functools
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from nmt import config
from nmt.config import Settings
from nmt.run import CHECKPOINTS
from nmt.training.train import train
from reliability.job import CASES, check_equal, run

WORDS = ["training.save_every=1", "training.max_steps=30"]


@pytest.fixture(scope="module")
def uninterrupted(workplace: Path) -> Callable[[str], Path]:
    """The run of a case that nothing ever stopped."""

    @functools.cache
    def trained(case: str) -> Path:
        folder = workplace / f"whole-{case}"
        assert run(workplace, folder, *CASES[case], *WORDS).signal == 0
        return folder

    return trained


def start(settings: Settings) -> BaseProcess:
    """A process of its own, forked off one that has imported everything, so that each costs little."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nmt.training.train"])
    process = context.Process(target=train, args=(settings, ["nmt", "train"]))
    process.start()
    return process


def wait_for_a_save(process: BaseProcess, checkpoints: Path) -> None:
    """Until a checkpoint is being written."""
    while process.is_alive() and not any(".tmp-" in path.name for path in _names(checkpoints)):
        pass


def _names(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_killed_at_random(workplace, uninterrupted, tmp_path, record_property, case: str, kills: int) -> None:
    expected, chance = uninterrupted(case), random.Random(f"{case} {kills}")
    killed = within_a_save = runs = 0
    while killed < kills:
        folder = tmp_path / str(runs)
        process = start(config.load(workplace / "digits.yaml", [f"run={folder}", *CASES[case], *WORDS]))
        started = time.monotonic()
        while not (folder / "train.log").exists() and process.is_alive() and time.monotonic() < started + 60:
            time.sleep(0.005)
        saving = killed % 3 == 0
        if saving:
            wait_for_a_save(process, folder / CHECKPOINTS)
        else:
            process.join(chance.uniform(0.0, 0.5))
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            killed += 1
            within_a_save += saving
        else:
            assert process.exitcode == 0
            check_equal(folder, expected)
            runs += 1
        process.close()
    last = start(config.load(workplace / "digits.yaml", [f"run={tmp_path / str(runs)}", *CASES[case], *WORDS]))
    last.join(120)
    assert last.exitcode == 0
    check_equal(tmp_path / str(runs), expected)
    assert within_a_save >= kills // 4
    record_property("cases", killed)
