"""A pipe that gives empty lines as long as somebody reads them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST = 3_000_000  # lines, so that a test of what reads them all fails
BLOCK = b"\n" * 65_536


@contextmanager
def endless_lines(path: Path) -> Iterator[Callable[[], int]]:
    """Make the pipe. Yields what tells how many lines were written into it; a few blocks of them are in the pipe."""
    os.mkfifo(path)
    enough, written = threading.Event(), [0]

    def fill() -> None:
        with suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:
            while written[0] < MOST and not enough.is_set():
                written[0] += pipe.write(BLOCK) or 0

    writer = threading.Thread(target=fill)
    writer.start()
    try:
        yield lambda: written[0]
    finally:
        enough.set()
        rest = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        while writer.is_alive():
            with suppress(BlockingIOError):
                os.read(rest, len(BLOCK))
            time.sleep(0.001)
        os.close(rest)
