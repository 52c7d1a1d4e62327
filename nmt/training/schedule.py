"""Learning rate schedules: pure functions of the training state, so there is no scheduler to save.

Each returns a factor of `training.learning_rate`. All share a linear warm-up.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nmt.config import TrainingSettings


class ScheduleState(NamedTuple):
    """Hold where training stands before a step."""

    step: int  # steps done
    epoch: float  # epochs done, with fraction
    progress: float  # share of the budget used, 0 to 1, by whichever limit is nearest
    ranks: Sequence[Sequence[tuple[float, float]]] = ()  # of the validations so far, higher is better; a list per judge


def learning_rate(settings: TrainingSettings, state: ScheduleState) -> float:
    """Return the learning rate of the next step."""
    warmup = min(1.0, (state.step + 1) / settings.warmup) if settings.warmup else 1.0
    factor = SCHEDULES[settings.schedule](settings, state)
    return warmup * max(settings.min_learning_rate, settings.learning_rate * factor)


def constant(settings: TrainingSettings, state: ScheduleState) -> float:
    """Keep the full learning rate after the warm-up, to the end."""
    return 1.0


def inverse_sqrt(settings: TrainingSettings, state: ScheduleState) -> float:
    """Decay as sqrt(warmup / step) after the warm-up (Vaswani et al. 2017, equation 3)."""
    warmup = max(settings.warmup, 1)
    return math.sqrt(warmup / max(state.step + 1, warmup))


def cosine(settings: TrainingSettings, state: ScheduleState) -> float:
    """Decay as half a cosine from 1 to 0 over the whole budget (Loshchilov & Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, state.progress)))


def step(settings: TrainingSettings, state: ScheduleState) -> float:
    """Multiply by `decay` after every `decay_every`."""
    return settings.decay ** interval_count(settings.decay_every, state.step, state.epoch)


def plateau(settings: TrainingSettings, state: ScheduleState) -> float:
    """Multiply by `decay` whenever `plateau_patience` validations in a row brought no better score.

    When the validation set or metric changes, the best score is reset, and the learning rate stays.
    """
    drops = 0
    for ranks in state.ranks:
        best, waited = (-math.inf, -math.inf), 0
        for rank in ranks:
            best, waited = (rank, 0) if rank > best else (best, waited + 1)
            if waited == settings.plateau_patience:
                waited, drops = 0, drops + 1
    return settings.decay**drops


def interval_count(interval: str, steps: int, epochs: float) -> int:
    """Return how many whole intervals, `500` steps or `0.5e` epochs, have passed."""
    if interval.endswith("e"):
        return math.floor(epochs / float(interval[:-1]) + 1e-9)
    return steps // int(interval)


def budget_used(settings: TrainingSettings, step: int, epoch: float, seconds: float) -> float:
    """Return the fraction of the training budget that is used, by the nearest limit; 0 without a limit on time, steps
    or epochs."""
    used = [
        done / limit
        for done, limit in (
            (step, settings.max_steps),
            (epoch, settings.max_epochs),
            (seconds, settings.max_time),
        )
        if limit
    ]
    return max(used, default=0.0)


SCHEDULES: dict[str, Callable[[TrainingSettings, ScheduleState], float]] = {
    "constant": constant,
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
    "step": step,
    "plateau": plateau,
}
