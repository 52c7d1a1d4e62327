"""One training at a time in a run: two would take each other's unfinished files away."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.errors import DataError


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Makes the folder if need be, and takes it away again if nothing came into it. The lock ends with the process,
    however that ends. Raises DataError if another process has it."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{folder}: another training is at work in it; wait for its end, or train into another directory: "
            "run=runs/NAME"
        ) from None
    except OSError:
        pass  # a file system without locks
