"""`nmt train` and `nmt check`."""

import sys
from typing import Annotated

import typer

from nmt.cli.options import ConfigArgument, Overrides
from nmt.shown import shown


def train(
    config_file: ConfigArgument,
    overrides: Overrides = None,
    changed_data: Annotated[
        bool, typer.Option("--changed-data", help="Go on with a run although its text has changed since it began")
    ] = False,
) -> None:
    """Train a model from raw parallel text; run again to go on where it stopped."""
    from nmt.data.from_text import settings_of

    start = settings_of(config_file, overrides or [])
    for line in start.notes:
        print(shown(line))
    from nmt.training.train import train as train_run

    outcome = train_run(start.settings, sys.argv, changed_data, start.files)
    if outcome.signal:
        sys.exit(128 + outcome.signal)


def check(
    config_file: ConfigArgument,
    overrides: Overrides = None,
) -> None:
    """Show everything that can be known before training: settings, data, vocabulary, size, sample batches."""
    from nmt.data.from_text import settings_of

    start = settings_of(config_file, overrides or [])
    for line in (*start.notes, *start.rule):
        print(shown(line))
    from nmt.check import check_config

    check_config(start.settings, lambda line: print(shown(line)))
