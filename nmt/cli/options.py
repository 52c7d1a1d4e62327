"""Arguments and options that several commands share, and what they stand for."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.decoding.translator import Translator

Value = TypeVar("Value")

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML file with the settings, or the text: one file, or two")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Settings that replace those of the file")
]
RunArgument = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Run directory [default: the newest in runs/]")
]
RunsAndSettings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]... [DECODING.KEY=VALUE]...",
        help="Run directory, or several as an ensemble [default: the newest in runs/]; settings for this call",
    ),
]
RunAndSettings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN] [DECODING.KEY=VALUE]...",
        help="Run directory [default: the newest in runs/]; settings for this call",
    ),
]
WordKind = Annotated[
    str,
    typer.Option(
        "--words", metavar="KIND", help="What a word is: scripts, by the rules of its script; spaces, between spaces"
    ),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps [default: the run's setting]")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="CPU threads [default: one per core, or OMP_NUM_THREADS]"),
]
BeamSize = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Hypotheses kept; 1 is greedy [default: the run's setting]"),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(min=0, max=10, help="Alpha of the length penalty [default: the run's setting]"),
]
TextEncoding = Annotated[
    str, typer.Option("--encoding", help="Encoding of text that is not UTF-8, such as windows-1252 or gb18030")
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Sentences at once [default: the run's setting]")
]


def translator_of(runs: Path | list[Path] | None, device: str | None, threads: int | None) -> "Translator":
    from nmt.run import load_translator, newest

    return load_translator(runs or newest(), device, threads)


def runs_and_settings(words: list[str] | None, most: int | None = None) -> tuple[list[Path], list[str]]:
    """Run directories, and `key=value` words. Raises ConfigError if there are more than `most` runs."""
    settings = [word for word in words or [] if re.match(r"[A-Za-z_.]+=", word) and not Path(word).exists()]
    runs = [Path(word) for word in words or [] if word not in settings]
    if most is not None and len(runs) > most:
        raise ConfigError(f"{runs[most]}: one run too many; name {most} at most")
    return runs, settings


def check_words(kind: str) -> None:
    from nmt.data.words import split_words

    split_words("", kind)  # raises ConfigError for an unknown kind


def changes_of(**values: Value | None) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def option(name: str) -> str:
    """As it is typed: `beam_size` -> `--beam-size`."""
    return f"--{name.replace('_', '-')}"


@contextmanager
def as_typed(*names: str) -> Iterator[None]:
    """Name options in a ConfigError as they are typed, for names that were given as options."""
    try:
        yield
    except ConfigError as error:
        lines = (problem.partition(":") for problem in error.problems)
        raise ConfigError(
            *(f"{option(name) if name in names else name}{colon}{rest}" for name, colon, rest in lines)
        ) from None


def check_alone(**others: bool) -> None:
    """Raises ConfigError if one of these options, which add to the output, is given beside --jsonl."""
    problems = [
        f"{option(name)}: has no effect with --jsonl, which has everything; remove it"
        for name, given in others.items()
        if given
    ]
    if problems:
        raise ConfigError(*problems)
