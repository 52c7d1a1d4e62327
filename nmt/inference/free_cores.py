"""How many cores other programs leave free, for a program that computes now and then and shares its machine."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from nmt.cpu_quota import usable_cpus

STAT = Path("/proc/stat")
INTERVAL = 0.25  # seconds that are measured at least, in hundredths of which Linux counts


class FreeCores:
    """Count, on Linux, the cores that other programs leave free. Elsewhere, all cores count as free.

    The threads of an operation wait for each other: where one of them has no core of its own, two threads are slower
    than one (docs/lab/benchmarks.md).
    """

    def __init__(self) -> None:
        self._before = _busy()
        self._others = 0.0

    def threads(self, wanted: int) -> int:
        """Return with how many threads to compute, at most `wanted` and at least one."""
        return max(1, min(wanted, int(usable_cpus() - self.used_by_others() + 0.5)))

    def lacking(self, threads: int) -> float:
        """Return how many of this process's `threads` threads had no core of their own, on average, because other
        programs used the cores."""
        return max(0.0, threads - (usable_cpus() - self.used_by_others()))

    def used_by_others(self) -> float:
        """Return how many cores other programs used, on average since the call before (0 before there is one). Within
        INTERVAL of it, the answer stays."""
        before, now = self._before, _busy()
        if before is not None and now is not None and now.when - before.when >= INTERVAL:
            seconds = (now.cores - before.cores) - (now.own - before.own)
            self._others, self._before = max(0.0, seconds / (now.when - before.when)), now
        return self._others


class _Busy(NamedTuple):
    """Hold, in seconds, a time, and for how long the cores of this process had been busy by then."""

    when: float
    cores: float  # with whatever program
    own: float  # with this one


def _busy() -> _Busy | None:
    """Return the times of now; None if the system does not tell."""
    try:
        mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        rows = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        # cpuN user nice system idle iowait irq softirq steal ...; in steal, another virtual machine has the core.
        ticks = sum(sum(map(int, row[1:9])) - int(row[4]) - int(row[5]) for row in rows if row and row[0] in mine)
        return _Busy(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())
    except (OSError, AttributeError, ValueError, IndexError):
        return None
