"""`nmt eval`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmt.bootstrap import CONFIDENCE_SAMPLES
from nmt.cli.commands import Command
from nmt.cli.options import (
    BatchSize,
    BeamSize,
    Device,
    LengthPenalty,
    TextEncoding,
    Threads,
    WordKind,
    changes_of,
    check_words,
    option,
    runs_and_settings,
    translator_of,
)
from nmt.config import decoding_changes
from nmt.errors import ConfigError
from nmt.metrics import AER, METRICS, default_metrics, tokenizer_note
from nmt.shown import amount, shown

if TYPE_CHECKING:
    from nmt.config import DataSettings
    from nmt.evaluation.evaluate import Evaluation, SetScores

NAMES = (*METRICS, AER)
USUAL = f"{' '.join(default_metrics(''))}; in Chinese, Thai and the like {' '.join(default_metrics('zh'))}"


class ManyMetrics(Command):
    """Let one `--metric` take several names: the words after it that are metrics. Any other word is a run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let `--metric bleu chrf` be read as `--metric bleu --metric chrf`."""
        spread: list[str] = []
        follows = False
        for word in args:
            if follows and set(word.split(",")) <= set(NAMES):
                spread += ["--metric", word]
                continue
            follows = spread[-1:] == ["--metric"] or word.startswith("--metric=")
            spread.append(word)
        return super().parse_args(ctx, spread)


def evaluate(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [OTHER_RUN] [DECODING.KEY=VALUE]...",
            help="Run directory [default: the newest in runs/]; a second run to compare it with, on the test sets "
            "of the first; decoding settings that override the run's",
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Source text of a test set other than the config's")] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Reference translation of --source; repeat the option for several references"),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Test set other than the config's: a file with both sides (.tsv, .tmx ...), or a file stem",
        ),
    ] = None,
    hypothesis: Annotated[
        Path | None, typer.Option(help="Score this translation instead of translating with a model")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help=f"{', '.join(NAMES)} [default: {USUAL}]"),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            help="Language of the reference, such as zh [default: the run's target language, or the file's ending]"
        ),
    ] = None,
    by_length: Annotated[bool, typer.Option("--by-length", help="Also show scores by source length in words")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Plot the scores of --by-length into this file (.svg, .png, .pdf)")
    ] = None,
    word_kind: WordKind = "scripts",
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    batch_size: BatchSize = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Translate and score test sets, with confidence intervals; or compare two runs by paired bootstrap resampling."""
    metrics = metric_names(metric or ())
    runs, settings = runs_and_settings(words, most=2)
    named = changes_of(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
    changes = decoding_changes(settings, named)
    of_the_model = [*map(option, [*named, *changes_of(device=device, threads=threads)]), *settings]
    check_words(word_kind)
    _check_options(test, source, reference, hypothesis, runs, by_length, plot, of_the_model)
    from nmt.data.sources import find_source
    from nmt.evaluation.evaluate import Wanted, score_files
    from nmt.evaluation.evaluate import evaluate as evaluate_run
    from nmt.evaluation.test_sets import configured_sets, read_set, read_source
    from nmt.languages import check_language, find_language
    from nmt.runs.store import newest

    try:
        told = check_language(language) if language is not None else ""
    except ValueError as error:
        raise ConfigError(f"--language: {error}") from None
    if hypothesis is not None and reference:
        results = [score_files(hypothesis, reference, source, Wanted(metrics, by_length, told, word_kind), encoding)]
    else:
        say: Callable[[str], None] = (lambda _: None) if as_json else _print
        paths = runs or [newest()]
        languages = _languages(paths)
        told = told or find_language(languages.target_language, languages.target, ())
        wanted = Wanted(metrics, by_length, told, word_kind)
        if test is not None:
            path, both = Path(test), (languages.source, languages.target)
            found = find_source(path.parent, path.name, both, key="--test", encoding=encoding)
            sets = [read_source(found, path.with_name(f"{path.name}.align"))]
        elif source is not None and reference:
            sets = [read_set(source, reference, source.name, source.with_suffix(".align"), encoding)]
        else:
            sets = configured_sets(paths[0], _warn)
        results = [
            evaluate_run(path, translator_of(path, device, threads), sets, wanted, changes, say, _warn)
            for path in paths
        ]
    if source is None and hypothesis is None and test is None:
        _keep(results[0])  # before they are shown, since the reader may have gone
    _show(results, as_json)
    if plot is not None:
        _draw(results, plot)


def _warn(line: str) -> None:
    print(shown(f"warning: {line}"), file=sys.stderr)


def metric_names(given: "list[str] | tuple[str, ...]") -> tuple[str, ...]:
    """Return each name once, in order; `bleu,ter` counts as two. Raise ConfigError for an unknown one."""
    from nmt.config.values import closest

    names = [name for words in given for name in words.split(",") if name]
    for name in names:
        if name not in NAMES:
            raise ConfigError(f"--metric: {name!r} must be one of {', '.join(NAMES)}{closest(name, NAMES)}")
    return tuple(dict.fromkeys(names))


def _check_options(
    test: str | None,
    source: Path | None,
    reference: list[Path] | None,
    hypothesis: Path | None,
    runs: list[Path],
    by_length: bool,
    plot: Path | None,
    of_the_model: list[str],
) -> None:
    """Raise ConfigError if an option lacks another, or has no effect; `of_the_model` are the model options given."""
    replaced = {"--source": source, "--reference": reference, "--hypothesis": hypothesis}
    if test is not None and (given := [name for name, value in replaced.items() if value]):
        raise ConfigError(f"--test: names source and reference; leave out {' and '.join(given)}")
    if hypothesis is None and (source is None) != (not reference):
        raise ConfigError(
            "--source and --reference: give both, or neither for the test sets of the config; a file that holds both "
            "is --test FILE"
        )
    if hypothesis is not None and not reference:
        raise ConfigError("--hypothesis: needs --reference")
    if hypothesis is not None and runs:
        raise ConfigError(f"--hypothesis: needs no model; leave out {runs[0]}")
    if hypothesis is not None and of_the_model:
        raise ConfigError(*(f"{name}: has no effect with --hypothesis; remove it" for name in of_the_model))
    if hypothesis is not None and by_length and source is None:
        raise ConfigError("--by-length: needs --source, to group lines by source length")
    if plot is not None and not by_length:
        raise ConfigError("--plot: draws the scores --by-length; give that too")
    if plot is not None:
        from nmt.plots import check_picture

        check_picture(plot)


def _languages(runs: list[Path]) -> "DataSettings":
    """Return the settings with the languages of the runs. Raise ConfigError if the runs differ in them."""
    from nmt.runs.store import load_settings

    first, *others = [load_settings(run).data for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if (other.source, other.target) != (first.source, first.target):
            raise ConfigError(
                f"{run} translates {other.source} -> {other.target}, and {runs[0]} {first.source} -> {first.target}; "
                "they cannot be compared"
            )
    return first


# Showing -------------------------------------------------------------------------------------------------------------


def _show(results: "list[Evaluation]", as_json: bool) -> None:
    from nmt.evaluation import evaluate as evaluation

    if note := tokenizer_note(results[0].language):
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        found = evaluation.comparison_json(*results) if len(results) > 1 else evaluation.to_json(results[0])
        print(json.dumps(found))  # in ASCII, which every screen can show
        return
    for result in results:
        if len(results) > 1:
            _print(result.run)
        for name, scores in result.sets.items():
            _print(*_describe_scores(name, scores))
    print(f"± is half of the 95 % bootstrap confidence interval ({CONFIDENCE_SAMPLES:,} resamples)")
    if len(results) > 1:
        _print(f"{results[1].run} minus {results[0].run}, paired bootstrap resampling:")
        for name, differences in evaluation.compare(*results).items():
            _print(f"  {name}: {'; '.join(map(str, differences.values()))}")


def _print(*lines: str) -> None:
    """Print lines with control characters escaped: names of runs and test sets may come from strangers."""
    for line in lines:
        print(shown(line))


def _describe_scores(name: str, scores: "SetScores") -> list[str]:
    speed = f", {scores.sentences / scores.seconds:.1f} sentences/s" if scores.seconds else ""
    lines = [f"{name}: {amount(scores.sentences, 'line')}{f', {scores.decoding}' if scores.decoding else ''}{speed}"]
    lines += [f"  {score}" for score in scores.scores.values()]
    if scores.by_length:  # a line for each group; punctuation marks count as words
        names = [f"{score.name:>15}" for score in scores.scores.values()]
        lines.append(f"  {'source words':<12}{'lines':>7}{''.join(names)}")
    for group in scores.by_length:
        cells = [f"{f'{score.value:.1f} ± {score.interval:.1f}':>15}" for score in group.scores.values()]
        lines.append(f"  {f'{group.shortest}-{group.longest}':<12}{group.sentences:>7,}{''.join(cells)}")
    return lines


def _keep(result: "Evaluation") -> None:
    """Save the scores for `nmt info`. Warn if the run cannot be written."""
    from nmt.evaluation.evaluate import save
    from nmt.runs.store import SCORES

    run = Path(result.run)
    try:
        save(run, result)
    except OSError as error:
        what = f"cannot write: {error.strerror}; nmt info will not show these scores"
        print(shown(f"warning: {run / SCORES}: {what}"), file=sys.stderr)


def _draw(results: "list[Evaluation]", path: Path) -> None:
    from nmt.plots import length_picture

    names = [name for name in results[0].sets if results[0].sets[name].by_length]
    length_picture({name: {result.run: result.sets[name].by_length for result in results} for name in names}, path)
