"""Validation: loss, and BLEU and chrF of greedy translations against the raw references."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from nmt.config import DecodingSettings
from nmt.data.batch import make_batch
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.sampler import cut
from nmt.data.subword import Subwords
from nmt.decoding.search import search
from nmt.metrics import score
from nmt.model import Seq2Seq
from nmt.training.loss import batch_loss

BATCH_TOKENS = 4000


class ValidationSet(NamedTuple):
    dataset: Dataset
    pairs: list[Pair]  # the raw text of the same sentences
    subwords: Subwords


class ValidationResult(NamedTuple):
    loss: float  # nats per target token
    bleu: float
    chrf: float
    hypotheses: list[str]


@torch.inference_mode()
def validate(
    model: Seq2Seq,
    data: ValidationSet,
    decoding: DecodingSettings,
    device: torch.device,
    check: Callable[[], None] = lambda: None,
) -> ValidationResult:
    """`check` is called between batches and may raise to break off. Leaves the model in evaluation mode."""
    model.eval()
    greedy = decoding.model_copy(update={"beam_size": 1})
    total, tokens = 0.0, 0
    hypotheses = [""] * len(data.dataset)
    for indices in _batches(data.dataset):
        check()
        batch = make_batch(data.dataset, indices).to(device)
        total += float(batch_loss(model, batch))
        tokens += batch.target_tokens
        for index, [hypothesis] in zip(indices, search(model, batch.source, greedy), strict=True):
            hypotheses[index] = data.subwords.target.decode(hypothesis.tokens)
    references = [pair.target for pair in data.pairs]
    bleu, chrf = (score(metric, hypotheses, references).value for metric in ("bleu", "chrf"))
    return ValidationResult(total / tokens, bleu, chrf, hypotheses)


def _batches(dataset: Dataset) -> Iterator[list[int]]:
    lengths = np.maximum(dataset.source_lengths(), dataset.target_lengths()) + 1
    order = np.argsort(lengths, kind="stable")
    for batch in cut(order, lengths[order], BATCH_TOKENS, 0):
        yield [int(index) for index in batch]
