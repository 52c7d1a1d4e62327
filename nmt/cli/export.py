"""`nmt export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.options import RunArgument
from nmt.shown import shown


def export(
    run: RunArgument = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="The new run directory")] = ...,  # type: ignore[assignment]
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights in 8 bits; on a CPU the search computes with them")
    ] = False,
    shortlist: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            help="Consider N translations of each source piece, and normalise scores over these alone "
            "[default: the run's shortlist, if any]",
        ),
    ] = None,
) -> None:
    """Make a run for those who only translate: without checkpoints, in 8 bits, with a shortlist of translations."""
    from nmt.export import export as make
    from nmt.run import newest

    def say(line: str) -> None:
        print(shown(line), file=sys.stderr)

    run = run or newest()
    make(run, out, eight_bits=int8, shortlist=shortlist, command=sys.argv, say=say)
    sizes = f"{_megabytes(out):.1f} MB of {_megabytes(run):.1f}"
    print(shown(f"model: {out}, {sizes}; see whether it is as good: nmt eval {out}"))


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
