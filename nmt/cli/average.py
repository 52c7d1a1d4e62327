"""`nmt average`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmt.errors import ConfigError
from nmt.shown import shown


def average(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="One run, to average its checkpoints, or several runs")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Directory of the new run")],
    best: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="Average the N best checkpoints by validation score [default: all that were kept]"
        ),
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, max=10_000, help="Average the N most recent checkpoints")] = None,
) -> None:
    """Average the weights of several checkpoints of a run, or of several runs, into a new run."""
    if best and last:
        raise ConfigError("--best and --last: give one of them")
    if len(runs) > 1 and (best or last):
        raise ConfigError(
            f"--{'best' if best else 'last'}: applies to the checkpoints of a single run, but {len(runs)} are given"
        )
    from nmt.training.average import average_checkpoints, average_runs

    def warn(line: str) -> None:
        print(shown(f"warning: {line}"), file=sys.stderr)

    if len(runs) > 1:
        made = average_runs(runs, out, sys.argv)
    else:
        made = average_checkpoints(runs[0], out, best=best, last=last, command=sys.argv, warn=warn)
    print(shown(f"averaged {len(made.of)}: {', '.join(made.of)}"))
    print(shown(f"model: {made.run}; compare it with: nmt eval {made.run}"))
