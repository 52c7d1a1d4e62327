"""Training that starts before its text is encoded: the same updates as with a complete cache, whatever happens."""

import functools
import json
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paced import pace
from ranks import Together, together
from reliability.job import check_equal, ended, fork, make_workplace
from test_no_process_left import is_running

from nmt import config
from nmt.data import early
from nmt.data import write_dataset as writing
from nmt.data.corpus import Pair
from nmt.data.growing import GrowingDataset
from nmt.data.prepare import prepare
from nmt.data.windows import WindowsInOrder
from nmt.errors import ConfigError, DataError
from nmt.training.checkpoint import list_checkpoints

WORDS = [
    "data.start_early=true", "training.shuffle_window=32", "training.schedule=constant", "training.max_steps=18",
    "training.validate_every=9", "training.save_every=1",
]  # fmt: skip
ALL = 99  # chunks: more than the text has


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("early"))


@pytest.fixture(scope="module")
def undisturbed(workplace: Path) -> Path:
    """A run whose text was encoded before it began."""
    folder = workplace / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        prepare(config.load(Path("digits.yaml"), WORDS))
        assert ended(fork("train", "digits.yaml", f"run={folder}", *WORDS, output=workplace / "whole.txt")) == 0
    assert "encod" not in (workplace / "whole.txt").read_text()
    return folder


def set_pace(folder: Path, chunks: int) -> None:
    (folder / "pace.tmp").write_text(str(chunks))
    (folder / "pace.tmp").replace(folder / "pace")


def start(folder: Path, chunks: int, *words: str) -> BaseProcess:
    """Train in a process of its own, which may encode this number of chunks, of 32 pairs each."""
    set_pace(folder, chunks)
    output, before = folder / "output", functools.partial(pace, folder)
    output.write_text("")
    return fork("train", "digits.yaml", f"run={folder / 'run'}", *WORDS, *words, output=output, before=before)


def wait_for(process: BaseProcess, folder: Path, words: str) -> None:
    """Wait until the training says this."""
    while process.is_alive() and words not in (folder / "output").read_text():
        time.sleep(0.01)
    assert words in (said := (folder / "output").read_text()), said


def status_of(process: BaseProcess) -> int | None:
    """Wait until a training has ended, with all that it has started, and return its exit status."""
    process.join(120)
    status, group = process.exitcode, process.pid or 0
    for _ in range(3000):
        if not any(is_running(number) for number in members(group)):
            break
        time.sleep(0.01)
    left = [number for number in members(group) if is_running(number)]
    ended(process)
    assert not left
    return status


def members(group: int) -> list[int]:
    """Return the processes of a group."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((path / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                found.append(int(path.name))
    return found


# Training -------------------------------------------------------------------------------------------------------------


def test_stopped_and_killed_while_the_text_is_encoded(workplace, undisturbed, tmp_path, monkeypatch) -> None:
    """A run that is stopped, and killed, while it waits for its text, equals one that never waited."""
    monkeypatch.chdir(workplace)
    process = start(tmp_path, 2)
    wait_for(process, tmp_path, "waiting until the next pairs are encoded")
    assert "training begins with the first 32 pairs" in (tmp_path / "output").read_text()
    assert json.loads((tmp_path / "run" / "statistics.json").read_text())["pairs"] == 32
    os.killpg(process.pid or 0, signal.SIGTERM)  # as a terminal or Slurm does: to the encoding as well
    assert status_of(process) == 128 + signal.SIGTERM
    assert "saved; run the same command again to resume" in (tmp_path / "output").read_text()

    process = start(tmp_path, 1)  # of the rest
    wait_for(process, tmp_path, "waiting until the next pairs are encoded")
    wait_for(process, tmp_path, "resuming after 64 pairs")
    process.kill()
    assert status_of(process) == -signal.SIGKILL
    assert list((tmp_path / "cache").glob("*.partial"))

    assert status_of(start(tmp_path, ALL)) == 0
    check_equal(tmp_path / "run", undisturbed)
    for name in ("statistics.json", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (undisturbed / name).read_bytes()
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["pairs"] == {"train": 120, "valid": 6}
    assert not list((tmp_path / "cache").glob("*.partial"))


def test_a_run_that_ends_first_waits_for_the_rest(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    process = start(tmp_path, 2, "training.max_steps=3")
    wait_for(process, tmp_path, "waiting until the rest of the text is encoded")
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["pairs"]["train"] is None
    set_pace(tmp_path, ALL)
    assert status_of(process) == 0
    assert "all 120 training pairs are encoded" in (tmp_path / "run" / "train.log").read_text()
    assert json.loads((tmp_path / "run" / "statistics.json").read_text())["pairs"] == 120


@pytest.mark.parametrize("how", ["the text changes", "the process is killed"])
def test_a_failure_of_the_encoding_ends_the_training(tmp_path, monkeypatch, how) -> None:
    """One line, the exit status that it has before training, and a checkpoint."""
    own = make_workplace(tmp_path / "own")
    monkeypatch.chdir(own)
    process = start(tmp_path, 2)
    wait_for(process, tmp_path, "waiting until the next pairs are encoded")
    if how == "the text changes":
        with (own / "corpus" / "train.b").open("a") as file:
            file.write("1\n")
        set_pace(tmp_path, ALL)
    else:
        os.kill(int((tmp_path / "encoder").read_text()), signal.SIGKILL)
    status = status_of(process)
    [line] = [line for line in (tmp_path / "output").read_text().splitlines() if line.startswith("error: ")]
    if how == "the text changes":
        assert status == 2 and "train.b has 121; line N of one must translate" in line
    else:
        assert status == 5 and "the process that encodes the training text ended" in line
    assert "stopped at step 4, saved; fix the cause below" in (tmp_path / "output").read_text()
    assert list_checkpoints(tmp_path / "run" / "checkpoints")


@pytest.mark.slow
def test_killed_at_random(workplace, undisturbed, tmp_path, monkeypatch) -> None:
    """At any moment, while the encoding advances by a chunk at each start."""
    monkeypatch.chdir(workplace)
    chance = random.Random(0)
    for _ in range(12):
        process = start(tmp_path, 1)
        process.join(chance.uniform(0.0, 3.0))
        process.kill()
        if status_of(process) == 0:
            break
    assert status_of(start(tmp_path, ALL)) == 0
    check_equal(tmp_path / "run", undisturbed)


@pytest.mark.slow
def test_several_ranks(workplace, tmp_path, monkeypatch) -> None:
    """The first rank encodes, the other reads what it has written; killed, they resume exactly."""
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", *WORDS]
    set_pace(tmp_path, ALL)
    together(tmp_path, 2, *words, f"run={tmp_path / 'whole'}")
    set_pace(tmp_path, 2)
    before = functools.partial(pace, tmp_path)
    ranks = Together(tmp_path, 2, *words, f"run={tmp_path / 'run'}", before=before)
    while ranks.processes[0].is_alive():
        if ranks.outputs[0].exists() and any("waiting until" in line for line in ranks.lines(0)):
            break
        time.sleep(0.01)
    ranks.kill(0, signal.SIGKILL)
    assert ranks.ended() == [-signal.SIGKILL, 2]
    set_pace(tmp_path, ALL)
    together(tmp_path, 2, *words, f"run={tmp_path / 'run'}", before=before)
    check_equal(tmp_path / "run", tmp_path / "whole")


# What it cannot be combined with --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.shuffle_window=0"], "data.start_early: needs training.shuffle_window"),
        (["data.train=[one,two]"], "data.start_early: needs one training text, and data.train has 2"),
        (["data.train=[{path: train, weight: 2}]"], "data.start_early: needs a training text of weight 1"),
        (["data.hold_out=3"], "data.start_early: data.hold_out chooses pairs from the whole text"),
        (["data.hold_out_test=3"], "data.start_early: data.hold_out_test chooses pairs"),
        (["training.batch_sentences=0", "training.batch_tokens=auto"], "training.batch_tokens: auto depends on"),
        (["training.guided_attention=0.1"], "training.guided_attention: needs the word alignments of the whole"),
        (["training.teachers=other"], "training.teachers: their distributions are computed"),
        (
            ["training.schedule=cosine", "training.max_epochs=2"],
            "training.schedule: cosine needs the length of an epoch",
        ),
        (["training.validate_every=0.5e"], "training.validate_every: 0.5e is a fraction of an epoch"),
        (["training.save_every=1.5e"], "training.save_every: 1.5e is a fraction of an epoch"),
        (["training.schedule=step", "training.decay_every=0.1e"], "training.decay_every: 0.1e is a fraction"),
    ],
)
def test_refused(workplace, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        config.load(workplace / "digits.yaml", [*WORDS, *words])
    assert len(refused.value.problems) == 1


def test_whole_epochs_are_not_refused(workplace) -> None:
    config.load(workplace / "digits.yaml", [*WORDS, "training.validate_every=2e", "training.save_every=1e"])


def test_several_machines_need_a_text_that_is_encoded(workplace, tmp_path, monkeypatch) -> None:
    settings = config.load(workplace / "digits.yaml", WORDS)
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match=r"on 2 machines.*encode it first on each machine: nmt check"):
        prepare(settings, early=early.EarlyStart(32, machines=2))
    prepare(settings)
    assert prepare(settings, early=early.EarlyStart(32, machines=2)).train.complete


# The parts ------------------------------------------------------------------------------------------------------------


def test_windows_in_order() -> None:
    windows = WindowsInOrder(70, 32, seed=1, epoch=0)
    found = [windows.shuffled(number) for number in range(len(windows))]
    assert [sorted(each.tolist()) for each in found] == [[*range(32)], [*range(32, 64)], [*range(64, 70)]]
    assert found[0].tolist() != sorted(found[0].tolist())
    more = WindowsInOrder(1000, 32, seed=1, epoch=0)
    assert [more.shuffled(number).tolist() for number in (0, 1)] == [each.tolist() for each in found[:2]]


def test_a_dataset_that_grows(workplace, tmp_path) -> None:
    subwords = prepare(config.load(workplace / "digits.yaml", [])).subwords
    pairs = [Pair(line, "0123456789"[: line % 9 + 1], str(line)) for line in range(1, 101)]
    place, partial = tmp_path / "key", tmp_path / "key.partial"
    growing = GrowingDataset(place)
    seen = [len(growing)]

    def watched() -> Any:
        for pair in pairs:
            growing.grow()
            seen.append(len(growing))
            yield pair

    writing.write_dataset(partial, watched(), subwords, None, Counter(), every=30)
    assert set(seen) <= {0, 30, 60, 90} and len(set(seen)) > 2 and not growing.complete
    held = [growing.source(index).tolist() for index in range(90)]
    partial.rename(place)
    assert growing.has_all() and len(growing) == 100
    assert [growing.source(index).tolist() for index in range(90)] == held
    head = growing.head(40)
    assert len(head) == 40 and head.target_lengths().tolist() == growing.target_lengths()[:40].tolist()
    assert np.array_equal(head.lines, np.arange(1, 41))


@pytest.mark.parametrize("what", ["the folder", "a file"])
def test_what_is_removed_while_it_is_written_is_not_kept(workplace, tmp_path, monkeypatch, what: str) -> None:
    """One line says so, and the next start encodes again: no entry without its files is left in the cache."""
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    settings, real = config.load(workplace / "digits.yaml", []), writing.Encoder.__call__

    def removing(self: writing.Encoder, chunk: list[Pair]) -> writing.Encoded:
        [partial] = (tmp_path / "cache").glob("*.partial")
        if len(chunk) > 20:  # of the training text
            shutil.rmtree(partial) if what == "the folder" else (partial / "source.ids").unlink()
        return real(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(writing.Encoder, "__call__", removing)
        with pytest.raises(DataError, match=r"source\.ids: was removed from the cache while it was written; start"):
            prepare(settings)
    assert len(prepare(settings).train) == 120
