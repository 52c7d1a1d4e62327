"""Memory that libraries keep: bounded, so that a long training needs no more than a short one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Compiled primitives that oneDNN keeps, one for each shape of a product, and what torch keeps to call them. Both are
# 1,024 if nobody says otherwise.
CAPACITIES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32", "LRU_CACHE_CAPACITY": "32"}
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGE = 16 * 2**20  # bytes of an allocation that goes back to the system when it is freed; smaller ones cost time
SMALL = 2**20  # the same where memory counts more than time


def bound_primitives() -> None:
    """Bound the caches of compiled primitives, whose sizes are read when they are first used. Values of the user stay.

    With the sizes of the libraries, batches of thousands of shapes filled more than a gigabyte, and the shrinking
    batches of a search hundreds of megabytes.
    """
    for name, capacity in CAPACITIES.items():
        os.environ.setdefault(name, capacity)


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
