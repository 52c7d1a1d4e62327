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
from nmt.decoding.constraints import longest_allowed
from nmt.decoding.search import search
from nmt.metrics import score
from nmt.model import Seq2Seq
from nmt.training.health import Signs, flatness, share_of_one, source_gain
from nmt.training.loss import batch_loss

BATCH_TOKENS = 4000
MOST_ROWS = 64  # sentences that are looked at for signs of trouble


class ValidationSet(NamedTuple):
    dataset: Dataset
    pairs: list[Pair]  # the raw text of the same sentences
    subwords: Subwords


class ValidationResult(NamedTuple):
    loss: float  # nats per target token
    bleu: float
    chrf: float
    hypotheses: list[str]
    signs: Signs


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
    total, tokens, cut = 0.0, 0, 0
    hypotheses = [""] * len(data.dataset)
    batches = list(_batches(data.dataset))
    for indices in batches:
        check()
        batch = make_batch(data.dataset, indices).to(device)
        total += float(batch_loss(model, batch))
        tokens += batch.target_tokens
        limits = longest_allowed(batch.source, greedy).tolist()
        for index, limit, [hypothesis] in zip(indices, limits, search(model, batch.source, greedy), strict=True):
            hypotheses[index] = data.subwords.target.decode(hypothesis.tokens)
            cut += len(hypothesis.tokens) >= limit > len(data.dataset.target(index))
    middle = make_batch(data.dataset, batches[len(batches) // 2][:MOST_ROWS]).to(device)
    signs = Signs(
        share_of_one(hypotheses),
        cut / len(hypotheses),
        flatness(model, middle) if model.settings.attention != "none" else 0.0,
        source_gain(model, middle),
    )
    references = [pair.target for pair in data.pairs]
    bleu, chrf = (score(metric, hypotheses, references).value for metric in ("bleu", "chrf"))
    return ValidationResult(total / tokens, bleu, chrf, hypotheses, signs)


def _batches(dataset: Dataset) -> Iterator[list[int]]:
    lengths = np.maximum(dataset.source_lengths(), dataset.target_lengths()) + 1
    order = np.argsort(lengths, kind="stable")
    for batch in cut(order, lengths[order], BATCH_TOKENS, 0):
        yield [int(index) for index in batch]
