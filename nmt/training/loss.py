"""The training loss: cross-entropy with label smoothing and soft targets, over real tokens only."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from nmt.data.batch import Batch
from nmt.kernels.cross_entropy import cross_entropy, smoothed, with_soft_targets
from nmt.model import Seq2Seq


def batch_loss(
    model: Seq2Seq,
    batch: Batch,
    *,
    label_smoothing: float = 0.0,
    teacher_share: float = 0.0,
    teacher_forcing: float = 1.0,
    whole_sentences: bool = False,
    coverage_loss: float = 0.0,
    guided_attention: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the loss of a batch, in nats, summed over its target tokens.

    `label_smoothing` is passed to `smoothed`, `teacher_share` to `with_soft_targets`. `coverage_loss` is the weight of
    `repeated_attention`, `guided_attention` that of `disagreement`. The other options are passed to `Seq2Seq.forward`.
    Padding is removed before the output layer, which is half of the work; where it is, the batch knows (`Batch.to`).
    """
    decoded = model(batch.source, batch.target_input, teacher_forcing, whole_sentences)
    real = batch.real_places()
    rows = model.generator.projection(_at(decoded.features, real))
    target = smoothed(_at(batch.target_output, real), label_smoothing)
    if batch.soft_targets is not None:
        target = with_soft_targets(
            target, _at(batch.soft_targets.pieces, real), _at(batch.soft_targets.probs, real), teacher_share
        )
    loss = cross_entropy(rows, model.generator.output, target)
    if coverage_loss:
        loss = loss + coverage_loss * repeated_attention(decoded.attention, real)
    if guided_attention and batch.alignment is not None:
        loss = loss + guided_attention * disagreement(decoded.attention, batch.alignment)
    return loss


def _at(values: Shaped[Tensor, "batch tgt *size"], places: Int[Tensor, " tokens"]) -> Shaped[Tensor, "tokens *size"]:
    """Return the values at some places in (batch * tgt)."""
    return values.flatten(0, 1).index_select(0, places)


def disagreement(
    attention: Float[Tensor, "batch tgt src"], alignment: Float[Tensor, "batch tgt src"]
) -> Float[Tensor, ""]:
    """Return the sum over positions of the cross-entropy -sum_i A_i log a_i, in nats (Chen et al. 2016).

    A position without a link does not count: its row A is 0.
    """
    return -(alignment * attention.float().clamp(min=1e-6).log()).sum()


def repeated_attention(attention: Float[Tensor, "batch tgt src"], real: Int[Tensor, " tokens"]) -> Float[Tensor, ""]:
    """Return the coverage loss (See et al. 2017, equation 12), summed over the positions `real` of (batch * tgt):
    sum_i min(a_i, c_i).

    c is the sum of the attention at earlier positions, so this is the attention to what was attended to before.
    """
    coverage = attention.cumsum(dim=1) - attention
    return _at(torch.minimum(attention, coverage).sum(dim=-1), real).sum()
