"""Security: every file of a run from a stranger is data: links, devices, pipes and huge files are refused at once."""

import ast
import json
import os
import resource
import shutil
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from test_layering import PACKAGE, tree

from nmt import files
from nmt.errors import DataError, UserError
from nmt.files import open_run_file, open_to_append, parse_json, read_json, remove_leftovers, write_atomic
from nmt.info import describe_run
from nmt.runs import store
from nmt.runs.store import CHECKPOINTS, LOG, METRICS, WEIGHTS, load_run
from nmt.training.checkpoint import list_checkpoints, load_checkpoint, load_newest, prune
from nmt.training.state import Progress
from reliability.job import make_workplace, run

CPU = torch.device("cpu")
SECONDS, MEGABYTES = 1.0, 100
TERABYTE = 2**40


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


# One function --------------------------------------------------------------------------------------------------------

# Whatever may read, write or list a file. Modules that touch a run use nmt/files.py instead.
OPENING = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "fdopen", "memmap", "safe_open", "load_file"}
OF_A_RUN = ["runs", "api.py", "info.py", "evaluation", "training"]
# Where else something is opened, which is no file of a run: the cache, the folder that is locked, /dev/null.
ELSEWHERE = {"training/distillation.py", "training/lock.py"}


def openings(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of_null = any("devnull" in ast.unparse(argument) for argument in node.args)
            of_a_log = ast.unparse(node.func) == "log.open"
            if name in OPENING and not of_null and not of_a_log:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node.func)}"


def test_nothing_but_one_function_opens_a_file_of_a_run(record_property) -> None:
    modules = [path for part in OF_A_RUN for path in sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / part]]
    modules = [path for path in modules if str(path.relative_to(PACKAGE)) not in ELSEWHERE]
    assert [place for path in modules for place in openings(path)] == []
    record_property("cases", len(modules))


def test_the_test_sees_an_opening() -> None:
    assert list(openings(PACKAGE / "files.py"))


# What is no file -----------------------------------------------------------------------------------------------------


def link_out(path: Path) -> None:
    other = path.parent.parent / f"outside-{path.name}"
    if path.exists():
        path.rename(other)
    path.symlink_to(other)


def become(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return change


def enlarge(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


ODD: dict[str, Callable[[Path], None]] = {
    "a link out of the run": link_out,
    "a link to nothing": become(lambda path: path.symlink_to("nowhere")),
    "a device": become(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": become(os.mkfifo),
    "a folder": become(Path.mkdir),
    "a terabyte of nothing": enlarge(TERABYTE),
}
NAMES = ["config.yaml", "subword.model", WEIGHTS, "provenance.json", "scores.json"]


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_of_a_run_is_refused_at_once(copied: Path, record_property, kind: str) -> None:
    """In less than a second and 100 MB, by one line that names it."""
    write_atomic(copied / "scores.json", b'{"sets": {}}')
    list(describe_run(copied))
    for name in NAMES:
        folder = Path(shutil.copytree(copied, copied.parent / f"{name}-run"))
        ODD[kind](folder / name)
        memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with pytest.raises(DataError) as caught:
            list(describe_run(folder))
        assert time.process_time() - started < SECONDS, name
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024 < MEGABYTES
        assert name in str(caught.value) and "\n" not in str(caught.value)
    record_property("cases", len(NAMES))


def test_a_checkpoint_is_of_regular_files(copied: Path, record_property) -> None:
    cases = 0
    checkpoint = list_checkpoints(copied / CHECKPOINTS)[-1]
    for path in sorted(checkpoint.iterdir()):
        for change in ODD.values():
            content = path.read_bytes()
            change(path)
            with pytest.raises(DataError):
                load_checkpoint(checkpoint)
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(content)
            cases += 1
    load_checkpoint(checkpoint)
    record_property("cases", cases)


def test_a_checkpoint_larger_than_the_model_is_not_read(copied: Path) -> None:
    checkpoint = list_checkpoints(copied / CHECKPOINTS)[-1]
    with pytest.raises(DataError, match="at most 100 are possible"):
        load_checkpoint(checkpoint, 100)


def announced(folder: Path, **settings: object) -> None:
    """The header and the config say that the model is another one."""
    content = (folder / WEIGHTS).read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    model = json.loads(header["__metadata__"]["model"]) | settings
    header["__metadata__"]["model"] = json.dumps(model, sort_keys=True)
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    lines = (folder / "config.yaml").read_text().split("\n")
    names = {f"  {key}:": f"  {key}: {value}" for key, value in settings.items()}
    model_lines = [next((new for old, new in names.items() if line.startswith(old)), line) for line in lines]
    (folder / "config.yaml").write_text("\n".join(model_lines))


@pytest.mark.parametrize(
    "settings",
    [{"hidden": 60_000}, {"hidden": 4000, "decoder_layers": 64}, {"embedding": 65_536}, {"decoder_layers": 64}],
)
def test_a_model_that_is_announced_is_not_made(copied: Path, settings: dict[str, int]) -> None:
    announced(copied, **settings)
    memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(DataError, match="tensor") as caught:
        load_run(copied, CPU)
    assert time.process_time() - started < SECONDS + 4  # where types and shapes are checked in every call
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024 < MEGABYTES
    assert WEIGHTS in str(caught.value)


def test_a_subword_model_full_of_nothing_is_refused_at_once(copied: Path) -> None:
    """Fields that SentencePiece passes over."""
    with (copied / "subword.model").open("ab") as file:
        file.write(b"\x9a\x06\x00" * 2_000_000)
    started = time.process_time()
    with pytest.raises(DataError, match=r"subword\.model: not a SentencePiece model"):
        load_run(copied, CPU)
    assert time.process_time() - started < SECONDS


# JSON ----------------------------------------------------------------------------------------------------------------

HOSTILE_JSON = {
    "deep": b'{"a": ' + b"[" * 400 + b"]" * 400 + b"}",
    "very deep": b"[" * 100_000,
    "a huge number": b'{"a": 1' + b"0" * 4000 + b"}",
    "more digits than Python reads": b'{"a": 1' + b"0" * 5000 + b"}",
    "infinity": b'{"a": 1e999}',
    "not a number": b'{"a": NaN}',
    "too many": b'{"a": [' + b"[]," * 700_000 + b"0]}",
    "a list": b"[]",
    "not UTF-8": b'{"a": "\xff"}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.json").write_bytes(HOSTILE_JSON[name])
    started = time.process_time()
    with pytest.raises(DataError, match=r"a\.json: damaged"):
        read_json(tmp_path / "a.json")
    assert time.process_time() - started < SECONDS


def test_the_progress_of_a_checkpoint_has_types() -> None:
    good = Progress(step=3).to_json()
    assert Progress.from_json(good).step == 3
    for change in ({"step": "3"}, {"step": -1}, {"step": 10**13}, {"seconds": None}, {"epoch": 1.5}, {"step": True}):
        with pytest.raises(TypeError):
            Progress.from_json(good | change)


def test_losses_may_be_infinite_in_a_checkpoint_alone(tmp_path: Path) -> None:
    assert parse_json(b'{"loss": Infinity}', tmp_path, finite=False)["loss"] == float("inf")


# Writing, appending, removing ----------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_checkpoints_elsewhere_are_never_touched(tmp_path: Path, capsys) -> None:
    """Neither those that `checkpoints` is a link to, nor one that is a link itself."""
    workplace = make_workplace(tmp_path)
    run(workplace, tmp_path / "victim", "training.max_steps=6")
    before = contents(tmp_path / "victim")
    shutil.copytree(tmp_path / "victim", tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / CHECKPOINTS)
    (tmp_path / "a" / CHECKPOINTS).symlink_to("../victim/checkpoints")
    with pytest.raises(DataError, match="a symbolic link"):
        run(workplace, tmp_path / "a", "training.max_steps=9")
    shutil.copytree(tmp_path / "victim", tmp_path / "b")
    first = list_checkpoints(tmp_path / "victim" / CHECKPOINTS)[0]
    (tmp_path / "b" / CHECKPOINTS / "step-00000001-0000").symlink_to(first)
    run(workplace, tmp_path / "b", "training.max_steps=9")
    assert contents(tmp_path / "victim") == before
    assert (tmp_path / "b" / CHECKPOINTS / "step-00000001-0000").is_symlink()


@pytest.mark.parametrize("name", [LOG, METRICS])
def test_nothing_is_appended_to_what_a_link_leads_to(tmp_path: Path, name: str) -> None:
    workplace = make_workplace(tmp_path)
    run(workplace, tmp_path / "run", "training.max_steps=3")
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "run" / name).unlink()
    (tmp_path / "run" / name).symlink_to("../precious")
    with pytest.raises(DataError, match=rf"{name}: not a regular file"):
        run(workplace, tmp_path / "run", "training.max_steps=6")
    assert (tmp_path / "precious").read_text() == "precious\n"


def test_a_file_with_a_second_name_is_copied_before_it_grows(tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("old\n")
    os.link(tmp_path / "backup", tmp_path / "train.log")
    with open_to_append(tmp_path, "train.log") as file:
        file.write(b"new\n")
    assert (tmp_path / "backup").read_text() == "old\n"
    assert (tmp_path / "train.log").read_text() == "old\nnew\n"


def test_a_link_under_an_unfinished_name_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / f"a.tmp-{os.getpid()}").symlink_to("victim")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_only_leftovers_of_this_program_are_removed(tmp_path: Path) -> None:
    ours = ["config.yaml.tmp-12", f"{WEIGHTS}.tmp-3"]
    others = ["notes.tmp-mine", "notes.tmp-12", "config.yaml.tmp-mine", "config.yaml.tmp-", "config.yaml"]
    for name in (*ours, *others):
        (tmp_path / name).write_text("x")
    (tmp_path / "train.log.tmp-4").mkdir()
    (tmp_path / "metrics.jsonl.tmp-4").symlink_to("config.yaml")
    remove_leftovers(tmp_path, store.FILES)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {*others, "train.log.tmp-4", "metrics.jsonl.tmp-4"}


def test_pruning_leaves_what_training_did_not_write(copied: Path) -> None:
    folder = copied / CHECKPOINTS
    first, *_ = list_checkpoints(folder)
    (first / "notes.txt").write_text("mine")
    (folder / "best.tmp-mine").mkdir()
    (folder / "step-00000009-0001.tmp-7").mkdir()
    prune(folder, [], 1)
    assert [path.name for path in first.iterdir()] == ["notes.txt"]
    assert (folder / "best.tmp-mine").is_dir()
    assert not (folder / "step-00000009-0001.tmp-7").exists()
    assert load_newest(folder, print) is not None


def test_a_run_may_itself_be_a_link(copied: Path) -> None:
    (copied.parent / "latest").symlink_to("run")
    assert load_run(copied.parent / "latest", CPU).settings == load_run(copied, CPU).settings


def test_a_mode_and_an_owner_stay_those_of_the_shell(tmp_path: Path) -> None:
    """umask 077 and 000."""
    for mask, mode in ((0o077, 0o600), (0, 0o666)):
        before = os.umask(mask)
        try:
            open_run_file(tmp_path, f"log-{mask}", "ab").close()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / f"log-{mask}").stat().st_mode) == mode


def test_a_file_that_does_not_fit_into_memory_is_not_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "memory_at_hand", lambda: 10_000_000)
    (tmp_path / "a").touch()
    os.truncate(tmp_path / "a", 20_000_000)
    with pytest.raises(UserError, match="do not fit into the memory") as caught:
        files.read_run_file(tmp_path, "a", 30_000_000)
    assert caught.value.status == 5


# Of a run that resumes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"scores": {"bleu": "x"}}, {"scores": []}, {"loss": "x"}, {"others": {"a": {"loss": None}}}, {"judge": 3},
        {"step": "3"}, {"bleu": "x"},
    ],
)  # fmt: skip
def test_the_validations_of_a_checkpoint_have_types(change: dict[str, object]) -> None:
    good = {"step": 1, "epoch": 1.0, "loss": 2.0}
    if "bleu" not in change:
        good["scores"] = {}
    values = Progress(step=3).to_json()
    assert Progress.from_json(values | {"validations": [good]}).validations[0].step == 1
    with pytest.raises(TypeError):
        Progress.from_json(values | {"validations": [good | change]})


@pytest.mark.parametrize("change", [{"data": []}, {"versions": 3}, {"data": {}}])
def test_a_provenance_of_another_kind_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    workplace = make_workplace(tmp_path)
    run(workplace, tmp_path / "run", "training.max_steps=1")
    path = tmp_path / "run" / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as caught:
        run(workplace, tmp_path / "run", "training.max_steps=2")
    assert "\n" not in str(caught.value)


def test_a_pipe_among_the_texts_of_a_run_is_not_opened(copied: Path, tmp_path: Path) -> None:
    """It would wait for ever."""
    from nmt.evaluation.test_sets import configured_sets

    (tmp_path / "text").mkdir()
    text = (copied / "config.yaml").read_text()
    lines = [f"  folder: {tmp_path / 'text'}" if line.startswith("  folder:") else line for line in text.split("\n")]
    (copied / "config.yaml").write_text("\n".join(lines))
    (copied / "provenance.json").unlink()
    for names in (["test.en", "test.fr"], ["test.tsv"]):
        for name in names:
            os.mkfifo(tmp_path / "text" / name)
        with pytest.raises(DataError, match="a pipe or device"):
            configured_sets(copied, print)
        for name in names:
            (tmp_path / "text" / name).unlink()


def test_messages_name_a_held_directory_as_others_do(tmp_path: Path) -> None:
    """Training writes through `/proc/self/fd/N`."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    held = files.HELD / str(descriptor)
    if not held.is_dir():
        pytest.skip("this system does not show open directories")
    (tmp_path / "log").symlink_to("nowhere")
    (tmp_path / "large").write_bytes(bytes(100))
    (tmp_path / "checkpoints").symlink_to("nowhere")
    messages = []
    for act in (
        lambda: open_to_append(held, "log"),
        lambda: files.read_run_file(held, "large", 10),
        lambda: files.read_run_file(held, "missing", 10),
        lambda: read_json(held / "large"),
        lambda: list_checkpoints(held / "checkpoints"),
    ):
        with pytest.raises(DataError) as caught:
            act()
        messages.append(str(caught.value))
    os.close(descriptor)
    assert all(message.startswith(f"{tmp_path}/") and "/proc" not in message for message in messages), messages
