"""The thresholds of the fast paths that a run trains with: measured when it begins, and kept by it, so that resuming is
exact."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from nmt import calibration_cache
from nmt.config import Settings
from nmt.errors import DataError
from nmt.files import read_json, run_file_exists
from nmt.kernels import Thresholds
from nmt.kernels.choice import in_use
from nmt.runs import store
from nmt.training.checkpoint import list_checkpoints

LONG_STEPS, LONG_SECONDS = 1000, 60  # from which on a training is worth measuring for


def thresholds_of_run(
    folder: Path, settings: Settings, device: torch.device, say: Callable[[str], None], *, alone: bool
) -> Mapping[int, Thresholds]:
    """Return the thresholds that a run recorded; those of this machine for a long new one that one process trains; else
    none, which means the defaults. Raises DataError if the record is damaged."""
    path = folder / store.KERNELS
    if run_file_exists(folder, store.KERNELS):
        try:
            return calibration_cache.from_record(read_json(path).get("packed"))
        except ValueError:
            raise DataError(
                f"{path}: damaged; copy the run again, or remove the file: the defaults then hold, and results may "
                "differ by rounding"
            ) from None
    training = settings.training
    short = 0 < training.max_steps < LONG_STEPS or 0 < training.max_time < LONG_SECONDS
    if list_checkpoints(folder / store.CHECKPOINTS) or not alone or device.type != "cpu" or short:
        return {}
    return calibration_cache.for_long_work(torch.get_num_threads(), say)


def record() -> bytes | None:
    """Return what a new run keeps of the thresholds in use; None if they are the defaults."""
    chosen: dict[str, Any] = calibration_cache.to_record(in_use())
    return json.dumps({"packed": chosen}, indent=1).encode() if chosen else None
