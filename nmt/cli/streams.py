"""Input and output of commands: standard streams, or files that appear only when they are complete."""

import io
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nmt.errors import ConfigError, DataError

if TYPE_CHECKING:
    from nmt.data.corpus import Text


CLOSED: set[int] = set()  # standard streams that were closed when the program started


def prepare_streams() -> None:
    """Make the standard streams safe to use, whatever their state at start-up.

    A character that the terminal cannot show is escaped. A closed stream gets a descriptor that fails on use: otherwise
    the next file to be opened would take its number, and messages would be written into that file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # standard error has nowhere else to complain
            os.open(os.devnull, (os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)[descriptor])  # takes the lowest number
            CLOSED.add(descriptor)
    sys.stdout = sys.stdout or _writer(1)
    sys.stderr = sys.stderr or _writer(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _writer(descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)), encoding="utf-8")


def windows_of(source: "Text", size: int, notes: Counter[str]) -> Iterator[list[str]]:
    """Yield windows of lines, with a progress bar if the input is a file and standard error is a terminal."""
    from nmt.inference.stream import windows

    found = windows(source, size, notes)
    if source.file.fileno() == 0 or not sys.stderr.isatty():
        yield from found
        return
    from tqdm import tqdm

    with tqdm(unit="line") as bar:
        for window in found:
            yield window
            bar.update(len(window))


def open_input(path: Path | None, encoding: str) -> "Text":
    """Open the text to translate; standard input without a name, or for `-`."""
    from nmt.data.corpus import open_text

    return open_text(path or "-", encoding)


@contextmanager
def open_prefixes(
    path: Path | None, input_file: Path | None, encoding: str, notes: Counter[str]
) -> Iterator[Iterator[str]]:
    """Yield the forced prefix of each line, read as the lines are. Raise DataError if the file is not there, or is the
    input."""
    if path is None:
        yield iter(())
        return
    from nmt.data.corpus import open_text
    from nmt.data.opening import check_distinct
    from nmt.inference.stream import windows

    check_distinct(input_file or "-", path)
    with open_text(path, encoding) as text:
        yield (line for window in windows(text, 10_000, notes) for line in window)


def check_output(path: Path | None, *inputs: Path | None, option: str = "--output") -> None:
    """Raise ConfigError if an output would take the place of one of the `inputs` or of a file of a run, or if its name
    promises a compression."""
    if path is not None and path.suffix in {".gz", ".bz2", ".xz", ".zst"}:
        raise ConfigError(f"{option} {path}: output is not compressed; name it {path.stem}, and compress it afterwards")
    try:
        if path is None or not path.is_file():
            return
    except OSError:  # a name that is too long, a folder that may not be read: said when it is opened
        return
    for given in inputs:
        if given is not None and given.is_file() and path.samefile(given):
            raise ConfigError(f"{option} {path}: is read by this command too; name another file")
    if (path.parent / "config.yaml").is_file():
        from nmt.runs.store import FILES, KERNELS, REPORT

        if path.name in {*FILES, KERNELS} - {REPORT}:
            raise ConfigError(f"{option} {path}: is a file of the run {path.parent}; name another file")


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Open standard output, or a file that appears under its name only when it is complete."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is to be written to, not replaced
            with path.open("wb") as file:
                yield file
            return
        final = path.resolve()  # a link stays a link
        unfinished = final.with_name(f"{final.name}.tmp-{os.getpid()}")
        try:
            with unfinished.open("wb") as file:
                yield file
            unfinished.replace(final)
        finally:
            unfinished.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror}") from None
