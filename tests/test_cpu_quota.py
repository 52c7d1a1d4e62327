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
    monkeypatch.setattr(module, "CPUS", tmp_path / "cpus")
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
        ({"cpu.max": "9" * 5000 + " 1\n"}, math.inf),
        ({"own": "nonsense\n0:\n\n4:cpu\n0::/a\0b\n0::/a\x0cb\u2028c\n", **CONTAINER_2}, 2),
        ({"own": "0::/user\n", "cpu/cpu.max": "50000 100000"}, math.inf),  # a group of version 2 that is called cpu
        (
            {
                "own": "4:cpuacct,cpu:/jobs\n",
                "cpu/jobs/cpu.cfs_quota_us": "300000",
                "cpu/jobs/cpu.cfs_period_us": "100000",
            },
            3,
        ),
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


def test_hardware_threads_of_one_core_count_once(groups: Path) -> None:
    """torch starts four threads on eight CPUs that are four cores; a limit must not make them more."""
    write(groups, {f"cpus/cpu{cpu}/topology/thread_siblings_list": f"{cpu % 4},{cpu % 4 + 4}\n" for cpu in range(8)})
    write(groups, {"cpu.max": "600000 100000"})
    limit_threads()
    assert "OMP_NUM_THREADS" not in os.environ
    write(groups, {"cpu.max": "300000 100000"})
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_an_empty_variable_is_none(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(groups, CONTAINER_2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_number_of_the_user_stays(groups: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write(groups, CONTAINER_2)
    monkeypatch.setenv(name, "5")
    limit_threads()
    assert {os.environ.get(key) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"5", None}


def test_without_a_limit_nothing_is_set() -> None:
    limit_threads()
    assert "OMP_NUM_THREADS" not in os.environ
