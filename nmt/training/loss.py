"""The training loss: cross-entropy with label smoothing, over real tokens only."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from nmt.data.batch import Batch
from nmt.data.subword import PAD_ID
from nmt.model import Seq2Seq


def batch_loss(
    model: Seq2Seq, batch: Batch, *, label_smoothing: float = 0.0, teacher_forcing: float = 1.0
) -> Float[Tensor, ""]:
    """Sum over the batch's target tokens, in nats. With label smoothing e: (1 - e) of the truth, e of all pieces alike
    (Szegedy et al. 2016).

    Padding is taken out before the generator, which is half of the work.
    """
    decoded = model(batch.source, batch.target_input, teacher_forcing)
    real = batch.target_output != PAD_ID
    logits = model.generator(decoded.features[real])
    return F.cross_entropy(logits.float(), batch.target_output[real], label_smoothing=label_smoothing, reduction="sum")
