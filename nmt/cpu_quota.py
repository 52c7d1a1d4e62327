"""How many cores this process may use: by its CPU affinity, and by the CPU limits of its control groups.

torch starts a thread for each core that it may run on. It does not know of limits on CPU time, as `docker run --cpus 2`
sets: on a host of 64 cores it starts 64 threads, for the time of two.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
CPUS = Path("/sys/devices/system/cpu")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may run on, counting each hardware thread of a core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_cores() -> int:
    """Return the number of cores that this process may run on, whatever their hardware threads."""
    if not hasattr(os, "sched_getaffinity"):
        return usable_cpus()
    siblings = (_read(CPUS / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in os.sched_getaffinity(0))
    return len(set(siblings))


def cpu_quota() -> float:
    """Return how many cores' time the control groups of Linux allow to this process; infinity without a limit."""
    return min(_quotas(), default=math.inf)


def _quotas() -> Iterator[float]:
    """Yield the limits of this process's groups and of the groups above them. A container sees its own group as the
    topmost one, whatever the path in OWN is."""
    paths = {"": {Path()}, "cpu": {Path()}}  # version 2, and 1
    for line in _read(OWN).split("\n"):
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        version = "cpu" if "cpu" in controllers.split(",") else controllers
        if name and version in paths:
            path = Path(name[1:])
            paths[version] |= {path, *path.parents}
    for group in paths[""]:
        yield _ratio(*_read(GROUPS / group / "cpu.max").split())  # "200000 100000", or "max 100000"
    for group in paths["cpu"]:
        for top in ("cpu", "cpu,cpuacct"):
            folder = GROUPS / top / group
            yield _ratio(*(_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")))


def _ratio(*words: str) -> float:
    """Return a quota (microseconds of CPU time in a period) divided by the period; infinity if there is no limit."""
    try:
        quota, period = map(int, words)
    except ValueError:
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
