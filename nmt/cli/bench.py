"""`nmt bench`."""

import json
import sys
from typing import Annotated

import typer

from nmt.cli.options import Overrides
from nmt.errors import ConfigError
from nmt.shown import shown


def bench(
    config_file: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="YAML config file; omit it with --reference")
    ] = None,
    overrides: Overrides = None,
    reference: Annotated[
        bool,
        typer.Option("--reference", help="Measure the reference model of the toolkit comparison, on random sentences"),
    ] = False,
    batches: Annotated[int, typer.Option(min=4, max=1000, help="Batches per round")] = 12,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds; the median is reported")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Measure the speed of training, decoding and start-up on this machine."""
    words = [word for word in (config_file, *(overrides or [])) if word is not None]
    if reference == any("=" not in word for word in words):
        raise ConfigError("bench: name a CONFIG, or give --reference, not both")
    from nmt import config
    from nmt.benchmark import bench as measure
    from nmt.benchmark import lines, reference_work, work_of
    from nmt.benchmark import reference as reference_settings

    def say(line: str) -> None:
        print(shown(line), file=sys.stderr)

    if reference:
        settings = reference_settings(words)
        work = reference_work(settings, batches)
    else:
        settings = config.load(words[0], words[1:])
        work = work_of(settings, batches, say)
    found = measure(work, settings, rounds, say)
    print(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))
