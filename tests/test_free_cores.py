"""How many threads compute while other programs need the cores."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.inference import free_cores
from nmt.inference.free_cores import FreeCores

Pass = Callable[..., None]


@pytest.fixture
def elapse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pass:
    """Return a function that lets time pass on a machine of six cores, of which this process may use four."""
    stat, now, own = tmp_path / "stat", 0.0, 0.0
    ticks = {number: [0] * 10 for number in range(6)}
    rate = os.sysconf("SC_CLK_TCK")

    def elapse(seconds: float, busy: float = 0.0, itself: float = 0.0, elsewhere: float = 0.0, column: int = 0) -> None:
        """`busy` cores of the four with other programs, `itself` with this one, `elsewhere` of the other two."""
        nonlocal now, own
        now, own = now + seconds, own + itself * seconds
        for number, cores in ((1, busy), (2, itself), (5, elsewhere)):
            ticks[number][column] += round(cores * seconds * rate)
        ticks[3][3] += round(seconds * rate)  # idle
        ticks[3][4] += round(seconds * rate)  # waiting for a disk
        rows = ["cpu 1 2 3", *(f"cpu{number} " + " ".join(map(str, row)) for number, row in ticks.items()), "intr 5"]
        stat.write_text("\n".join(rows), encoding="ascii")

    monkeypatch.setattr(free_cores, "STAT", stat)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "process_time", lambda: own)
    elapse(1.0)
    return elapse


@pytest.mark.parametrize(
    ("busy", "itself", "elsewhere", "threads"),
    [
        (0.0, 0.0, 0.0, 4),
        (0.0, 4.0, 0.0, 4),  # its own work is no reason to do with less
        (1.0, 0.0, 0.0, 3),
        (1.2, 2.0, 0.0, 3),
        (2.0, 2.0, 2.0, 2),  # cores that it may not use do not count
        (4.0, 0.0, 0.0, 1),
        (9.0, 0.0, 0.0, 1),
    ],
)
def test_cores_that_others_use_are_not_computed_with(
    elapse: Pass, busy: float, itself: float, elsewhere: float, threads: int
) -> None:
    cores = FreeCores()
    elapse(1.0, busy, itself, elsewhere)
    assert cores.threads(4) == threads
    assert cores.threads(2) == min(2, threads)
    assert cores.threads(1) == 1
    elapse(1.0, itself=itself)  # the others have ended
    assert cores.threads(4) == 4


@pytest.mark.parametrize(("busy", "threads", "lacking"), [(1.0, 4, 1.0), (1.0, 3, 0.0), (2.5, 2, 0.5), (0.0, 4, 0.0)])
def test_threads_that_lack_a_core(elapse: Pass, busy: float, threads: int, lacking: float) -> None:
    cores = FreeCores()
    elapse(1.0, busy)
    assert cores.lacking(threads) == pytest.approx(lacking, abs=0.05)


@pytest.mark.parametrize("column", [1, 2, 5, 6, 7], ids=["nice", "system", "interrupts", "soft interrupts", "steal"])
def test_whatever_keeps_a_core_busy_counts(elapse: Pass, column: int) -> None:
    cores = FreeCores()
    elapse(2.0, busy=2.0, column=column)
    assert cores.threads(4) == 2


def test_a_short_time_is_not_measured(elapse: Pass) -> None:
    cores = FreeCores()
    elapse(free_cores.INTERVAL / 2, busy=3.0)
    assert cores.threads(4) == 4
    elapse(free_cores.INTERVAL, busy=3.0)
    assert cores.threads(4) == 1


@pytest.mark.parametrize("content", [None, "", "cpu0 a b c d e f g h", "cpu0 1"])
def test_a_system_that_does_not_tell_has_all_cores_free(elapse: Pass, content: str | None) -> None:
    free_cores.STAT.unlink()
    if content is not None:
        free_cores.STAT.write_text(content, encoding="ascii")
    cores = FreeCores()
    assert cores.threads(4) == 4
