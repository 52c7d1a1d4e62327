"""Environments: no home, no name for the user, odd file names, few descriptors, threads, forks: all as documented."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

import nmt
from nmt.data import cache
from nmt.errors import DataError
from nmt.inference.parallel import computing_with, parallel_map
from nmt.training.signals import Signals
from reliability.job import PROJECT, call, command, make_workplace, run

CPU = torch.device("cpu")
LINES = ["We see the house.", "The cat is small.", "A red car.", "", "They walk home."] * 2


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Path:
    run(workplace, workplace / "trained", "training.max_steps=2")
    return workplace / "trained"


# The user and its folders --------------------------------------------------------------------------------------------


def test_no_home_and_no_entry_for_the_user(monkeypatch) -> None:
    for name in ("HOME", "NMT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(DataError, match="NMT_CACHE=FOLDER"):
        cache.cache_folder()


def test_a_cache_that_cannot_be_used_does_not_end_a_training(workplace, tmp_path, monkeypatch, capsys) -> None:
    """A temporary folder takes its place, with one warning; a cache that the user named is missed."""
    monkeypatch.setattr(cache, "_instead", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "file" / "nmt"))
    with pytest.raises(DataError, match="cannot write the cache: Not a directory"):
        run(workplace, tmp_path / "run", "training.max_steps=1")
    monkeypatch.delenv("NMT_CACHE")
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    capsys.readouterr()
    run(workplace, tmp_path / "run", "training.max_steps=1")
    assert capsys.readouterr().out.count("until then a temporary cache is used") == 1
    [folder] = cache._instead
    assert folder.parent == tmp_path
    cache._remove_own(folder, os.getpid())
    assert not folder.exists()


NOWHERE = "import os; [os.environ.pop(name, None) for name in ('HOME', 'TMPDIR', 'USER', 'LOGNAME')]"
STRANGE = {
    "no home, no temporary folder": NOWHERE,
    "a temporary folder that is not there": "import os; os.environ['TMPDIR'] = os.environ['HOME'] = '/nonexistent'",
    "32 descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))",
    "a clock that jumps": ("import time; real = time.time; time.time = lambda: real() - 1e9 * (int(real() * 10) % 2)"),
    "files for the owner alone": "import os; os.umask(0o077)",
    "files for everybody": "import os; os.umask(0)",
    "a home and a temporary folder that are read-only": "import os; os.environ['HOME'] = os.environ['TMPDIR'] = '/sys'",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", STRANGE)
def test_training_and_translating_in(tmp_path: Path, what: str) -> None:
    workplace = make_workplace(tmp_path)
    done = command(workplace, "train", "digits.yaml", "training.max_steps=2", before=STRANGE[what])
    assert done.returncode == 0, done.stderr
    done = command(workplace, "translate", "runs/digits", "-i", "corpus/valid.a", before=STRANGE[what])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 6


@pytest.mark.slow
def test_a_home_and_a_temporary_folder_that_are_full(tmp_path: Path) -> None:
    """The cache is in the home: one warning, and a training without it, or one line that names the remedy."""
    (tmp_path / "full").mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path / "full")]
    if shutil.which("mount") is None or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        (tmp_path / "full" / "filler").write_bytes(bytes(4096))
        with contextlib.suppress(OSError), (tmp_path / "full" / "more").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        full = tmp_path / "full"
        before = f"import os; os.environ['HOME'] = os.environ['TMPDIR'] = {str(full)!r}; os.environ.pop('NMT_CACHE')"
        workplace = make_workplace(tmp_path)
        done = command(workplace, "train", "digits.yaml", "training.max_steps=2", before=before)
        assert "Traceback" not in done.stderr
        if done.returncode:
            assert done.returncode in {2, 3} and "NMT_CACHE" in done.stderr, done.stderr
        # With a cache elsewhere nothing needs either folder.
        done = command(workplace, "train", "digits.yaml", "training.max_steps=2", before=before.rpartition(";")[0])
        assert done.returncode == 0, done.stderr
        done = command(workplace, "translate", "runs/digits", "-i", "corpus/valid.a", before=before)
        assert done.returncode == 0 and done.stdout.count("\n") == 6, done.stderr
    finally:
        subprocess.run(["umount", str(tmp_path / "full")], check=False)


@pytest.mark.slow
def test_a_user_without_an_entry(tmp_path: Path) -> None:
    """As in a container that is started with another user's number."""
    if os.geteuid():
        pytest.skip("only root may become somebody else")
    workplace = make_workplace(tmp_path)
    for path in (tmp_path, *tmp_path.parents[:2], *tmp_path.rglob("*")):
        path.chmod(0o777)
    become = "import os; os.environ.pop('HOME', None); os.setgid(54321); os.setuid(54321)"
    done = command(workplace, "check", "digits.yaml", before=f"{become}; os.environ.pop('NMT_CACHE')")
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("this Python is installed where other users may not read")
    assert done.returncode == 0 and "NMT_CACHE=FOLDER" in done.stdout, done.stderr


@pytest.mark.slow
def test_without_assertions(tmp_path: Path) -> None:
    """`python -O`: what is refused is refused all the same."""
    workplace = make_workplace(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    for words, status in (
        (["train", "digits.yaml", "training.max_steps=1"], 0),
        (["train", "digits.yaml", "model.cell=nonsense"], 2),
        (["train", "digits.yaml", "threads=4000"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-O", "-m", "nmt", *words],
            check=False, cwd=workplace, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == status, done.stderr


# Names of files ------------------------------------------------------------------------------------------------------

NAMES = {
    "a dash": "-n", "a newline": "a\nb", "bytes that are no UTF-8": os.fsdecode(b"caf\xe9"), "a space": " a ",
    "a star": "*",
}  # fmt: skip


@pytest.mark.parametrize("what", NAMES)
def test_a_run_and_texts_under_odd_names(tmp_path: Path, trained: Path, monkeypatch, what: str) -> None:
    name = NAMES[what]
    (tmp_path / name).symlink_to(trained)
    (tmp_path / f"{name}.txt").write_text("12\n34\n")
    monkeypatch.chdir(tmp_path)
    done = call("translate", "-i", f"./{name}.txt", "-o", f"./{name}.out", "--", name)
    assert done.status == 0, done.errors
    assert (tmp_path / f"{name}.out").read_bytes().count(b"\n") == 2
    done = call("info", "--", name)
    assert done.status == 0, done.errors


def test_a_corpus_and_a_run_under_a_name_that_is_no_utf8(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9\n")
    folder.mkdir()
    make_workplace(folder)
    monkeypatch.chdir(folder)
    for steps in (1, 2):  # the second goes on
        done = call("train", folder / "digits.yaml", f"training.max_steps={steps}")
        assert done.status == 0, done.errors
    assert call("translate", folder / "runs" / "digits", "-i", "corpus/valid.a").status == 0


# Signals that stop and continue --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_stopped_and_continued(tmp_path: Path) -> None:
    workplace = make_workplace(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "nmt", "train", "digits.yaml", "training.max_steps=30"], cwd=workplace, env=environment
    ) as process:
        try:
            for _ in range(8):
                time.sleep(0.5)
                if process.poll() is None:
                    process.send_signal(signal.SIGSTOP)
                    time.sleep(0.2)
                    process.send_signal(signal.SIGCONT)
            assert process.wait(120) == 0
        finally:
            process.kill()


def test_time_that_a_process_stands_still_is_no_training() -> None:
    """SIGCONT says that it was stopped."""
    with Signals() as signals:
        assert not signals.paused()
        signal.raise_signal(signal.SIGCONT)
        assert signals.paused() and not signals.paused()
        signals.check()  # it is no wish to stop


# Threads and forks ---------------------------------------------------------------------------------------------------


def test_loading_and_translating_leave_the_number_of_threads(tiny_run: Path) -> None:
    before = torch.get_num_threads()
    for threads in (None, 2):
        translator = nmt.load(tiny_run, device="cpu", threads=threads)
        translator.translate(LINES[:2], attention=False, changes={"batch_size": 1})
        assert torch.get_num_threads() == before


@pytest.mark.parametrize(("count", "lines"), [(2, LINES[:3]), pytest.param(3, LINES, marks=pytest.mark.slow)])
def test_threads_of_a_program_that_translate_at_once(
    tiny_run: Path, record_property, count: int, lines: list[str]
) -> None:
    """Each gets its own results, and the number of threads of every one is afterwards what it was."""
    translator = nmt.load(tiny_run, device="cpu", threads=2)
    expected = [each.text for each in translator.translate(lines, attention=False, changes={"batch_size": 2})]
    found: dict[int, list[str]] = {}
    counts: dict[int, int] = {}

    def work(number: int) -> None:
        translations = translator.translate(lines, attention=False, changes={"batch_size": 2})
        found[number] = [each.text for each in translations]
        counts[number] = torch.get_num_threads()

    before = torch.get_num_threads()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert found == dict.fromkeys(range(count), expected)
    assert set(counts.values()) == {before} and torch.get_num_threads() == before
    record_property("cases", count)


def test_a_fork_translates(tiny_run: Path) -> None:
    """After the parent has used several threads: those of GNU OpenMP do not live in a child, which would wait."""
    translator = nmt.load(tiny_run, device="cpu", threads=2)
    expected = [each.text for each in translator.translate(LINES[:2], attention=False)]
    with computing_with(2):
        torch.randn(600, 600) @ torch.randn(600, 600)
    child = os.fork()
    if not child:
        status = 1
        try:
            found = [each.text for each in translator.translate(LINES[:2], attention=False)]
            status = 0 if found == expected else 1
        finally:
            os._exit(status)  # whatever happens, it must not run the other tests
    done = 0
    try:
        for _ in range(600):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.1)
        else:
            pytest.fail("the child never ended")
    finally:
        if not done:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_pool_that_cannot_start_leaves_everything(monkeypatch) -> None:
    real, started = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        started.append(self)
        if len(started) == 3:  # the second worker
            raise RuntimeError("can't start new thread")
        real(self)

    with computing_with(3):
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            list(parallel_map(lambda item: item, range(6), CPU))
        assert torch.get_num_threads() == 3
