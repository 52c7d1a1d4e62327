"""How many cores this process may use: of the machine, and of the CPU time that its container allows.

torch starts a thread for each core that it may run on. It does not know of limits on CPU time, as `docker run --cpus 2`
sets: on a host of 64 cores it starts 64 threads, for the time of two.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota() -> float:
    """Return how many cores' time the control groups of Linux allow to this process; infinity without a limit."""
    return min((_quota(folder) for folder in _folders()), default=math.inf)


def _folders() -> Iterator[Path]:
    """Yield the folders of this process's groups and of the groups above them, whose limits hold as well. A container
    sees its own group as the topmost one, whatever the path in OWN is."""
    yield from (GROUPS, GROUPS / "cpu")
    for line in _read(OWN).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "cpu", "cpu,cpuacct"}:  # version 2, and 1
            top = GROUPS / controllers
            yield from (top / part for part in (Path(path[1:]), *Path(path[1:]).parents))


def _quota(folder: Path) -> float:
    """Return the limit of one group: microseconds of CPU time in each period, divided by the period."""
    words = _read(folder / "cpu.max").split()  # version 2: "200000 100000", or "max 100000"
    if not words:
        words = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]  # 1: -1 without a limit
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words) or int(words[1]) == 0:
        return math.inf
    return int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
