"""Files that are complete or absent, and files of a run, which may come from a stranger.

Writing leaves neither half a file after a crash or a power cut, nor follows a link. Whatever reads or appends to a file
inside a run directory goes through `open_run_file`: regular files only, no link on the way, no device, no pipe.
"""

import errno
import io
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from nmt.errors import DataError, OutOfMemory
from nmt.memory import memory_at_hand

HELD = Path("/proc/self/fd")  # where Linux shows the open files and directories of this process
MEGA = 1_000_000
DEEPEST = 20  # lists and objects inside one another in a JSON file of a run; ours have 6
LARGEST_NUMBER = 2**63
LEFTOVER = re.compile(r"(.+)\.tmp-\d+")  # what a crash leaves of `write_atomic` and of a checkpoint


# Writing -------------------------------------------------------------------------------------------------------------


def write_atomic(path: Path, content: bytes) -> None:
    """Give the file either its old content or all of the new, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)
        write_synced(unfinished, content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def copy_file(source: Path, target: Path) -> None:
    """Copy what this program made, as into a run."""
    write_atomic(target, source.read_bytes())


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and flush it to disk. Raise FileExistsError if the name is taken, be it by a link."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder, as after a rename, survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, names: tuple[str, ...]) -> None:
    """Remove unfinished files of these names that a crash left in a folder. Anything else there is not ours."""
    for path in folder.iterdir():
        match = LEFTOVER.fullmatch(path.name)
        if match and match[1] in names and stat.S_ISREG(path.lstat().st_mode):
            path.unlink()


def is_folder(path: Path) -> bool:
    """Tell whether this is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


# A run, perhaps from a stranger --------------------------------------------------------------------------------------


def open_run_file(run: Path, name: str, mode: Literal["rb", "ab"] = "rb") -> io.BufferedIOBase:
    """Open a file inside a run directory: `rb` to read, `ab` to append. `run` itself may be a link, nothing below it.

    Raise DataError for a link, a device, a pipe or a folder. Raise OSError if the file is missing or not permitted.
    """
    flags = os.O_RDONLY if mode == "rb" else os.O_WRONLY | os.O_APPEND | os.O_CREAT
    *folders, last = name.split("/")
    opened = [os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    below = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        for folder in folders:
            opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | below, dir_fd=opened[-1]))
        found = os.open(last, flags | os.O_NONBLOCK | os.O_NOCTTY | below, 0o666, dir_fd=opened[-1])
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR}:
            raise _not_regular(run / name) from None
        raise
    finally:
        for descriptor in opened:
            os.close(descriptor)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise _not_regular(run / name)
    return io.open(found, "rb") if mode == "rb" else io.open(found, "ab")  # noqa: UP020


def named(path: Path) -> Path:
    """Return a path as messages name it. Training reaches its run through an open directory (`/proc/self/fd/N/...`),
    which says nothing to anybody: what counts is where that directory is."""
    if not path.is_relative_to(HELD):
        return path
    number, *rest = path.relative_to(HELD).parts
    try:
        return (HELD / number).readlink().joinpath(*rest)
    except OSError:  # closed meanwhile
        return Path(*rest)


def _not_regular(path: Path) -> DataError:
    return DataError(
        f"{named(path)}: not a regular file but a link, a device, a pipe or a folder; "
        "the files of a run must lie in it themselves"
    )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system refuses while a file is read into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{named(path)}: cannot read: {error.strerror}") from None


def run_file_exists(run: Path, name: str) -> bool:
    """Tell whether a run has something of this name, be it a broken link."""
    return os.path.lexists(run / name)


def read_run_file(run: Path, name: str, largest: int) -> bytes:
    """Read a file of a run. Raise DataError if it has more than `largest` bytes or is not a regular file."""
    with readable(run / name), open_run_file(run, name) as file:
        return read_bounded(file, run / name, largest)


def read_bounded(file: io.BufferedIOBase, path: Path, largest: int) -> bytes:
    """Read the rest of a file, whose size is looked at first. Raise OutOfMemory if it does not fit into memory."""
    size = os.fstat(file.fileno()).st_size
    if size > largest:
        raise DataError(f"{named(path)}: damaged: has {size:,} bytes, but at most {largest:,} are possible")
    if size > MEGA and size > memory_at_hand():
        raise OutOfMemory(f"{named(path)}: {size:,} bytes do not fit into the memory that is free")
    return file.read(size + 1)[:size]


def open_to_append(run: Path, name: str) -> io.BufferedWriter:
    """Open a file of a run to append to it. One that has a second name elsewhere (a hard link) becomes a copy first."""
    file = open_run_file(run, name, "ab")
    if os.fstat(file.fileno()).st_nlink > 1:
        file.close()
        write_atomic(run / name, read_run_file(run, name, 256 * MEGA))
        file = open_run_file(run, name, "ab")
    return cast(io.BufferedWriter, file)


def read_json(path: Path, largest: int = 2 * MEGA) -> dict[str, Any]:
    """Read a JSON object in a run directory. Raise DataError if it is missing, damaged, larger or deeper than ours."""
    return parse_json(read_run_file(path.parent, path.name, largest), path)


def parse_json(content: bytes, path: Path, *, finite: bool = True) -> dict[str, Any]:
    """Return a JSON object whose nesting and numbers are bounded, and unless told otherwise finite."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not _is_plain(values, finite):
        raise DataError(f"{named(path)}: damaged: not a JSON object; copy the run again, or remove the file")
    return values


def _is_plain(values: Any, finite: bool) -> bool:
    """Return whether nothing is nested too deep, and all numbers are of a size that can be computed with."""
    level: list[Any] = [values]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, float):
                if finite and not math.isfinite(value):
                    return False
            elif isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
                return False
        if not below:
            return True
        level = below
    return False


def shown_path(path: Path) -> str:
    """Return a path as a user would type it from the current directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
