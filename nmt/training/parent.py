"""Starting from another run: its weights and its subwords, on other text or in another way.

For a language pair with little text, out of one with more (Zoph et al. 2016); or for one kind of text, out of many.
"""

from pathlib import Path

import torch

from nmt import config
from nmt import run as runs
from nmt.config import Settings
from nmt.errors import ConfigError, DataError
from nmt.model import Seq2Seq
from nmt.run import LoadedRun


def load_parent(settings: Settings) -> LoadedRun | None:
    """The run that `training.start_from` names, if any. Raises DataError if it is none, ConfigError if this model is
    not of its kind."""
    if not settings.training.start_from:
        return None
    folder = Path(settings.training.start_from)
    try:
        differences = config.weight_differences(runs.load_settings(folder), settings)
    except DataError as error:
        raise DataError(f"training.start_from: {error}") from None
    problems = [
        f"training.start_from: {folder} has {key}={old}, and here it is {new}; set {key}={old}"
        for key, (old, new) in differences.items()
    ]
    if problems:
        raise ConfigError(*problems)
    return runs.load_run(folder, torch.device("cpu"))


def start_from_parent(model: Seq2Seq, parent: LoadedRun) -> None:
    """Sets all weights."""
    runs.set_weights(model, runs.named_weights(parent.model), parent.path / runs.WEIGHTS)


def identity(parent: LoadedRun) -> dict[str, str]:
    """For the provenance of what starts from it."""
    return {"run": str(parent.path), "sha256": runs.tensors_hash(runs.named_weights(parent.model))}
