"""What may change between two starts of a run, and what a start must not take away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nmt import config
from nmt import run as runs
from nmt.config import Settings
from nmt.config.text import LARGEST
from nmt.data.subword import Subwords
from nmt.errors import ConfigError, DataError
from nmt.files import read_json, read_run_file
from nmt.shown import shown
from nmt.training.checkpoint import list_checkpoints, read_trained_with
from nmt.training.state import TrainState


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


def trained_with(settings: Settings, subwords: Subwords) -> dict[str, Any]:
    """Return what a checkpoint records, so that the next start need not trust files that anyone can edit.

    Of paths, which change when things are moved, only the names.
    """
    unplaced = config.with_paths(settings, lambda _, path: Path(path).name).model_copy(update={"run": "."})
    return {"settings": unplaced.model_dump(mode="json"), "subwords": runs.subwords_hash(subwords)}


def _trained_settings(folder: Path) -> Settings | None:
    """Those of the newest checkpoint; None if it is of a version that did not record them."""
    values = read_trained_with(folder / runs.CHECKPOINTS).get("settings")
    try:
        return None if values is None else Settings.model_validate(values)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DataError(
            f"{folder / runs.CHECKPOINTS}: the newest checkpoint has settings that this version of nmt does not know "
            f"({key}); resume with the version that trained it"
        ) from None


def check_subwords_of(state: TrainState, subwords: Subwords, folder: Path) -> None:
    """Raises DataError if the checkpoint was trained with other subword models than those in the run."""
    wanted = state.trained_with.get("subwords")
    if wanted is not None and wanted != runs.subwords_hash(subwords):
        names = " and ".join(path.name for path in runs.subword_files(folder))
        raise DataError(f"{folder}: {names}: not what the checkpoints were trained with; restore it from a copy")


def _show_changes(settings: Settings, folder: Path) -> None:
    """Prints old -> new. Raises ConfigError if one of them cannot change.

    What cannot change is compared with what the checkpoint was trained with, which nobody edits; the rest, and paths,
    which change when a run moves, with the config file of the run.
    """
    trained, changed = _trained_settings(folder), {}
    try:
        changed = config.differences(runs.load_settings(folder), settings)
    except DataError:
        if trained is None:
            raise
        print(shown(f"note: {folder / runs.CONFIG}: missing or damaged; writing it again"))
    if trained is not None:

        def fixed(key: str) -> bool:
            return not config.may_change(key) and key not in config.PATHS

        changed = {key: values for key, values in changed.items() if not fixed(key)}
        changed |= {key: values for key, values in config.differences(trained, settings).items() if fixed(key)}
    if trained is None and "subword.normalization" in changed and _has_older_default(folder):
        old, _ = changed.pop("subword.normalization")
        print(f"note: subword.normalization stays {old}, the default when this run began: its subwords are kept")
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


def _has_older_default(folder: Path) -> bool:
    """Return whether a run began when the default of `subword.normalization` was another."""
    return "source_normalization" not in read_run_file(folder, runs.CONFIG, LARGEST).decode("utf-8", "replace")


def is_written(settings: Settings, folder: Path) -> bool:
    """Whether the config file of the run has these settings."""
    try:
        return not config.differences(runs.load_settings(folder), settings)
    except DataError:
        return False


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the provenance of a run that resumes. Raises DataError if it is missing or not what training wrote."""
    path = folder / runs.PROVENANCE
    found = read_json(path)
    if not all(isinstance(found.get(name, {}), dict) for name in ("data", "versions")):
        raise DataError(f"{path}: damaged: lacks what it should hold; restore it from a copy")
    return found


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
