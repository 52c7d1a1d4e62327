"""The training loop: validate, save, check the stopping criteria, step, log, in this order, until a limit is reached.

The order makes resuming exact: whatever is due at a step happens before the next one, and whether it is due is a pure
function of the saved progress. All of it is in one file, since steps, validation and saving change the same progress.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nmt.allocation import sparing_memory
from nmt.config import Settings, TrainingSettings
from nmt.data.background import BackgroundFailed
from nmt.data.batching import Indices
from nmt.distributed import ALONE, Ranks
from nmt.errors import DataError, Diverged
from nmt.metrics import LOSS
from nmt.model import Seq2Seq
from nmt.rank_watch import OtherRankFailed, OtherRankInterrupted, RankLost
from nmt.runs.weights import named_weights
from nmt.training.batches import EpochBatches
from nmt.training.checkpoint import load_newest
from nmt.training.checkpoint_manager import CheckpointManager
from nmt.training.diagnostics import early_stop_note, warnings_for
from nmt.training.early_start import RestOfText, wait_for_window
from nmt.training.lock import RunFolder
from nmt.training.log import Log
from nmt.training.micro_batches import MicroBatches, division
from nmt.training.report import Report
from nmt.training.resume import trained_with
from nmt.training.schedule import ScheduleState, budget_used, interval_count, learning_rate
from nmt.training.signals import NUMBERS, Interrupted, Signals
from nmt.training.snapshots import Snapshots
from nmt.training.state import Progress, TrainState, Validation, share_state
from nmt.training.step import Pending, StepResult, TrainStep, settle
from nmt.training.stopping import Stop, limit_reached, out_of_patience
from nmt.training.validation import (
    ValidationResult,
    ValidationSet,
    carry_over_scores,
    using_weights,
    validate,
    validation_loss,
)

TOO_MANY = 5  # updates in a row that are not finite


class Trainer:
    """Train one run.

    All state that changes is `progress`, the weights, their average and the optimizer. The scores on the first
    validation set choose the best checkpoint and drive the schedule and early stopping.
    """

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
        ranks: Ranks = ALONE,
        encoding: RestOfText | None = None,
    ) -> None:
        """Set up training.

        `owned` is the locked run directory; without it, nothing checks that the directory stays the same. Of several
        `ranks`, each has the whole model and computes its share of every step; the leader alone logs, validates, saves
        and reads the clock, and the others follow its progress. `encoding` follows the encoding of the training text,
        if that is done beside this process.
        """
        self.settings = settings
        self.training: TrainingSettings = settings.training
        self.model, self.batches, self.validation_sets = model, batches, validation
        self.judge = validation[0].fingerprint(settings.training.metric)
        self.device, self.log, self.signals = device, log, signals
        self.ranks, self.division, self.encoding = ranks, division(self.training, ranks), encoding
        self.train_step = TrainStep(model, self.training, device, ranks)
        self.owned = owned or RunFolder(Path(settings.run))
        self.checkpoints = CheckpointManager(settings, validation[0].subwords, log.warn, self.owned)
        self.trained_with = trained_with(settings, validation[0].subwords)
        self.progress = Progress(judge=self.judge)
        self.saved_at = (0, 0.0)
        self.snapshots = Snapshots(settings, validation[0].subwords, self.owned, log.warn)
        self._pending: list[tuple[Pending, list[Indices]]] = []  # steps whose results a GPU still has
        self.report = Report(log, validation[0].pairs, self.training.samples)
        self._clock = time.monotonic()
        self._agreed_signal = 0
        self._waits = False  # whether the pairs of this window may not be encoded yet

    def begin(self, text: str, frozen: dict[str, list[int]]) -> None:
        """Begin a new training on the text with this hash, with these rows of the embeddings {side: ids} frozen."""
        self.progress.text = text
        self.progress.frozen = frozen
        self.train_step.freeze(frozen)

    def restore(self, state: TrainState) -> None:
        """Take everything from a checkpoint. Raises DataError if it is damaged or of another run; writes nothing."""
        self.train_step.restore(state, self.checkpoints.folder)
        self.progress = state.progress
        self.progress.judge = self.judge
        self.saved_at = (self.progress.step, self.progress.epochs)

    def resume(self, text: str, *, same_files: bool) -> None:
        """Continue from the checkpoint that was restored. `same_files` says whether all files are those that the run
        was trained on.

        If the training text, of which `text` is the hash, is another, its epoch starts over. Earlier scores stay if
        they are comparable.
        """
        progress = self.progress
        if progress.text not in ("", text):
            self.log.say("note: the training text has changed since the last checkpoint: its epoch starts over")
            progress.batch = progress.window = 0
        progress.text = text
        carry_over_scores(progress, self.validation_sets[0], self.training.metric, same_files, self.log.say)
        if self.ranks.leads:
            self.checkpoints.export_pending(progress)
        self.log.say(f"resuming from step {progress.step:,} (epoch {progress.epochs:.1f})")

    # The loop ---------------------------------------------------------------------------------------------------------

    def run(self) -> Stop:
        """Train until a limit is reached, and return which.

        Raise Interrupted after saving a checkpoint, on a signal.
        """
        self._clock = time.monotonic()
        self._load_epoch(first=True)
        try:
            self._led(self._validate_first)
            while True:
                if self._due(self.training.validate_every, self._validated_at()):
                    self._led(self._validate)
                if self._due(self.training.save_every, self.saved_at):
                    self._led(self._save)
                if stop := self.stop():
                    break
                self._check_signals()
                self.owned.check()
                self._await_text()
                self._step()
                self._take_snapshot()
                if self.progress.step % self.training.log_every == 0:
                    self.report.step(self.progress, self.learning_rate(), self.budget_used())
            self._led(self._finish)
            if out_of_patience(self.training, self.progress) and (
                note := early_stop_note(self.progress, self.training)
            ):
                self.log.warn(note)
            self._take_snapshot(last=True)
            self._led(self._save_last)
            self.await_rest()
        except (Interrupted, OtherRankInterrupted) as signal:
            self.signals.received = getattr(signal, "number", self.signals.received)
            self.ranks.interrupt(self.signals.received)
            self._led(self._save_last)
            raise Interrupted from None
        except (RankLost, OtherRankFailed, BackgroundFailed):  # the weights are those after the last step
            if self.ranks.leads:
                self._save_last()
            raise
        return stop

    def _led(self, work: Callable[[], None]) -> None:
        """Let the leader do this, and take over what has become of its progress."""
        if not self.ranks.launched:
            work()
            return
        if self.ranks.leads:
            work()
            self._count_time()
        progress, saved_at = self.ranks.share([self.progress.to_json(), self.saved_at])
        if not self.ranks.leads:
            self.progress, self.saved_at = Progress.from_json(progress), (saved_at[0], saved_at[1])

    def _check_signals(self) -> None:
        """Raise Interrupted if a signal was received: by any rank, as of the last step, so that all stop after it."""
        if not self.ranks.launched:
            self.signals.check()
        elif self._agreed_signal:
            self.signals.received = self._agreed_signal
            raise Interrupted

    def _take_snapshot(self, last: bool = False) -> None:
        if self.ranks.leads:
            self.snapshots.take(self.progress.step, self.model, last=last)

    def stop(self) -> Stop | None:
        """Return which limit is reached; None if training goes on."""
        return limit_reached(self.training, self.progress)

    def finished(self) -> bool:
        """Return whether a limit is reached and the final validation and averaging are done."""
        return bool(self.stop()) and self._validated_at()[0] == self.progress.step and not self._averaging_due()

    def _due(self, interval: str, last: tuple[int, float]) -> bool:
        """Return whether an interval has ended since `last`, given as (step, epochs)."""
        return interval_count(interval, self.progress.step, self.progress.epochs) > interval_count(interval, *last)

    def _validated_at(self) -> tuple[int, float]:
        regular = self.progress.regular()
        return (regular[-1].step, regular[-1].epoch) if regular else (0, 0.0)

    # Step -------------------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Run one training step on `training.accumulate` batches."""
        progress, rate = self.progress, self.learning_rate()
        chosen = self.batches.chosen(progress.batch, self.training.accumulate)
        own = self.division.own(chosen)
        batches = [self.batches.make(indices) for _, indices in own]
        micro = None
        if self.division.parts:
            numbers = [number for number, _ in own]
            micro = MicroBatches(numbers, self.batches.target_tokens(chosen), self._noted())
        if self.train_step.waits or micro:
            result = self.train_step(batches, progress.step, rate, micro)
            self._advance(len(chosen))
            if self.ranks.launched:  # take over what the ranks have told each other: the leader's time, and signals
                microseconds, *received = result.notes
                progress.seconds = microseconds / 1e6
                told = (number for number, count in zip(NUMBERS, received, strict=True) if count)
                self._agreed_signal = next(told, 0)
            self._count(result, progress.step, chosen)
            return
        self._pending.append((self.train_step.start(batches, progress.step, rate), chosen))
        self._advance(len(chosen))
        if progress.step % self.training.log_every == 0:
            self._settle()

    def _noted(self) -> list[int]:
        """Return what this rank tells the others with its gradients: the leader's clock, and signals."""
        if self.ranks.leads:
            self._count_time()
        received = [int(self.signals.received == number) for number in NUMBERS]
        return [round(self.progress.seconds * 1e6) if self.ranks.leads else 0, *received]

    def _settle(self) -> None:
        """Wait for the steps that a GPU is still computing, and count their results. Raise Diverged."""
        progress, pending = self.progress, self._pending
        self._pending = []
        first = progress.step - len(pending) + 1
        for index, result in enumerate(settle([step for step, _ in pending])):
            self._count(result, first + index, pending[index][1])
            if self.progress is not progress:  # rolled back: the steps after this one do not count
                return

    def _count(self, result: StepResult, step: int, chosen: list[Indices]) -> None:
        """Count the result of a step, the `step`-th. After too many skipped in a row, roll back. Raise Diverged."""
        progress = self.progress
        if result.splits:
            self.log.warn(f"step {step:,}: out of memory; batch split in halves; set training.batch_tokens lower")
        self.report.add(result)
        if not result.nonfinite:
            progress.loss, progress.tokens = progress.loss + result.loss, progress.tokens + result.tokens
            progress.skipped_in_row = 0
            return
        progress.skipped += 1
        progress.skipped_in_row += 1
        names = [text.name or text.path or text.source for text in self.settings.data.train]
        places = self.batches.places(chosen)
        lines = [f"{names[text]}:{line}" if len(names) > 1 else str(line) for text, line in places]
        shown = ", ".join(lines[:5]) + (", ..." if len(lines) > 5 else "")
        self.log.warn(f"step {step:,}: {result.nonfinite}; update skipped (lines {shown} of the training text)")
        if progress.skipped_in_row >= TOO_MANY:
            self._roll_back()

    def _roll_back(self) -> None:
        """Return to the newest checkpoint, with half the learning rate. Raise Diverged the second time."""
        skipped, folder = self.progress.skipped, self.checkpoints.folder
        what = f"{TOO_MANY} consecutive updates were skipped, the last at step {self.progress.step:,}"
        self.owned.check()
        there = self.ranks.leads and not self.progress.setbacks
        state = share_state(load_newest(folder, self.log.say) if there else None, self.ranks)
        if state is None:
            raise Diverged(
                f"training diverged: {what}; in {folder} {self.checkpoints.kept()}; set training.learning_rate lower "
                "or training.warmup higher, and start a new run: run=runs/NAME"
            )
        self.restore(state)
        self.progress.setbacks, self.progress.skipped, self.progress.skipped_in_row = 1, skipped, 0
        self._load_epoch()
        self.log.forget_after(self.progress.step, len(self.progress.validations))
        self.log.warn(f"{what}; rolling back to step {self.progress.step:,}, with half the learning rate")

    def _advance(self, batches: int) -> None:
        progress = self.progress
        progress.step += 1
        progress.batch += batches
        if not self.ranks.launched:  # else all ranks have the leader's time
            self._count_time()
        if progress.batch >= len(self.batches):
            progress.window, progress.batch = progress.window + 1, 0
            if progress.window >= self.batches.windows:
                progress.epoch, progress.window = progress.epoch + 1, 0
            self._load_epoch()

    def _load_epoch(self, first: bool = False) -> None:
        """Form the batches of the window that training has reached, or let `_await_text` do it if the pairs may not be
        encoded yet. `first`: training starts or resumes here."""
        in_order = self.batches.in_order(self.progress.epoch)
        if in_order:
            self.progress.batches = self.progress.windows = 0
        self._waits = in_order or (first and self.settings.data.start_early)
        if not self._waits:
            self._form_batches()

    def _form_batches(self) -> None:
        self.batches.begin(self.progress.epoch, self.progress.window)
        if not self.batches.in_order(self.progress.epoch):
            self.progress.batches, self.progress.windows = len(self.batches), self.batches.windows
        if self.progress.batch > len(self.batches) or self.progress.window >= self.batches.windows:
            raise DataError(f"{self.checkpoints.folder}: the newest checkpoint has more batches than this text")

    def _await_text(self) -> None:
        """Wait, if a window of pairs begins, until it is encoded. Time spent waiting is not time of training."""
        if self.encoding:
            self.encoding.check()
        if not self._waits:
            return
        if self.ranks.leads:
            self._count_time()
        if wait_for_window(self.batches, self.progress, self.encoding, self.ranks, self.signals, self.log):
            self._clock = time.monotonic()
            self.report.reset_clock()
        self._waits = False
        self._form_batches()

    def await_rest(self) -> None:
        """Wait until the whole text is encoded (`RestOfText.wait`)."""

        def wait() -> None:
            if self.encoding and self.encoding.wait(self.signals):
                self._clock = time.monotonic()

        self._led(wait)

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        progress = self.progress
        ranks = progress.ranks(self.training.metric)
        rate = learning_rate(self.training, ScheduleState(progress.step, progress.epochs, self.budget_used(), ranks))
        return rate * 0.5**progress.setbacks

    def budget_used(self) -> float:
        """Return the fraction of the training budget that is used, from 0 to 1."""
        return budget_used(self.training, self.progress.step, self.progress.epochs, self.progress.seconds)

    # Validate ---------------------------------------------------------------------------------------------------------

    def _validate_first(self) -> None:
        """Validate before the first step, if that is useful.

        Fine-tuning starts with the scores of its initial model. A resumed run whose earlier scores are no longer
        comparable, because the validation text or metric changed, scores its model again. For a randomly initialized
        model only the loss is computed: its translations would be long and meaningless.
        """
        progress, training = self.progress, self.training
        if progress.validations and not progress.regular():
            held = self.checkpoints.exported()
            now = self._current()
            same = held.keys() == now.keys() and all(torch.equal(held[key], now[key].cpu()) for key in held)
            if held and not same:
                self._judge(held, held=True)
            self._validate()
        elif training.validate_first and not (progress.step or progress.validations):
            if training.start_from:
                self._validate()
            else:
                loss = validation_loss(self.model, self.validation_sets[0], self.device, self.signals.check)
                self._count_time()
                self.report.reset_clock()
                perplexity = Validation(0, 0.0, loss).perplexity
                self.log.say(f"before training: loss {loss:.3f}, perplexity {perplexity:.2f}")

    def _validate(self) -> None:
        self._settle()
        result = self._judge(self._current())
        self.report.samples(result)
        self.report.warnings(warnings_for(result.symptoms, self.progress, self.training))

    def _current(self) -> dict[str, Tensor]:
        """Return the weights to validate: their moving average, or the weights themselves if there is none."""
        return self.train_step.average or named_weights(self.model)

    def _judge(self, weights: dict[str, Tensor], *, averaged: bool = False, held: bool = False) -> ValidationResult:
        """Validate these weights, save a checkpoint, and export them as the run's model if they are the best so far.

        In this order, a model without a checkpoint never belongs to a run that can be resumed.
        """
        progress = self.progress
        with using_weights(self.model, weights), sparing_memory():
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
        self.report.validation(validation, progress.seconds, best=best, hypotheses=result.hypotheses)
        self._save()
        if best:
            self.checkpoints.export_best(weights, progress)
            data = self.validation_sets[0]
            self.checkpoints.keep_outputs(data.outputs(progress.step, result.hypotheses))
        return result

    def _scores(self, data: ValidationSet) -> ValidationResult:
        metrics, decoding = data.metrics(self.training.metric), self.settings.decoding
        result = validate(self.model, data, metrics, decoding, self.device, check=self.signals.check)
        self._count_time()
        self.report.reset_clock()
        return result

    def _count_time(self) -> None:
        """Add the time since the last call to the training time, unless the process was suspended meanwhile."""
        now = time.monotonic()
        if self.signals.paused():
            self.report.reset_clock()
        else:
            self.progress.seconds += now - self._clock
        self._clock = now

    # Save -------------------------------------------------------------------------------------------------------------

    def _save(self, *, last: bool = False) -> None:
        self._settle()
        self.checkpoints.save(self.train_step.state(self.progress, self.trained_with), last=last)
        self.saved_at = (self.progress.step, self.progress.epochs)

    def _save_last(self) -> None:
        self._save(last=True)

    # Finish -----------------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._validated_at()[0] != self.progress.step:
            self._validate()
        if self._averaging_due():
            self._judge(self.checkpoints.mean_of_best(self.progress) or self._current(), averaged=True)

    def _averaging_due(self) -> bool:
        done = any(v.averaged and v.step == self.progress.step for v in self.progress.validations)
        return self.training.average and not done and len(self.checkpoints.best(self.progress)) > 1
