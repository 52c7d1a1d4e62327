"""Cache: what was read is what is hashed is what is kept; a damaged entry is made again; each cause has its message."""

import errno
import functools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from nmt import config
from nmt.data import cache, encoded_text, prepare
from nmt.data.cache import MANIFEST, cache_folder
from nmt.errors import DataError
from reliability.job import PROJECT, call, make_workplace, sampled
from reliability.states import DAMAGES, flip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workplace with a cache of its own."""
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    return make_workplace(tmp_path / "place")


def prepared(place: Path, *words: str) -> list[str]:
    lines: list[str] = []
    prepare.prepare(config.load(place / "digits.yaml", list(words)), lines.append)
    return [line for line in lines if not line.startswith("vocabulary ")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Text that changes while it is read ----------------------------------------------------------------------------------


def other_text(path: Path) -> bytes:
    return path.read_bytes()[::-1].removeprefix(b"\n") + b"\n"


def replace(path: Path) -> None:
    """By a file that is moved there."""
    new = path.with_name("new")
    new.write_bytes(other_text(path))
    new.replace(path)


def overwrite(path: Path) -> None:
    path.write_bytes(other_text(path))


def overwrite_in_secret(path: Path) -> None:
    """Size and time of modification are as before."""
    found = path.stat()
    path.write_bytes(other_text(path))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"12\n")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def remove(path: Path) -> None:
    path.unlink()


CHANGES = [replace, overwrite_in_secret, overwrite, append, truncate, remove]
MOMENTS = {  # what is going on when the text changes, and is perhaps put back
    "subwords": (prepare, "train_subword"),
    "training text": (encoded_text, "write_dataset"),
    "hashing": (prepare, "file_hashes"),
}


@pytest.mark.parametrize("back", [True, False], ids=["put back", "left so"])
@pytest.mark.parametrize("name", ["train.a", "train.b"])
@pytest.mark.parametrize(
    ("change", "moment"),
    sampled([(change, moment) for change in CHANGES for moment in MOMENTS], 5),
)
def test_text_that_changes_while_it_is_read(
    place, tmp_path, monkeypatch, change: Callable[[Path], None], moment: str, name: str, back: bool
) -> None:
    """Refused by name; and the same cache gives the right text what a new one would."""
    path, (module, function) = place / "corpus" / name, MOMENTS[moment]
    right, real, changed = path.read_bytes(), getattr(module, function), []

    def changing(*values: object) -> object:
        """The text changes before it is read, and is put back before it is looked at again."""
        if changed:
            return real(*values)
        changed.append(0)
        change(path)
        try:
            return real(*values)
        finally:
            if back:
                time.sleep(0.02)  # the clock of some file systems ticks a hundred times a second
                path.write_bytes(right)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, changing)
        try:
            prepared(place)
        except DataError as error:
            refusal = str(error)
            assert str(path) in refusal or "has 1" in refusal, refusal  # the numbers of lines may differ
        else:
            assert moment == "hashing"  # another text from the beginning
    path.write_bytes(right)
    prepared(place)
    mine = contents(tmp_path / "cache")
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "new"))
    prepared(place)
    expected = contents(tmp_path / "new")
    assert {file: mine[file] for file in expected} == expected
    if moment != "hashing":
        assert mine.keys() == expected.keys()


def test_validation_text_that_changes_before_training_reads_it_again(place, tmp_path, monkeypatch) -> None:
    """Its lines are those of the text that was encoded."""
    from nmt.training import train

    real = train.prepare

    def changing(*values: object) -> object:
        done = real(*values)
        replace(place / "corpus" / "valid.b")
        return done

    monkeypatch.setattr(train, "prepare", changing)
    done = call("train", place / "digits.yaml", f"run={tmp_path / 'run'}")
    assert (done.status, done.errors.count("\n")) == (2, 1)
    assert f"{place / 'corpus' / 'valid.b'}: changed while it was read" in done.errors
    assert not (tmp_path / "run").exists()


# Damage --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", sampled([*DAMAGES, "a bit", "of another entry", "a pipe", "a link"], 20))
def test_every_damage_is_noticed_and_repaired(place, tmp_path, record_property, damage: str) -> None:
    """Of every file of every entry, one after the other; the whole is what it was, and one line says so."""
    prepared(place)
    before, cases = contents(cache_folder()), 0
    for name in before:
        path = cache_folder() / name
        others = [other for other in before if other != name and Path(other).name == path.name]
        if damage == "a bit":
            flip(path, random.Random(name))
        elif damage == "of another entry":
            if not others:
                continue
            shutil.copy(cache_folder() / others[0], path)
        elif damage == "a pipe":
            path.unlink()
            os.mkfifo(path)
        elif damage == "a link":
            path.unlink()
            path.symlink_to("nowhere")
        else:
            DAMAGES[damage](path)
        if path.is_file() and path.read_bytes() == before[name]:
            continue
        lines = prepared(place)
        notes = [line for line in lines if line.startswith("note: ")]
        assert len(notes) == 1, lines
        assert notes[0].startswith(f"note: {path.parent}: this cache entry is damaged (")
        assert path.name in notes[0] or damage == "of another entry" or path.name == MANIFEST
        assert contents(cache_folder()) == before
        assert prepared(place) == []
        cases += 1
    record_property("cases", cases)


@pytest.mark.parametrize("kind", ["a file", "an empty folder", "a link", "swapped"])
def test_an_entry_that_is_none(place, kind: str) -> None:
    prepared(place)
    before = contents(cache_folder())
    one, other = sorted(cache_folder().iterdir())[:2]
    if kind == "swapped":
        one.rename(cache_folder() / "x")
        other.rename(one)
        (cache_folder() / "x").rename(other)
    else:
        shutil.rmtree(one)
        {"a file": one.touch, "an empty folder": one.mkdir, "a link": lambda: one.symlink_to("nowhere")}[kind]()
    assert any("is damaged" in line for line in prepared(place))
    assert contents(cache_folder()) == before


def test_junk_is_left_alone(place) -> None:
    prepared(place)
    entry = sorted(cache_folder().iterdir())[0]
    mark = cache._mark(entry)
    junk = ["notes.txt", ".nfs000123", f"{mark}x", f"{mark}", f"{mark}{10**30}x", "0" * 24]
    for name in junk:
        (cache_folder() / name).write_text("junk")
    (cache_folder() / f"{entry.name}.tmp-elsewhere@1").mkdir()
    (entry / ".DS_Store").write_text("junk")
    assert prepared(place) == []
    shutil.rmtree(entry)
    assert prepared(place)
    assert {(cache_folder() / name).read_text() for name in junk} == {"junk"}


def test_an_entry_tells_what_it_was_made_from(place) -> None:
    import hashlib

    prepared(place)
    [model] = cache_folder().glob("*/subword.model")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    for folder in (path.parent for path in cache_folder().glob("*/source.ids")):
        manifest = json.loads((folder / MANIFEST).read_text())
        assert digest in json.dumps(manifest["made_from"])
        assert manifest["files"].keys() == {path.name for path in folder.iterdir()} - {MANIFEST}


# Causes --------------------------------------------------------------------------------------------------------------


def failing(number: int) -> Callable[..., object]:
    def fail(*values: object, **options: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; make room, or name another folder: NMT_CACHE=FOLDER"),
        (errno.EDQUOT, "Disk quota exceeded; make room, or name another folder: NMT_CACHE=FOLDER"),
        (errno.EACCES, "Permission denied; ask for permission, or name another folder: NMT_CACHE=FOLDER"),
        (errno.EROFS, "Read-only file system; ask for permission, or name another folder: NMT_CACHE=FOLDER"),
        (errno.EIO, "Input/output error; name another folder: NMT_CACHE=FOLDER"),
    ],
)
@pytest.mark.parametrize("operation", ["mkdir", "fsync", "rename"])
def test_what_keeps_it_from_being_written(place, monkeypatch, operation: str, number: int, remedy: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, operation, failing(number))
        with pytest.raises(DataError) as caught:
            prepared(place)
    assert str(caught.value) == f"{cache_folder()}: cannot write the cache: {remedy}"
    assert not cache_folder().exists() or not list(cache_folder().iterdir())


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "Permission denied; allow it, or name another folder: NMT_CACHE=FOLDER"),
        (errno.EIO, "Input/output error; try again, remove FOLDER, or name another folder: NMT_CACHE=FOLDER"),
        (errno.ENOMEM, "Cannot allocate memory; try again, remove FOLDER, or name another folder: NMT_CACHE=FOLDER"),
    ],
)
def test_what_keeps_it_from_being_read(place, monkeypatch, number: int, remedy: str) -> None:
    """It is no damage, and nothing is removed."""
    prepared(place)
    before = contents(cache_folder())
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_digest", failing(number))
        with pytest.raises(DataError) as caught:
            prepared(place)
    folder = str(caught.value).split(": ")[0]
    assert str(caught.value) == f"{folder}: cannot read the cache: {remedy.replace('FOLDER,', f'{folder},')}"
    assert contents(cache_folder()) == before


# Several at once -----------------------------------------------------------------------------------------------------

WRITER = """
import sys, time
from pathlib import Path
from nmt.data.cache import cached

ready, wait = Path(sys.argv[1]), float(sys.argv[2])

def make(folder):
    folder.mkdir(parents=True)
    (ready / f"{time.monotonic_ns()}").touch()
    while len(list(ready.iterdir())) < 4:
        time.sleep(0.001)
    for part in range(30):
        with (folder / "data").open("ab") as file:
            file.write(bytes([part]) * 1000)
        time.sleep(wait)

found = cached("recipe", make, lambda folder: (folder / "data").read_bytes(), lambda line: None, "")
assert found == b"".join(bytes([part]) * 1000 for part in range(30))
"""


def started(stack: ExitStack, command: list[str], environment: dict[str, str], wait: float) -> subprocess.Popen:
    """A process that ends with the stack in every case."""
    process = subprocess.Popen([*command, str(wait)], env=environment)
    stack.callback(process.wait)
    stack.callback(process.kill)  # before it is waited for
    return process


@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_four_processes_one_of_them_killed_while_it_writes(tmp_path, record_property, rounds: int) -> None:
    """End with one good entry and nothing else, whoever is the first. They begin to write at the same moment."""
    chance = random.Random(rounds)
    for number in range(rounds):
        folder, ready = tmp_path / f"cache{number}", tmp_path / f"ready{number}"
        ready.mkdir()
        environment = {**os.environ, "NMT_CACHE": str(folder), "PYTHONPATH": str(PROJECT)}

        with ExitStack() as stack:
            command = [sys.executable, "-c", WRITER, str(ready)]
            start = functools.partial(started, stack, command, environment)
            processes = [start(wait) for wait in (0.01, 0.01, 0.01, 0.005 if number % 2 else 0.02)]
            while len(list(folder.glob("*/entry/data"))) < 4 and any(process.poll() is None for process in processes):
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.1))
            processes[3].kill()
            assert [process.wait(60) for process in processes[:3]] == [0, 0, 0]
            processes[3].wait(60)
            assert start(0.0).wait(60) == 0
        [entry] = folder.iterdir()
        assert sorted(path.name for path in entry.iterdir()) == ["data", MANIFEST]
    record_property("cases", 4 * rounds)
