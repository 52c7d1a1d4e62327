"""`nmt eval` and `nmt info`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.options import BatchSize, BeamSize, Device, LengthPenalty, RunArgument, Threads, changes_of, translator_of
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.evaluation import SetScores


def evaluate(
    run: RunArgument = None,
    source: Annotated[Path | None, typer.Option(help="Source text of another test set")] = None,
    reference: Annotated[Path | None, typer.Option(help="Its reference translation")] = None,
    hypothesis: Annotated[Path | None, typer.Option(help="Score this translation; no model is run")] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    batch_size: BatchSize = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Score the test sets of the config, or a given one: BLEU, chrF2++ and TER with confidence intervals."""
    from nmt import evaluation

    if hypothesis is not None:
        if reference is None:
            raise ConfigError("--hypothesis: needs --reference")
        result = evaluation.score_files(hypothesis, reference)
    else:
        if (source is None) != (reference is None):
            raise ConfigError("--source and --reference: give both, or neither for the test sets of the config")
        from nmt.run import newest

        path = newest() if run is None else run
        translator = translator_of(path, device, threads)
        changes = changes_of(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
        files = (source, reference) if source is not None and reference is not None else None
        say: Callable[[str], None] = (lambda _: None) if as_json else print
        result = evaluation.evaluate(path, translator, files, changes, say)
    if as_json:
        print(json.dumps(evaluation.to_json(result), ensure_ascii=False))
        return
    for name, scores in result.sets.items():
        print(_describe_scores(name, scores))
    print("± is half of the 95 % bootstrap confidence interval (1,000 resamples)")


def _describe_scores(name: str, scores: "SetScores") -> str:
    speed = f", {scores.sentences / scores.seconds:.1f} sentences/s" if scores.seconds else ""
    lines = [f"{name}: {scores.sentences:,} lines{f', {scores.decoding}' if scores.decoding else ''}{speed}"]
    lines += [f"  {score}" for score in scores.scores.values()]
    return "\n".join(lines)


def info(run: RunArgument = None) -> None:
    """Show a run: settings, parameters of each part, data, scores, where it came from."""
    from nmt.information import describe_run
    from nmt.run import newest

    for line in describe_run(newest() if run is None else run):
        print(line)
