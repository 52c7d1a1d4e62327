"""When training stops: a pure function of settings and progress."""

from typing import Literal, NamedTuple

from nmt.config import TrainingSettings
from nmt.shown import amount
from nmt.training.log import clock
from nmt.training.state import Progress


class Stop(NamedTuple):
    """Say why training has stopped."""

    kind: Literal["steps", "epochs", "time", "patience", "signal"]
    text: str  # for people


def limit_reached(training: TrainingSettings, progress: Progress) -> Stop | None:
    """Return which limit training has reached; None if it goes on."""
    if training.max_steps and progress.step >= training.max_steps:
        return Stop("steps", f"training.max_steps={training.max_steps:,} reached")
    if training.max_epochs and progress.epoch >= training.max_epochs:
        return Stop("epochs", f"training.max_epochs={training.max_epochs} reached")
    if training.max_time and progress.seconds >= training.max_time:
        return Stop("time", f"training.max_time={clock(training.max_time)} reached")
    if out_of_patience(training, progress):
        text = f"no better {training.metric} in {amount(training.patience, 'validation')} (training.patience)"
        return Stop("patience", text)
    return None


def out_of_patience(training: TrainingSettings, progress: Progress) -> bool:
    """Return whether early stopping ends training."""
    return bool(training.patience) and progress.without_progress(training.metric) >= training.patience
