"""The training state: everything that a checkpoint must hold, as one value."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from nmt.distributed import Ranks
from nmt.metrics import LOSS, better

Rank = tuple[float, float]

MOST_STEPS = 10**12  # or tokens, and whatever else is counted


@dataclass(frozen=True)
class Validation:
    """Hold the scores of one validation.

    `averaged`: of the mean of several checkpoints, computed at the end of training. `held`: of the run's existing
    model, scored again after the validation text or metric changed. The schedule and early stopping ignore both.
    """

    step: int
    epoch: float
    loss: float  # nats per target token
    scores: dict[str, float] = field(default_factory=dict)  # by metric
    averaged: bool = False
    judge: str = ""  # fingerprint of the validation text and of the metric; "" before there were any
    others: dict[str, dict[str, float]] = field(default_factory=dict)  # loss and scores on other validation sets
    held: bool = False

    @property
    def perplexity(self) -> float:
        """Return the perplexity per target token."""
        return math.exp(min(self.loss, 100.0))

    @property
    def regular(self) -> bool:
        """Return whether this validation scored the model at its point of training."""
        return not (self.averaged or self.held)

    def score(self, metric: str) -> float:
        """Return the metric, negated if lower is better; -inf if it is not finite or was not measured."""
        value = better(metric, self.loss if metric == LOSS else self.scores.get(metric, math.nan))
        return value if math.isfinite(value) else -math.inf

    def rank(self, metric: str) -> Rank:
        """Return a rank that is higher for better models: by score, then by loss (early BLEU scores are often all 0).

        A model whose loss is not finite ranks last.
        """
        return self.score(metric) if math.isfinite(self.loss) else -math.inf, self.score(LOSS)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Validation":
        """Return a validation from its JSON form. Raise TypeError for a wrong type.

        Earlier versions stored BLEU and chrF as separate fields.
        """
        known = {field.name for field in fields(cls)}
        own = {name: value for name, value in values.items() if name in known}
        own = {"scores": {name: values[name] for name in ("bleu", "chrf") if name in values}} | own
        _check_types(cls, own)
        return cls(**own)


@dataclass
class Progress:
    """Hold where training stands. The data order is a pure function of (seed, epoch), dropout of (seed, step)."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch, or of this window of it, that are done
    batches: int = 0  # batches of this epoch, or of this window of it
    window: int = 0  # windows of this epoch that are done; their batches do not count in `batch`
    windows: int = 1  # windows of this epoch; 0: not known before its end (data.start_early)
    seconds: float = 0.0  # spent training, validation included
    loss: float = 0.0  # nats, summed over the target tokens of the updates since the last line of the log
    tokens: int = 0  # these target tokens
    text: str = ""  # what the training text was: its hashes
    skipped: int = 0  # updates left out because loss or gradient was not finite
    skipped_in_row: int = 0  # the last ones of these
    setbacks: int = 0  # how often training went back to a checkpoint after too many in a row
    loss_scale: dict[str, Any] = field(default_factory=dict)  # of fp16
    frozen: dict[str, list[int]] = field(default_factory=dict)  # rows of the embeddings that stay as they are
    judge: str = ""  # fingerprint of today's validation text and metric: only validations by it are comparable
    validations: list[Validation] = field(default_factory=list)

    @property
    def epochs(self) -> float:
        """Return the number of epochs done, with fraction, unless the length of this one is unknown."""
        if not self.windows:
            return float(self.epoch)
        done = self.batch / self.batches if self.batches else 0.0
        return self.epoch + (self.window + done) / self.windows

    def best(self, metric: str) -> Validation | None:
        """Return the best comparable validation, the first among equals; None if none has a finite score."""
        comparable = [validation for validation in self.validations if validation.judge == self.judge]
        best = max(comparable, key=lambda validation: validation.rank(metric), default=None)
        return best if best and math.isfinite(best.rank(metric)[0]) else None

    def without_progress(self, metric: str) -> int:
        """Return the number of comparable validations since the best one."""
        ranks = [validation.rank(metric) for validation in self.regular()]
        return len(ranks) - 1 - ranks.index(max(ranks)) if ranks else 0

    def regular(self) -> list[Validation]:
        """Return the comparable regular validations."""
        return [each for each in self.validations if each.regular and each.judge == self.judge]

    def ranks(self, metric: str) -> list[list[Rank]]:
        """Return the ranks of all regular validations: one list per judge (validation text and metric), in order."""
        regular = [validation for validation in self.validations if validation.regular]
        return [[each.rank(metric) for each in group] for _, group in groupby(regular, lambda each: each.judge)]

    def to_json(self) -> dict[str, Any]:
        """Return the progress as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Progress":
        """Return progress from its JSON form, ignoring unknown fields.

        Raise KeyError or TypeError if a field is missing or has a wrong type.
        """
        known = {field.name for field in fields(cls)}
        _check_types(cls, values)
        own = {name: value for name, value in values.items() if name in known}
        return cls(**own | {"validations": [Validation.from_json(each) for each in values["validations"]]})


def _check_types(kind: type[Any], values: dict[str, Any]) -> None:
    """Raise TypeError if a value is of another type than its field, or a count that no training reaches."""
    for each in fields(kind):
        if each.name in values and each.type in _FITS and not _FITS[each.type](values[each.name]):
            raise TypeError(each.name)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_STEPS


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


def _is_dict_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


_FITS: dict[Any, Callable[[Any], bool]] = {
    int: _is_count,
    float: _is_number,
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    dict[str, Any]: _is_dict_of(_is_number),  # the scale of the loss
    dict[str, float]: _is_dict_of(_is_number),
    dict[str, dict[str, float]]: _is_dict_of(_is_dict_of(_is_number)),
    dict[str, list[int]]: _is_dict_of(lambda value: isinstance(value, list) and all(map(_is_count, value))),
    list[Validation]: lambda value: isinstance(value, list),
}


@dataclass
class TrainState:
    """Hold the full training state that a checkpoint stores."""

    progress: Progress
    weights: dict[str, Tensor]
    average: dict[str, Tensor]  # moving average of the weights; empty if there is none
    optimizer: dict[str, Tensor]  # `parameter index.name` -> tensor
    trained_with: dict[str, Any] = field(default_factory=dict)  # settings and subwords' hash; empty in old checkpoints


TENSORS = ("weights", "average", "optimizer")  # fields of a TrainState


def share_state(state: TrainState | None, ranks: Ranks) -> TrainState | None:
    """Return the leader's state on every rank, so that only the leader need see the run directory."""
    if not ranks.launched:
        return state
    kinds = state and {
        name: {key: [list(tensor.shape), str(tensor.dtype)] for key, tensor in getattr(state, name).items()}
        for name in TENSORS
    }
    shared = ranks.share(state and [state.progress.to_json(), kinds, state.trained_with])
    if shared is None:
        return None
    progress, kinds, trained_with = shared
    if state is None:
        empty = {
            name: {
                key: torch.empty(shape, dtype=getattr(torch, dtype.removeprefix("torch.")))
                for key, (shape, dtype) in kinds[name].items()
            }
            for name in TENSORS
        }
        state = TrainState(Progress.from_json(progress), **empty, trained_with=trained_with)
    ranks.share_tensors([tensor for name in TENSORS for tensor in getattr(state, name).values()])
    return state
