"""Memory that libraries keep: bounded, so that a long training needs no more than a short one."""

import os
import sys

PRIMITIVES = "32"  # compiled oneDNN primitives that are kept, one for each shape of a product; oneDNN's own: 1024
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of glibc's mallopt
LARGE = 16 * 2**20  # bytes of an allocation that goes back to the system when it is freed


def bound_primitives() -> None:
    """Bound oneDNN's cache of compiled primitives, which it sizes when it is first used. A value of the user stays.

    With its own size, batches of thousands of shapes filled more than a gigabyte.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)


def bound_allocator() -> None:
    """Let glibc's allocator return large tensors to the system as soon as they are freed. Other systems stay as they
    are, and so does whatever the user has set."""
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    import ctypes  # late: it is no part of what `nmt --help` needs

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(MMAP_THRESHOLD, LARGE)
    mallopt(TRIM_THRESHOLD, LARGE)
