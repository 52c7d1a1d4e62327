"""What is made once and kept: folders under the hash of what they were made from."""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nmt.errors import DataError

FORMAT = 2  # raise it when the meaning of a cached file changes

Say = Callable[[str], None]
Item = TypeVar("Item")


def cache_folder() -> Path:
    """$NMT_CACHE, or nmt in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    if "NMT_CACHE" in os.environ:
        return Path(os.environ["NMT_CACHE"])
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nmt"
    except RuntimeError:  # neither $HOME nor an entry for this user, as in a container
        raise DataError("no home folder is known for the cache; name a folder: NMT_CACHE=FOLDER") from None


def cached(recipe: object, make: Callable[[Path], None], read: Callable[[Path], Item], say: Say, doing: str) -> Item:
    """What `read` finds in the folder that `make` wrote for this recipe, now or earlier. A folder is complete as soon
    as it has its name."""
    key = hashlib.sha256(json.dumps([FORMAT, recipe], sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_folder() / key
    if not folder.is_dir():
        say(doing)
        _make(folder, make)
    try:
        return read(folder)
    except (OSError, ValueError, DataError):
        raise DataError(f"{folder}: damaged; remove this folder of the cache, and it is made again") from None


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    """Also removes what killed processes left of it; of this machine, as those of others may be at work on theirs."""
    mark = f"{folder.name}.tmp-{platform.node()}@"
    for leftover in folder.parent.glob(f"{mark}*"):
        process = int(leftover.name.removeprefix(mark))
        if process == os.getpid() or not _lives(process):
            shutil.rmtree(leftover, ignore_errors=True)
    unfinished = folder.with_name(f"{mark}{os.getpid()}")
    try:
        make(unfinished)
        _publish(unfinished, folder)
    except OSError as error:
        raise DataError(
            f"{folder.parent}: cannot write the cache: {error.strerror}; name another folder: NMT_CACHE=FOLDER"
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # no signal, only the question
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _publish(unfinished: Path, folder: Path) -> None:
    for path in unfinished.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process made the same folder first: equally good
            raise
