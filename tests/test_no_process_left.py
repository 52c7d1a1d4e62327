"""Processes that tests fork off: they end with the test, also where it fails, with what they have started."""

import os
import signal
import time
from pathlib import Path

import pytest
from reliability.job import FORKED, ended, fork, no_process_left


def sleep_with_a_child() -> None:
    child = os.fork()
    if child:
        Path("child.tmp").write_text(str(child))
        Path("child.tmp").rename("child")
    time.sleep(600)


def test_a_test_that_fails_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError), no_process_left():
        process = fork("info", before=sleep_with_a_child)
        numbers = [process.pid]
        while not Path("child").exists():
            time.sleep(0.01)
        numbers.append(int(Path("child").read_text()))
        raise AssertionError
    assert process not in FORKED
    for number in numbers:
        for _ in range(1000):  # until the system has taken the child, whose parent is gone
            if not is_running(number):
                break
            time.sleep(0.01)
        assert not is_running(number)


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_those_that_were_waited_for_or_are_of_others_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outer = fork("info", before=sleep_with_a_child)
    with no_process_left():
        inner = fork("--help")
        assert ended(inner) == 0
    assert outer in FORKED and outer.is_alive()
    outer.kill()
    assert ended(outer) == -signal.SIGKILL
