"""One owner: two trainings never write into one run, and none into a directory that took the place of its own."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from nmt.config import differences
from nmt.errors import ConfigError, DataError, NotSaved, UserError
from nmt.runs.store import CHECKPOINTS, CONFIG, WEIGHTS, load_run, load_settings
from nmt.training.checkpoint import MANIFEST, STATE, TRAINED_WITH, list_checkpoints
from nmt.training.lock import LOCK
from nmt.training.signals import Signals
from nmt.training.trainer import Trainer
from reliability.job import check_equal, ended, fork, run, sampled

WORDS = ["training.average=false", "training.max_steps=8"]


@pytest.fixture(scope="module")
def whole(workplace: Path) -> Path:
    run(workplace, workplace / "whole", *WORDS)
    return workplace / "whole"


# Moved, removed, replaced ---------------------------------------------------------------------------------------------


def move(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def move_what_is_above(folder: Path) -> None:
    """The folder that the run is in, so that nothing is left at its name."""
    folder.parent.rename(folder.parent.with_name("elsewhere"))


def replace_by_another(folder: Path) -> None:
    """The other is a run as well, with a newer checkpoint that pruning would like to remove."""
    move(folder)
    shutil.copytree(folder.with_name("other"), folder)


def replace_by_a_file(folder: Path) -> None:
    move(folder)
    folder.write_text("mine\n")


def replace_by_a_link(folder: Path) -> None:
    move(folder)
    folder.symlink_to("other")


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def remove_and_begin_another(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("other"), folder)


CHANGES = [
    move, move_what_is_above, remove,
    replace_by_another, replace_by_a_file, replace_by_a_link, remove_and_begin_another,
]  # fmt: skip


class At(Signals):
    """Calls `act` at the `count`-th time that training looks for a signal: before a step or in a validation."""

    def __init__(self, count: int, act: Callable[[], None]) -> None:
        super().__init__()
        self.left, self.act = count, act

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def after(count: int, act: Callable[[], None], real: Callable[[int], None]) -> Callable[[int], None]:
    """`os.fsync` that calls `act` at its `count`-th call: within the writing of a checkpoint, the model, the log."""

    def fsync(descriptor: int) -> None:
        nonlocal count
        count -= 1
        if count == 0:
            act()
        real(descriptor)

    return fsync


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


MOMENTS = [("check", count) for count in (1, 4, 7, 9)] + [("fsync", count) for count in (2, 7, 12, 13, 16, 21, 24, 30)]
QUICK = {(replace_by_another, "fsync", 12), (move, "check", 7), (remove_and_begin_another, "fsync", 16)}


def cases() -> Iterator[object]:
    for change in CHANGES:
        for kind, count in MOMENTS:
            marks = [] if (change, kind, count) in QUICK else [pytest.mark.slow]
            yield pytest.param(change, kind, count, marks=marks, id=f"{change.__name__}-{kind}-{count}")


@pytest.mark.parametrize(("change", "kind", "count"), [*cases()])
def test_a_directory_that_changes_stops_the_training(
    workplace, whole, tmp_path, monkeypatch, change: Callable[[Path], None], kind: str, count: int
) -> None:
    """With exit status 3 and one line that says where the checkpoints are. What took its place stays as it is."""
    place = tmp_path / "runs"
    folder, other, moved = place / "run", place / "other", place / "moved"
    place.mkdir()
    shutil.copytree(whole, other)
    newest = list_checkpoints(other / CHECKPOINTS)[-1]
    newest.rename(newest.with_name("step-00000002-0000"))  # older than what comes: to be pruned, were it ours
    before = contents(other)
    with monkeypatch.context() as patch:
        if kind == "check":
            patch.setattr("nmt.training.train.Signals", lambda: At(count, lambda: change(folder)))
        else:
            patch.setattr(os, "fsync", after(count, lambda: change(folder), os.fsync))
        with pytest.raises(NotSaved) as caught:
            run(workplace, folder, *WORDS)
    [line] = str(caught.value).split("\n")
    assert line.startswith(f"{folder}: ")
    if change is move_what_is_above:
        place, moved = tmp_path / "elsewhere", tmp_path / "elsewhere" / "run"
        folder, other = tmp_path / "runs" / "run", place / "other"
        assert not folder.parent.exists()
    if change in {remove, remove_and_begin_another}:
        assert "was removed during training" in line
        assert folder.exists() == (change is remove_and_begin_another)
    elif "cannot write" not in line:
        assert f"was moved to {moved} during training" in line and f"run={moved}" in line
    assert contents(other) == before
    if change in {replace_by_another, remove_and_begin_another}:
        assert contents(folder) == before
    if moved.exists():
        checkpoints = list_checkpoints(moved / CHECKPOINTS)
        assert (checkpoints[-1].name if checkpoints else "it has no checkpoint") in line
        run(workplace, moved, *WORDS)  # the remedy
        check_equal(moved, whole)


def test_the_exit_status_of_a_moved_run(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}", "training.max_steps=100000", "training.save_every=1"]
    process = fork(*words, output=tmp_path / "out")
    while not list_checkpoints(tmp_path / "run" / CHECKPOINTS) and process.is_alive():
        pass
    move(tmp_path / "run")
    assert ended(process) == 3
    errors = [line for line in (tmp_path / "out").read_text().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and f"was moved to {tmp_path / 'moved'} during training" in errors[0]
    assert not (tmp_path / "run").exists()


# Two starts -----------------------------------------------------------------------------------------------------------


def test_the_second_start_is_refused_before_it_reads_anything(workplace, whole, tmp_path, monkeypatch) -> None:
    """While the first one prepares its text, before it has written anything; with settings that could not be refused
    later, since there is no checkpoint yet."""
    from nmt.training import train

    real, refused = train.prepare, []

    def prepare(*values: object) -> object:
        if not refused:
            refused.append("")
            with pytest.raises(DataError, match="another training process is using it") as caught:
                run(workplace, tmp_path / "run", "training.seed=9", "subword.vocab_size=29")
            refused[0] = str(caught.value)
        return real(*values)

    monkeypatch.setattr(train, "prepare", prepare)
    run(workplace, tmp_path / "run", *WORDS)
    assert f"(process {os.getpid()} on " in refused[0]
    check_equal(tmp_path / "run", whole)
    assert not (tmp_path / "run" / LOCK).exists()


@pytest.mark.slow
def test_many_starts_at_once(workplace, whole, tmp_path, monkeypatch, record_property) -> None:
    """One trains, the others are refused; whoever dies makes room."""
    monkeypatch.chdir(workplace)
    rounds, words = 10, ["train", "digits.yaml", f"run={tmp_path / 'run'}", *WORDS]
    for _ in range(rounds):
        processes = [fork(*words, output=tmp_path / f"out{number}") for number in range(4)]
        processes[0].kill()
        statuses = [ended(process) for process in processes]
        assert statuses[0] in {0, -signal.SIGKILL, 2} and set(statuses[1:]) <= {0, 2}
    assert ended(fork(*words)) == 0
    check_equal(tmp_path / "run", whole)
    record_property("cases", 4 * rounds)


@pytest.mark.parametrize("content", sampled(["process PID on here\n", "process 1 on here\n", "", "\0" * 99], 3))
def test_what_a_killed_process_left_does_not_block(workplace, whole, tmp_path, content: str) -> None:
    """Whatever process has its number now: nobody asks."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text(content.replace("PID", str(os.getpid())))
    run(workplace, tmp_path / "run", *WORDS)
    check_equal(tmp_path / "run", whole)


@pytest.mark.parametrize("number", sampled([errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EINVAL], 5))
def test_a_file_system_without_locks(workplace, whole, tmp_path, monkeypatch, capsys, number: int) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    capsys.readouterr()
    run(workplace, tmp_path / "run", *WORDS)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert lines == [
        f"warning: {tmp_path / 'run'}: this file system does not support locks ({os.strerror(number)}); "
        "make sure that no other training writes into this run"
    ]
    check_equal(tmp_path / "run", whole)


def test_the_lock_of_another_machine(workplace, tmp_path, monkeypatch) -> None:
    """Network file systems tell other machines of locks of files only."""
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / LOCK).open("w") as file:
        file.write("process 12 on elsewhere\n")
        file.flush()
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"another training process is using it \(process 12 on elsewhere\); wait"):
            run(workplace, tmp_path / "run", *WORDS)


# What the run was trained with ----------------------------------------------------------------------------------------


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def edit(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text())
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize(
    ("pattern", "new", "word"),
    sampled(
        [
            (r"seed: 1\b", "seed: 77", "training.seed=77"),
            (r"accumulate: 1\b", "accumulate: 2", "training.accumulate=2"),
            (r"label_smoothing: 0.1\b", "label_smoothing: 0.3", "training.label_smoothing=0.3"),
            (r"\n  hidden: 8\b", "\n  hidden: 16", "model.hidden=16"),
        ],
        4,
    ),
)
def test_an_edited_config_does_not_change_the_training(
    workplace, whole, copy, pattern: str, new: str, word: str
) -> None:
    """It is no way around the refusal, and what was trained goes on."""
    edit(copy / CONFIG, pattern, new)
    key = word.split("=", maxsplit=1)[0]
    with pytest.raises(ConfigError) as caught:
        run(workplace, copy, *WORDS, word)
    assert re.match(rf"{key}: \S+ -> \S+: cannot be changed once a run has checkpoints", caught.value.problems[0])
    assert run(workplace, copy, *WORDS).signal == 0
    check_equal(copy, whole)
    assert differences(load_settings(copy), load_settings(whole)).keys() == {"run"}


@pytest.mark.parametrize("content", [None, "data: ["])
def test_a_lost_config_is_written_again(workplace, whole, copy, capsys, content: str | None) -> None:
    (copy / CONFIG).unlink()
    if content is not None:
        (copy / CONFIG).write_text(content)
    capsys.readouterr()
    run(workplace, copy, *WORDS)
    assert f"note: {copy / CONFIG}: missing or damaged; writing it again\n" in capsys.readouterr().out
    assert differences(load_settings(copy), load_settings(whole)).keys() == {"run"}


def test_other_subwords_than_those_it_was_trained_with(workplace, copy) -> None:
    """Of the same size, so that nothing else would notice."""
    other = workplace / "mirrored"
    shutil.copytree(workplace / "corpus", other)
    for path in other.glob("*.?"):
        path.write_text(path.read_text().translate(str.maketrans("0123456789", "9876501234")).replace("0", "00"))
    run(workplace, workplace / "other subwords", f"data.folder={other}", *WORDS)
    models = [folder / "subword.model" for folder in (copy, workplace / "other subwords")]
    assert models[0].read_bytes() != models[1].read_bytes()
    shutil.copy(models[1], models[0])
    with pytest.raises(
        DataError,
        match=r"subword\.model: differs from the subword model that the checkpoints were trained with; restore it",
    ):
        run(workplace, copy, "training.max_steps=9", "training.average=false")


def test_a_checkpoint_of_before_is_resumed_as_before(workplace, whole, copy) -> None:
    """It does not say what it was trained with; the config does."""
    for path in list_checkpoints(copy / CHECKPOINTS):
        state = json.loads((path / STATE).read_text())
        del state[TRAINED_WITH]
        content = json.dumps(state).encode()
        (path / STATE).write_bytes(content)
        manifest = json.loads((path / MANIFEST).read_text())
        import hashlib

        manifest[STATE] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match=r"training\.seed: 1 -> 2: cannot be changed"):
        run(workplace, copy, *WORDS, "training.seed=2")
    run(workplace, copy, *WORDS)
    check_equal(copy, whole)


# Copies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_copy_made_during_training(workplace, whole, tmp_path, monkeypatch, record_property, every: int) -> None:
    """Loads, or says in one line what is missing; resumed, it ends like the original."""
    real, calls = os.fsync, 0
    copies: list[Path] = []

    def fsync(descriptor: int) -> None:
        nonlocal calls
        real(descriptor)
        calls += 1
        if calls % every == 0:
            copies.append(Path(shutil.copytree(tmp_path / "run", tmp_path / f"copy{calls}")))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        run(workplace, tmp_path / "run", *WORDS)
    for folder in copies:
        try:
            load_run(folder, torch.device("cpu"))
        except DataError as error:
            assert "\n" not in str(error) and not (folder / WEIGHTS).exists()
        try:
            run(workplace, folder, *WORDS)
        except UserError as error:
            assert "\n" not in str(error)
        else:
            check_equal(folder, whole)
    record_property("cases", len(copies))
    assert len(copies) > 3


def test_training_checks_its_directory_before_each_write(workplace, tmp_path, monkeypatch) -> None:
    """By count: settings, each step, each save, each model, each line of the metrics."""
    from nmt.training.lock import RunFolder

    checks = []
    real = RunFolder.check
    monkeypatch.setattr(RunFolder, "check", lambda self: (checks.append(0), real(self))[1])
    saves = []
    save = Trainer._save
    monkeypatch.setattr(Trainer, "_save", lambda self, **options: (saves.append(0), save(self, **options))[1])
    run(workplace, tmp_path / "run", *WORDS)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().count("\n")
    assert len(checks) >= 2 + 8 + len(saves) + lines
