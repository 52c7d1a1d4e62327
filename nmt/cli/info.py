"""`nmt info`."""

from nmt.cli.options import RunArgument


def info(run: RunArgument = None) -> None:
    """Show a run: settings, parameter counts, data, scores and provenance."""
    from nmt.info import describe_run
    from nmt.runs.store import newest

    for line in describe_run(newest() if run is None else run):
        print(line)
