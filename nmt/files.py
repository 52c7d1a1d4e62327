"""Files that are whole or not there: written so that neither a crash nor a power cut leaves half of one."""

import json
import os
from pathlib import Path
from typing import Any

from nmt.errors import DataError


def write_atomic(path: Path, content: bytes) -> None:
    """The file has either its old content or all of the new, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        write_synced(unfinished, content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder, as after a rename, survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a run. Raises DataError if the file is missing or damaged."""
    try:
        values = json.loads(read_file(path))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise DataError(f"{path}: damaged: not a JSON object; copy the run again, or remove the file")
    return values
