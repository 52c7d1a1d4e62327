"""One training process per run directory, from the first check to the last write.

The lock is the kernel's (flock): it ends with the process, however that ends, and no process ids are compared. Both the
directory and a file in it are locked, because network file systems only lock files between machines. The lock belongs
to the directory itself, not to its name: the descriptor stays open, training writes through it, and moving, deleting or
replacing the directory stops the training.
"""

import errno
import fcntl
import os
import platform
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.errors import DataError, NotSaved
from nmt.files import HELD
from nmt.runs.store import CHECKPOINTS
from nmt.training.checkpoint import list_checkpoints

LOCK = "train.lock"
ATTEMPTS = 100  # to lock a directory that others remove and make again meanwhile
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class RunFolder:
    """Represent a locked run directory: `folder` is its name, `path` leads to the locked directory, wherever it is now.

    Without a descriptor nothing is locked, and `check` always passes.
    """

    def __init__(self, folder: Path, descriptor: int | None = None) -> None:
        self.folder, self.descriptor = folder, descriptor
        held = HELD / str(descriptor)  # on Linux; elsewhere the name, checked before each write
        self.path = held if descriptor is not None and held.is_dir() else folder

    def check(self) -> None:
        """Raise NotSaved, saying where the checkpoints are, if the name no longer leads to this directory."""
        if self.in_place() or self.descriptor is None:
            return
        where = None  # unless the directory exists, and the system tells where it is now
        with suppress(OSError):
            if hasattr(fcntl, "F_GETPATH"):  # macOS
                name = os.fsdecode(fcntl.fcntl(self.descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
            else:
                name = str((HELD / str(self.descriptor)).readlink())
            where = Path(name) if os.path.samestat(Path(name).stat(), os.fstat(self.descriptor)) else None
        if where is not None:
            checkpoints = list_checkpoints(where / CHECKPOINTS)
            kept = (
                f"{checkpoints[-1].name} is the newest checkpoint there" if checkpoints else "it has no checkpoint yet"
            )
            raise NotSaved(
                f"{self.folder}: the directory was moved to {where} during training; training has stopped; {kept}; "
                f"resume with: run={where}"
            )
        if os.fstat(self.descriptor).st_nlink == 0:
            raise NotSaved(
                f"{self.folder}: the directory was removed during training; training has stopped; "
                "its checkpoints were removed with it; train again, or restore a copy"
            )
        raise NotSaved(
            f"{self.folder}: the directory was moved or removed during training; training has stopped; "
            "its checkpoints are where the directory is now"
        )

    def in_place(self) -> bool:
        """Return whether the name still leads to the locked directory."""
        try:
            return self.descriptor is None or os.path.samestat(self.folder.stat(), os.fstat(self.descriptor))
        except OSError as error:  # any other, as of a network that fails for a moment, says nothing about the place
            return error.errno not in GONE


@contextmanager
def owned(folder: Path, warn: Callable[[str], None]) -> Iterator[RunFolder]:
    """Lock the run directory, creating it if needed; delete it again if nothing was written into it.

    Raise DataError at once if another process has locked it, OSError if it cannot be created. Warn if the file system
    does not support locks.
    """
    descriptor, made = _locked_directory(folder)
    lock: int | None = None
    try:
        run = RunFolder(folder, descriptor)
        try:
            lock = _locked_file(run, warn)
            yield run
        finally:
            with suppress(OSError):
                if lock is not None:
                    (run.path / LOCK).unlink()
                if made and run.in_place():
                    folder.rmdir()  # fails if it is not empty
    finally:
        os.close(descriptor)
        if lock is not None:
            os.close(lock)


def _locked_directory(folder: Path) -> tuple[int, bool]:
    """Return a descriptor of the directory, locked if the system supports it, and whether it was created here."""
    for _ in range(ATTEMPTS):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
            made = True
        except FileExistsError:
            made = False
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # removed again meanwhile
            continue
        try:
            with suppress(_NoLocks):  # the file's lock decides
                _lock(descriptor, folder)
            if os.path.samestat(folder.stat(), os.fstat(descriptor)):
                return descriptor, made
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise DataError(f"{folder}: other processes keep removing this directory; train in another one: run=runs/NAME")


def _locked_file(run: RunFolder, warn: Callable[[str], None]) -> int | None:
    """Return a descriptor of the locked lock file; None if the file system does not support locks."""
    path = run.path / LOCK
    for _ in range(ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:  # a pipe, or a file that would lose its content
                raise DataError(f"{run.folder / LOCK}: not a lock file of this program; delete it")
            _lock(descriptor, run.folder)
            if os.path.samestat(path.lstat(), os.fstat(descriptor)):
                with suppress(OSError):  # a full disk; this is only for the message to others
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode())
                return descriptor
        except FileNotFoundError:  # its owner finished, and removed it, just before it was locked
            pass
        except _NoLocks as error:
            warn(
                f"{run.folder}: this file system does not support locks ({error}); "
                "make sure that no other training writes into this run"
            )
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise DataError(f"{run.folder}: other processes keep removing {LOCK}; train in another directory: run=runs/NAME")


class _NoLocks(Exception):
    """Signal that the file system does not support locks."""


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{folder}: another training process is using it{_holder(folder)}; wait until it ends, or train in another "
            "directory: run=runs/NAME"
        ) from None
    except OSError as error:
        raise _NoLocks(error.strerror) from None


def _holder(folder: Path) -> str:
    """Return ` (process 12 on HOST)`, or "" if the lock file does not tell."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        found = re.fullmatch(rb"(process \d+ on [\w.-]+)\n", os.read(descriptor, 300))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return f" ({found[1].decode()})" if found else ""
