"""`nmt train` and `nmt check`."""

import os
import sys
from typing import Annotated

import typer

from nmt.cli.options import ConfigArgument, Overrides, joined_ranks
from nmt.shown import shown


def train(
    config_file: ConfigArgument,
    overrides: Overrides = None,
    changed_data: Annotated[
        bool, typer.Option("--changed-data", help="Resume even if the training or validation text has changed")
    ] = False,
) -> None:
    """Train a model on raw parallel text. Run the same command again to resume.

    Several processes: torchrun --nproc-per-node=N -m nmt train CONFIG
    """
    with joined_ranks() as ranks:
        from nmt.data.from_text import settings_of

        start = settings_of(config_file, overrides or [])
        for line in start.notes if ranks is None or ranks.leads else ():
            print(shown(line))
        from nmt.distributed import ALONE
        from nmt.training.train import train as train_run

        result = train_run(start.settings, sys.argv, changed_data, start.files, ranks or ALONE)
    if result.signal:
        sys.exit(128 + result.signal)
    if os.environ.get("RANK", "0") != "0":  # of several processes under torchrun, the first one writes
        return
    from nmt.report.finish import finish

    finish(result.run, lambda line: print(shown(line)), start.settings.threads or None)


def check(
    config_file: ConfigArgument,
    overrides: Overrides = None,
) -> None:
    """Check a config without training: show its settings, data, vocabulary, model size and sample batches."""
    from nmt.data.from_text import settings_of

    start = settings_of(config_file, overrides or [])
    for line in (*start.notes, *start.rule):
        print(shown(line))
    from nmt.check import check_config

    check_config(start.settings, lambda line: print(shown(line)))
