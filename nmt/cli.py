"""The commands. The only place that parses arguments, prints results and exits.

Nothing here imports torch before it is needed: `--help` and configuration errors answer at once.
"""

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nmt import __version__
from nmt.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from nmt.decoding.translator import Translation, Translator
    from nmt.evaluation import SetScores

USER_ERROR = 2

app = typer.Typer(
    name="nmt",
    help="Train, run and explain recurrent neural machine translation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file with the settings")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Settings that replace those of the file")
]
RunArgument = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Run directory [default: the newest in runs/]")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps [default: the run's setting]")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads [default: one per core]")]
BeamSize = Annotated[int | None, typer.Option(min=1, help="Hypotheses kept; 1 is greedy [default: the run's setting]")]
LengthPenalty = Annotated[float | None, typer.Option(help="Alpha of the length penalty [default: the run's setting]")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Sentences at once [default: the run's setting]")]


def main() -> None:
    """Runs a command. What the user can mend is one line per problem and exit status 2; the rest is a traceback."""
    try:
        app(prog_name="nmt")
    except UserError as error:
        for line in str(error).split("\n"):
            print(f"error: {line}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"nmt {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    pass


# train ---------------------------------------------------------------------------------------------------------------


@app.command()
def train(
    config_file: ConfigArgument,
    overrides: Overrides = None,
) -> None:
    """Train a model from raw parallel text; run again to go on where it stopped."""
    from nmt import config

    settings = config.load(config_file, overrides)
    from nmt.training.train import train as train_run

    outcome = train_run(settings, sys.argv)
    if outcome.signal:
        sys.exit(128 + outcome.signal)


@app.command()
def check(
    config_file: ConfigArgument,
    overrides: Overrides = None,
) -> None:
    """Show everything that can be known before training: settings, data, vocabulary, size, sample batches."""
    from nmt import config

    settings = config.load(config_file, overrides)
    from nmt.information import check_config

    check_config(settings, print)


# translate -----------------------------------------------------------------------------------------------------------


@app.command()
def translate(
    run: RunArgument = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", "-i", help="Text to translate, a line each [default: standard input]")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the translations go [default: standard output]")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[int, typer.Option(min=1, help="Translations of each line, best first")] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a tab before each translation")] = False,
    as_json: Annotated[bool, typer.Option("--jsonl", help="One JSON object per line, with everything")] = False,
    attention: Annotated[bool, typer.Option("--attention", help="Draw the attention between words")] = False,
    pieces: Annotated[bool, typer.Option("--pieces", help="Draw it between subword pieces")] = False,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Add a tab and the word alignment (Pharaoh: source-target, from 0)")
    ] = False,
    batch_size: BatchSize = None,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Translate raw text: a line in, a line out, in order. An empty line stays an empty line."""
    changes = _given(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
    if n_best > (beam_size or n_best):
        raise ConfigError(f"--n-best {n_best}: needs a --beam-size of at least {n_best}")
    translator = _translator(run, device, threads)
    if n_best > int(changes.get("beam_size", translator.settings.beam_size)):
        changes["beam_size"] = n_best
    draw = attention or pieces
    if (draw or alignments) and translator.model.settings.attention == "none":
        raise ConfigError("--attention, --pieces and --alignments: this model has no attention")
    notes: Counter[str] = Counter()
    with _input(input_file) as source, _output(output_file) as target:
        for window in _windows(source, translator, notes):
            translations = translator.translate(
                window, n_best=n_best, attention=draw or alignments or as_json, changes=changes
            )
            for translation in translations:
                notes["lines cut to decoding.max_source pieces"] += translation.cut
                for line in _render(translation, scores, as_json, draw, pieces, alignments):
                    target.write(line.encode() + b"\n")
            target.flush()
    for note, count in notes.items():
        if count:
            print(f"warning: {note}: {count:,}", file=sys.stderr)


def _render(
    translation: "Translation", scores: bool, as_json: bool, draw: bool, pieces: bool, alignments: bool
) -> Iterator[str]:
    """The output for one line: one text line (per candidate), and the drawing if asked for."""
    from nmt.decoding.alignment import draw as draw_matrix
    from nmt.decoding.alignment import pharaoh

    if as_json:
        yield json.dumps(_as_json(translation), ensure_ascii=False)
        return
    for rank, candidate in enumerate(translation.candidates) if translation.candidates else [(0, translation)]:
        score = f"{candidate.score:.4f}\t" if scores else ""
        links = f"\t{pharaoh(translation.alignment)}" if alignments and rank == 0 else ""
        yield f"{score}{candidate.text}{links}"
    matrix = translation.piece_attention if pieces else translation.attention
    if draw and matrix is not None:
        yield draw_matrix(matrix, shutil.get_terminal_size().columns)
        yield ""


def _as_json(translation: "Translation") -> dict[str, object]:
    matrix = translation.attention
    return {
        "source": translation.source,
        "text": translation.text,
        "score": translation.score,
        "log_prob": translation.log_prob,
        "candidates": [vars(candidate) for candidate in translation.candidates],
        "source_words": matrix.source if matrix else [],
        "target_words": matrix.target if matrix else [],
        "attention": [[round(float(weight), 4) for weight in row] for row in matrix.weights] if matrix else [],
        "alignment": translation.alignment,
    }


def _windows(source: BinaryIO, translator: "Translator", notes: Counter[str]) -> Iterator[list[str]]:
    """Windows of lines, with a progress bar if input is a file and errors go to a terminal."""
    from nmt.decoding.stream import windows

    found = windows(source, translator.settings.window, notes)
    if source.fileno() == 0 or not sys.stderr.isatty():
        yield from found
        return
    from tqdm import tqdm

    with tqdm(unit="line") as bar:
        for window in found:
            yield window
            bar.update(len(window))


@contextmanager
def _input(path: Path | None) -> Iterator[BinaryIO]:
    try:
        with open(0 if path is None else path, "rb", buffering=0, closefd=path is not None) as file:
            yield file
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DataError(f"{error.filename}: cannot read: {error.strerror}") from None


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears under its name only when it is complete."""
    if path is None:
        try:
            yield sys.stdout.buffer
        except BrokenPipeError:  # the reader, such as `head`, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        return
    if path.is_dir():
        raise DataError(f"{path}: cannot write: Is a directory")
    if path.exists() and not path.is_file():  # a device or a pipe: it is to be written to, not replaced
        with path.open("wb") as file:
            yield file
        return
    final = path.resolve()  # a link stays a link
    unfinished = final.with_name(f"{final.name}.tmp-{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(final)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise DataError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _translator(run: Path | None, device: str | None, threads: int | None) -> "Translator":
    from nmt.run import load_translator, newest

    return load_translator(newest() if run is None else run, device, threads)


def _given(**values: int | float | None) -> dict[str, int | float]:
    return {name: value for name, value in values.items() if value is not None}


# eval ----------------------------------------------------------------------------------------------------------------


@app.command(name="eval")
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
        translator = _translator(path, device, threads)
        changes = _given(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
        given = (source, reference) if source is not None and reference is not None else None
        say: Callable[[str], None] = (lambda _: None) if as_json else print
        result = evaluation.evaluate(path, translator, given, changes, say)
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


# info ----------------------------------------------------------------------------------------------------------------


@app.command()
def info(run: RunArgument = None) -> None:
    """Show a run: settings, parameters of each part, data, scores, where it came from."""
    from nmt.information import describe_run
    from nmt.run import newest

    for line in describe_run(newest() if run is None else run):
        print(line)
