"""Averaged weights: of the best or last checkpoints of a run, or of several runs, saved as a new run.

The mean of checkpoints near the end of training often translates better than each of them (Junczys-Dowmunt et al.
2016). Weights of runs with different initializations cannot be averaged.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nmt import config
from nmt.errors import DataError
from nmt.runs import store
from nmt.runs.derive import check_new, save_derived
from nmt.runs.store import LoadedRun
from nmt.runs.weights import named_weights
from nmt.training.checkpoint import best_names, list_checkpoints, load_checkpoint


class Averaged(NamedTuple):
    """Hold the new run and what was averaged."""

    run: Path
    of: list[str]  # the checkpoints or runs that went into it


def mean_weights(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each weight."""
    return {name: torch.stack([each[name] for each in weights]).mean(dim=0) for name in weights[0]}


def checkpoint_weights(paths: Sequence[Path], warn: Callable[[str], None]) -> dict[str, dict[str, Tensor]]:
    """Return {checkpoint: its weights, or their moving average if it has one}.

    Warn about damaged ones and skip them.
    """
    found = {}
    for path in paths:
        try:
            state = load_checkpoint(path)
        except DataError as error:
            warn(f"{error}; left out of the average")
        else:
            found[path.name] = state.average or state.weights
    return found


def average_checkpoints(
    run: Path, out: Path, *, best: int | None, last: int | None, command: list[str], warn: Callable[[str], None]
) -> Averaged:
    """Save the mean of the `last` newest checkpoints of a run, or of its `best` (default: all the best kept)."""
    check_new(out)
    loaded = store.load_run(run, torch.device("cpu"))
    folder, training = run / store.CHECKPOINTS, loaded.settings.training
    if last:  # only one per step, since the checkpoints of one step have the same weights
        paths = list({path.name.rpartition("-")[0]: path for path in list_checkpoints(folder)}.values())
    else:  # the best by the validations recorded in the newest intact checkpoint
        paths = []
        for newest in reversed(list_checkpoints(folder)):
            with suppress(DataError):  # said when the weights are read, if it is among the best
                names = best_names(load_checkpoint(newest).progress, training.metric, best or training.keep_best)
                paths = [folder / name for name in names if (folder / name).is_dir()]
                break
    if len(paths) < (asked := last or best or 1):
        kind = "keep_last" if last else "keep_best"
        raise DataError(
            f"{folder}: has {len(paths)} of the {asked} checkpoints asked for; training.{kind} sets how many are kept"
        )
    weights = checkpoint_weights(paths[-last:] if last else paths, warn)
    if not weights:
        raise DataError(f"{folder}: no checkpoint is intact")
    return _save(out, loaded, list(weights.values()), list(weights), command)


def average_runs(paths: Sequence[Path], out: Path, command: list[str]) -> Averaged:
    """Save the mean of several runs with the same subwords and model settings (dropout may differ)."""
    check_new(out)
    loaded = [store.load_run(path, torch.device("cpu")) for path in paths]
    store.check_same_subwords(loaded)
    for other in loaded[1:]:
        if keys := ", ".join(config.weight_differences(loaded[0].settings, other.settings)):
            raise DataError(f"{other.path}: its model settings differ from those of {paths[0]}: {keys}")
    return _save(out, loaded[0], [named_weights(run.model) for run in loaded], [str(p) for p in paths], command)


def _save(
    out: Path, first: LoadedRun, weights: Sequence[Mapping[str, Tensor]], of: list[str], command: list[str]
) -> Averaged:
    save_derived(out, first, mean_weights(weights), {"command": command, "average_of": of})
    return Averaged(out, of)
