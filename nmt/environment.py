"""Environment variables that oneDNN and OpenMP read when torch first uses them. What the user has set stays."""

import os

from nmt.cpu_quota import cpu_quota, physical_cores

# How many compiled primitives oneDNN keeps, one for each shape of a product, and what torch keeps to call them; both
# are 1,024 if nobody says otherwise. The shapes of training hardly ever come again; a search has few, and they do.
PRIMITIVES, CALLS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"
FOR_TRAINING, FOR_SEARCH = 32, 256
# How often an idle thread of GNU OpenMP looks for work before it sleeps; 300,000 times if nobody says otherwise. Many
# threads that look for long keep each other from working when other programs need the cores (docs/lab/benchmarks.md).
BRIEFLY, LONGER = 2_000, 20_000


def bound_primitives(capacity: int) -> None:
    """Bound the caches of compiled primitives. With the sizes of the libraries, batches of thousands of shapes filled
    more than a gigabyte."""
    _set(PRIMITIVES, capacity)
    _set(CALLS, FOR_TRAINING)


def spin(rounds: int) -> None:
    """Let idle OpenMP threads look for work for this many rounds."""
    if "OMP_WAIT_POLICY" not in os.environ:
        _set("GOMP_SPINCOUNT", rounds)


def limit_threads() -> None:
    """Have OpenMP, and so torch, start as many threads as the CPU time of this process's container allows, if that is
    less than one for each core. A limit of 1.5 cores gives 2 threads, one of 1.4 gives 1."""
    threads = max(1.0, cpu_quota() + 0.5)
    if threads < physical_cores() and not os.environ.get("MKL_NUM_THREADS"):
        _set("OMP_NUM_THREADS", int(threads))


def _set(name: str, value: int) -> None:
    if os.environ.get(name) in {None, "", _own.get(name)}:  # set by nobody, or here before
        os.environ[name] = _own[name] = str(value)


_own: dict[str, str] = {}
