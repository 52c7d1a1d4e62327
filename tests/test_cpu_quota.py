"""Limits on CPU time, as containers have them, and how many threads they allow."""

import math
import os
from pathlib import Path

import pytest

from nmt import cpu_quota as module
from nmt import environment
from nmt.cpu_quota import cpu_quota
from nmt.environment import limit_threads

CONTAINER_2 = {"cpu.max": "200000 100000\n"}
CONTAINER_1 = {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder that stands for the control groups of the system, on a machine of eight cores."""
    monkeypatch.setattr(module, "GROUPS", tmp_path)
    monkeypatch.setattr(module, "OWN", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(environment, "_own", {})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, math.inf),  # no control groups, as on macOS
        (CONTAINER_2, 2),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"own": "0::/docker/f00\n", **CONTAINER_2}, 2),  # a path of the host, which a container does not see
        (CONTAINER_1, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        # A service of systemd: its own group has a limit, or one above it a lower one.
        ({"own": "0::/system.slice/mt.service\n", "system.slice/mt.service/cpu.max": "300000 100000"}, 3),
        (
            {
                "own": "0::/system.slice/mt.service\n",
                "system.slice/cpu.max": "100000 100000",
                "system.slice/mt.service/cpu.max": "300000 100000",
            },
            1,
        ),
        (
            {
                "own": "5:memory:/jobs/1\n4:cpu,cpuacct:/jobs/1\n0::/\n",
                "cpu,cpuacct/jobs/1/cpu.cfs_quota_us": "400000",
                "cpu,cpuacct/jobs/1/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        ({"cpu.max": "200000 0\n"}, math.inf),
        ({"cpu.max": "nonsense\n"}, math.inf),
    ],
)
def test_the_lowest_limit_of_the_control_groups_counts(groups: Path, files: dict[str, str], cores: float) -> None:
    write(groups, files)
    assert cpu_quota() == cores


@pytest.mark.parametrize(
    ("quota", "threads"), [("50000", "1"), ("140000", "1"), ("150000", "2"), ("400000", "4"), ("800000", None)]
)
def test_threads_follow_the_limit(groups: Path, quota: str, threads: str | None) -> None:
    write(groups, {"cpu.max": f"{quota} 100000"})
    limit_threads()
    assert os.environ.get("OMP_NUM_THREADS") == threads


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_number_of_the_user_stays(groups: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write(groups, CONTAINER_2)
    monkeypatch.setenv(name, "5")
    limit_threads()
    assert {os.environ.get(key) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"5", None}


def test_without_a_limit_nothing_is_set() -> None:
    limit_threads()
    assert "OMP_NUM_THREADS" not in os.environ
