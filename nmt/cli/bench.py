"""`nmt bench`."""

import json
from typing import Annotated

import typer

from nmt.cli.options import Overrides, Threads, warn
from nmt.errors import ConfigError


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
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure from which size on packed products pay here, show it and keep it"),
    ] = False,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Measure the speed of training, decoding and start-up on this machine."""
    words = [word for word in (config_file, *(overrides or [])) if word is not None]
    if calibrate:
        if words or reference or as_json:
            raise ConfigError("bench: --calibrate has no effect on a config, --reference or --json; give it alone")
        from nmt import calibration, calibration_cache
        from nmt.device import check_threads
        from nmt.inference.parallel import own_threads

        check_threads(threads or 0)
        for number in sorted({1, threads or own_threads()}):
            calibrated = calibration.calibrate(number)
            print("\n".join(calibration.lines(calibrated, number)))
            if calibrated.disturbance:
                warn(f"note: {calibrated.disturbance}; it does not keep the result; measure again when they have ended")
            else:
                calibration_cache.keep(number, calibrated.thresholds, warn)
        return
    if threads is not None:
        raise ConfigError("--threads: needs --calibrate; to measure a config, set threads=N")
    if reference == any("=" not in word for word in words):
        raise ConfigError("bench: name a CONFIG, or give --reference, not both")
    from nmt import config
    from nmt.benchmark import bench as measure
    from nmt.benchmark import lines, reference_work, work_of
    from nmt.benchmark import reference as reference_settings

    if reference:
        settings = reference_settings(words)
        work = reference_work(settings, batches)
    else:
        settings = config.load(words[0], words[1:])
        work = work_of(settings, batches, warn)
    found = measure(work, settings, rounds, warn)
    print(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))
