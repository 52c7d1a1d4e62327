"""Work in a process beside this one: its lines, its result, its errors, and its end."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from nmt.data.background import Background, BackgroundFailed, Say, end_with_parent
from nmt.errors import ConfigError


def fail(say: Say, how: str) -> str:
    say("a line")
    if how == "exit":
        os._exit(3)
    if how == "user":
        raise ConfigError("one", "two")
    return str(1 / (how != "bug"))


@pytest.mark.parametrize(("how", "status"), [("well", 0), ("exit", 5), ("user", 2), ("bug", 1)])
def test_work_beside_this_process(how: str, status: int) -> None:
    lines: list[str] = []
    work = Background(lines.append, "it ended", fail, how)
    try:
        if status == 0:
            while not work.check():
                time.sleep(0.01)
            assert work.result == "1.0"
        else:
            with pytest.raises(RuntimeError if how == "bug" else BackgroundFailed) as failed:
                while not work.check():
                    time.sleep(0.01)
            if how == "bug":
                assert "ZeroDivisionError" in str(failed.value)
            else:
                assert failed.value.status == status  # type: ignore[attr-defined]
                assert failed.value.problems == (("one", "two") if how == "user" else ("it ended",))  # type: ignore[attr-defined]
    finally:
        work.end()
    assert lines == ["a line"]


def work_with_others(say: Say) -> None:
    with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
        for number in pool.map(number_of_process, range(2)):
            say(str(number))
        pool.submit(time.sleep, 600).result()


def number_of_process(_: int) -> int:
    time.sleep(0.1)
    return os.getpid()


def is_running(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_killed_process_has_started_ends_as_well() -> None:
    numbers: list[str] = []
    work = Background(numbers.append, "it ended", work_with_others)
    try:
        while len(numbers) < 2:
            work.check()
            time.sleep(0.01)
    finally:
        work.end()
    for _ in range(3000):
        if not any(map(is_running, numbers)):
            break
        time.sleep(0.01)
    assert not any(map(is_running, numbers))
