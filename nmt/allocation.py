"""Memory that libraries keep: bounded, so that a long training needs no more than a short one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# How many compiled primitives oneDNN keeps, one for each shape of a product, and torch to call them. Both are 1,024 if
# nobody says otherwise. The shapes of training hardly ever come again; those of a search are few, and come again.
CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
FOR_TRAINING, FOR_SEARCH = 32, 256
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGE = 16 * 2**20  # bytes of an allocation that goes back to the system when it is freed; smaller ones cost time
SMALL = 2**20  # the same where memory counts more than time


def bound_primitives(capacity: int) -> None:
    """Bound the caches of compiled primitives. Their sizes are read when they are first used: later calls have no
    effect. Values of the user stay.

    With the sizes of the libraries, batches of thousands of shapes filled more than a gigabyte.
    """
    for name in CAPACITIES:
        if os.environ.get(name) == _set.get(name):  # by this function, or by nobody
            os.environ[name] = _set[name] = str(capacity)


_set: dict[str, str] = {}  # variables that were set here


def bound_allocator() -> None:
    """Let glibc's allocator return large tensors to the system as soon as they are freed. Other systems stay as they
    are, and so does whatever the user has set."""
    _return_from(LARGE)


@contextmanager
def sparing_memory() -> Iterator[None]:
    """Return smaller tensors as well within this context, and whatever is free at its beginning and end: for work that
    is rare."""
    changed = _return_from(SMALL)
    if changed is not None:
        changed.malloc_trim(0)
    try:
        yield
    finally:
        if changed is not None:
            _return_from(LARGE)
            changed.malloc_trim(0)


def _return_from(size: int) -> Any:
    """Let allocations of `size` bytes and more go back to the system; return the C library, None if it is another."""
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return None
    import ctypes  # late: `nmt --help` does not need it

    try:
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, size)
        library.mallopt(TRIM_THRESHOLD, size)
    except (OSError, AttributeError):  # another C library
        return None
    return library
