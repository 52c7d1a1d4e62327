"""R2: whichever file operation of a save fails, in whatever way, the checkpoint before it or the new one is there."""

import errno
import functools
import io
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nmt.files import write_atomic
from nmt.training.checkpoint import checkpoint_name, prune, save_checkpoint
from reliability.job import ended, fork, result
from reliability.states import newest, state

OPERATIONS = ("mkdir", "open", "fsync", "rename", "replace", "unlink", "rmdir")
FAULTS = {"disk full": errno.ENOSPC, "input/output": errno.EIO, "short write": errno.ENOSPC}
GONE = 9  # exit status of a process that is no more


class Disk:
    """Counts the file operations below a folder. The one with number `at` fails, and if `lasting` all that follow.

    With the fault `gone` the process ends there; a write is half done by then, as it is with `short write`.
    """

    def __init__(self, folder: Path, at: int, fault: str, *, lasting: bool = False) -> None:
        self.folder, self.at, self.fault, self.lasting = str(folder), at, fault, lasting
        self.done = 0
        self.ours: set[int] = set()  # descriptors of what is open in the folder

    def install(self, put: Callable[[Any, str, Any], None] = setattr) -> None:
        for name in OPERATIONS:
            put(os, name, self._operation(getattr(os, name)))
        put(io, "open", self._opening(io.open))

    def fails(self) -> bool:
        self.done += 1
        return self.done == self.at or (self.lasting and self.done > self.at)

    def fail(self) -> None:
        if self.fault == "gone":
            os._exit(GONE)
        number = FAULTS[self.fault]
        raise OSError(number, os.strerror(number))

    def _below(self, target: Any, options: dict[str, Any]) -> bool:
        if isinstance(target, int):
            return target in self.ours
        path = Path(target).absolute()
        real = Path(os.path.realpath(path.parent)) / path.name  # training writes through a directory that it holds
        return options.get("dir_fd") in self.ours or self.folder in [
            str(each) for each in (Path(target), *path.parents, real, *real.parents)
        ]

    def _operation(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(target: Any, *values: Any, **options: Any) -> Any:
            below = self._below(target, options)
            if below and self.fails():
                self.fail()
            done = real(target, *values, **options)
            if real.__name__ == "open":
                (self.ours.add if below else self.ours.discard)(done)
            return done

        return operation

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opening(target: Any, *values: Any, **options: Any) -> Any:
            below = self._below(target, {})
            if below and self.fails():
                self.fail()
            file = real(target, *values, **options)
            (self.ours.add if below else self.ours.discard)(file.fileno())
            return File(file, self) if below else file

        return opening


class File:
    """A file whose writes count as operations of the disk."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self.file, self.disk = file, disk

    def write(self, content: Any) -> int:
        if not self.disk.fails():
            return self.file.write(content)
        if self.disk.fault in {"gone", "short write"}:
            self.file.write(content[: len(content) // 2])
            self.file.flush()
        self.disk.fail()
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


@contextmanager
def faulty(disk: Disk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch.setattr)
        yield


# A save --------------------------------------------------------------------------------------------------------------

NAMES = [checkpoint_name(2, 1), checkpoint_name(3, 1)]


def two_checkpoints(folder: Path) -> Path:
    for step in (1, 2):
        save_checkpoint(folder, state(step))
    return folder


def save(folder: Path) -> None:
    """A third checkpoint; the first one goes."""
    save_checkpoint(folder, state(3))
    prune(folder, [], 2)


def check(folder: Path) -> int:
    """Nothing is lost, and the next save cleans up. Gives the newest step that was there."""
    found, lines = newest(folder)
    assert found is not None and lines == []
    step = found.progress.step
    assert step in {2, 3} and found.weights["a"].tolist() == state(step).weights["a"].tolist()
    save(folder)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    found, lines = newest(folder)
    assert found is not None and found.progress.step == 3 and lines == []
    return step


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from there on"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_operation_fails(tmp_path: Path, record_property, fault: str, lasting: bool) -> None:
    steps = []
    for at in itertools.count(1):
        folder = two_checkpoints(tmp_path / str(at))
        disk, failed = Disk(folder, at, fault, lasting=lasting), False
        with faulty(disk):
            try:
                save(folder)
            except OSError:
                failed = True
        steps.append(check(folder))
        if disk.done < at:
            assert not failed
            break
    assert at > 20 and set(steps) == {2, 3}
    record_property("cases", at - 1)


def gone_everywhere(folder: Path) -> None:
    """Saves in processes that end at their first file operation, at their second, and so on."""
    os.setpgid(0, 0)  # so that they end with this one
    for at in itertools.count(1):
        process = os.fork()
        if not process:
            Disk(folder / str(at), at, "gone").install()
            save(folder / str(at))
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0:
            return


def test_the_process_ends_at_every_operation(tmp_path: Path, record_property) -> None:
    for at in range(1, 100):
        two_checkpoints(tmp_path / str(at))
    process = multiprocessing.get_context("forkserver").Process(target=gone_everywhere, args=(tmp_path,))
    process.start()
    assert ended(process) == 0
    steps = [check(tmp_path / str(at)) for at in range(1, 100)]
    count = steps.index(3)  # until the rename
    assert count > 15 and set(steps[:count]) == {2}
    record_property("cases", 99 - steps[::-1].index(3))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_is_old_or_new(tmp_path: Path, record_property, fault: str) -> None:
    path = tmp_path / "file"
    for at in itertools.count(1):
        path.write_bytes(b"old")
        disk = Disk(tmp_path, at, fault)
        with faulty(disk):
            try:
                write_atomic(path, b"new content")
            except OSError:
                assert disk.done >= at
        assert path.read_bytes() in {b"old", b"new content"}
        if disk.done < at:
            break
    assert at > 5 and path.read_bytes() == b"new content"
    record_property("cases", at - 1)


# A whole run ---------------------------------------------------------------------------------------------------------

WORDS = ["training.average=false", "training.max_steps=8"]  # an average would have fewer to choose from


def install(folder: Path, at: int, fault: str) -> None:
    Disk(folder, at, fault).install()


QUICK = [("gone", range(40, 160, 60)), ("disk full", range(100, 101))]
LONG = [(fault, range(first, 260, 12)) for fault in ("gone", "disk full", "short write") for first in (1, 4, 7, 10)]


@pytest.mark.parametrize(
    ("fault", "numbers"), [*QUICK, *(pytest.param(*values, marks=pytest.mark.slow) for values in LONG)]
)
def test_a_run_in_which_an_operation_fails(
    workplace, uninterrupted, tmp_path, monkeypatch, record_property, fault: str, numbers: range
) -> None:
    """Logs, settings, checkpoints, the model: the same command goes on, and the weights are equal."""
    expected = result(uninterrupted("conditional", *WORDS))
    monkeypatch.chdir(workplace)
    failures = 0
    for at in numbers:
        folder, output = tmp_path / str(at), tmp_path / f"{at}.out"
        words = ["train", "digits.yaml", f"run={folder}", *WORDS]
        status = ended(fork(*words, output=output, before=functools.partial(install, folder, at, fault)))
        said = output.read_text()
        assert status in {0, 2, 3, GONE} and "Traceback" not in said, said
        failures += status == GONE or "cannot" in said
        assert ended(fork(*words, output=output)) == 0, output.read_text()
        found = result(folder)
        assert {**found, "metrics": 0} == {**expected, "metrics": 0}, (at, said)
        assert fault != "gone" or found["metrics"] == expected["metrics"]
        assert not list(folder.rglob("*.tmp-*"))
        if status == 0 and fault == "gone":
            break  # there are no more operations
    assert failures
    record_property("cases", failures)
