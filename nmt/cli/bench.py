"""`nmt bench`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.options import Overrides
from nmt.errors import ConfigError


def bench(
    config_file: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="YAML file with the settings")] = None,
    overrides: Overrides = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The model that toolkits are compared with, on synthetic sentences")
    ] = False,
    batches: Annotated[int, typer.Option(min=4, help="Batches of a round")] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the median is taken")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of --reference; 0: one per core")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Measure training, decoding and start-up on this machine, for a config or the reference model."""
    if reference == (config_file is not None):
        raise ConfigError("bench: name a CONFIG, or give --reference, not both")
    from nmt import config
    from nmt.config import DataSettings, Settings

    if config_file is not None:
        settings = config.load(config_file, overrides)
    else:
        settings = Settings(data=DataSettings(folder=".", source="synthetic", target="synthetic"), threads=threads)
    from nmt.benchmark import bench as measure
    from nmt.benchmark import lines, reference_work, work_of

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    work = reference_work(batches) if reference else work_of(settings, batches, say)
    found = measure(work, settings, rounds, say)
    print(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))
