"""R0: the same training run twice gives the same bits; where device or torch differ, it says so."""

import json

import pytest
import torch

from nmt.runs.store import PROVENANCE
from reliability.job import CASES, check_equal, command, result, run, sampled


@pytest.mark.parametrize("case", sampled(CASES, 4))
def test_twice(workplace, uninterrupted, tmp_path, case: str) -> None:
    run(workplace, tmp_path / "again", *CASES[case])
    check_equal(tmp_path / "again", uninterrupted(case))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_in_a_process_of_its_own(workplace, uninterrupted, tmp_path, case: str) -> None:
    """Whose hashes of text, and so the order of sets, are others."""
    done = command(workplace, "train", "digits.yaml", f"run={tmp_path / 'run'}", *CASES[case])
    assert done.returncode == 0, done.stderr
    check_equal(tmp_path / "run", uninterrupted(case))


def test_another_seed_is_another_run(workplace, uninterrupted, tmp_path) -> None:
    run(workplace, tmp_path / "other", "training.seed=2", "training.max_steps=4")
    assert result(tmp_path / "other")["weights"] != result(uninterrupted("conditional"))["weights"]


@pytest.mark.parametrize(
    ("old", "words", "change"),
    [
        ({}, [], ""),
        ({"device": "cpu (1 threads)"}, [], ""),  # as version 0.1.0 wrote it
        ({}, ["threads=2"], "device cpu (1 thread) -> cpu (2 threads)"),
        ({"device": "cuda (NVIDIA H100)"}, [], "device cuda (NVIDIA H100) -> cpu (1 thread)"),
        ({"versions": {"torch": "2.1.0"}}, [], f"torch 2.1.0 -> {torch.__version__.split('+')[0]}"),
    ],
    ids=["nothing", "old words", "threads", "device", "torch"],
)
def test_what_makes_it_inexact_is_said_once(workplace, tmp_path, capsys, old, words: list[str], change: str) -> None:
    run(workplace, tmp_path / "run", "training.max_steps=1", "training.schedule=constant")
    path = tmp_path / "run" / PROVENANCE
    provenance = json.loads(path.read_text())
    provenance["versions"].update(old.get("versions", {}))
    path.write_text(json.dumps({**provenance, **old, "versions": provenance["versions"]}))
    capsys.readouterr()
    try:
        run(workplace, tmp_path / "run", "training.max_steps=2", "training.schedule=constant", *words)
    finally:
        torch.set_num_threads(1)
    said = [line for line in capsys.readouterr().out.splitlines() if "bit-identical" in line]
    assert len(said) == bool(change)
    assert all(line.startswith(f"note: {change}") for line in said), said
