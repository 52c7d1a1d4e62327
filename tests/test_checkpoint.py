"""Checkpoints and weights: what was written comes back, and whatever is damaged is found out."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from nmt.errors import DataError
from nmt.run import WEIGHTS, load_run, unpack_weights, write_atomic
from nmt.training.checkpoint import (
    checkpoint_name,
    list_checkpoints,
    load_checkpoint,
    load_newest,
    prune,
    save_checkpoint,
)
from nmt.training.state import Progress, TrainState, Validation

FILES = ("model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def state(step: int, validations: int = 1) -> TrainState:
    progress = Progress(step=step, epoch=2, batch=3, batches=7, seconds=1.5, target_tokens=99, skipped=1)
    progress.validations = [Validation(step, 2.4, 3.25, 10.0, 20.5) for _ in range(validations)]
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
    lines: list[str] = []
    return load_newest(folder, lines.append), lines


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


# Damage --------------------------------------------------------------------------------------------------------------


def cut(keep: Callable[[int], int]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: keep(path.stat().st_size)])


def swap_with_older(path: Path) -> None:
    shutil.copy(path.parent.parent / checkpoint_name(1, 1) / path.name, path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": cut(lambda size: 0),
    "1 byte": cut(lambda size: 1),
    "8 bytes": cut(lambda size: 8),
    "half": cut(lambda size: size // 2),
    "last byte missing": cut(lambda size: size - 1),
    "a byte more": lambda path: path.write_bytes(path.read_bytes() + b"\n0"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "removed": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir())[0],
    "of another checkpoint": swap_with_older,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, file: str, damage: str) -> None:
    save_checkpoint(tmp_path, state(1))
    older = state(2)
    save_checkpoint(tmp_path, older)
    path = save_checkpoint(tmp_path, state(3))
    DAMAGES[damage](path / file)
    with pytest.raises(DataError, match=r"damaged|cannot read"):
        load_checkpoint(path)
    found, lines = newest(tmp_path)
    assert found is not None and equal(found, older)
    [line] = lines
    assert line.startswith("warning: ") and path.name in line and line.endswith("using the checkpoint before it")


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    """Every bit of a manifest's entry and of the end of the manifest, and bits of all files throughout."""
    path, flips = save_checkpoint(tmp_path, state(3)), 0
    for file in FILES:
        content = (path / file).read_bytes()
        bits = set(range(0, 8 * len(content), 23))
        if file == "manifest.json":
            bits |= {*range(8 * 130), *range(8 * len(content) - 40, 8 * len(content))}
        for bit in bits:
            (path / file).write_bytes(flipped(content, bit))
            with pytest.raises(DataError):
                load_checkpoint(path)
        (path / file).write_bytes(content)
        flips += len(bits)
    assert flips > 1000
    load_checkpoint(path)


def flipped(content: bytes, bit: int) -> bytes:
    place = bit // 8
    return content[:place] + bytes([content[place] ^ (1 << bit % 8)]) + content[place + 1 :]


@pytest.mark.parametrize("name", ["other.safetensors", "../x.json", "manifest.json"])
def test_a_manifest_that_names_an_unknown_file(tmp_path: Path, name: str) -> None:
    path = save_checkpoint(tmp_path, state(3))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest[name] = manifest["state.json"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="unknown file"):
        load_checkpoint(path)


@pytest.mark.parametrize("manifest", ["[]", "{}", "null", "3", '{"state.json": 3}', '{"state.json": {"size": 1}}', "{"])
def test_a_manifest_of_another_kind(tmp_path: Path, manifest: str) -> None:
    path = save_checkpoint(tmp_path, state(3))
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(DataError):
        load_checkpoint(path)


def test_two_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, state(step))
    for step in (2, 3):
        DAMAGES["half"](tmp_path / checkpoint_name(step, 1) / "model.safetensors")
    found, lines = newest(tmp_path)
    assert found is not None and found.progress.step == 1
    assert [checkpoint_name(3, 1) in lines[0], checkpoint_name(2, 1) in lines[1], len(lines)] == [True, True, 2]


def test_all_damaged(tmp_path: Path) -> None:
    for step in (1, 2):
        DAMAGES["1 byte"](save_checkpoint(tmp_path, state(step)) / "optimizer.safetensors")
    with pytest.raises(DataError, match="no checkpoint is intact"):
        newest(tmp_path)
    assert len(list_checkpoints(tmp_path)) == 2, "nothing may be taken away"


def test_a_damaged_one_is_written_again(tmp_path: Path) -> None:
    """Training goes on from the one before and comes by the same step: it must be saved, and last pruning."""
    save_checkpoint(tmp_path, state(2))
    DAMAGES["half"](save_checkpoint(tmp_path, state(4)) / "model.safetensors")
    newest(tmp_path)
    save_checkpoint(tmp_path, state(3))
    prune(tmp_path, [], 1)
    found, lines = newest(tmp_path)
    assert found is not None and (found.progress.step, lines) == (3, [])
    saved = state(4)
    save_checkpoint(tmp_path, saved)
    found, lines = newest(tmp_path)
    assert found is not None and equal(found, saved) and lines == []


# Crashes -------------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """Stands for a process that is no more: nothing in the program catches it."""


OPERATIONS = [(Path, "mkdir"), (Path, "open"), (Path, "rename")]


def fail_at(monkeypatch: pytest.MonkeyPatch, count: int, error: BaseException) -> Iterator[int]:
    """From the `count`-th file operation on, all of them fail. Gives how many there were."""
    import os

    done = 0

    def failing(original: Callable) -> Callable:
        def operation(*arguments: object, **options: object) -> object:
            nonlocal done
            done += 1
            if done > count:
                raise error
            return original(*arguments, **options)

        return operation

    with monkeypatch.context() as patch:
        for owner, name in [*OPERATIONS, (os, "fsync")]:
            patch.setattr(owner, name, failing(getattr(owner, name)))
        yield done


ERRORS = [OSError(28, "No space left on device"), OSError(5, "Input/output error"), Crash()]


@pytest.mark.parametrize("error", ERRORS, ids=["disk full", "input/output", "crash"])
def test_a_save_that_fails_anywhere_leaves_a_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    older, newer, outcomes = state(1), state(2), set()
    for count in range(100):
        folder = tmp_path / str(count)
        save_checkpoint(folder, older)
        failed = False
        for _ in fail_at(monkeypatch, count, error):
            try:
                save_checkpoint(folder, newer)
            except type(error):
                failed = True
        found, lines = newest(folder)
        assert found is not None and lines == []
        outcomes.add((failed, found.progress.step))
        assert equal(found, older if found.progress.step == 1 else newer)
        if not failed:
            break
        save_checkpoint(folder, newer)
        prune(folder, [], 2)
        assert [path.name for path in sorted(folder.iterdir())] == [checkpoint_name(1, 1), checkpoint_name(2, 1)]
    assert count > 10
    assert {(True, 1), (False, 2)} <= outcomes


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    for count in range(20):
        path.write_bytes(b"old")
        failed = False
        for _ in fail_at(monkeypatch, count, OSError(28, "No space left on device")):
            try:
                write_atomic(path, b"new")
            except OSError:
                failed = True
        assert path.read_bytes() in {b"old", b"new"}
        assert [each.name for each in tmp_path.iterdir()] == ["file"]
        if not failed:
            break
    assert count > 2 and path.read_bytes() == b"new"


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


# The weights of a run ------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    return tmp_path / "run"


def test_weights_load(run: Path) -> None:
    assert load_run(run, torch.device("cpu")).path == run


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage != "of another checkpoint"])
def test_damaged_weights_are_refused(run: Path, damage: str) -> None:
    DAMAGES[damage](run / WEIGHTS)
    with pytest.raises(DataError, match=WEIGHTS):
        load_run(run, torch.device("cpu"))


def test_flipped_bits_in_weights_are_refused(run: Path) -> None:
    """Every bit of the entry that neither the checksum nor the settings cover, and others at random."""
    content = (run / WEIGHTS).read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    chance = random.Random(1)
    for first, last, count in ((0, header, 50), (header, len(content), 10)):
        for _ in range(count):
            (run / WEIGHTS).write_bytes(flipped(content, chance.randrange(8 * first, 8 * last)))
            with pytest.raises(DataError, match=WEIGHTS):
                load_run(run, torch.device("cpu"))
    start = content.index(b'"format"')
    for bit in range(8 * start, 8 * (start + len(b'"format":"1"'))):
        with pytest.raises(DataError, match=WEIGHTS):
            unpack_weights(flipped(content, bit), run / WEIGHTS)


def test_weights_of_other_settings_or_subwords_are_refused(run: Path) -> None:
    _, metadata = unpack_weights((run / WEIGHTS).read_bytes(), run / WEIGHTS)
    assert json.loads(metadata["model"])["hidden"] == 16
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("residual: false", "residual: true"))
    with pytest.raises(DataError, match="other model settings"):
        load_run(run, torch.device("cpu"))
