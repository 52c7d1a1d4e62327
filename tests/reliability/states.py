"""Small states of training for the tests of checkpoints, and files that are damaged in all the ways of disks."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from nmt.training.checkpoint import checkpoint_name, load_newest
from nmt.training.state import Progress, TrainState, Validation

FILES = ("model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def state(step: int, validations: int = 1) -> TrainState:
    progress = Progress(step=step, epoch=2, batch=3, batches=7, seconds=1.5, tokens=99, loss=1.5, text="a b", skipped=1)
    progress.validations = [Validation(step, 2.4, 3.25, {"bleu": 10.0, "chrf": 20.5}) for _ in range(validations)]
    return TrainState(
        progress,
        weights={"a": torch.arange(6.0).view(2, 3) + step, "b.c": torch.tensor([0.1, -0.2])},
        average={"a": torch.ones(2, 3) / step, "b.c": torch.tensor([float("inf"), -0.0])},
        optimizer={"0.step": torch.tensor(float(step)), "0.exp_avg": torch.randn(2, 3)},
    )


def equal(first: TrainState, second: TrainState) -> bool:
    pairs = [(getattr(first, part), getattr(second, part)) for part in ("weights", "average", "optimizer")]
    return first.progress == second.progress and all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one) for one, other in pairs
    )


def newest(folder: Path) -> tuple[TrainState | None, list[str]]:
    """The newest checkpoint that verifies, and what was said about others."""
    lines: list[str] = []
    return load_newest(folder, lines.append), lines


# Damage --------------------------------------------------------------------------------------------------------------


def flipped(content: bytes, bit: int) -> bytes:
    place = bit // 8
    return content[:place] + bytes([content[place] ^ (1 << bit % 8)]) + content[place + 1 :]


def flip(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(flipped(content, chance.randrange(8 * len(content))))


def _cut(keep: Callable[[int], int]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: keep(path.stat().st_size)])


def _swap(path: Path) -> None:
    shutil.copy(path.parent.parent / checkpoint_name(1, 1) / path.name, path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": _cut(lambda size: 0),
    "1 byte": _cut(lambda size: 1),
    "8 bytes": _cut(lambda size: 8),
    "a quarter": _cut(lambda size: size // 4),
    "half": _cut(lambda size: size // 2),
    "last byte missing": _cut(lambda size: size - 1),
    "a byte more": lambda path: path.write_bytes(path.read_bytes() + b"\n0"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "removed": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir())[0],
}
DAMAGES_OF_CHECKPOINTS = {**DAMAGES, "of another checkpoint": _swap}
