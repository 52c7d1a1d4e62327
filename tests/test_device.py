"""Where to compute, and with how many threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nmt import config
from nmt.device import THREADS, choose_device, describe
from nmt.errors import ConfigError


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("wanted", "used"), [(3, 3), (0, THREADS)])
def test_threads(tiny_config: Path, wanted: int, used: int) -> None:
    torch.set_num_threads(2)
    device = choose_device(config.load(tiny_config, ["device=cpu", f"threads={wanted}"]))
    assert torch.get_num_threads() == used
    assert describe(device) == f"cpu ({used} {'thread' if used == 1 else 'threads'})"


def test_threads_are_as_many_as_the_environment_says() -> None:
    program = "import nmt.device; print(nmt.device.THREADS)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_is_not_there(tiny_config: Path) -> None:
    with pytest.raises(ConfigError, match="device: cuda is not available here; set device=auto or device=cpu"):
        choose_device(config.load(tiny_config, ["device=cuda"]))


def test_each_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    settings = config.Settings.model_validate({"data": {"source": "a", "target": "b"}, "device": "cuda", "threads": 1})
    assert choose_device(settings, 1).type == "cuda" and chosen == [1]
    with pytest.raises(ConfigError, match=r"process 3 .* --nproc-per-node=2, or set device=cpu"):
        choose_device(settings, 2)
