"""`nmt export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.options import RunArgument
from nmt.shown import shown


def export(
    run: RunArgument = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="Directory of the new run")] = ...,  # type: ignore[assignment]
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Quantize the weights to 8 bits; CPUs with VNNI decode faster"),
    ] = False,
    shortlist: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            help="Vocabulary shortlist: consider only N candidate translations of each source token "
            "[default: the run's shortlist, if any]",
        ),
    ] = None,
) -> None:
    """Export a run for translation only: no checkpoints, optionally 8-bit weights and a vocabulary shortlist."""
    from nmt.runs.export import export as make
    from nmt.runs.store import newest

    def say(line: str) -> None:
        print(shown(line), file=sys.stderr)

    run = run or newest()
    make(run, out, eight_bits=int8, shortlist=shortlist, command=sys.argv, say=say)
    sizes = f"{_megabytes(out):.1f} MB of {_megabytes(run):.1f}"
    print(shown(f"model: {out}, {sizes}; check its quality with: nmt eval {out}"))


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
