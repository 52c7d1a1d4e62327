"""What may change between two starts of a run, and what a start must not take away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nmt import config
from nmt import run as runs
from nmt.config import Settings
from nmt.errors import ConfigError, DataError
from nmt.shown import shown
from nmt.training.checkpoint import list_checkpoints


def check_start(settings: Settings, folder: Path) -> None:
    """Raises ConfigError if a setting is another that cannot change in a run that has begun, which is one with a
    checkpoint; DataError if a training from the start would replace a model."""
    if list_checkpoints(folder / runs.CHECKPOINTS):
        _show_changes(settings, folder)
    elif (folder / runs.WEIGHTS).exists():
        raise DataError(
            f"{folder}: has a model, which training would replace, and no checkpoints to go on from; train into "
            f"another directory: run=runs/NAME (or remove {runs.WEIGHTS}, or begin with its weights: "
            f"training.start_from={folder})"
        )


def _show_changes(settings: Settings, folder: Path) -> None:
    """Old -> new. Raises ConfigError if one of them cannot change."""
    changed = config.differences(runs.load_settings(folder), settings)
    refused = [key for key in changed if not config.may_change(key)]
    if refused:
        raise ConfigError(
            *(
                f"{key}: {changed[key][0]} -> {changed[key][1]}: cannot change in a run that has begun"
                for key in refused
            ),
            f"{folder}: resume with the old values, or train into another directory: run=runs/NAME",
        )
    for key, (old, new) in changed.items():
        print(shown(f"changed: {key}: {old} -> {new}"))


def changed_files(before: dict[str, Any], now: dict[str, Any], allowed: bool) -> list[str]:
    """Names of the files whose text is not what it was. Raises DataError if that is not allowed."""
    changed = [name for name, digest in now["data"].items() if before.get("data", {}).get(name) != digest]
    if changed and not allowed:
        raise DataError(
            f"{changed[0]}: has changed since this run began; restore it, or train another run: run=runs/NAME "
            "(or resume with it: --changed-data)"
        )
    return changed


def note_changes(before: dict[str, Any], now: dict[str, Any], changed: list[str], say: Callable[[str], None]) -> None:
    """Says which text is another, and if the results can no longer be equal to the last bit."""
    if changed:
        say(f"note: {', '.join(changed)}: other text than when this run began")
    changes = [
        f"{name} {old} -> {new}"
        for name, old, new in (
            ("device", before.get("device"), now["device"]),
            *((name, before.get("versions", {}).get(name), now["versions"][name]) for name in ("nmt", "torch")),
        )
        if old != new
    ]
    if changes:
        say(f"note: {', '.join(changes)}: the result will not equal an uninterrupted run's to the last bit")
