"""Reports on the progress of training, as log lines and as records in metrics.jsonl."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nmt.config import Settings
from nmt.data.corpus import Pair
from nmt.data.prepare import Prepared
from nmt.files import shown_path
from nmt.languages import find_language
from nmt.metrics import LOSS, METRICS, signature, tokenizer_note
from nmt.model import Seq2Seq
from nmt.shown import amount
from nmt.training.log import Log, clock
from nmt.training.state import Progress, Validation
from nmt.training.step import StepResult
from nmt.training.validation import ValidationResult, ValidationSet

LONGEST_SAMPLE = 300  # characters of a sample in metrics.jsonl


class Report:
    """Report on steps and validations. `pairs` are those of the validation set, of which `samples` are shown."""

    def __init__(self, log: Log, pairs: Sequence[Pair], samples: int) -> None:
        self.log, self.pairs = log, pairs
        self.shown = np.linspace(0, len(pairs) - 1, min(samples, len(pairs)), dtype=int)
        self.warned: set[str] = set()  # kinds of warnings on the last validation
        self.norm = 0.0  # of the last update's gradient
        self.reset_clock()

    def reset_clock(self) -> None:
        """Exclude the time until now from the measured speed."""
        self.started, self.tokens = time.monotonic(), 0

    def add(self, update: StepResult) -> None:
        """Count the tokens of a step."""
        self.norm = update.norm
        self.tokens += update.tokens

    def step(self, progress: Progress, learning_rate: float, share: float) -> None:
        """Report on the steps since the last log line; the fraction `share` of the budget is used.

        The speed is that of the steps since the last validation or pause.
        """
        loss = progress.loss / max(progress.tokens, 1)
        progress.loss, progress.tokens = 0.0, 0
        speed = self.tokens / max(time.monotonic() - self.started, 1e-9)
        self.reset_clock()
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
        to_go = f", {clock(left)} remaining" if share else ""
        self.log.entry(
            f"step {progress.step:,}, epoch {progress.epochs:.1f}: loss {loss:.3f}, learning rate {learning_rate:.2e}, "
            f"{speed:,.0f} target tokens/s, {clock(progress.seconds)} elapsed{to_go}"
        )
        values = f"loss {loss:.2f}, lr {learning_rate:.1e}, {speed:,.0f} tokens/s"
        self.log.progress(progress.step, share, values)

    def validation(self, validation: Validation, seconds: float, *, best: bool, hypotheses: Sequence[str] = ()) -> None:
        """Report the scores of a validation, and record the translations of the sample sentences."""
        what = "average of the best" if validation.averaged else "model so far" if validation.held else "validation"
        self.log.say(
            f"{what}: step {validation.step:,}, epoch {validation.epoch:.1f}, {clock(seconds)}: "
            f"loss {validation.loss:.3f}, perplexity {validation.perplexity:.2f}, "
            f"{shown_scores(validation.scores)}{'  (best so far)' if best else ''}"
        )
        for name, scores in validation.others.items():
            others = {metric: value for metric, value in scores.items() if metric != LOSS}
            self.log.say(f"    on {name}: loss {scores[LOSS]:.3f}, {shown_scores(others)}")
        sets: dict[str, Any] = {"sets": validation.others} if validation.others else {}
        if hypotheses and len(self.shown):
            texts = [(self.pairs[index].source, self.pairs[index].target, hypotheses[index]) for index in self.shown]
            sets["samples"] = [[text[:LONGEST_SAMPLE] for text in each] for each in texts]
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
        """Show sample translations of a validation."""
        for index in self.shown:
            self.log.say(f"    source      {self.pairs[index].source[:160]}")
            self.log.say(f"    reference   {self.pairs[index].target[:160]}")
            self.log.say(f"    hypothesis  {result.hypotheses[index][:160]}")

    def warnings(self, found: dict[str, str]) -> None:
        """Log each warning when it first appears, not again at each validation as long as it persists."""
        for kind, line in found.items():
            if kind not in self.warned:
                self.log.warn(line)
        self.warned = set(found)


def shown_scores(scores: dict[str, float]) -> str:
    """Format scores for the log."""
    return ", ".join(f"{METRICS[metric].name} {value:.1f}" for metric, value in scores.items())


def introduce(
    settings: Settings, data: Prepared, model: Seq2Seq, sets: Sequence[ValidationSet], say: Callable[[str], None]
) -> None:
    """Log what is trained, on what, and how it is validated."""
    source, target = len(data.subwords.source), len(data.subwords.target)
    vocabulary = f"{source:,} tokens, joint" if data.subwords.joint else f"{source:,} and {target:,} tokens"
    so_far = "" if data.train.complete else " (so far)"
    say(
        f"{len(data.train):,} training{so_far} and {amount(len(data.valid), 'validation pair')}, "
        f"{settings.data.source} -> {settings.data.target}; vocabulary of {vocabulary}"
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    of = settings.model
    kind = f"{of.cell}, {of.decoder} decoder" if of.architecture == "recurrent" else of.architecture
    say(f"{kind}, {of.attention} attention: {parameters:,} parameters")
    for valid in sets:
        metrics = valid.metrics(settings.training.metric)
        signatures = "; ".join(signature(metric, valid.language) for metric in metrics)
        say(f"validation: greedy search on {valid.name}, {amount(len(valid.pairs), 'line')}; {signatures}")
    language, sources = sets[0].language, (pair.source for pair in sets[0].pairs)
    source_language = find_language(settings.data.source_language, settings.data.source, sources)
    say(
        f"languages: {source_language or 'unknown'} -> {language or 'unknown'}; best checkpoint by "
        f"training.metric={settings.training.metric}"
    )
    if note := tokenizer_note(language):
        say(f"note: {note}")


def show_result(progress: Progress, metric: str, folder: Path, log: Log) -> None:
    """Log which model a finished training has kept, how good it is, and what to do with it."""
    best = progress.best(metric)
    if best is None:
        return
    origin = f"the checkpoint of step {best.step:,}"
    if best.averaged:
        origin = "the average of the best checkpoints"
    elif best.held:
        origin = "the earlier model, which was scored again with the new validation text or metric"
    elif not best.step:
        origin = "the initial model, since no later one is better"
    log.say(
        f"kept {origin}: validation {shown_scores(best.scores)}, "
        f"perplexity {best.perplexity:.2f} (greedy), after {clock(progress.seconds)} of training"
    )
    if skipped := progress.skipped:
        log.say(
            f"note: {amount(skipped, 'update')} {'was' if skipped == 1 else 'were'} skipped because the loss or the "
            "gradient was not finite"
        )
    run = shown_path(folder)
    log.say(f"model: {run}")
    log.say(f"  translate: echo 'Some text.' | nmt translate {run}")
    log.say(f"  evaluate:  nmt eval {run}")
