"""Diagnostics: symptoms of a training that goes wrong, each a warning with its remedy, from what validation measures
anyway."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.config import TrainingSettings
from nmt.data.batch import Batch
from nmt.data.subword import PAD_ID
from nmt.metrics import LOSS, METRICS
from nmt.model import Seq2Seq
from nmt.training.loss import batch_loss
from nmt.training.state import Progress

MOST = 0.5  # of the outputs are one line
MANY = 0.1  # of the outputs reach the maximum length
LOST = 0.01  # of the references cannot be reached
FLAT = 0.95  # of the entropy of even weights
DEAF = 0.05  # nats per target token
RISE = 1.05  # validation loss over its best
WAIT = 3  # validations since then


class Symptoms(NamedTuple):
    """Hold what a validation measures in addition to its scores."""

    same: float  # share of the outputs that are one and the same line
    cut: float  # share of the outputs that reached the maximum length
    flatness: float  # entropy of the attention over that of even weights, mean over target words; 0 without attention
    source_gain: float  # nats per target token by which the right source is better than another sentence's
    too_long: float = 0.0  # share of the references that are longer than an output may be


def most_frequent_share(lines: Sequence[str]) -> float:
    """Return the fraction of the lines that are equal to the most frequent one."""
    return max(Counter(lines).values(), default=0) / max(len(lines), 1)


@torch.inference_mode()
def flatness(model: Seq2Seq, batch: Batch) -> float:
    """Return the attention's entropy relative to uniform weights, over sentences of at least two source tokens."""
    attention = model(batch.source, batch.target_input).attention
    real = batch.target_output != PAD_ID
    return mean_entropy(attention, (batch.source != PAD_ID).sum(dim=1).to(attention.device), real)


def mean_entropy(
    attention: Float[Tensor, "batch tgt src"], lengths: Int[Tensor, " batch"], real: Bool[Tensor, "batch tgt"]
) -> float:
    """Return the mean entropy of attention weights over that of uniform ones, at real target tokens: 0 to 1."""
    entropy = torch.special.entr(attention).sum(dim=-1)  # (batch, tgt), in nats
    uniform = lengths.clamp(min=2).log().unsqueeze(1)
    counted = real & (lengths > 1).unsqueeze(1)  # a single source token has no other weight than 1
    return float((entropy / uniform)[counted].mean()) if counted.any() else 0.0


@torch.inference_mode()
def source_gain(model: Seq2Seq, batch: Batch) -> float:
    """Return how much a wrong source raises the loss, in nats per target token.

    Each sentence gets the source of its neighbour, which has about the same length.
    """
    if batch.source.size(0) < 2:
        return float("inf")
    swapped = batch._replace(source=batch.source.roll(1, dims=0))
    return float(batch_loss(model, swapped) - batch_loss(model, batch)) / batch.target_tokens


def warnings_for(symptoms: Symptoms, progress: Progress, training: TrainingSettings) -> dict[str, str]:
    """Return {kind: warning}.

    Empty in the first epoch and during the warm-up, when all of these symptoms are normal.
    """
    if progress.epochs < 1 or progress.step < training.warmup:
        return {}
    losses = [validation.loss for validation in progress.regular()]
    best = losses.index(min(losses)) if losses else 0
    rise = losses[-1] / losses[best] if len(losses) - 1 - best >= WAIT else 0.0
    lines = {
        "source": symptoms.source_gain < DEAF
        and "the decoder nearly ignores the source: a wrong source sentence raises the loss by only "
        f"{max(symptoms.source_gain, 0.0):.2f} nats per token; check that line N of one file translates line N of the "
        "other, then train longer",
        "same": symptoms.same > MOST
        and f"{symptoms.same:.0%} of the validation outputs are the same line; train longer, or set "
        "training.learning_rate lower",
        "cut": symptoms.cut > MANY
        and f"{symptoms.cut:.0%} of the validation outputs reach the maximum length, usually because they repeat "
        "themselves; train longer, or translate with decoding.no_repeat_ngram=3",
        "too long": symptoms.too_long > LOST
        and f"{symptoms.too_long:.0%} of the validation references are longer than the maximum output length; set "
        "decoding.max_length=0 and decoding.max_ratio=0, which take the limit from the training pairs",
        "flat": symptoms.flatness > FLAT
        and f"the attention is flat ({symptoms.flatness:.0%} of the entropy of uniform weights): it has not formed "
        "yet; train longer, or set model.attention=multihead",
        "overfitting": rise > RISE
        and f"the validation loss has risen by {rise - 1:.0%} since its minimum, {WAIT} or more validations ago: the "
        "model overfits; set model.dropout higher, or set training.patience",
        "metric": _blind_metric(progress, training.metric),
    }
    return {kind: line for kind, line in lines.items() if line}


def _blind_metric(progress: Progress, metric: str) -> str:
    """Return a warning if the metric was constant in the last validations while the loss fell, or "".

    A metric at its best possible value cannot improve, so it is not reported.
    """
    if metric == LOSS:
        return ""
    last = progress.regular()[-WAIT:]
    values = {validation.scores.get(metric) for validation in last}
    if len(last) < WAIT or len(values) > 1 or last[-1].loss >= last[0].loss:
        return ""
    value = last[-1].score(metric)
    if value == (100.0 if METRICS[metric].higher_is_better else 0.0) or not math.isfinite(value):
        return ""
    others = " or ".join(f"training.metric={name}" for name in ("chrf", "loss") if name != metric)
    return (
        f"{METRICS[metric].name} was {abs(value):.1f} in each of the last {WAIT} validations although the loss fell: "
        f"it cannot tell which checkpoint is better, so the loss decides; set {others}, or data.target_language if "
        "the log shows the wrong target language"
    )


def early_stop_note(progress: Progress, training: TrainingSettings) -> str:
    """Return a warning if early stopping, which has just ended training, may have come too soon; or ""."""
    if progress.step < training.warmup:
        return (
            f"the learning rate was still warming up (step {progress.step:,} of {training.warmup:,}) when patience ran "
            "out; set training.warmup lower or training.patience higher"
        )
    return ""
