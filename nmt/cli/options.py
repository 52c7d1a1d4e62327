"""Arguments and options that several commands share, and the code that interprets them."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nmt.errors import ConfigError
from nmt.shown import shown

if TYPE_CHECKING:
    from nmt.distributed import Ranks
    from nmt.inference.translator import Translator

Value = TypeVar("Value")

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML config file, or the training text: one or more files")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Settings that override those of the config file"),
]
RunArgument = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Run directory [default: the newest in runs/]")
]
RunsAndSettings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]... [DECODING.KEY=VALUE]...",
        help="Run directory, or several for an ensemble [default: the newest in runs/]; decoding "
        "settings that override the run's",
    ),
]
RunAndSettings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN] [DECODING.KEY=VALUE]...",
        help="Run directory [default: the newest in runs/]; decoding settings that override the run's",
    ),
]
WordKind = Annotated[
    str,
    typer.Option(
        "--words", metavar="KIND", help="How to split text into words: scripts (by the rules of each script) or spaces"
    ),
]
Device = Annotated[str | None, typer.Option(help="Device: auto, cpu, cuda or mps [default: the run's setting]")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="CPU threads [default: OMP_NUM_THREADS, or one per core within the CPU limit]"),
]
BeamSize = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Beam size; 1 is greedy search [default: the run's setting]"),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(min=0, max=10, help="Length penalty alpha (Wu et al. 2016) [default: the run's setting]"),
]
TextEncoding = Annotated[
    str, typer.Option("--encoding", help="Encoding of text that is not UTF-8, such as windows-1252 or gb18030")
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Sentences translated together [default: the run's setting]")
]


def translator_of(runs: Path | list[Path] | None, device: str | None, threads: int | None) -> "Translator":
    """Load one run or an ensemble; without a name, the newest run."""
    from nmt.api import load_translator
    from nmt.runs.store import newest

    return load_translator(runs or newest(), device, threads)


def calibrate_for(*translators: "Translator") -> None:
    """Calibrate this machine, if that was not done before, and let the translators on its CPU use the thresholds."""
    from nmt.calibration_cache import for_long_work
    from nmt.inference.parallel import own_threads

    on_cpu = [translator for translator in translators if translator.device.type == "cpu"]
    if on_cpu:
        speed = for_long_work(on_cpu[0].threads or own_threads(), warn)
        for translator in on_cpu:
            translator.speed = speed


def say_precision(translator: "Translator", changes: Mapping[str, Any]) -> None:
    """Say in one line which precision `decoding.precision=auto` means."""
    if changes.get("precision", translator.settings.precision) == "auto":
        choice = translator.precision("auto")
        warn(f"decoding.precision=auto: {choice.precision} ({choice.reason})")


def warn(line: str) -> None:
    """Print a line on standard error."""
    print(shown(line), file=sys.stderr)


def runs_and_settings(words: list[str] | None, most: int | None = None) -> tuple[list[Path], list[str]]:
    """Split words into run directories and `key=value` settings. Raise ConfigError for more than `most` runs."""
    settings = [word for word in words or [] if re.match(r"[A-Za-z_.]+=", word) and not Path(word).exists()]
    runs = [Path(word) for word in words or [] if word not in settings]
    if most is not None and len(runs) > most:
        raise ConfigError(f"{runs[most]}: too many runs; give at most {most}")
    return runs, settings


@contextmanager
def joined_ranks() -> Iterator["Ranks | None"]:
    """Join the processes that torchrun started; None without torchrun, where torch need not be imported yet."""
    if "RANK" not in os.environ:
        yield None
        return
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # else torch prints pages about what is said in a line here
    from nmt.distributed import joined

    with joined() as ranks:
        yield ranks


def check_words(kind: str) -> None:
    """Raise ConfigError for an unknown kind of words."""
    from nmt.data.words import split_words

    split_words("", kind)  # raises ConfigError for an unknown kind


def changes_of(**values: Value | None) -> dict[str, Value]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def option(name: str) -> str:
    """Return an option as typed: `beam_size` -> `--beam-size`."""
    return f"--{name.replace('_', '-')}"


@contextmanager
def as_typed(*names: str) -> Iterator[None]:
    """Name options in a ConfigError as the user typed them."""
    try:
        yield
    except ConfigError as error:
        lines = (problem.partition(":") for problem in error.problems)
        raise ConfigError(
            *(f"{option(name) if name in names else name}{colon}{rest}" for name, colon, rest in lines)
        ) from None


def check_alone(**others: bool) -> None:
    """Raise ConfigError if an option that adds output columns is given together with --jsonl."""
    problems = [
        f"{option(name)}: has no effect with --jsonl, which already includes it; remove it"
        for name, given in others.items()
        if given
    ]
    if problems:
        raise ConfigError(*problems)
