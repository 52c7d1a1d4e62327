"""One training step: the gradient of one or more batches, clipped and applied, and the moving average of the weights.

A batch that does not fit into memory is split and retried as the same step. A step with a non-finite loss or gradient
is skipped, and the cause is reported.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.config import TrainingSettings
from nmt.data.batch import Batch
from nmt.distributed import ALONE, Ranks
from nmt.errors import DataError, OutOfMemory, is_out_of_memory
from nmt.model import Seq2Seq
from nmt.precision import choose_precision, computing_in
from nmt.runs.weights import named_weights, set_weights
from nmt.training.forcing import forcing
from nmt.training.initialization import FrozenRows
from nmt.training.loss import batch_loss
from nmt.training.micro_batches import MicroBatches, scale_gradients, seed_of, sum_gradients
from nmt.training.optimizer import (
    clip_gradients,
    is_fused,
    load_optimizer,
    make_optimizer,
    optimizer_tensors,
    set_learning_rate,
    update_average,
)
from nmt.training.state import Progress, TrainState


class StepResult(NamedTuple):
    """Hold the result of one training step."""

    loss: float  # nats, summed over target tokens
    tokens: int  # target tokens
    norm: float  # of the gradient, before it was clipped
    nonfinite: str = ""  # what was not finite, so that the weights were left as they were
    splits: int = 0  # how many batches did not fit into memory as a whole
    notes: tuple[int, ...] = ()  # sums over all ranks of what each has noted


class Pending(NamedTuple):
    """Hold the result of a step that the device may still be computing."""

    values: Tensor  # loss and norm
    tokens: int
    splits: int
    notes: tuple[int, ...] = ()


def settle(steps: Sequence[Pending]) -> list[StepResult]:
    """Return the results of steps. This is where the host waits for the device: once, however many steps there are."""
    values = torch.stack([step.values for step in steps]).tolist() if steps else []
    results = []
    for (loss, norm), step in zip(values, steps, strict=True):
        wrong = "" if np.isfinite(norm) and np.isfinite(loss) else "the gradient" if np.isfinite(loss) else "the loss"
        nonfinite = f"{wrong} is not finite" if wrong else ""
        results.append(StepResult(loss, step.tokens, norm, nonfinite, step.splits, step.notes))
    return results


class TrainStep:
    """Run training steps: change the weights, their moving average and the optimizer state together.

    On a GPU no step waits for it: a step with a non-finite loss or gradient leaves the weights alone without the host
    knowing, and `settle` tells later.
    """

    def __init__(self, model: Seq2Seq, training: TrainingSettings, device: torch.device, ranks: Ranks = ALONE) -> None:
        """Raise ConfigError if the device cannot compute with `training.precision`."""
        self.model, self.training, self.device, self.ranks = model, training, device, ranks
        self.precision = choose_precision(training.precision, device, model.settings).precision
        self.optimizer = make_optimizer(model, training)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.average = {name: tensor.clone() for name, tensor in named_weights(model).items()} if training.ema else {}
        self.frozen = FrozenRows(model, {})
        self.waits = device.type not in {"cuda", "meta"}  # the host decides whether the weights change
        self._splits = 0

    def __call__(
        self, batches: Sequence[Batch], step: int, learning_rate: float, micro: MicroBatches | None = None
    ) -> StepResult:
        """Run one step on these batches and wait for its result; the loss is the mean over all their target tokens.

        With `micro` they are this rank's share of a step, and so are loss and tokens of the result those of all ranks.
        Raise OutOfMemory if a single sentence does not fit.
        """
        [result] = settle([self.start(batches, step, learning_rate, micro)])
        if result.nonfinite:
            with torch.no_grad():
                places = (self._first_nonfinite_module(batch.to(self.device)) for batch in batches)
                first = next(filter(None, places), "")
            first = next(filter(None, self.ranks.gather(first)), "")  # ranks look together: one may have found it
            result = result._replace(nonfinite=result.nonfinite + (first and f", first in {first}"))
        return result

    def start(
        self, batches: Sequence[Batch], step: int, learning_rate: float, micro: MicroBatches | None = None
    ) -> Pending:
        """Run one step as `__call__`, and return without waiting for its result, unless other ranks have a share."""
        own, self._splits = sum(batch.target_tokens for batch in batches), 0
        tokens = micro.tokens if micro else own
        torch.manual_seed(self.training.seed * 1_000_003 + step)  # dropout: a function of (seed, step)
        set_learning_rate(self.optimizer, learning_rate)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for place, batch in enumerate(batches):
            if micro:  # dropout: a function of (seed, step, micro-batch)
                torch.manual_seed(seed_of(self.training.seed, step, micro.numbers[place]))
            losses.append(self._add_gradients(batch.to(self.device), tokens, step))
        loss = reduce(torch.add, losses) if losses else _summable(torch.zeros((), device=self.device))
        notes: tuple[int, ...] = ()
        if micro:
            counts = [own, self._splits, *micro.notes]
            total, (tokens, self._splits, *noted) = sum_gradients(self.model, float(loss), counts, self.ranks)
            scale_gradients(list(self.model.parameters()), micro.tokens / tokens)
            loss, notes = torch.full_like(loss, total), tuple(noted)
        self.scaler.unscale_(self.optimizer)
        self.frozen.drop_gradients()
        norm = clip_gradients(self.model, self.training.clip_norm)
        values = torch.stack([loss, norm.to(loss.dtype)])
        self._apply(step, values.isfinite().all())
        return Pending(values, tokens, self._splits, notes)

    def freeze(self, rows: dict[str, list[int]]) -> None:
        """Freeze these rows of the embeddings, {side: ids}, from now on."""
        self.frozen = FrozenRows(self.model, rows)

    def state(self, progress: Progress, trained_with: dict[str, Any]) -> TrainState:
        """Return everything that a checkpoint stores, of which this is all but `progress` and `trained_with`."""
        progress.loss_scale = dict(self.scaler.state_dict())
        optimizer = optimizer_tensors(self.optimizer)
        return TrainState(progress, named_weights(self.model), self.average, optimizer, trained_with)

    def restore(self, state: TrainState, name: Path) -> None:
        """Restore weights, average, optimizer and frozen rows. Raise DataError, with `name`, if they are another's."""
        set_weights(self.model, state.weights, name)
        try:
            self.freeze(state.progress.frozen)
            if self.average:
                own = {key: tensor.shape for key, tensor in named_weights(self.model).items()}
                fits = own == {key: tensor.shape for key, tensor in state.average.items()}
                if not fits or not all(
                    each.is_floating_point() and each.isfinite().all() for each in state.average.values()
                ):
                    raise ValueError("average")
                self.average = {key: tensor.to(self.device) for key, tensor in state.average.items()}
            load_optimizer(self.optimizer, state.optimizer)
            if state.progress.loss_scale:
                self.scaler.load_state_dict(state.progress.loss_scale)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise DataError(
                f"{name}: the newest checkpoint is damaged, or belongs to another training run; delete it"
            ) from None

    def _add_gradients(self, batch: Batch, tokens: int, step: int) -> Tensor:
        """Add the batch's part of the gradient and return its loss; split the batch in halves if it does not fit into
        memory."""
        try:
            loss, gradients = self._gradients(batch, tokens, step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            gradients = None
        if gradients is not None:
            for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
            return loss
        # Here the failed attempt's tensors are free again.
        rows = batch.source.size(0)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if rows == 1:
            raise OutOfMemory(
                f"out of memory at step {step + 1:,} with a single sentence of {batch.source.size(1):,} and "
                f"{batch.target_input.size(1):,} tokens; set data.max_length or model.hidden lower"
            )
        self._splits += 1
        first, second = batch.rows(0, rows // 2), batch.rows(rows // 2, rows)
        return self._add_gradients(first, tokens, step) + self._add_gradients(second, tokens, step)

    def _gradients(self, batch: Batch, tokens: int, step: int) -> tuple[Tensor, list[Tensor | None]]:
        """Return the batch's loss, and the gradient of its part in the mean over `tokens`, scaled as fp16 needs it.

        If memory runs out, what was computed is freed with this function's frame.
        """
        with computing_in(self.precision, self.device):
            loss = self._loss(batch, step)
        scaled = self.scaler.scale(loss / tokens)
        gradients = torch.autograd.grad(scaled, list(self.model.parameters()), allow_unused=True)
        # Each contiguous and in memory of its own: fused optimizers read weight and gradient in memory order, and the
        # two biases of an LSTM share one gradient, which clipping would scale twice.
        seen: set[int] = set()
        apart: list[Tensor | None] = []
        for gradient in gradients:
            if gradient is not None:
                gradient = gradient.clone() if gradient.data_ptr() in seen else gradient.contiguous()
                seen.add(gradient.data_ptr())
            apart.append(gradient)
        return _summable(loss.detach()), apart

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

    def _apply(self, step: int, finite: Tensor) -> None:
        """Update the weights and their average, if loss and gradient are finite."""
        if self.waits:
            if not finite and not self.scaler.is_enabled():
                return
        elif not self.scaler.is_enabled() and is_fused(self.optimizer):
            # A fused optimizer leaves the weights alone where this is 1, as for a scaler of gradients.
            setattr(self.optimizer, "found_inf", (~finite).float())  # noqa: B010
        self.scaler.step(self.optimizer)  # the scaler leaves a step out by itself, and learns from it
        self.frozen.put_back()
        self.scaler.update()
        if self.average and not self.waits:
            update_average(self.average, named_weights(self.model), self.training.ema, step, finite)
        elif self.average and finite:
            update_average(self.average, named_weights(self.model), self.training.ema, step)

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


def _summable(loss: Tensor) -> Tensor:
    """Return the loss in 64 bits, so that the order of a sum of losses hardly matters. MPS has none."""
    return loss if loss.device.type == "mps" else loss.double()
