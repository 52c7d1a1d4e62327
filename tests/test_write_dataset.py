"""Encoding text: the same files with any number of processes, and after a kill."""

import functools
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from reliability.job import ended, fork, make_workplace

from nmt import config
from nmt.data import write_dataset as writing
from nmt.data.corpus import Pair
from nmt.data.dataset import FILES
from nmt.data.prepare import prepare
from nmt.data.subword import Subwords


@pytest.fixture(scope="module")
def subwords(tiny_config) -> Subwords:
    return prepare(config.load(tiny_config, [])).subwords


PAIRS = [
    Pair(line, "a few words " * (line % 7 + 1), "\u00fe" * (line % 11 == 0) + "des mots") for line in range(1, 3001)
]


def write(folder: Path, subwords: Subwords, workers: int = 1) -> tuple[dict[str, bytes], Counter[str]]:
    notes: Counter[str] = Counter()
    writing.write_dataset(folder, PAIRS, subwords, 20, notes, workers)
    return {name: (folder / name).read_bytes() for name in FILES}, notes


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHUNK", 100)
    monkeypatch.setattr(writing, "SAVED", 500)


def test_several_processes_write_the_same_files(subwords, tmp_path) -> None:
    files, notes = write(tmp_path / "one", subwords)
    assert write(tmp_path / "two", subwords, 2) == (files, notes) and notes
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("chunks", [3, 12])
def test_a_stopped_process_is_resumed(subwords, tmp_path, monkeypatch, chunks) -> None:
    expected = write(tmp_path / "one", subwords)
    real, left = writing.Encoder.__call__, chunks

    def stopping(self, chunk):  # type: ignore[no-untyped-def]
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(self, chunk)

    monkeypatch.setattr(writing.Encoder, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "two", subwords)
    encoded = []

    def counting(self, chunk):  # type: ignore[no-untyped-def]
        encoded.append(len(chunk))
        return real(self, chunk)

    monkeypatch.setattr(writing.Encoder, "__call__", counting)
    assert write(tmp_path / "two", subwords) == expected
    assert sum(encoded) == 3000 - chunks * 100 // 500 * 500


def kill_in_chunk(folder: Path, count: int) -> None:
    """Let this process, in this folder, end in the chunk of this number, or never."""
    os.chdir(folder)
    os.environ["NMT_CACHE"] = str(folder / "cache")
    writing.CHUNK, writing.SAVED = 10, 20  # type: ignore[misc]
    real, left = writing.Encoder.__call__, count

    def killing(self, chunk):  # type: ignore[no-untyped-def]
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, chunk)

    writing.Encoder.__call__ = killing  # type: ignore[method-assign]


def test_a_killed_preparation_is_resumed_by_the_same_command(tmp_path) -> None:
    make_workplace(tmp_path)
    words = ["train", "digits.yaml", "run=run", "training.max_steps=1"]
    assert ended(fork(*words, before=functools.partial(kill_in_chunk, tmp_path, 8))) == -signal.SIGKILL
    assert list((tmp_path / "cache").glob("*.partial"))
    before = functools.partial(kill_in_chunk, tmp_path, 0)
    assert ended(fork(*words, output=tmp_path / "output", before=before)) == 0
    assert "resuming after 60 pairs" in (tmp_path / "output").read_text()
    assert not list((tmp_path / "cache").glob("*.partial")) and not list((tmp_path / "cache").glob("*.tmp-*"))
