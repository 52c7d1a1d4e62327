"""Everything that must survive a restart, as one value."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import Tensor

from nmt.metrics import VALIDATION_METRICS

MOST_STEPS = 10**12  # or tokens, and whatever else is counted


@dataclass(frozen=True)
class Validation:
    """Scores on the validation set. `averaged`: of the mean of several checkpoints, made when training ended."""

    step: int
    epoch: float
    loss: float  # nats per target token
    bleu: float
    chrf: float
    averaged: bool = False

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.loss, 100.0))

    def score(self, metric: str) -> float:
        """The metric with its sign turned so that more is better; -inf if it is not a number."""
        value = getattr(self, metric) * (1 if VALIDATION_METRICS[metric] else -1)
        return value if math.isfinite(value) else -math.inf

    def rank(self, metric: str) -> tuple[float, float]:
        """What the best is the highest of: the score, and among equals (BLEU starts with many zeros) the loss. A model
        whose loss is not finite comes last, whatever it translated."""
        return self.score(metric) if math.isfinite(self.loss) else -math.inf, self.score("loss")


@dataclass
class Progress:
    """Where training stands. The data order is a pure function of (seed, epoch), dropout of (seed, step)."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    batches: int = 0  # batches of this epoch
    seconds: float = 0.0  # spent training, validation included
    loss: float = 0.0  # nats, summed over the target tokens of the updates since the last line of the log
    tokens: int = 0  # these target tokens
    text: str = ""  # what the training text was: its hashes
    skipped: int = 0  # updates left out because loss or gradient was not finite
    skipped_in_row: int = 0  # the last ones of these
    setbacks: int = 0  # how often training went back to a checkpoint after too many in a row
    loss_scale: dict[str, Any] = field(default_factory=dict)  # of fp16
    frozen: dict[str, list[int]] = field(default_factory=dict)  # rows of the embeddings that stay as they are
    validations: list[Validation] = field(default_factory=list)

    @property
    def epochs(self) -> float:
        """Epochs done, with fraction."""
        return self.epoch + (self.batch / self.batches if self.batches else 0.0)

    def best(self, metric: str) -> Validation | None:
        """The best validation so far, the first of equals; None if there is none with a finite score."""
        best = max(self.validations, key=lambda validation: validation.rank(metric), default=None)
        return best if best and math.isfinite(best.rank(metric)[0]) else None

    def without_progress(self, metric: str) -> int:
        """Validations since the best one."""
        regular = self.regular()
        ranks = [validation.rank(metric) for validation in regular]
        return len(ranks) - 1 - ranks.index(max(ranks)) if ranks else 0

    def regular(self) -> list[Validation]:
        return [validation for validation in self.validations if not validation.averaged]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Progress":
        """Raises KeyError or TypeError if something is missing or of another kind; what only an earlier version knew is
        left out."""
        known = {field.name for field in fields(cls)}
        validations: Sequence[dict[str, Any]] = values["validations"]
        _check_types(cls, values)
        for validation in validations:
            _check_types(Validation, validation)
        own = {name: value for name, value in values.items() if name in known}
        return cls(**own | {"validations": [Validation(**validation) for validation in validations]})


def _check_types(kind: type[Any], values: dict[str, Any]) -> None:
    """Raise TypeError if a value is of another type than its field, or a count that no training reaches."""
    for each in fields(kind):
        if each.name not in values or each.type not in _TYPES:
            continue
        value = values[each.name]
        if type(value) not in _TYPES[each.type] or (each.type is int and not 0 <= value <= MOST_STEPS):
            raise TypeError(each.name)


_TYPES: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


@dataclass
class TrainState:
    progress: Progress
    weights: dict[str, Tensor]
    average: dict[str, Tensor]  # moving average of the weights; empty if there is none
    optimizer: dict[str, Tensor]  # `parameter index.name` -> tensor
