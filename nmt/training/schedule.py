"""Learning-rate schedules: pure functions of where training stands, so there is no scheduler to save.

Each gives a factor of `training.learning_rate`. The warm-up, which all share, is linear.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nmt.config import TrainingSettings


class Moment(NamedTuple):
    """Where training stands before a step."""

    step: int  # steps done
    epoch: float  # epochs done, with fraction
    progress: float  # share of the budget used, 0 to 1, by whichever limit is nearest
    ranks: Sequence[Sequence[tuple[float, float]]] = ()  # of the validations so far, higher is better; a list per judge


def learning_rate(settings: TrainingSettings, moment: Moment) -> float:
    warmup = min(1.0, (moment.step + 1) / settings.warmup) if settings.warmup else 1.0
    factor = SCHEDULES[settings.schedule](settings, moment)
    return warmup * max(settings.min_learning_rate, settings.learning_rate * factor)


def constant(settings: TrainingSettings, moment: Moment) -> float:
    """The full learning rate after the warm-up, to the end."""
    return 1.0


def inverse_sqrt(settings: TrainingSettings, moment: Moment) -> float:
    """sqrt(warmup / step) after the warm-up (Vaswani et al. 2017, equation 3)."""
    warmup = max(settings.warmup, 1)
    return math.sqrt(warmup / max(moment.step + 1, warmup))


def cosine(settings: TrainingSettings, moment: Moment) -> float:
    """Half a cosine from 1 to 0 over the whole budget (Loshchilov & Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, moment.progress)))


def step(settings: TrainingSettings, moment: Moment) -> float:
    """Times `decay` after every `decay_every`."""
    return settings.decay ** interval_count(settings.decay_every, moment.step, moment.epoch)


def plateau(settings: TrainingSettings, moment: Moment) -> float:
    """Times `decay` whenever `plateau_patience` validations in a row brought no better score. Where another validation
    set or metric begins to judge, what is best begins anew, and the learning rate stays."""
    drops = 0
    for ranks in moment.ranks:
        best, waited = (-math.inf, -math.inf), 0
        for rank in ranks:
            best, waited = (rank, 0) if rank > best else (best, waited + 1)
            if waited == settings.plateau_patience:
                waited, drops = 0, drops + 1
    return settings.decay**drops


def interval_count(interval: str, steps: int, epochs: float) -> int:
    """How many whole intervals, `500` steps or `0.5e` epochs, have passed."""
    if interval.endswith("e"):
        return math.floor(epochs / float(interval[:-1]) + 1e-9)
    return steps // int(interval)


def budget_used(settings: TrainingSettings, step: int, epoch: float, seconds: float) -> float:
    """Share of the training budget that is used: of the nearest limit. 0 if there is no limit but patience."""
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


SCHEDULES: dict[str, Callable[[TrainingSettings, Moment], float]] = {
    "constant": constant,
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
    "step": step,
    "plateau": plateau,
}
