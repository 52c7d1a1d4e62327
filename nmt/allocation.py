"""Memory that libraries keep: bounded, so that a long training needs no more than a short one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGE = 16 * 2**20  # bytes of an allocation that goes back to the system when it is freed; smaller ones cost time
SMALL = 2**20  # the same where memory counts more than time


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
