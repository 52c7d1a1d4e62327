"""Trackers: what metrics.jsonl records, sent to TensorBoard, Weights & Biases or trackio while training runs.

A tracker is a function from a run and its settings to another one, which takes (step, {name: number}).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError, extra

Send = Callable[[int, Mapping[str, float]], None]

NOT_MEASURED = {"step", "kind"}


class Tracking:
    """Send records to trackers. A tracker that fails is dropped with one warning; training continues."""

    def __init__(self, names: Sequence[str], run: Path, settings: Mapping[str, Any], warn: Callable[[str], None]):
        """Start the trackers. Raises ConfigError if the package of one is not installed."""
        self.warn = warn
        self.trackers = {name: TRACKERS[name](run, settings) for name in names}

    def send(self, kind: str, values: Mapping[str, Any]) -> None:
        """Send the numbers of a record, each under `kind/name`."""
        numbers = {
            f"{kind}/{name}": float(value)
            for name, value in values.items()
            if name not in NOT_MEASURED and isinstance(value, int | float) and not isinstance(value, bool)
        }
        for name, send in list(self.trackers.items()):
            try:
                send(int(values["step"]), numbers)
            except Exception as error:
                del self.trackers[name]
                self.warn(f"training.track: {name} failed ({error}); training continues without it")


def check_trackers(names: Sequence[str]) -> None:
    """Raise ConfigError, before anything is trained, if the package of a tracker is not installed."""
    from importlib.util import find_spec

    problems = [
        f"training.track: {name} needs {PACKAGES[name]}, which is not installed: "
        f"{extra('track') if name == 'tensorboard' else f'pip install {PACKAGES[name]}'}; or leave {name} out"
        for name in names
        if find_spec(PACKAGES[name]) is None
    ]
    if problems:
        raise ConfigError(*problems)


def _tensorboard(run: Path, settings: Mapping[str, Any]) -> Send:
    """Write event files into the folder `tensorboard` of the run: `tensorboard --logdir RUN`."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run / "tensorboard"))

    def send(step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return send


def _wandb(run: Path, settings: Mapping[str, Any], package: str = "wandb") -> Send:
    """Log to a project named nmt; a resumed run continues under its name. trackio has the same functions."""
    import importlib

    client = importlib.import_module(package)
    how = {"dir": str(run), "id": run.name} if package == "wandb" else {}
    client.init(project="nmt", name=run.name, config=dict(settings), resume="allow", **how)

    def send(step: int, numbers: Mapping[str, float]) -> None:
        client.log(dict(numbers), step=step)

    return send


PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}

TRACKERS: dict[str, Callable[[Path, Mapping[str, Any]], Send]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "trackio": partial(_wandb, package="trackio"),
}
