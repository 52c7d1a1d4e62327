"""R12: a million lines translated, 20,000 steps trained: memory grows by less than 50 MB; no line is lost."""

import functools
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from reliability.job import PROJECT, ended, fork, run

MEGABYTES = 50
WARM_UP = 0.1  # of the calls


def watch(place: Path, every: int, what: str) -> None:
    """Memory in use is written down before every n-th step, or window of lines."""
    from nmt.inference.translator import Translator
    from nmt.training.step import TrainStep

    owner, name = {"train": (TrainStep, "__call__"), "translate": (Translator, "translate")}[what]
    setattr(owner, name, _watched(getattr(owner, name), place, every))


def _watched(method: Callable[..., Any], place: Path, every: int) -> Callable[..., Any]:
    calls = 0

    def watched(*values: Any, **options: Any) -> Any:
        nonlocal calls
        if calls % every == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            with place.open("a") as file:
                file.write(f"{pages * resource.getpagesize() / 1e6:.3f}\n")
        calls += 1
        return method(*values, **options)

    return watched


def growth(place: Path) -> float:
    """MB, from the end of the warm-up to the highest later."""
    used = [float(line) for line in place.read_text().split()]
    start = int(WARM_UP * len(used))
    assert len(used) >= 20
    return max(used[start:]) - used[start]


@pytest.mark.parametrize("steps", [100, pytest.param(20_000, marks=pytest.mark.slow)])
def test_training(workplace, tmp_path, monkeypatch, record_property, steps: int) -> None:
    monkeypatch.chdir(workplace)
    words = [f"run={tmp_path / 'run'}", f"training.max_steps={steps}", "training.log_every=100"]
    words += [f"training.validate_every={steps // 20}", f"training.save_every={steps // 20}"]
    before = functools.partial(watch, tmp_path / "memory", steps // 100, "train")
    assert ended(fork("train", "digits.yaml", *words, before=before), 1800) == 0
    assert growth(tmp_path / "memory") < MEGABYTES
    record_property("cases", steps)


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_translating(workplace, tmp_path, record_property, count: int) -> None:
    """The same 1,000 lines again and again: so every line shows whether it is in its place."""
    run(workplace, tmp_path / "run", "training.max_steps=2", "decoding.window=500", "decoding.max_length=4")
    source, target = tmp_path / "source", tmp_path / "target"
    block = "".join(f"{number % 7919 if number % 50 else ''}\n" for number in range(1000))
    source.write_text(block * (count // 1000))
    words = ["--beam-size", 1, "--batch-size", 500, "--threads", 1, "-i", source, "-o", target]
    before = functools.partial(watch, tmp_path / "memory", max(1, count // 50_000), "translate")
    assert ended(fork("translate", tmp_path / "run", *words, before=before), 1800) == 0
    with target.open() as file:
        first = list(islice(file, 1000))
        assert len(first) == 1000 and first[0] == first[50] == "\n" and len(set(first)) > 1
        blocks = 1
        while lines := list(islice(file, 1000)):
            assert lines == first
            blocks += 1
    assert blocks * 1000 == count
    assert growth(tmp_path / "memory") < MEGABYTES
    record_property("cases", count)


@pytest.mark.parametrize(
    ("steps", "precision"),
    [
        (100, "float32"),
        pytest.param(10_000, "float32", marks=pytest.mark.slow),
        pytest.param(10_000, "bf16", marks=pytest.mark.slow),
    ],
)
def test_training_on_batches_of_all_shapes(steps: int, precision: str, record_property) -> None:
    """Nearly every batch has a shape of its own. Unbounded caches take 60 MB after 100 steps."""
    words = ["--hidden", "128", "--embedding", "64", "--vocab", "300", "--tokens", "200", "--longest", "60"]
    script = PROJECT / "scripts" / "lab" / "endurance.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # set by this process, as by any with nmt
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, script, "--steps", str(steps), "--precision", precision, "--most", str(MEGABYTES / 2), *words],
        check=False, env=environment, capture_output=True, text=True, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    record_property("cases", steps)
