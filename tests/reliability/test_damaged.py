"""R4: cut, flipped, removed, swapped: damage is found and the previous checkpoint used; no damaged model translates."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from nmt.errors import DataError
from nmt.runs.store import CHECKPOINTS, WEIGHTS, load_run
from nmt.runs.weights import unpack_weights
from nmt.training.checkpoint import checkpoint_name, list_checkpoints, load_checkpoint, prune, save_checkpoint
from nmt.training.stopping import Stop
from nmt.training.trainer import Trainer
from reliability.job import call, check_equal, run
from reliability.states import DAMAGES, DAMAGES_OF_CHECKPOINTS, FILES, equal, flip, flipped, newest, state

# Checkpoints ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGES_OF_CHECKPOINTS)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, file: str, damage: str) -> None:
    save_checkpoint(tmp_path, state(1))
    older = state(2)
    save_checkpoint(tmp_path, older)
    path = save_checkpoint(tmp_path, state(3))
    DAMAGES_OF_CHECKPOINTS[damage](path / file)
    with pytest.raises(DataError, match=r"damaged|cannot read"):
        load_checkpoint(path)
    found, lines = newest(tmp_path)
    assert found is not None and equal(found, older)
    [line] = lines
    assert line.startswith("warning: ") and path.name in line and line.endswith("using the previous checkpoint")


def test_flipped_bits_are_found(tmp_path: Path, record_property) -> None:
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
    record_property("cases", flips)


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


# Training that goes on -----------------------------------------------------------------------------------------------

WORDS = ["training.keep_last=3", "training.average=false"]


@pytest.fixture(scope="module")
def stopped(workplace: Path) -> Path:
    """A run that is to go on, with several checkpoints. Copy it first."""
    run(workplace, workplace / "stopped", *WORDS, "training.max_steps=8", "training.schedule=constant")
    return workplace / "stopped"


@pytest.mark.parametrize("flips", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_training_goes_on_from_the_one_before(
    workplace, stopped, tmp_path, monkeypatch, record_property, flips: int
) -> None:
    """A bit anywhere in the newest checkpoint: one line, and the steps since the one before are done again."""
    monkeypatch.setattr(Trainer, "run", lambda trainer: Stop("steps", f"going on at {trainer.progress.step}"))
    chance, words = random.Random(flips), [*WORDS, "training.schedule=constant"]
    for number in range(flips):
        folder = tmp_path / str(number)
        shutil.copytree(stopped, folder)
        *_, before, last = list_checkpoints(folder / CHECKPOINTS)
        files = sorted(last.iterdir())
        flip(chance.choices(files, [file.stat().st_size for file in files])[0], chance)
        done = call("train", workplace / "digits.yaml", f"run={folder}", *words)
        assert (done.status, done.errors) == (0, "")
        [line] = [line for line in done.output.splitlines() if line.startswith("warning: ")]
        assert last.name in line and "damaged" in line and line.endswith("using the previous checkpoint")
        assert f"finished: going on at {load_checkpoint(before).progress.step}\n" in done.output
        shutil.rmtree(folder)
    record_property("cases", flips)


def test_the_steps_since_then_come_out_equal(workplace, uninterrupted, stopped, tmp_path) -> None:
    words = [*WORDS, "training.schedule=constant"]
    shutil.copytree(stopped, tmp_path / "run")
    last = list_checkpoints(tmp_path / "run" / CHECKPOINTS)[-1]
    flip(last / WEIGHTS, random.Random(1))
    run(workplace, tmp_path / "run", *words)
    check_equal(tmp_path / "run", uninterrupted("conditional", *words))


def test_none_is_intact(workplace, stopped, tmp_path) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    for path in list_checkpoints(tmp_path / "run" / CHECKPOINTS):
        DAMAGES["half"](path / "state.json")
    done = call("train", workplace / "digits.yaml", f"run={tmp_path / 'run'}", *WORDS, "training.schedule=constant")
    assert done.status == 2
    [error] = done.errors.splitlines()
    assert error.startswith("error: ") and "no checkpoint is intact" in error


def test_a_damaged_checkpoint_is_left_out_of_the_average(workplace, tmp_path, capsys) -> None:
    folder = tmp_path / "run"
    run(workplace, folder, "training.average=false")
    oldest = list_checkpoints(folder / CHECKPOINTS)[0]
    DAMAGES["last byte missing"](oldest / WEIGHTS)
    capsys.readouterr()
    run(workplace, folder, "training.average=true")
    assert capsys.readouterr().out.count("left out of the average") == 1
    run(workplace, folder, "training.average=true")
    assert "already finished" in capsys.readouterr().out


# The model of a run --------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    return tmp_path / "run"


def check_refused(folder: Path) -> None:
    """`translate` says so and translates nothing."""
    text = folder.parent / "text"
    text.write_text("A house.\n")
    done = call("translate", folder, "-i", text, "--threads", "1")
    assert (done.status, done.output) == (2, "")
    [error] = done.errors.splitlines()
    assert error.startswith("error: ") and WEIGHTS in error


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_never_translates(copied: Path, damage: str) -> None:
    DAMAGES[damage](copied / WEIGHTS)
    check_refused(copied)


def test_the_model_of_another_run_never_translates(copied: Path, stopped: Path) -> None:
    shutil.copy(stopped / WEIGHTS, copied / WEIGHTS)
    check_refused(copied)


@pytest.mark.parametrize("flips", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_model_with_a_flipped_bit_never_translates(copied: Path, record_property, flips: int) -> None:
    """Every bit of the entry that neither the checksum nor the settings cover, and others at random."""
    content, chance = (copied / WEIGHTS).read_bytes(), random.Random(flips)
    header = 8 + int.from_bytes(content[:8], "little")
    for number in range(flips):
        first, last = (0, header) if number % 4 else (header, len(content))
        (copied / WEIGHTS).write_bytes(flipped(content, chance.randrange(8 * first, 8 * last)))
        check_refused(copied)
    start = content.index(b'"format"')
    bits = range(8 * start, 8 * (start + len(b'"format":"1"')))
    for bit in bits:
        with pytest.raises(DataError, match=WEIGHTS):
            unpack_weights(flipped(content, bit), copied / WEIGHTS)
    record_property("cases", flips + len(bits))


def test_weights_of_other_settings_are_refused(copied: Path) -> None:
    _, metadata = unpack_weights((copied / WEIGHTS).read_bytes(), copied / WEIGHTS)
    assert json.loads(metadata["model"])["hidden"] == 16
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("residual: false", "residual: true"))
    with pytest.raises(DataError, match="other model settings"):
        load_run(copied, torch.device("cpu"))
