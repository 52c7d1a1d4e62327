"""R5: a full disk gives a warning during training and exit status 3 at its end; what was saved stays."""

import errno
import os
from pathlib import Path

import pytest
import torch

from nmt import files
from nmt.errors import NotSaved
from nmt.runs.store import CHECKPOINTS, LOG, WEIGHTS, load_run
from nmt.training import checkpoint
from nmt.training.checkpoint import list_checkpoints, load_newest
from nmt.training.checkpoint_manager import CheckpointManager
from reliability.job import check_equal, command, run


def full_between(monkeypatch: pytest.MonkeyPatch, first: int, last: int) -> None:
    """Writing of files to be synced fails from the `first` to the `last` time, counted from 1."""
    real, done = files.write_synced, 0

    def write(path: Path, content: bytes) -> None:
        nonlocal done
        done += 1
        if first <= done <= last:
            path.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, content)

    monkeypatch.setattr(files, "write_synced", write)
    monkeypatch.setattr(checkpoint, "write_synced", write)


def warnings(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]


@pytest.fixture(scope="module")
def whole(workplace: Path) -> Path:
    run(workplace, workplace / "whole", "training.average=false")
    return workplace / "whole"


@pytest.mark.parametrize(("first", "last"), [(5, 10), (9, 15), (7, 7)])
def test_training_goes_on(workplace, whole, tmp_path, monkeypatch, capsys, first: int, last: int) -> None:
    full_between(monkeypatch, first, last)
    run(workplace, tmp_path / "run", "training.average=false")  # an average has fewer to choose from
    lines = warnings(capsys)
    assert lines and all("No space left on device" in line and line.endswith("training continues") for line in lines)
    check_equal(tmp_path / "run", whole)
    load_run(tmp_path / "run", torch.device("cpu"))


def test_the_last_save_fails(workplace, tmp_path, monkeypatch) -> None:
    full_between(monkeypatch, 9, 10_000)
    with pytest.raises(NotSaved) as caught:
        run(workplace, tmp_path / "run")
    [line] = str(caught.value).split("\n")
    assert "cannot save step 12: No space left on device" in line
    newest = list_checkpoints(tmp_path / "run" / CHECKPOINTS)[-1]
    assert f"{newest.name} is kept" in line
    assert load_newest(newest.parent, print) is not None
    assert not list((tmp_path / "run").rglob("*.tmp-*"))


def test_a_process_that_may_not_write_large_files(workplace, tmp_path) -> None:
    """The limit is the kernel's: every checkpoint is larger than it."""
    limited = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""
    words = ["model.hidden=96", "training.max_steps=4", "training.log_every=1000"]
    done = command(workplace, "train", "digits.yaml", f"run={tmp_path / 'run'}", *words, before=limited)
    assert done.returncode == 3, done.stdout + done.stderr
    [error] = done.stderr.splitlines()
    assert error.startswith("error: ") and "cannot save step 4: File too large; there is no checkpoint yet" in error
    assert "cannot write: File too large; training continues" in done.stdout
    assert not (tmp_path / "run" / WEIGHTS).exists()


def test_a_model_that_could_not_be_written_is_written_by_the_next_start(
    workplace, whole, tmp_path, monkeypatch
) -> None:
    """The last checkpoint has room, the model has not: the run ends with status 3 and an older model."""
    real = CheckpointManager._write_model

    def write(checkpoints: CheckpointManager, weights: object, validation: str) -> None:
        if validation != "step-00000004-0001":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(checkpoints, weights, validation)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointManager, "_write_model", write)
        with pytest.raises(NotSaved, match="No space left on device"):
            run(workplace, tmp_path / "run", "training.average=false", "training.metric=loss")
    old = (tmp_path / "run" / WEIGHTS).read_bytes()
    run(workplace, tmp_path / "run", "training.average=false", "training.metric=loss")
    assert (tmp_path / "run" / WEIGHTS).read_bytes() != old
    run(workplace, tmp_path / "whole", "training.average=false", "training.metric=loss")
    check_equal(tmp_path / "run", tmp_path / "whole")


def test_a_full_standard_output_does_not_end_training(workplace, whole, tmp_path) -> None:
    full = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}", "training.average=false"]
    done = command(workplace, *words, before=full)
    assert (done.returncode, done.stderr) == (0, "")
    check_equal(tmp_path / "run", whole)
    log = (tmp_path / "run" / LOG).read_text()
    assert log.count("warning: standard output: cannot write: No space left on device; training continues") == 1
    assert "finished: training.max_steps=12 reached" in log
