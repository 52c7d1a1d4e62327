"""Resuming a run: what may change between two starts, and what a start must not overwrite."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nmt import config
from nmt.config import Settings
from nmt.config.text import LARGEST, parse
from nmt.data.subword import Subwords
from nmt.errors import ConfigError, DataError, UserError
from nmt.files import read_run_file
from nmt.runs import store
from nmt.runs.weights import subwords_hash
from nmt.shown import shown
from nmt.training.checkpoint import list_checkpoints, read_trained_with
from nmt.training.state import TrainState

OLDER_PRECISION = "float32"  # of runs that began before training.precision was recorded


def check_start(settings: Settings, folder: Path) -> None:
    """Check whether training may start in this directory, and print each changed setting as old -> new.

    Raise ConfigError if a setting differs that cannot change once a run has checkpoints; DataError if training from
    scratch would overwrite a model.
    """
    if not list_checkpoints(folder / store.CHECKPOINTS):
        if (folder / store.WEIGHTS).exists():
            raise DataError(
                f"{folder}: already contains a trained model but no checkpoints to resume from; "
                "training here would overwrite it; use another directory: run=runs/NAME "
                f"(or delete {store.WEIGHTS}, or fine-tune from it: training.start_from={folder})"
            )
        return

    # Settings that cannot change are compared with those recorded in the checkpoint, which nobody edits; all others,
    # and paths (they change when a run is moved), with the config file of the run.
    settings = with_recorded_choices(settings, folder)
    trained, changed = _trained_settings(folder), {}
    try:
        changed = config.differences(_with_older_default(store.load_settings(folder)), settings)
    except DataError:
        if trained is None:
            raise
        print(shown(f"note: {folder / store.CONFIG}: missing or damaged; writing it again"))
    if trained is not None:

        def fixed(key: str) -> bool:
            return not config.may_change(key) and key not in config.PATHS

        changed = {key: values for key, values in changed.items() if not fixed(key)}
        changed |= {key: values for key, values in config.differences(trained, settings).items() if fixed(key)}
    if trained is None and "subword.normalization" in changed:
        content = read_run_file(folder, store.CONFIG, LARGEST).decode("utf-8", "replace")
        if "source_normalization" not in content:  # the run is older than this setting and its present default
            old, _ = changed.pop("subword.normalization")
            print(f"note: subword.normalization stays {old}, the default when this run began: its subwords are kept")
    refused = [key for key in changed if not config.may_change(key)]
    if refused:
        raise ConfigError(
            *(
                f"{key}: {changed[key][0]} -> {changed[key][1]}: cannot be changed once a run has checkpoints"
                for key in refused
            ),
            f"{folder}: resume with the old values, or train in another directory: run=runs/NAME",
        )
    for key, (old, new) in changed.items():
        print(shown(f"changed: {key}: {old} -> {new}"))


def with_recorded_choices(settings: Settings, folder: Path) -> Settings:
    """Return settings in which `auto` is what a run that is resumed began with.

    This is so for `training.precision` and `training.batch_tokens`. A run that is older than the first began with
    float32. Settings of a new run, or without `auto`, are returned as they are.
    """
    auto = settings.training.precision == "auto" or not settings.training.batch_tokens
    if not auto or not list_checkpoints(folder / store.CHECKPOINTS):
        return settings
    trained = _trained_settings(folder)
    if trained is None:
        with suppress(DataError):  # a damaged config is reported later
            trained = _with_older_default(store.load_settings(folder))
    if trained and not settings.training.batch_tokens:
        training = settings.training.model_copy(update={"batch_tokens": trained.training.batch_tokens})
        settings = settings.model_copy(update={"training": training})
    if settings.training.precision != "auto":
        return settings
    return _with_precision(settings, trained.training.precision if trained else OLDER_PRECISION)


def _with_older_default(settings: Settings) -> Settings:
    """Return the settings of a run, which names its precision unless it is older than that setting."""
    return _with_precision(settings, OLDER_PRECISION) if settings.training.precision == "auto" else settings


def _with_precision(settings: Settings, precision: str) -> Settings:
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


# Settings that runs of earlier versions were trained without: {key: the value that trains as those versions did}.
EARLIER: dict[str, Any] = {"training.hide_words": 0.0}


def with_earlier_defaults(settings: Settings, folder: Path) -> Settings:
    """Return settings with which a run of an earlier version resumes exactly.

    A setting of `EARLIER` that the config does not mention stays as it was when the run began.
    """
    if not list_checkpoints(folder / store.CHECKPOINTS):
        return settings
    try:
        given = parse(read_run_file(folder, store.CONFIG, LARGEST), folder / store.CONFIG)
    except UserError:  # a damaged config is reported later
        return settings
    for key, earlier in EARLIER.items():
        section, _, name = key.partition(".")
        part = getattr(settings, section)
        if name not in part.model_fields_set and (key not in given or given[key].value == earlier):
            settings = settings.model_copy(update={section: part.model_copy(update={name: earlier})})
    return settings


def trained_with(settings: Settings, subwords: Subwords) -> dict[str, Any]:
    """Return what a checkpoint records about its training, so that resuming need not trust files that anyone can edit.

    Of paths, which change when files are moved, only the names are recorded.
    """
    unplaced = config.with_paths(settings, lambda _, path: Path(path).name).model_copy(update={"run": "."})
    return {"settings": unplaced.model_dump(mode="json"), "subwords": subwords_hash(subwords)}


def _trained_settings(folder: Path) -> Settings | None:
    """Return the settings recorded in the newest checkpoint; None if its version did not record them."""
    values = read_trained_with(folder / store.CHECKPOINTS).get("settings")
    try:
        return None if values is None else _with_older_default(Settings.model_validate(values))
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DataError(
            f"{folder / store.CHECKPOINTS}: the newest checkpoint has settings that this version of nmt does not know "
            f"({key}); resume with the version that trained it"
        ) from None


def check_subwords_of(state: TrainState, subwords: Subwords, folder: Path) -> None:
    """Raise DataError if the checkpoint was trained with subword models other than those in the run."""
    wanted = state.trained_with.get("subwords")
    if wanted is not None and wanted != subwords_hash(subwords):
        names = " and ".join(path.name for path in store.subword_files(folder))
        raise DataError(
            f"{folder}: {names}: differs from the subword model that the checkpoints were trained "
            f"with; restore it from a copy"
        )


def config_is_current(settings: Settings, folder: Path) -> bool:
    """Return whether the config file of the run has exactly these settings."""
    try:
        return not config.differences(store.load_settings(folder), settings)
    except DataError:
        return False
