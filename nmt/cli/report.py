"""`nmt report`, `nmt compare` and `nmt watch`."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.options import Device, RunArgument, Threads
from nmt.cli.streams import check_output, open_output
from nmt.errors import ConfigError
from nmt.shown import shown

FirstRun = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Run directory [default: the newest in runs/]")]
OtherRun = Annotated[Path | None, typer.Argument(metavar="[RUN2]", help="Run to compare with")]
Tests = Annotated[
    bool, typer.Option("--test", help="Translate and score the test sets too, as nmt eval does, and not only what "
                       "training kept of the validation text")
]  # fmt: skip


def report(
    run: FirstRun = None,
    other: OtherRun = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write [default: report.html in the run]")
    ] = None,
    test: Tests = False,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Write report.html: one file that tells everything about a run, or compares it with another."""
    from nmt.evaluation.outputs import load_outputs
    from nmt.report.contents import Loader, gather, keep_calibration
    from nmt.report.page import render, write
    from nmt.runs.store import REPORT, newest

    run = run or newest()
    path = output or run / REPORT
    if not path.parent.is_dir():
        raise ConfigError(f"--output {path}: there is no folder {path.parent}; make it, or name another file")
    check_output(output)
    load = Loader(device, threads)
    if output is None:
        keep_calibration(run, load_outputs(run), load)
    contents = gather(run, other, tests=test, say=_say, load=load)
    if output is None:
        write(contents, path)
    else:  # which may be a link, a pipe or a device
        with open_output(output) as file:
            file.write(render(contents).encode("utf-8", "replace"))
    print(shown(f"report: {os.path.relpath(path)}"))


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory")],
    other: Annotated[Path, typer.Argument(metavar="RUN2", help="Run to compare with")],
    test: Tests = False,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Compare two runs in a few lines: scores, significance, time, words that only one gets right, settings."""
    from nmt.report.brief import compared
    from nmt.report.contents import Loader, gather

    found = gather(run, other, tests=test, say=_say, load=Loader(device, threads), pictures=False)
    for line in compared(found):
        print(line)


def watch(
    run: RunArgument = None,
    once: Annotated[bool, typer.Option("--once", help="Draw once and end")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two drawings")] = 5.0,
) -> None:
    """Draw the curves of a run in the terminal, while it trains. End with Ctrl-C."""
    from nmt.report.records import read_records
    from nmt.report.watch import screen
    from nmt.runs.store import load_settings, newest_started

    run = run or newest_started()
    metric = load_settings(run).training.metric
    terminal = sys.stdout.isatty()
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    while True:
        width, height = shutil.get_terminal_size((80, 24))
        lines = [str(run), *screen(read_records(run), metric, width, height, unicode=unicode)]
        if terminal and not once:
            print("\x1b[H\x1b[2J", end="")
        for line in lines:
            print(shown(line))
        sys.stdout.flush()
        if once or not terminal:
            return
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            return


def _say(line: str) -> None:
    print(shown(line), file=sys.stderr)
