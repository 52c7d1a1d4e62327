"""One training step: the gradient of one or more batches, clipped and applied, and the moving average of the weights.

A batch that does not fit into memory is split and retried as the same step. A step with a non-finite loss or gradient
is skipped, and the cause is reported.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nmt import run as runs
from nmt.config import TrainingSettings
from nmt.data.batch import Batch
from nmt.distributed import ALONE, Ranks
from nmt.errors import ConfigError, OutOfMemory, is_out_of_memory
from nmt.model import Seq2Seq
from nmt.training.forcing import forcing
from nmt.training.initialization import FrozenRows
from nmt.training.loss import batch_loss
from nmt.training.micro_batches import MicroBatches, scale_gradients, seed_of, sum_gradients
from nmt.training.optimizer import clip_gradients, make_optimizer, set_learning_rate, update_average

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class StepResult(NamedTuple):
    """Hold the result of one training step."""

    loss: float  # nats, summed over target tokens
    tokens: int  # target tokens
    norm: float  # of the gradient, before it was clipped
    nonfinite: str = ""  # what was not finite, so that the weights were left as they were
    splits: int = 0  # how many batches did not fit into memory as a whole
    notes: tuple[int, ...] = ()  # sums over all ranks of what each has noted


class TrainStep:
    """Run training steps: change the weights, their moving average and the optimizer state together."""

    def __init__(self, model: Seq2Seq, training: TrainingSettings, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.model, self.training, self.device, self.ranks = model, training, device, ranks
        _check_precision(model, training, device)
        self.optimizer = make_optimizer(model, training)
        self.scaler = _loss_scaler(training, device)
        self.average = (
            {name: tensor.clone() for name, tensor in runs.named_weights(model).items()} if training.ema else {}
        )
        self.frozen = FrozenRows(model, {})
        self._splits = 0

    def __call__(
        self,
        batches: Sequence[Batch],
        step: int,
        learning_rate: float,
        micro: MicroBatches | None = None,
    ) -> StepResult:
        """Run one step on these batches; the loss is the mean over all their target tokens.

        With `micro` they are this rank's share of a step, and so are loss and tokens of the result those of all ranks.
        Raise OutOfMemory if a single sentence does not fit.
        """
        own, self._splits = sum(batch.target_tokens for batch in batches), 0
        tokens = micro.tokens if micro else own
        torch.manual_seed(self.training.seed * 1_000_003 + step)  # dropout: a function of (seed, step)
        set_learning_rate(self.optimizer, learning_rate)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for place, batch in enumerate(batches):
            if micro:  # dropout: a function of (seed, step, micro-batch)
                torch.manual_seed(seed_of(self.training.seed, step, micro.numbers[place]))
            loss += self._add_gradients(batch.to(self.device), tokens, step)
        notes: tuple[int, ...] = ()
        if micro:
            loss, (tokens, self._splits, *noted) = sum_gradients(
                self.model, loss, [own, self._splits, *micro.notes], self.ranks
            )
            scale_gradients(list(self.model.parameters()), micro.tokens / tokens)
            notes = tuple(noted)
        self.scaler.unscale_(self.optimizer)
        self.frozen.drop_gradients()
        norm = clip_gradients(self.model, self.training.clip_norm)
        finite = bool(np.isfinite(norm) and np.isfinite(loss))
        self._apply(step, finite)
        nonfinite = "" if finite else self._describe_nonfinite(batches, loss)
        return StepResult(loss, tokens, norm, nonfinite, self._splits, notes)

    def _add_gradients(self, batch: Batch, tokens: int, step: int) -> float:
        """Add the batch's part of the gradient and return its loss; split the batch in halves if it does not fit into
        memory."""
        try:
            loss, gradients = self._gradients(batch, tokens, step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            gradients = None
        if gradients is None:  # here the failed attempt's tensors are free again
            return self._add_halves(batch, tokens, step)
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return loss

    def _add_halves(self, batch: Batch, tokens: int, step: int) -> float:
        rows = batch.source.size(0)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if rows == 1:
            raise OutOfMemory(
                f"out of memory at step {step + 1:,} with a single sentence of {batch.source.size(1):,} and "
                f"{batch.target_input.size(1):,} tokens; set data.max_length or model.hidden lower"
            )
        self._splits += 1
        parts = (batch.rows(0, rows // 2), batch.rows(rows // 2, rows))
        return sum(self._add_gradients(part, tokens, step) for part in parts)

    def _gradients(self, batch: Batch, tokens: int, step: int) -> tuple[float, list[Tensor | None]]:
        with self._autocast():
            loss = self._loss(batch, step)
        scaled = self.scaler.scale(loss / tokens)
        gradients = torch.autograd.grad(scaled, list(self.model.parameters()), allow_unused=True)
        return float(loss.detach()), _unshared(gradients)

    def _loss(self, batch: Batch, step: int) -> Tensor:
        training = self.training
        return batch_loss(
            self.model,
            batch,
            label_smoothing=training.label_smoothing,
            teacher_share=training.teacher_share,
            teacher_forcing=forcing(training, step),
            whole_sentences=training.forcing_unit == "sentence",
            coverage_loss=training.coverage_loss,
            guided_attention=training.guided_attention,
        )

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        dtype = PRECISIONS[self.training.precision]
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            yield

    def _apply(self, step: int, finite: bool) -> None:
        """Update the weights and their average, if loss and gradient are finite."""
        if finite or self.scaler.is_enabled():  # the scaler leaves it out by itself, and learns from it
            self.scaler.step(self.optimizer)
            self.frozen.put_back()
        self.scaler.update()
        if self.average and finite:
            update_average(self.average, runs.named_weights(self.model), self.training.ema, step)

    def _describe_nonfinite(self, batches: Sequence[Batch], loss: float) -> str:
        """Say whether loss or gradient is non-finite, and which module produced the first non-finite output."""
        what = "the gradient" if np.isfinite(loss) else "the loss"
        with torch.no_grad():
            place = next(
                (found for batch in batches if (found := self._first_nonfinite_module(batch.to(self.device)))), ""
            )
        place = next(filter(None, self.ranks.gather(place)), "")
        return f"{what} is not finite{place and f', first in {place}'}"

    def _first_nonfinite_module(self, batch: Batch) -> str:
        """Return the name of the first module, in order of computation, whose output is not finite; "" if none."""
        bad: list[str] = []

        def look(name: str, output: object) -> None:
            tensors = output if isinstance(output, tuple) else (output,)
            if not all(bool(part.isfinite().all()) for part in tensors if isinstance(part, Tensor)):
                bad.append(name)

        handles = [
            module.register_forward_hook(lambda _module, _inputs, output, name=name: look(name, output))
            for name, module in self.model.named_modules()
            if name
        ]
        try:
            self._loss(batch, 0)
        finally:
            for handle in handles:
                handle.remove()
        return bad[0] if bad else ""


def _unshared(gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Return the gradients contiguous and each in memory of its own.

    Fused optimizers read weight and gradient in memory order, and the two biases of an LSTM share one gradient, which
    clipping would scale twice.
    """
    seen: set[int] = set()
    apart: list[Tensor | None] = []
    for gradient in gradients:
        if gradient is not None:
            gradient = gradient.clone() if gradient.data_ptr() in seen else gradient.contiguous()
            seen.add(gradient.data_ptr())
        apart.append(gradient)
    return apart


def _loss_scaler(settings: TrainingSettings, device: torch.device) -> torch.amp.GradScaler:
    if settings.precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"training.precision: fp16 needs a CUDA device, and this is {device.type}; set training.precision=bf16"
        )
    return torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")


def _check_precision(model: Seq2Seq, settings: TrainingSettings, device: torch.device) -> None:
    """Raise ConfigError if this processor cannot run an LSTM in bf16 (torch supports it with AVX-512 only)."""
    if settings.precision != "bf16" or device.type != "cpu" or not any(isinstance(m, nn.LSTM) for m in model.modules()):
        return
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
    except RuntimeError:
        raise ConfigError(
            "training.precision: bf16: this processor cannot compute an LSTM in it; set training.precision=float32, or "
            "model.cell=gru"
        ) from None
