"""The provenance of a run: what it was made from, by what and on what, and what has changed since."""

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nmt import __version__, config
from nmt.config import Settings
from nmt.data.corpus import file_hash
from nmt.data.prepare import Prepared
from nmt.device import describe
from nmt.errors import DataError
from nmt.files import read_json
from nmt.runs import store
from nmt.runs.store import LoadedRun
from nmt.shown import amount
from nmt.training.distillation import teacher_hashes
from nmt.training.initialization import run_identity, vector_hashes

VERSIONS = ("torch", "sentencepiece", "sacrebleu", "numpy", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of this program and of what it computes with."""
    return {"nmt": __version__} | {name: version(name) for name in VERSIONS}


def provenance(
    settings: Settings,
    data: Prepared,
    parent: LoadedRun | None,
    teachers: list[LoadedRun],
    command: list[str],
    device: torch.device,
) -> dict[str, Any]:
    """Return where a run comes from. `parent` is the run whose weights initialize it."""
    training = settings.training
    guided = training.guided_attention and training.alignments
    links = {"training.alignments": file_hash(Path(training.alignments))} if guided else {}
    return {
        "command": command,
        **({"parent": run_identity(parent)} if parent else {}),
        "data": data.hashes | vector_hashes(training) | links | teacher_hashes(teachers),
        "paths": config.absolute_paths(settings),
        "left_out": data.notes,
        "pairs": {"train": len(data.train) if data.train.complete else None, "valid": len(data.valid)},
        "versions": versions() | {"python": platform.python_version()},
        "device": describe(device),
        "machine": f"{platform.system()} {platform.machine()}, {amount(os.cpu_count() or 1, 'core')}",
    }


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the provenance of a run that is resumed. Raise DataError if the file is missing or malformed."""
    path = folder / store.PROVENANCE
    found = read_json(path)
    if not all(isinstance(found.get(name, {}), dict) for name in ("data", "versions")):
        raise DataError(f"{path}: damaged: required fields are missing; restore it from a copy")
    return found


def check_data_unchanged(before: dict[str, Any], now: dict[str, Any], allowed: bool) -> list[str]:
    """Return the names of the files that changed since the run began. Raise DataError unless that is `allowed`."""
    changed = [name for name, digest in now["data"].items() if before.get("data", {}).get(name) != digest]
    if changed and not allowed:
        raise DataError(
            f"{changed[0]}: has changed since this run began; restore it, or train in another directory: run=runs/NAME "
            "(or resume with it: --changed-data)"
        )
    return changed


def report_changes(before: dict[str, Any], now: dict[str, Any], changed: list[str], say: Callable[[str], None]) -> None:
    """Log which text has changed, and whether results can no longer be bit-identical."""
    if changed:
        say(f"note: {', '.join(changed)}: the text has changed since this run began")
    device = str(before.get("device")).replace("(1 threads)", "(1 thread)")  # as earlier versions wrote it
    changes = [
        f"{name} {old} -> {new}"
        for name, old, new in (
            ("device", device, now["device"]),
            *((name, before.get("versions", {}).get(name), now["versions"][name]) for name in ("nmt", "torch")),
        )
        if old != new
    ]
    if changes:
        say(f"note: {', '.join(changes)}: the result will not be bit-identical to that of an uninterrupted run")
