"""Teacher-forcing schedules for scheduled sampling (Bengio et al. 2015, section 2.4).

They are pure functions of the step, so there is no state to save. Early in training the decoder is fed the reference
tokens, later more and more its own predictions. A schedule returns
the remaining fraction of the way from 1 down to the floor, `training.teacher_forcing`.
"""

import math
from collections.abc import Callable

from nmt.config import TrainingSettings


def forcing(settings: TrainingSettings, step: int) -> float:
    """Return the probability of feeding the reference token after `step` steps: floor + (1 - floor) * schedule(step,
    k)."""
    floor = settings.teacher_forcing
    return floor + (1 - floor) * FORCINGS[settings.forcing_schedule](step, settings.forcing_steps)


def constant(step: int, k: int) -> float:
    """Stay at the floor, `training.teacher_forcing`, from the first step on."""
    return 0.0


def linear(step: int, k: int) -> float:
    """Decay as max(0, 1 - step / k), with k for `training.forcing_steps`."""
    return max(0.0, 1 - step / k)


def exponential(step: int, k: int) -> float:
    """Decay as exp(-step / k); b ** step in the paper, so b is exp(-1 / k)."""
    return math.exp(-step / k)


def inverse_sigmoid(step: int, k: int) -> float:
    """Decay as k / (k + exp(step / k)): k / (k + 1) at the start, one half at step k ln k."""
    shrunk = k * math.exp(-step / k)  # both sides of the fraction divided by exp(step / k), which would overflow
    return shrunk / (shrunk + 1)


FORCINGS: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "exponential": exponential,
    "inverse_sigmoid": inverse_sigmoid,
}
