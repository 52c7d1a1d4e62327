"""Checkpoints: a crash at any moment leaves the previous or the new one intact, and reading verifies checksums.

A checkpoint is a folder `step-STEP-VALIDATIONS` with model.safetensors, optimizer.safetensors, possibly
average.safetensors, state.json, and manifest.json with the size and SHA-256 of each file. It is written under a
temporary name, flushed to disk and renamed; the newest folder whose manifest verifies is used.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load

from nmt.errors import DataError
from nmt.files import (
    MEGA,
    is_folder,
    named,
    open_run_file,
    parse_json,
    read_bounded,
    readable,
    sync_folder,
    write_synced,
)
from nmt.memory import UNKNOWN
from nmt.runs.weights import tensor_file
from nmt.training.state import Progress, TrainState

MANIFEST, STATE = "manifest.json", "state.json"
TRAINED_WITH = "trained_with"  # in the state
TENSORS = {"weights": "model.safetensors", "average": "average.safetensors", "optimizer": "optimizer.safetensors"}
FILES = (MANIFEST, STATE, *TENSORS.values())


NAME = re.compile(r"step-\d{8,}-\d{4,}")
LARGEST_STATE = 32 * MEGA  # bytes of manifest.json and state.json; ours have a few thousand, more with frozen vectors


def checkpoint_name(step: int, validations: int) -> str:
    """Return the folder name of a checkpoint."""
    return f"step-{step:08d}-{validations:04d}"


def save_checkpoint(folder: Path, state: TrainState) -> Path:
    """Write a checkpoint below `folder`.

    When this returns, it survives a power failure. Raise OSError if it cannot be written.
    """
    name = checkpoint_name(state.progress.step, len(state.progress.validations))
    final, unfinished = folder / name, folder / f"{name}.tmp-{os.getpid()}"
    if is_folder(final):
        return final
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        values = state.progress.to_json() | {TRAINED_WITH: state.trained_with}
        tensors = ((file, getattr(state, field)) for field, file in TENSORS.items())
        contents = itertools.chain(  # made one at a time, since they are large
            [(STATE, json.dumps(values, indent=1).encode())],
            ((file, tensor_file(parts)) for file, parts in tensors if parts),
        )
        manifest = {}
        for file, content in contents:
            write_synced(unfinished / file, content)
            manifest[file] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        write_synced(unfinished / MANIFEST, json.dumps(manifest, indent=1).encode())
        sync_folder(unfinished)
        unfinished.rename(final)
        sync_folder(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first.

    Raise DataError if `folder` is a symbolic link, which may lead outside the run.
    """
    if folder.is_symlink():
        raise DataError(
            f"{named(folder)}: a symbolic link; the checkpoints of a run must be stored inside it; copy the folder here"
        )
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name) and is_folder(path))


def best_names(progress: Progress, metric: str, count: int) -> list[str]:
    """Return the names of the checkpoints with the best comparable scores, best first; some may have been deleted."""
    regular = progress.regular()
    places = [(index, v) for index, v in enumerate(progress.validations) if v in regular]
    places.sort(key=lambda place: place[1].rank(metric), reverse=True)
    return [checkpoint_name(v.step, index + 1) for index, v in places[:count]]


def load_newest(folder: Path, warn: Callable[[str], None], largest: int = UNKNOWN) -> TrainState | None:
    """Return the newest checkpoint that verifies; None if there are none. Raise DataError if all are damaged.

    No file of a checkpoint may exceed `largest` bytes. Damaged checkpoints that are newer are renamed, so that training
    can write them again.
    """
    damaged: list[Path] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            state = load_checkpoint(path, largest)
        except DataError as error:
            warn(f"warning: {error}; using the previous checkpoint")
            damaged.append(path)
            continue
        for other in damaged:
            set_aside = other.with_name(f"{other.name}.damaged")
            shutil.rmtree(set_aside, ignore_errors=True)
            other.rename(set_aside)
        return state
    if damaged:
        raise DataError(f"{folder}: no checkpoint is intact; delete the folder to train from scratch")
    return None


def load_checkpoint(path: Path, largest: int = UNKNOWN) -> TrainState:
    """Return a checkpoint.

    Raise DataError if a file is missing, differs from the manifest, or exceeds `largest` bytes.
    """
    try:
        manifest = parse_json(_read(path, MANIFEST, MEGA), path / MANIFEST)
        contents = {file: _verified(path, file, largest, **entry) for file, entry in manifest.items()}
        tensors = {field: load(contents[file]) if file in contents else {} for field, file in TENSORS.items()}
        values = parse_json(contents[STATE], path / STATE, finite=False)  # a loss may be infinite
        progress = Progress.from_json(values)
        return TrainState(progress=progress, **tensors, trained_with=dict(values.get(TRAINED_WITH, {})))
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        raise DataError(f"{path}: the checkpoint is damaged") from None


def read_trained_with(folder: Path) -> dict[str, Any]:
    """Return what the newest checkpoint with an intact state records about its training; empty if none does."""
    for path in reversed(list_checkpoints(folder)):
        try:
            entry = parse_json(_read(path, MANIFEST, MEGA), path / MANIFEST)[STATE]
            values = parse_json(_verified(path, STATE, LARGEST_STATE, **entry), path / STATE, finite=False)
            return dict(values.get(TRAINED_WITH, {}))
        except (DataError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return {}


def _verified(checkpoint: Path, file: str, largest: int, size: int, sha256: str) -> bytes:
    if file not in FILES or file == MANIFEST:  # and so no path out of the folder either
        raise DataError(f"{checkpoint}: the checkpoint is damaged: unknown file {file}")
    content = _read(checkpoint, file, min(size, LARGEST_STATE if file == STATE else largest))
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{checkpoint / file}: the checkpoint is damaged: the checksum does not match")
    return content


def _read(checkpoint: Path, file: str, largest: int) -> bytes:
    run, name = checkpoint.parent.parent, f"{checkpoint.parent.name}/{checkpoint.name}/{file}"
    with readable(checkpoint / file), open_run_file(run, name) as opened:
        return read_bounded(opened, checkpoint / file, largest)


def prune(folder: Path, keep: Iterable[str], newest: int) -> None:
    """Delete all checkpoints but the `newest` last ones and those named in `keep`, and unfinished ones left by crashes.

    Only files that training wrote are deleted: a file of another name, and its folder, stay.
    """
    checkpoints = list_checkpoints(folder)
    kept = set(keep) | {path.name for path in checkpoints[-newest:]}
    for path in checkpoints:
        if path.name not in kept:
            _remove(path)
    for path in folder.iterdir():
        name, _, process = path.name.partition(".tmp-")
        if NAME.fullmatch(name) and process.isdigit() and is_folder(path):
            _remove(path)


def _remove(checkpoint: Path) -> None:
    (checkpoint / MANIFEST).unlink(missing_ok=True)  # first, so that a half removed one does not count
    with suppress(OSError):
        for file in FILES:
            (checkpoint / file).unlink(missing_ok=True)
        checkpoint.rmdir()
