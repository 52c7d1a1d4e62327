"""R9: a run whose text has changed does not resume: the file is named, nothing is touched, unless you ask for it."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability.job import call, check_equal, make_workplace, sampled

WORDS = ["training.max_steps=1", "training.validate_every=1", "training.schedule=constant"]
EDITS: dict[str, Callable[[Path], object]] = {
    "a character more": lambda path: path.write_text("7" + path.read_text()),
    "another digit": lambda path: path.write_text(path.read_text()[:-2] + "x\n"),
    "two lines swapped": lambda path: path.write_text(
        "\n".join([path.read_text().split("\n")[1], path.read_text().split("\n")[0], *path.read_text().split("\n")[2:]])
    ),
    "no newline at the end": lambda path: path.write_text(path.read_text()[:-1]),
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workplace with a run that has begun. Copy it first."""
    folder = make_workplace(tmp_path_factory.mktemp("edited"))
    assert call("train", folder / "digits.yaml", f"run={folder / 'run'}", *WORDS).status == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "edit"),
    sampled([(name, edit) for edit in EDITS for name in ("train.a", "train.b", "valid.a", "valid.b")], 5),
)
def test_an_edited_file_is_refused(begun, tmp_path, name: str, edit: str) -> None:
    folder = Path(shutil.copytree(begun, tmp_path / "workplace"))
    EDITS[edit](folder / "corpus" / name)
    before = contents(folder / "run")
    done = call("train", folder / "digits.yaml", f"run={folder / 'run'}", *WORDS, "training.max_steps=3")
    assert done.status == 2
    [error] = done.errors.splitlines()
    assert error == (
        f"error: {name}: has changed since this run began; restore it, or train in another directory: run=runs/NAME "
        "(or resume with it: --changed-data)"
    )
    assert contents(folder / "run") == before


def test_equal_text_elsewhere_and_at_another_time_is_the_same(begun, tmp_path) -> None:
    folder = Path(shutil.copytree(begun, tmp_path / "workplace"))
    for path in (folder / "corpus").iterdir():
        os.utime(path, (0, 0))
    words = [f"run={folder / 'run'}", *WORDS, "training.max_steps=2"]
    assert call("train", folder / "digits.yaml", *words).status == 0


@pytest.mark.parametrize("name", ["train.a", "valid.b"])
def test_if_told_so_training_goes_on_with_other_text(begun, tmp_path, name: str) -> None:
    """With the pieces of the run, from the beginning of the epoch; and then as if the text had always been so."""
    folder = Path(shutil.copytree(begun, tmp_path / "workplace"))
    pieces = (folder / "run" / "subword.model").read_bytes()
    EDITS["another digit"](folder / "corpus" / name)
    words = ["train", folder / "digits.yaml", f"run={folder / 'run'}", *WORDS]
    done = call(*words, "training.max_steps=3", "--changed-data")
    assert done.status == 0, done.errors
    assert f"note: {name}: the text has changed since this run began" in done.output
    assert ("its epoch starts over" in done.output) == name.startswith("train")
    assert (folder / "run" / "subword.model").read_bytes() == pieces
    again = call(*words, "training.max_steps=4")
    assert again.status == 0
    assert "other text" not in again.output
    assert (folder / "run" / "subword.model").read_bytes() == pieces


def test_a_kill_does_not_make_it_forget_that_the_text_is_another(begun, tmp_path, monkeypatch) -> None:
    """After the provenance is written, and before the first checkpoint is."""
    folder = Path(shutil.copytree(begun, tmp_path / "killed"))
    EDITS["another digit"](folder / "corpus" / "train.a")
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    words = [*WORDS, "training.max_steps=4"]
    assert call("train", whole / "digits.yaml", f"run={whole / 'run'}", *words, "--changed-data").status == 0
    with monkeypatch.context() as patch:
        patch.setattr("nmt.training.train.Trainer.run", lambda trainer: sys.exit(9))
        killed = call("train", folder / "digits.yaml", f"run={folder / 'run'}", *words, "--changed-data")
    assert killed.status == 9
    done = call("train", folder / "digits.yaml", f"run={folder / 'run'}", *words)
    assert done.status == 0 and "its epoch starts over" in done.output
    check_equal(folder / "run", whole / "run")
