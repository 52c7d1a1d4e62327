"""How much memory this process may still take, asked before something large is made."""

import resource
from pathlib import Path

UNKNOWN = 1 << 62
# Control groups, version 2 and 1, as a container sees its own: folder, limit, use, and what of it caches files.
_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)


def memory_at_hand() -> int:
    """Return the bytes that are free for this process: of the machine, its container and the limits of the shell.

    A system that does not tell counts as endless. What caches files counts as free.
    """
    available = (line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:"))
    machine = next((int(kilobytes) * 1024 for kilobytes in available), UNKNOWN)
    container = UNKNOWN
    for folder, limit, used, cache in _GROUPS:
        most = _first_number(f"{folder}/{limit}", UNKNOWN)
        if most < UNKNOWN:
            cached = [line.split()[1] for line in _lines(f"{folder}/memory.stat") if line.startswith(f"{cache} ")]
            container = max(0, most - _first_number(f"{folder}/{used}", 0) + sum(map(int, cached)))
            break
    return min(machine, container, address_space_at_hand())


def address_space_at_hand() -> int:
    """Return the bytes of address space left under `ulimit -v`."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return UNKNOWN
    return max(0, limit - _first_number("/proc/self/statm", 0) * resource.getpagesize())


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 if the system does not tell."""
    pages = " ".join(_lines("/proc/self/statm")).split()
    return int(pages[1]) * resource.getpagesize() if len(pages) > 1 else 0


def _first_number(path: str, unknown: int) -> int:
    word = next(iter(" ".join(_lines(path)).split()), "")
    return int(word) if word.isascii() and word.isdigit() else unknown


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
