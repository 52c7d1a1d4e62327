"""What is made once and kept: folders under the hash of what they were made from.

A folder is an entry as soon as it has its name. Its manifest records what it was made from, and size and SHA-256 of
each file; all of it is checked whenever the entry is read. A damaged entry is made again, since a cache is only a
cache. Whatever else is in the cache folder is left alone.
"""

import atexit
import errno
import fcntl
import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from nmt.errors import DataError
from nmt.files import write_synced

FORMAT = 3  # raise it when the meaning of a cached file changes
MANIFEST = "manifest.json"
ATTEMPTS = 4  # to read an entry that other processes may be removing or making at the same moment
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# Something else is where a file of the entry should be; any other error says nothing about what is on the disk.
NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}

Say = Callable[[str], None]
Item = TypeVar("Item")


class Unusable(DataError):
    """Signal that the cache cannot be read or written; the message says what to do about it."""


class _Damaged(Exception):
    """Signal that a cache entry differs from what was written; the message says how."""


def cache_folder() -> Path:
    """Return $NMT_CACHE, or nmt in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    if "NMT_CACHE" in os.environ:
        return Path(os.environ["NMT_CACHE"])
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nmt"
    except RuntimeError:  # neither $HOME nor an entry for this user, as in a container
        raise Unusable("no home folder is known for the cache; name a folder: NMT_CACHE=FOLDER") from None


def cached(
    recipe: object,
    make: Callable[[Path], None],
    read: Callable[[Path], Item],
    say: Say,
    doing: str,
    verify: Callable[[], None] = lambda: None,
) -> Item:
    """Return what `read` finds in the folder that `make` wrote for this recipe, now or earlier.

    `verify` is called when `make` is done, and raises DataError if what it read is no longer what the recipe says: then
    nothing is kept. If the user's cache cannot be read or written, a temporary folder takes its place. Raises Unusable
    if there is none, or if the user named the cache.
    """
    made_from = json.loads(json.dumps([FORMAT, recipe]))
    if not _instead:
        try:
            return _cached_in(place_of(recipe), made_from, make, read, say, doing, verify)
        except Unusable as problem:
            if "NMT_CACHE" in os.environ:
                raise
            try:
                temporary = Path(tempfile.mkdtemp(prefix="nmt-"))
            except OSError:
                raise problem from None
            atexit.register(_remove_own, temporary, os.getpid())
            say(f"warning: {problem}; until then a temporary cache is used, {temporary}, and deleted at the end")
            _instead.append(temporary)
    return _cached_in(place_of(recipe), made_from, make, read, say, doing, verify)


def place_of(recipe: object) -> Path:
    """Return the folder that the entry of a recipe has, or will have."""
    key = hashlib.sha256(json.dumps([FORMAT, recipe], sort_keys=True).encode()).hexdigest()[:24]
    return (_instead[0] if _instead else cache_folder()) / key


def is_temporary() -> bool:
    """Return whether a temporary folder has taken the place of the user's cache, which no other process knows."""
    return bool(_instead)


def partial_of(place: Path) -> Path:
    """Return the folder in which `resumable` lets an entry grow, until it is complete and gets its own."""
    return place.with_name(f"{place.name}.partial")


_instead: list[Path] = []  # the temporary folder, once it is needed


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a fork of it
        shutil.rmtree(folder, ignore_errors=True)


def _cached_in(
    folder: Path,
    made_from: Any,
    make: Callable[[Path], None],
    read: Callable[[Path], Item],
    say: Say,
    doing: str,
    verify: Callable[[], None],
) -> Item:
    problem: Exception | str = "other processes remove it"
    for _ in range(ATTEMPTS):
        try:
            folder.lstat()
            _check(folder, made_from)
            _clean(folder)
            return read(folder)
        except (_Damaged, ValueError, DataError) as damage:
            problem = damage
            say(f"note: {folder}: this cache entry is damaged ({damage}); rebuilding it")
            _remove(folder)
        except OSError as error:
            # Not an error: no entry is there, another process removed it, or the cache folder is a file, which is
            # reported when the entry is written.
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                path, reason = error.filename or folder, error.strerror or error
                remedy = "allow it" if error.errno in DENIED else f"try again, remove {folder}"
                raise Unusable(
                    f"{path}: cannot read the cache: {reason}; {remedy}, or name another folder: NMT_CACHE=FOLDER"
                ) from None
        say(doing)
        _make(folder, made_from, make, verify)
    raise Unusable(f"{folder}: cannot be kept in the cache: {problem}; name another folder: NMT_CACHE=FOLDER")


# Checked when read ----------------------------------------------------------------------------------------------------


def _check(folder: Path, made_from: Any) -> None:
    """Raises _Damaged if a file of the entry differs from its manifest, OSError if one cannot be read.

    Reads every file to its end. This costs about as much as hashing the text, which each start does too.
    """
    if not folder.is_dir():
        raise _Damaged("not a folder")
    try:
        _regular(folder / MANIFEST)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = {str(name): (int(entry["size"]), str(entry["sha256"])) for name, entry in manifest["files"].items()}
        if manifest["made_from"] != made_from:
            raise _Damaged("made from something else")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _Damaged(MANIFEST) from None
    for name, (size, _) in files.items():
        if _regular(folder / name).st_size != size:
            raise _Damaged(f"{name} has not its {size:,} bytes")
    with ThreadPoolExecutor() as pool:  # several files at a time
        digests = list(pool.map(_digest, (folder / name for name in files)))
    for (name, (_, sha256)), digest in zip(files.items(), digests, strict=True):
        if digest != sha256:
            raise _Damaged(f"{name} differs from its checksum")


def _regular(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except OSError as error:
        if error.errno in NOT_THERE:
            raise _Damaged(f"{path.name} is missing") from None
        raise
    if not stat.S_ISREG(found.st_mode):
        raise _Damaged(f"{path.name} is not a file")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    """Remove an entry, renaming it first: no other process ever sees half an entry."""
    aside = _own(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:  # another process was faster
        pass
    except OSError as error:
        raise Unusable(
            f"{folder}: damaged, and cannot be removed: {error.strerror}; have it removed by whoever owns it, or name "
            "another folder: NMT_CACHE=FOLDER"
        ) from None
    _discard(aside)


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


# Written whole, or not at all -----------------------------------------------------------------------------------------


def _make(folder: Path, made_from: Any, make: Callable[[Path], None], verify: Callable[[], None]) -> None:
    """Write an entry under another name, with a lock, and give it its own when it is complete. Raises Unusable."""
    unfinished, lock = _own(folder), -1
    try:
        _clean(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir()
        lock = os.open(unfinished, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: then only the number in the name protects it
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        entry = unfinished / "entry"
        make(entry)
        verify()
        # Flush all of it to the disk before it gets its name.
        files = {}
        for path in sorted(entry.iterdir()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.name] = {"size": path.stat().st_size, "sha256": _digest(path)}
        write_synced(entry / MANIFEST, json.dumps({"made_from": made_from, "files": files}, indent=1).encode())
        try:
            entry.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and its entry stays
                raise
        _clean(folder)
    except OSError as error:
        first = "make room, or " if error.errno in FULL else "ask for permission, or " if error.errno in DENIED else ""
        raise Unusable(
            f"{folder.parent}: cannot write the cache: {error.strerror or error}; {first}name another folder: "
            "NMT_CACHE=FOLDER"
        ) from None
    finally:
        _discard(unfinished)
        if lock >= 0:
            os.close(lock)


@contextmanager
def resumable(folder: Path) -> Iterator[Path]:
    """Give what makes an entry a folder that outlives a killed process, and is given to the next one that makes it.

    When the context ends well it becomes `folder`, which `cached` gave; after an error in the text it is removed. If
    another process is writing into it at this moment, this one writes into `folder` itself and cannot be resumed.
    """
    unfinished = folder.parent
    kept = partial_of(unfinished.with_name(unfinished.name.partition(".tmp-")[0]))
    kept.mkdir(exist_ok=True)
    descriptor = os.open(kept, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own = os.path.samestat(kept.stat(), os.fstat(descriptor))
        except OSError:
            own = False
        if not own:
            yield folder
            return
        try:
            yield kept
        except DataError:
            shutil.rmtree(kept, ignore_errors=True)
            raise
        kept.rename(folder)
    finally:
        os.close(descriptor)


def _mark(folder: Path) -> str:
    """Return the prefix, before the process number, of the names of unfinished entries of this machine; other
    machines may still be writing theirs."""
    return f"{folder.name}.tmp-{platform.node()}@"


def _own(folder: Path) -> Path:
    return folder.with_name(f"{_mark(folder)}{os.getpid()}-{secrets.token_hex(4)}")


def _clean(folder: Path) -> None:
    """Removes what killed processes left of this entry. A process lives if it holds the lock, or has the number."""
    for leftover in folder.parent.glob(f"{_mark(folder)}*"):
        number = leftover.name.removeprefix(_mark(folder)).partition("-")[0]
        if not (number.isascii() and number.isdigit()):  # nothing of ours
            continue
        try:
            os.kill(int(number), 0)  # no signal, only the question whether it lives
            lives = int(number) != os.getpid()
        except (ProcessLookupError, OverflowError):
            lives = False
        except PermissionError:  # somebody else's
            lives = True
        if not lives and not _locked(leftover):
            _discard(leftover)


def _locked(path: Path) -> bool:
    """Return whether another process holds the lock of a folder, as one may whose number says nothing here (a
    container)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
