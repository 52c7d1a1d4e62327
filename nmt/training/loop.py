"""The training loop: validate, save, stop, step, log, in this order, until the budget is used.

The order makes restarts exact: whatever is due at a step happens before the next one, and whether it is due is a pure
function of the saved progress.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nmt import run as runs
from nmt.config import Settings, TrainingSettings
from nmt.data.batching import Indices
from nmt.errors import DataError, Diverged
from nmt.metrics import LOSS, signature
from nmt.model import Seq2Seq
from nmt.training.batches import EpochBatches
from nmt.training.checkpoint import load_newest
from nmt.training.health import of_stopping, remarks
from nmt.training.keeper import Keeper
from nmt.training.lock import RunFolder
from nmt.training.log import Log, clock
from nmt.training.optimizer import load_optimizer, optimizer_tensors
from nmt.training.report import Report
from nmt.training.restart import trained_with
from nmt.training.schedule import Moment, budget_used, interval_count, learning_rate
from nmt.training.signals import Interrupted, Signals
from nmt.training.state import Progress, TrainState, Validation
from nmt.training.update import Updater
from nmt.training.validation import ValidationResult, ValidationSet, validate, validation_loss
from nmt.training.vectors import FrozenRows

TOO_MANY = 5  # updates in a row that are not finite


class Trainer:
    """One run in training. `progress`, the weights, their average and the optimizer are all that changes. The first
    validation set is the judge: its scores choose the checkpoint and drive schedule and patience."""

    def __init__(
        self,
        settings: Settings,
        model: Seq2Seq,
        batches: EpochBatches,
        validation: Sequence[ValidationSet],
        device: torch.device,
        log: Log,
        signals: Signals,
        owned: RunFolder | None = None,
    ) -> None:
        """`owned` is the run directory as it is held; without it nothing checks that it stays the same."""
        self.settings = settings
        self.training: TrainingSettings = settings.training
        self.model, self.batches, self.validation_sets = model, batches, validation
        self.judge = validation[0].fingerprint(settings.training.metric)
        self.device, self.log, self.signals = device, log, signals
        self.updater = Updater(model, self.training, device)
        self.owned = owned or RunFolder(Path(settings.run))
        self.keeper = Keeper(settings, validation[0].subwords, log.warn, self.owned)
        self.trained_with = trained_with(settings, validation[0].subwords)
        self.progress = Progress(judge=self.judge)
        self.saved_at = (0, 0.0)
        self.report = Report(log, validation[0].pairs, self.training.samples)
        self._clock = time.monotonic()

    # The loop ---------------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Trains until a limit is reached, and says which. Raises Interrupted, saved, on a signal."""
        self._clock = time.monotonic()
        self._load_epoch()
        try:
            self._validate_first()
            while True:
                if self._due(self.training.validate_every, self._validated_at()):
                    self._validate()
                if self._due(self.training.save_every, self.saved_at):
                    self._save()
                if reason := self.stop_reason():
                    break
                self.signals.check()
                self.owned.check()
                self._step()
                if self.progress.step % self.training.log_every == 0:
                    self.report.step(self.progress, self.learning_rate(), self.share())
            self._finish()
            if remark := of_stopping(reason, self.progress, self.training):
                self.log.warn(remark)
            self._save(last=True)
        except Interrupted:
            self._save(last=True)
            raise
        return reason

    def stop_reason(self) -> str:
        """Why training is over, or "". A pure function of settings and progress."""
        training, progress = self.training, self.progress
        if training.max_steps and progress.step >= training.max_steps:
            return f"training.max_steps={training.max_steps:,} reached"
        if training.max_epochs and progress.epoch >= training.max_epochs:
            return f"training.max_epochs={training.max_epochs} reached"
        if training.max_time and progress.seconds >= training.max_time:
            return f"training.max_time={clock(training.max_time)} reached"
        if training.patience and progress.without_progress(training.metric) >= training.patience:
            return f"no better {training.metric} in {training.patience} validations (training.patience)"
        return ""

    def finished(self) -> bool:
        """Whether a limit is reached and everything that comes after it is done."""
        return bool(self.stop_reason()) and self._validated_at()[0] == self.progress.step and not self._averaging_due()

    def _due(self, interval: str, last: tuple[int, float]) -> bool:
        """Whether an interval has ended since `last`, given as (step, epochs)."""
        return interval_count(interval, self.progress.step, self.progress.epochs) > interval_count(interval, *last)

    def _validated_at(self) -> tuple[int, float]:
        regular = self.progress.regular()
        return (regular[-1].step, regular[-1].epoch) if regular else (0, 0.0)

    # Step -------------------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """One update, from `accumulate` batches."""
        progress = self.progress
        chosen = self.batches.chosen(progress.batch, self.training.accumulate)
        batches = [self.batches.make(indices) for indices in chosen]
        update = self.updater(batches, progress.step, self.learning_rate())
        if update.splits:
            self.log.warn(f"step {progress.step + 1:,}: out of memory, batch split; set training.batch_tokens lower")
        self.report.add(update)
        if not update.fault:
            progress.loss, progress.tokens = progress.loss + update.loss, progress.tokens + update.tokens
        self._advance(len(chosen))
        self._watch(update.fault, chosen)

    def _watch(self, fault: str, chosen: list[Indices]) -> None:
        """Counts updates that were left out; after too many in a row training goes back. Raises Diverged."""
        progress = self.progress
        if not fault:
            progress.skipped_in_row = 0
            return
        progress.skipped += 1
        progress.skipped_in_row += 1
        places = self.batches.places(chosen)
        names = [text.name or text.path or text.source for text in self.settings.data.train]
        several = len(names) > 1
        lines = [f"{names[text]}:{line}" if several else str(line) for text, line in places]
        shown = ", ".join(lines[:5]) + (", ..." if len(lines) > 5 else "")
        self.log.warn(f"step {progress.step:,}: {fault}; update left out (lines {shown} of the training text)")
        if progress.skipped_in_row >= TOO_MANY:
            self._go_back()

    def _go_back(self) -> None:
        """To the newest checkpoint, with half the learning rate. Raises Diverged the second time."""
        skipped, folder = self.progress.skipped, self.keeper.folder
        what = f"{TOO_MANY} updates in a row were left out, the last at step {self.progress.step:,}"
        self.owned.check()
        state = None if self.progress.setbacks else load_newest(folder, self.log.say)
        if state is None:
            raise Diverged(
                f"training diverged: {what}; in {folder} {self.keeper.kept()}; set training.learning_rate lower or "
                "training.warmup higher, and train another run: run=runs/NAME"
            )
        self.restore(state, folder)
        self.progress.setbacks, self.progress.skipped, self.progress.skipped_in_row = 1, skipped, 0
        self._load_epoch()
        self.log.forget_after(self.progress.step, len(self.progress.validations))
        self.log.warn(f"{what}; going back to step {self.progress.step:,}, with half the learning rate")

    def _advance(self, batches: int) -> None:
        progress = self.progress
        progress.step += 1
        progress.batch += batches
        self._count_time()
        if progress.batch >= len(self.batches):
            progress.epoch, progress.batch = progress.epoch + 1, 0
            self._load_epoch()

    def _load_epoch(self) -> None:
        self.batches.begin(self.progress.epoch)
        self.progress.batches = len(self.batches)
        if self.progress.batch > len(self.batches):
            raise DataError(f"{self.keeper.folder}: the newest checkpoint has more batches than this text")

    def learning_rate(self) -> float:
        """Of the next step."""
        progress = self.progress
        ranks = progress.ranks(self.training.metric)
        rate = learning_rate(self.training, Moment(progress.step, progress.epochs, self.share(), ranks))
        return rate * 0.5**progress.setbacks

    def share(self) -> float:
        """Share of the budget that is used."""
        return budget_used(self.training, self.progress.step, self.progress.epochs, self.progress.seconds)

    # Validate ---------------------------------------------------------------------------------------------------------

    def _validate_first(self) -> None:
        """Scores the model that training starts from, and at once the one that it continues with if no earlier score is
        comparable, because other text or another metric judges now. An untrained model has nothing to say yet, and
        would say it at full length: its loss is enough."""
        progress, training = self.progress, self.training
        if progress.validations and not progress.regular():
            held = self.keeper.held()
            if held and not _same(held, self._current()):
                self._judge(held, held=True)
            self._validate()
        elif training.validate_first and not (progress.step or progress.validations):
            if training.start_from:
                self._validate()
            else:
                loss = validation_loss(self.model, self.validation_sets[0], self.device)
                self._count_time()
                self.report.restart()
                perplexity = Validation(0, 0.0, loss).perplexity
                self.log.say(f"before training: loss {loss:.3f}, perplexity {perplexity:.2f}")

    def _validate(self) -> None:
        result = self._judge(self._current())
        self.report.samples(result)
        self.report.remarks(remarks(result.signs, self.progress, self.training))

    def _current(self) -> dict[str, Tensor]:
        """What is scored: the moving average of the weights, or the weights if there is none."""
        return self.updater.average or runs.named_weights(self.model)

    def _judge(self, weights: dict[str, Tensor], *, averaged: bool = False, held: bool = False) -> ValidationResult:
        """Scores these weights and saves; the best so far go into the run as its model. In this order a model without
        a checkpoint is never that of a training to go on with."""
        progress = self.progress
        with self._weights(weights):
            result, *others = [self._scores(data) for data in self.validation_sets]
        named = {
            data.name: {LOSS: each.loss, **each.scores}
            for data, each in zip(self.validation_sets[1:], others, strict=True)
        }
        validation = Validation(
            progress.step, progress.epochs, result.loss, result.scores, averaged, self.judge, named, held
        )
        progress.validations.append(validation)
        best = progress.best(self.training.metric) is validation
        self.report.validation(validation, progress.seconds, best=best)
        self._save()
        if best:
            self.keeper.publish(weights, progress)
        return result

    def _scores(self, data: ValidationSet) -> ValidationResult:
        metrics, decoding = data.metrics(self.training.metric), self.settings.decoding
        result = validate(self.model, data, metrics, decoding, self.device, check=self.signals.check)
        self._count_time()
        self.report.restart()
        return result

    def _count_time(self) -> None:
        """Count the time until now as that of training, unless the process stood still in it."""
        now = time.monotonic()
        if self.signals.paused():
            self.report.restart()
        else:
            self.progress.seconds += now - self._clock
        self._clock = now

    @contextmanager
    def _weights(self, weights: dict[str, Tensor]) -> Iterator[None]:
        """The model has other weights within this context."""
        own = _copy(runs.named_weights(self.model))
        _assign(self.model, weights)
        try:
            yield
        finally:
            _assign(self.model, own)

    # Save -------------------------------------------------------------------------------------------------------------

    def state(self) -> TrainState:
        updater = self.updater
        self.progress.loss_scale = dict(updater.scaler.state_dict())
        weights = runs.named_weights(self.model)
        optimizer = optimizer_tensors(updater.optimizer)
        return TrainState(self.progress, weights, updater.average, optimizer, self.trained_with)

    def restore(self, state: TrainState, name: Path) -> None:
        """Puts everything where it was when `state` was saved. `name` is named in errors."""
        self.progress = state.progress
        self.progress.judge = self.judge
        runs.set_weights(self.model, state.weights, name)
        try:
            self.freeze(state.progress.frozen)
            if self.updater.average:
                self.updater.average = self._known_average(state.average)
            load_optimizer(self.updater.optimizer, state.optimizer)
            if state.progress.loss_scale:
                self.updater.scaler.load_state_dict(state.progress.loss_scale)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise DataError(f"{name}: the newest checkpoint is not one of this training; remove it") from None
        self.saved_at = (self.progress.step, self.progress.epochs)

    def _known_average(self, average: dict[str, Tensor]) -> dict[str, Tensor]:
        """On the device. Raise ValueError if it is not one of this model's weights."""
        own = runs.named_weights(self.model)
        shapes = {
            key: tensor.shape
            for key, tensor in average.items()
            if tensor.is_floating_point() and bool(tensor.isfinite().all())
        }
        if shapes != {key: tensor.shape for key, tensor in own.items()}:
            raise ValueError("average")
        return {key: tensor.to(self.device) for key, tensor in average.items()}

    def adopt(self, progress: Progress, *, same_text: bool) -> None:
        """Makes what an earlier start left comparable with what comes, or says that it is not.

        Runs of earlier versions do not tell what their scores were measured on: it was the same if the text is, and if
        the metric finds words as it did then, without knowing the language.
        """
        metric, data = self.training.metric, self.validation_sets[0]
        if same_text and (metric == LOSS or signature(metric, data.language) == signature(metric)):
            progress.validations = [replace(each, judge=each.judge or self.judge) for each in progress.validations]
        if progress.validations and not any(each.judge == self.judge for each in progress.validations):
            self.log.say(
                f"note: other validation text or another metric ({metric}, on {data.name}) than before: earlier scores "
                "do not count; the model is scored at once, and the best is chosen anew"
            )

    def freeze(self, rows: dict[str, list[int]]) -> None:
        """From here on these rows of the embeddings, by side, stay as they are."""
        self.progress.frozen = rows
        self.updater.frozen = FrozenRows(self.model, rows)

    def _save(self, *, last: bool = False) -> None:
        self.keeper.save(self.state(), last=last)
        self.saved_at = (self.progress.step, self.progress.epochs)

    # Finish -----------------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._validated_at()[0] != self.progress.step:
            self._validate()
        if self._averaging_due():
            self._judge(self.keeper.mean_of_best(self.progress) or self._current(), averaged=True)

    def _averaging_due(self) -> bool:
        done = any(v.averaged and v.step == self.progress.step for v in self.progress.validations)
        return self.training.average and not done and len(self.keeper.best(self.progress)) > 1


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name].cpu()) for name in first)


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in weights.items()}


@torch.no_grad()
def _assign(model: Seq2Seq, weights: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])
