"""The progress of training, in lines for people and in metrics.jsonl."""

import time
from collections.abc import Sequence

import numpy as np

from nmt.data.corpus import Pair
from nmt.metrics import LOSS, METRICS
from nmt.training.log import Log, clock
from nmt.training.state import Progress, Validation
from nmt.training.update import Update
from nmt.training.validation import ValidationResult


class Report:
    """`pairs` are those of the validation set, of which `samples` are shown."""

    def __init__(self, log: Log, pairs: Sequence[Pair], samples: int) -> None:
        self.log, self.pairs = log, pairs
        self.shown = np.linspace(0, len(pairs) - 1, min(samples, len(pairs)), dtype=int)
        self.remarked: set[str] = set()  # kinds of remarks on the last validation
        self.norm = 0.0  # of the last update's gradient
        self.restart()

    def restart(self) -> None:
        """The time until now is not that of updates."""
        self.started, self.tokens = time.monotonic(), 0

    def add(self, update: Update) -> None:
        self.norm = update.norm
        self.tokens += update.tokens

    def step(self, progress: Progress, learning_rate: float, share: float) -> None:
        """The updates since the last line, which are then forgotten; `share` of the budget is used. The speed is that
        of those since the last interruption."""
        loss = progress.loss / max(progress.tokens, 1)
        progress.loss, progress.tokens = 0.0, 0
        speed = self.tokens / max(time.monotonic() - self.started, 1e-9)
        self.restart()
        self.log.record(
            "train",
            step=progress.step,
            epoch=progress.epochs,
            seconds=progress.seconds,
            loss=loss,
            learning_rate=learning_rate,
            target_tokens_per_second=speed,
            gradient_norm=self.norm,
        )
        left = progress.seconds / share - progress.seconds if share else 0
        to_go = f", {clock(left)} to go" if share else ""
        self.log.entry(
            f"step {progress.step:,}, epoch {progress.epochs:.1f}: loss {loss:.3f}, learning rate {learning_rate:.2e}, "
            f"{speed:,.0f} target tokens/s, {clock(progress.seconds)} passed{to_go}"
        )
        values = f"loss {loss:.2f}, lr {learning_rate:.1e}, {speed:,.0f} tokens/s"
        self.log.progress(progress.step, share, values)

    def validation(self, validation: Validation, seconds: float, *, best: bool) -> None:
        what = "average of the best" if validation.averaged else "model so far" if validation.held else "validation"
        self.log.say(
            f"{what}: step {validation.step:,}, epoch {validation.epoch:.1f}, {clock(seconds)}: "
            f"loss {validation.loss:.3f}, perplexity {validation.perplexity:.2f}, "
            f"{shown_scores(validation.scores)}{'  (best so far)' if best else ''}"
        )
        for name, scores in validation.others.items():
            others = {metric: value for metric, value in scores.items() if metric != LOSS}
            self.log.say(f"    on {name}: loss {scores[LOSS]:.3f}, {shown_scores(others)}")
        sets = {"sets": validation.others} if validation.others else {}
        self.log.record(
            "validation",
            step=validation.step,
            epoch=validation.epoch,
            loss=validation.loss,
            **validation.scores,
            averaged=validation.averaged,
            held=validation.held,
            perplexity=validation.perplexity,
            seconds=seconds,
            **sets,
        )

    def samples(self, result: ValidationResult) -> None:
        for index in self.shown:
            self.log.say(f"    source      {self.pairs[index].source[:160]}")
            self.log.say(f"    reference   {self.pairs[index].target[:160]}")
            self.log.say(f"    hypothesis  {result.hypotheses[index][:160]}")

    def remarks(self, found: dict[str, str]) -> None:
        """Warns of what looks wrong when it begins, not again at each validation as long as it lasts."""
        for kind, line in found.items():
            if kind not in self.remarked:
                self.log.warn(line)
        self.remarked = set(found)


def shown_scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{METRICS[metric].name} {value:.1f}" for metric, value in scores.items())
