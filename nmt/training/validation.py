"""Validation: the loss, and scores of greedy translations against the raw references."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.config import DecodingSettings, Settings
from nmt.data.batch import make_batch
from nmt.data.batching import length_batches
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.prepare import Prepared
from nmt.data.statistics import TrainingStatistics
from nmt.data.subword import Subwords
from nmt.data.unchanged import check_unchanged
from nmt.evaluation.outputs import Outputs
from nmt.inference.constraints import NO_CONSTRAINTS, Constraints, longest_allowed
from nmt.inference.interruptible import Interruptible
from nmt.inference.parallel import parallel_map
from nmt.inference.search import search
from nmt.kernels.packed import PackedWeights, cached_packing
from nmt.languages import find_language
from nmt.metrics import LOSS, METRICS, default_metrics, score, signature
from nmt.model import Seq2Seq
from nmt.runs.weights import named_weights
from nmt.training.diagnostics import Symptoms, flatness, most_frequent_share, source_gain
from nmt.training.loss import batch_loss
from nmt.training.state import Progress

Say = Callable[[str], None]

BATCH_TOKENS = 1_000  # on a CPU; twice as many take 20 to 30 MB more per thread in the demo, and a tenth less time
BATCH_TOKENS_ON_GPU = 4_000
MOST_ROWS = 64  # sentences that are looked at for symptoms of trouble


class ValidationSet(NamedTuple):
    """Hold a validation set: the encoded sentences and their raw text."""

    dataset: Dataset
    pairs: list[Pair]  # the raw text of the same sentences
    subwords: Subwords
    name: str = "valid"
    language: str = ""  # of the target text; "" if it is unknown
    constraints: Constraints = NO_CONSTRAINTS

    def metrics(self, chosen: str) -> tuple[str, ...]:
        """Return the metrics to compute on translations: the one that chooses the checkpoint (unless it is the loss),
        BLEU and chrF."""
        usual = default_metrics(self.language)[:2]
        return tuple(dict.fromkeys([*({chosen} - {LOSS, *usual}), *usual]))

    def visible(self, target: str) -> str:
        """Return a reference as it is scored: without invisible characters, which no output has."""
        return self.subwords.target.normalizer.visible(target)

    def outputs(self, step: int, hypotheses: list[str]) -> Outputs:
        """Return these translations with sources and references, as a run keeps them for its report."""
        sources, references = [pair.source for pair in self.pairs], [self.visible(pair.target) for pair in self.pairs]
        return Outputs.of(step, self.language, sources, references, hypotheses)

    def fingerprint(self, chosen: str) -> str:
        """Return a hash of the text and the deciding metric, without its version: scores with the same hash are
        comparable."""
        text = hashlib.sha256("".join(f"{pair.source}\n{pair.target}\n" for pair in self.pairs).encode()).hexdigest()
        measure = chosen if chosen == LOSS else signature(chosen, self.language).partition("|version:")[0]
        return hashlib.sha256(f"{text} {chosen} {measure}".encode()).hexdigest()[:16]


def validation_sets(settings: Settings, data: Prepared, statistics: TrainingStatistics) -> list[ValidationSet]:
    """Return the validation sets, the deciding one first. Raise ConfigError if its metric is not available here."""
    found = []
    constraints = Constraints.of(data.subwords.target, statistics.target_lengths)
    for source, dataset in data.valid_sets:
        lines = set(dataset.lines.tolist())
        pairs = [pair for pair in source.pairs() if pair.line in lines]
        check_unchanged(data.files, source.files)
        language = find_language(settings.data.target_language, settings.data.target, (pair.target for pair in pairs))
        found.append(ValidationSet(dataset, pairs, data.subwords, source.name, language, constraints))
    if settings.training.metric != LOSS:
        METRICS[settings.training.metric].make(found[0].language)  # before training: it may need what is not installed
    return found


def carry_over_scores(progress: Progress, data: ValidationSet, metric: str, same_text: bool, say: Say) -> None:
    """Keep earlier validation scores if they are comparable with those to come; else log that they are not.

    Runs of earlier versions do not record what their scores were measured on. It was the same if the text is
    unchanged, and if the metric tokenizes as it did then, without knowing the language.
    """
    judge = data.fingerprint(metric)
    if same_text and (metric == LOSS or signature(metric, data.language) == signature(metric)):
        progress.validations = [replace(each, judge=each.judge or judge) for each in progress.validations]
    if progress.validations and not any(each.judge == judge for each in progress.validations):
        say(
            f"note: the validation text or the metric has changed ({metric}, on {data.name}): earlier scores "
            "are not comparable; the model is scored now, and the best checkpoint is chosen by new scores only"
        )


class ValidationResult(NamedTuple):
    """Hold what a validation found."""

    loss: float  # nats per target token
    scores: dict[str, float]  # by metric
    hypotheses: list[str]
    symptoms: Symptoms


class _Part(NamedTuple):
    """Hold the results of one batch."""

    loss: float  # summed over the target tokens
    tokens: int
    hypotheses: list[list[int]]
    cut: int  # hypotheses that reached their maximum length
    too_long: int  # references that are longer than that


@torch.inference_mode()
def validate(
    model: Seq2Seq,
    data: ValidationSet,
    metrics: tuple[str, ...],
    decoding: DecodingSettings,
    device: torch.device,
    check: Callable[[], None] = lambda: None,
) -> ValidationResult:
    """Return loss, scores, hypotheses and symptoms of the model on a validation set.

    `check` is called before each step of a search and may raise to abort. Leaves the model in evaluation mode.
    """
    model.eval()
    greedy = decoding.model_copy(update={"beam_size": 1})
    batches = _batches(data.dataset, device)
    constraints = data.constraints.to(device)
    packed = PackedWeights()
    stoppable = Interruptible(model, check)

    def of_batch(indices: list[int]) -> _Part:
        batch = make_batch(data.dataset, indices).to(device)
        with cached_packing(packed):
            best = search(stoppable, batch.source, greedy, constraints=constraints)
            loss = float(batch_loss(model, batch))
        found = [hypothesis.tokens for [hypothesis] in best]
        limits = longest_allowed(batch.source, greedy, constraints).tolist()
        lengths = [len(data.dataset.target(index)) for index in indices]
        # An output as long as its reference is complete, even if no longer one is allowed.
        cut = sum(len(one) >= most != own for one, most, own in zip(found, limits, lengths, strict=True))
        too_long = sum(own > most for own, most in zip(lengths, limits, strict=True))
        return _Part(loss, batch.target_tokens, found, cut, too_long)

    parts = list(parallel_map(of_batch, batches, device))
    texts = {
        index: data.subwords.target.decode(tokens)
        for indices, part in zip(batches, parts, strict=True)
        for index, tokens in zip(indices, part.hypotheses, strict=True)
    }
    hypotheses = [texts[index] for index in range(len(texts))]
    middle = make_batch(data.dataset, batches[len(batches) // 2][:MOST_ROWS]).to(device)
    symptoms = Symptoms(
        most_frequent_share(hypotheses),
        sum(part.cut for part in parts) / len(hypotheses),
        flatness(model, middle) if model.settings.attention != "none" else 0.0,
        source_gain(model, middle),
        sum(part.too_long for part in parts) / len(hypotheses),
    )
    references = [data.visible(pair.target) for pair in data.pairs]
    scores = {metric: score(metric, hypotheses, references, language=data.language).value for metric in metrics}
    loss = sum(part.loss for part in parts) / sum(part.tokens for part in parts)
    return ValidationResult(loss, scores, hypotheses, symptoms)


@contextmanager
def using_weights(model: Seq2Seq, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Give the model other weights within this context."""
    own = {name: tensor.clone() for name, tensor in named_weights(model).items()}
    _assign(model, weights)
    try:
        yield
    finally:
        _assign(model, own)


@torch.no_grad()
def _assign(model: Seq2Seq, weights: Mapping[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])


@torch.inference_mode()
def validation_loss(
    model: Seq2Seq, data: ValidationSet, device: torch.device, check: Callable[[], None] = lambda: None
) -> float:
    """Return the loss alone, in nats per target token, without translating. Leaves the model in evaluation mode.

    `check` is called before each batch and may raise to abort.
    """
    model.eval()
    loss, tokens = 0.0, 0
    for indices in _batches(data.dataset, device):
        check()
        batch = make_batch(data.dataset, indices).to(device)
        loss, tokens = loss + float(batch_loss(model, batch)), tokens + batch.target_tokens
    return loss / tokens


def _batches(dataset: Dataset, device: torch.device) -> list[list[int]]:
    lengths = np.maximum(dataset.source_lengths(), dataset.target_lengths())
    tokens = BATCH_TOKENS if device.type == "cpu" else BATCH_TOKENS_ON_GPU
    return [batch.tolist() for batch in length_batches(np.arange(len(lengths)), lengths, lengths, tokens)]
