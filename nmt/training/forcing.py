"""Teacher-forcing schedules: pure functions of the step, so a run that goes on needs nothing saved.

Scheduled sampling (Bengio et al. 2015, section 2.4): early on the decoder reads the reference's words, later more and
more its own. A schedule tells which share of the way down to the floor, `training.teacher_forcing`, is still left.
"""

import math
from collections.abc import Callable

from nmt.config import TrainingSettings


def forcing(settings: TrainingSettings, step: int) -> float:
    """Probability of the reference's word after `step` steps: floor + (1 - floor) * schedule(step, k)."""
    floor = settings.teacher_forcing
    return floor + (1 - floor) * FORCINGS[settings.forcing_schedule](step, settings.forcing_steps)


def constant(step: int, k: int) -> float:
    """At the floor, `training.teacher_forcing`, from the first step on."""
    return 0.0


def linear(step: int, k: int) -> float:
    """max(0, 1 - step / k) of the way from 1 to the floor is left, k being `training.forcing_steps`."""
    return max(0.0, 1 - step / k)


def exponential(step: int, k: int) -> float:
    """exp(-step / k) of it is left; in the paper b ** step, so b is exp(-1 / k)."""
    return math.exp(-step / k)


def inverse_sigmoid(step: int, k: int) -> float:
    """k / (k + exp(step / k)) of it is left: k / (k + 1) at the start, a half at step k ln k."""
    shrunk = k * math.exp(-step / k)  # both sides of the fraction divided by exp(step / k), which would overflow
    return shrunk / (shrunk + 1)


FORCINGS: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "exponential": exponential,
    "inverse_sigmoid": inverse_sigmoid,
}
