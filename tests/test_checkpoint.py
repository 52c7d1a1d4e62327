"""Checkpoints: what was written comes back, and what is no longer needed goes."""

import shutil
from pathlib import Path

import pytest
import torch
from reliability.states import FILES, equal, newest, state

from nmt.training.checkpoint import checkpoint_name, list_checkpoints, load_checkpoint, prune, save_checkpoint

# Writing and reading -------------------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    saved = state(12)
    path = save_checkpoint(tmp_path, saved)
    assert path == tmp_path / "step-00000012-0001"
    assert {file.name for file in path.iterdir()} == set(FILES)
    found = load_checkpoint(path)
    assert equal(found, saved)
    assert found.weights["a"].dtype == torch.float32
    assert found.average["b.c"].tolist() == [float("inf"), -0.0]


def test_what_is_empty_is_not_written(tmp_path: Path) -> None:
    saved = state(1)
    saved.average, saved.optimizer = {}, {}
    path = save_checkpoint(tmp_path, saved)
    assert {file.name for file in path.iterdir()} == {"model.safetensors", "state.json", "manifest.json"}
    assert equal(load_checkpoint(path), saved)


def test_what_is_not_contiguous_is_written_as_it_reads(tmp_path: Path) -> None:
    saved = state(1)
    saved.weights["a"] = torch.arange(6.0).view(2, 3).t()
    assert load_checkpoint(save_checkpoint(tmp_path, saved)).weights["a"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_newest_is_the_one_with_most_steps_and_validations(tmp_path: Path) -> None:
    assert newest(tmp_path / "nothing") == (None, [])
    for step, validations in ((9, 1), (100, 2), (100, 3), (20, 1)):
        save_checkpoint(tmp_path, state(step, validations))
    found, lines = newest(tmp_path)
    assert found is not None and (found.progress.step, len(found.progress.validations)) == (100, 3)
    assert lines == []


def test_saving_again_changes_nothing(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, state(5))
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    assert save_checkpoint(tmp_path, state(5)) == path
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


# What is kept -------------------------------------------------------------------------------------------------------


def test_leftovers_do_not_count_and_are_removed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1))
    leftover = tmp_path / f"{checkpoint_name(2, 1)}.tmp-123"
    shutil.copytree(tmp_path / checkpoint_name(1, 1), leftover)
    half_removed = tmp_path / checkpoint_name(0, 1)
    shutil.copytree(tmp_path / checkpoint_name(1, 1), half_removed)
    (half_removed / "manifest.json").unlink()
    assert leftover not in list_checkpoints(tmp_path)
    found, _ = newest(tmp_path)
    assert found is not None and found.progress.step == 1
    prune(tmp_path, [], 1)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint_name(1, 1)]


@pytest.mark.parametrize(
    ("keep", "count", "left"),
    [
        ([], 1, [50]),
        ([], 3, [30, 40, 50]),
        ([10, 30], 1, [10, 30, 50]),
        ([50], 1, [50]),
        ([10, 99], 2, [10, 40, 50]),
        ([], 9, [10, 20, 30, 40, 50]),
    ],
)
def test_prune(tmp_path: Path, keep: list[int], count: int, left: list[int]) -> None:
    for step in (30, 10, 50, 20, 40):
        save_checkpoint(tmp_path, state(step))
    prune(tmp_path, [checkpoint_name(step, 1) for step in keep], count)
    assert [path.name for path in list_checkpoints(tmp_path)] == [checkpoint_name(step, 1) for step in left]
    for path in list_checkpoints(tmp_path):
        load_checkpoint(path)
