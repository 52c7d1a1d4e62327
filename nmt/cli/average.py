"""`nmt average`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmt.errors import ConfigError
from nmt.shown import shown


def average(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A run, whose checkpoints are averaged, or several runs")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The new run directory")],
    best: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Its N best checkpoints by validation [default: all the best it kept]"),
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, max=10_000, help="Its N newest checkpoints")] = None,
) -> None:
    """Average weights: of checkpoints of a run (moving averages, if it has them), or of runs; into a new run."""
    if best and last:
        raise ConfigError("--best and --last: give one of them")
    if len(runs) > 1 and (best or last):
        raise ConfigError(f"--{'best' if best else 'last'}: is about the checkpoints of one run; {len(runs)} are given")
    from nmt.training.average import average_checkpoints, average_runs

    def warn(line: str) -> None:
        print(shown(f"warning: {line}"), file=sys.stderr)

    if len(runs) > 1:
        made = average_runs(runs, out, sys.argv)
    else:
        made = average_checkpoints(runs[0], out, best=best, last=last, command=sys.argv, warn=warn)
    print(shown(f"the mean of {len(made.of)}: {', '.join(made.of)}"))
    print(shown(f"model: {made.run}; see whether it is better: nmt eval {made.run}"))
