"""Size: a line or a file of any size is read within bounds, or refused with the limit; out of memory is status 5."""

import gzip
import importlib
import resource
import time
from pathlib import Path

import pytest

from nmt import config
from nmt.api import load_translator
from nmt.config.text import LARGEST, MOST_TOKENS
from nmt.data import corpus
from nmt.errors import ConfigError, DataError, is_out_of_memory
from nmt.inference import translator as module
from nmt.inference.align import align
from reliability.job import call, command, make_workplace, run

MEGABYTES = 200
EXPANDING = "\ufdfa"  # 18 characters under NFKC


@pytest.fixture
def short_lines(monkeypatch) -> int:
    """The limit of the characters of a line that are read, lowered."""
    for place in ("nmt.data.subword", "nmt.inference.translator", "nmt.inference.translation", "nmt.inference.align"):
        monkeypatch.setattr(importlib.import_module(place), "LONGEST_LINE", 20_000)
    return 20_000


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Path:
    run(workplace, workplace / "trained", "training.max_steps=2")
    return workplace / "trained"


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Lines ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["train", "check"])
def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch, pack, name: str) -> None:
    """With the place and the limit, whether it is packed or not; what comes after the limit is not read."""
    monkeypatch.setattr(corpus, "LONGEST_LINE", 1_000_000)
    folder = make_workplace(tmp_path) / "corpus"
    content = (folder / "train.a").read_bytes() + b"7" * 50_000_000
    (folder / "train.a").unlink()
    (folder / ("train.a.gz" if pack is gzip.compress else "train.a")).write_bytes(pack(content))
    before = peak()
    done = call(name, folder.parent / "digits.yaml", f"run={tmp_path / 'run'}")
    assert done.status == 2
    assert "train.a" in done.errors and ":121: a line of more than 1,000,000 bytes" in done.errors
    assert peak() - before < MEGABYTES
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["translate", "score", "align"])
def test_no_command_takes_a_line_without_end(trained: Path, tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setattr(corpus, "LONGEST_LINE", 1_000_000)
    (tmp_path / "in").write_bytes(b"12\n" + b"7" * 3_000_000)
    words = (
        ["-i", tmp_path / "in"] if name == "translate" else ["--source", tmp_path / "in", "--target", tmp_path / "in"]
    )
    done = call(name, trained, *words)
    assert done.status == 2
    assert ":2: a line of more than 1,000,000 bytes" in done.errors


@pytest.mark.parametrize("character", ["7", EXPANDING, " ", "\u00e9"])
def test_a_long_line_is_translated_from_its_beginning(trained: Path, short_lines: int, character: str) -> None:
    translator = load_translator(trained, threads=1)
    [found] = translator.translate([character * (short_lines + 5)], beam_size=1, attention=False)
    assert found.cut and len(found.source) == short_lines + 5
    [short] = translator.translate(["7"], beam_size=1, attention=False)
    assert not short.cut


@pytest.mark.parametrize("character", ["7", EXPANDING, "7 "])
def test_long_lines_are_scored_and_aligned_within_bounds(
    trained: Path, monkeypatch, short_lines: int, character: str
) -> None:
    """Both look at as much as they read, whatever the rest is; a warning counts what was cut."""
    monkeypatch.setattr(module, "MOST_TARGET", 50)
    translator = load_translator(trained, threads=1)
    text = character * (2_000_000 if character != EXPANDING else 60_000)
    before, started = peak(), time.process_time()
    [scored] = translator.score([(text, text)])
    assert scored.cut and len(scored.tokens) <= 51
    [aligned] = align(translator, [(text[:30_000], text)])
    assert aligned.cut
    assert peak() - before < MEGABYTES
    assert time.process_time() - started < 60
    assert [each.cut for each in translator.score([("7", "7"), ("7", "")])] == [False, False]


def test_the_beginning_is_what_the_whole_begins_with(trained: Path) -> None:
    subword = load_translator(trained).subwords.source
    text = "".join(str(number * 7919 % 1000) + " " * (number % 2) for number in range(3000))
    for count in (1, 10, 100, 1000):
        assert subword.beginning(text, count) == subword.encode(text)[:count]
    assert subword.beginning("12", 100) == subword.encode("12")
    assert subword.beginning(" \u00a0" * 10_000, 5) == []


# Configs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"#" * 3_000_000, b"a: [" + b"[]," * 60_000 + b"]", b"".join(b"k%d: 1\n" % number for number in range(10_000))],
)
def test_a_huge_config_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    started = time.process_time()
    with pytest.raises(ConfigError, match="not a config: has more than"):
        config.load(tmp_path / "a.yaml")
    assert time.process_time() - started < 10  # a second without the checks of types in every call
    assert len(content) > LARGEST or MOST_TOKENS < 20_000


def test_a_config_from_a_device_ends(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a config"):
        config.load(Path("/dev/zero"))


# Memory --------------------------------------------------------------------------------------------------------------

ERRORS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
    RuntimeError("std::bad_alloc"),
    OSError(12, "Cannot allocate memory"),
    RuntimeError("can't start new thread"),
]
COMMANDS = {
    "translate": ["-i", "IN"],
    "eval": ["--source", "IN", "--reference", "IN", "--metric", "bleu"],
    "score": ["--source", "IN", "--target", "IN"],
    "align": ["--source", "IN", "--target", "IN"],
}


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_out_of_memory_is_status_5(trained: Path, tmp_path: Path, monkeypatch, name: str, error: Exception) -> None:
    (tmp_path / "in").write_text("12\n")

    def full(*_: object) -> None:
        raise error

    place = "nmt.cli.evaluate" if name == "eval" else f"nmt.cli.{name}"
    monkeypatch.setattr(importlib.import_module(place), "translator_of", full)
    done = call(name, trained, *(tmp_path / "in" if word == "IN" else word for word in COMMANDS[name]))
    assert done.status == 5
    [line] = done.errors.splitlines()
    assert line.startswith("error: out of memory")


@pytest.mark.parametrize(
    "error",
    [RuntimeError("could not create a primitive"), RuntimeError("std::bad_alloc"), OSError("not enough memory")],
)
def test_what_libraries_say_without_memory(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes do not fit"),
        RuntimeError("could not create a primitive descriptor for a matmul primitive"),
        ValueError("bad_alloc"),
        DataError("a: damaged"),
    ],
)
def test_other_errors_are_not(error: Exception) -> None:
    assert not is_out_of_memory(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_under_a_limit_of_the_kernel(trained: Path, tmp_path: Path, name: str) -> None:
    """So little that torch itself hardly fits."""
    (tmp_path / "in").write_text("12\n")
    for megabytes in (300, 600, 1200):
        before = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes}_000_000,) * 2)"
        words = [str(tmp_path / "in") if word == "IN" else word for word in COMMANDS[name]]
        done = command(tmp_path, name, str(trained), *words, before=before)
        assert done.returncode in {0, 5}, done.stderr
