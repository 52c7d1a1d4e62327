"""Checkpoints: written so that a crash at any moment leaves the one before or the new one, and checked when read.

A checkpoint is a folder `step-STEP-VALIDATIONS` with model.safetensors, optimizer.safetensors, perhaps
average.safetensors, state.json, and manifest.json with the size and SHA-256 of each. It is written under another
name, flushed to disk and renamed; the newest folder whose manifest verifies is the truth.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor

from nmt.errors import DataError
from nmt.files import read_file, sync_folder, write_synced
from nmt.run import tensor_file
from nmt.training.state import Progress, TrainState

MANIFEST, STATE = "manifest.json", "state.json"
TRAINED_WITH = "trained_with"  # in the state
TENSORS = {"weights": "model.safetensors", "average": "average.safetensors", "optimizer": "optimizer.safetensors"}


def checkpoint_name(step: int, validations: int) -> str:
    return f"step-{step:08d}-{validations:04d}"


def save_checkpoint(folder: Path, state: TrainState) -> Path:
    """Writes a checkpoint below `folder`. When this returns, it survives a power cut. Raises OSError if it cannot."""
    name = checkpoint_name(state.progress.step, len(state.progress.validations))
    final, unfinished = folder / name, folder / f"{name}.tmp-{os.getpid()}"
    if final.exists():
        return final
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        manifest = {}
        for file, content in _contents(state):
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


def _contents(state: TrainState) -> Iterator[tuple[str, bytes]]:
    """One file at a time, since they are large."""
    values = state.progress.to_json() | {TRAINED_WITH: state.trained_with}
    yield STATE, json.dumps(values, indent=1).encode()
    for field, file in TENSORS.items():
        tensors: dict[str, Tensor] = getattr(state, field)
        if tensors:
            yield file, tensor_file(tensors)


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.startswith("step-") and "." not in path.name)


def best_names(progress: Progress, metric: str, count: int) -> list[str]:
    """Names of the checkpoints with the best comparable validation scores, the best first; some may be gone."""
    regular = progress.regular()
    places = [(index, v) for index, v in enumerate(progress.validations) if v in regular]
    places.sort(key=lambda place: place[1].rank(metric), reverse=True)
    return [checkpoint_name(v.step, index + 1) for index, v in places[:count]]


def load_newest(folder: Path, warn: Callable[[str], None]) -> TrainState | None:
    """The newest checkpoint that verifies; None if there are none. Raises DataError if there are, but all damaged.

    Damaged ones that are newer are set aside under another name, so that training can write them again.
    """
    damaged: list[Path] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            state = load_checkpoint(path)
        except DataError as error:
            warn(f"warning: {error}; using the checkpoint before it")
            damaged.append(path)
            continue
        for other in damaged:
            set_aside = other.with_name(f"{other.name}.damaged")
            shutil.rmtree(set_aside, ignore_errors=True)
            other.rename(set_aside)
        return state
    if damaged:
        raise DataError(f"{folder}: no checkpoint is intact; remove the folder to train from the start")
    return None


def load_checkpoint(path: Path) -> TrainState:
    """Raises DataError if a file is missing or differs from the manifest in a bit."""
    try:
        manifest = json.loads(read_file(path / MANIFEST))
        contents = {file: _verified(path, file, **entry) for file, entry in manifest.items()}
        tensors = {field: load(contents[file]) if file in contents else {} for field, file in TENSORS.items()}
        values = json.loads(contents[STATE])
        return TrainState(Progress.from_json(values), **tensors, trained_with=dict(values.get(TRAINED_WITH, {})))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path}: the checkpoint is damaged") from None


def read_trained_with(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint whose state is intact was trained with; empty if none says."""
    for path in reversed(list_checkpoints(folder)):
        try:
            entry = json.loads(read_file(path / MANIFEST))[STATE]
            return dict(json.loads(_verified(path, STATE, **entry)).get(TRAINED_WITH, {}))
        except (DataError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return {}


def _verified(checkpoint: Path, file: str, size: int, sha256: str) -> bytes:
    if file not in {STATE, *TENSORS.values()}:  # and so no path out of the folder either
        raise DataError(f"{checkpoint}: the checkpoint is damaged: unknown file {file}")
    content = read_file(checkpoint / file)
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{checkpoint / file}: the checkpoint is damaged: the checksum does not fit")
    return content


def prune(folder: Path, keep: Iterable[str], newest: int) -> None:
    """Removes all checkpoints but the `newest` last ones and those named in `keep`, and what crashes left behind."""
    checkpoints = list_checkpoints(folder)
    kept = set(keep) | {path.name for path in checkpoints[-newest:]}
    for path in checkpoints:
        if path.name not in kept:
            (path / MANIFEST).unlink(missing_ok=True)  # first, so that a half removed one does not count
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("*.tmp-*"):
        shutil.rmtree(path, ignore_errors=True)
