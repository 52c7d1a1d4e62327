"""The training loss: cross-entropy with label smoothing, over real tokens only."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nmt.data.batch import Batch
from nmt.data.subword import PAD_ID
from nmt.model import Seq2Seq
from nmt.training.cross_entropy import cross_entropy, smoothed, taught


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
    """Sum over the batch's target tokens, in nats. `label_smoothing` is `smoothed`'s, `teacher_share` how much the
    teachers say in what is wanted, `coverage_loss` the weight of `repeated_attention`, `guided_attention` that of
    `disagreement`; the others are `Seq2Seq.forward`'s.

    Padding is taken out before the generator, which is half of the work.
    """
    decoded = model(batch.source, batch.target_input, teacher_forcing, whole_sentences)
    real = batch.target_output != PAD_ID
    rows = model.generator.projection(decoded.features[real])
    wanted = smoothed(batch.target_output[real], label_smoothing)
    if batch.taught is not None:
        wanted = taught(wanted, batch.taught.pieces[real], batch.taught.probs[real], teacher_share)
    loss = cross_entropy(rows, model.generator.output, wanted)
    if coverage_loss:
        loss = loss + coverage_loss * repeated_attention(decoded.attention, real)
    if guided_attention and batch.alignment is not None:
        loss = loss + guided_attention * disagreement(decoded.attention, batch.alignment)
    return loss


def disagreement(
    attention: Float[Tensor, "batch tgt src"], alignment: Float[Tensor, "batch tgt src"]
) -> Float[Tensor, ""]:
    """Return the sum over positions of the cross-entropy -sum_i A_i log a_i, in nats (Chen et al. 2016).

    A position without a link does not count: its row A is 0.
    """
    return -(alignment * attention.float().clamp(min=1e-6).log()).sum()


def repeated_attention(attention: Float[Tensor, "batch tgt src"], real: Bool[Tensor, "batch tgt"]) -> Float[Tensor, ""]:
    """Sum over positions of sum_i min(a_i, c_i), c being the attention of the positions before (See et al. 2017,
    equation 12): what is looked at again."""
    coverage = attention.cumsum(dim=1) - attention
    return torch.minimum(attention, coverage).sum(dim=-1)[real].sum()
