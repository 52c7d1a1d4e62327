"""Fuzz: whatever a config, a command line, a file of a run or a corpus holds ends in a result or in one line each."""

import contextlib
import json
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from nmt import config
from nmt.data.corpus import ParallelFiles, read_pairs
from nmt.errors import UserError
from nmt.info import describe_run
from nmt.run import CHECKPOINTS, load_translator
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from reliability.job import call, make_workplace, run

KEYS = config.keys()
KINDS = [pytest.param(50, id="quick"), pytest.param(2500, id="long", marks=pytest.mark.slow)]  # of four kinds
OPTIONS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


MEGABYTES = 300  # that no test here needs, whatever comes
SECONDS = 1200


@pytest.fixture(autouse=True)
def _bounds() -> Iterator[None]:
    """No example hangs, and none takes much memory."""

    def late(*_: object) -> None:
        raise AssertionError("an example hangs")

    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES


def words() -> some.SearchStrategy[str]:
    odd = some.sampled_from(["nan", "-1", "1e400", "9" * 400, "\x1b[2J", "\u0663", "''", "[", "{", "*a", "&a", "%", ""])
    return some.one_of(odd, some.integers().map(str), some.floats().map(str), some.text(max_size=12))


def lines_of_settings() -> some.SearchStrategy[str]:
    keys = some.one_of(some.sampled_from(KEYS), some.sampled_from(["data", "model", "x", "- a", "? b"]), words())
    indents, marks = some.sampled_from(["", "  ", "\t", "    "]), some.sampled_from([": ", ":", "=", ""])
    return some.tuples(indents, keys, marks, words()).map("".join)


@pytest.mark.parametrize("examples", KINDS)
def test_configs(tmp_path: Path, record_property, examples: int) -> None:
    path = tmp_path / "a.yaml"
    texts = some.one_of(some.lists(lines_of_settings(), max_size=12).map("\n".join), some.text(max_size=200))

    @settings(max_examples=examples, **OPTIONS)
    @given(texts, some.lists(words(), max_size=3))
    def fuzz(text: str, overrides: list[str]) -> None:
        content = text.encode(errors="surrogatepass")
        with contextlib.suppress(UserError):
            given_words = [f"{key}={word}" for key, word in zip(KEYS[5:], overrides, strict=False)]
            found = config.load(path, given_words, content)
            path.write_text(config.dump(found), encoding="utf-8")
            assert config.load(path) == found

    fuzz()
    record_property("cases", examples)


COMMANDS = ["train", "check", "translate", "eval", "align", "score", "average", "export", "info", "bench"]
FLAGS = [
    "--beam-size", "--threads", "--n-best", "--mbr", "--sample", "--temperature", "--top-k", "--seed", "--jsonl", "-i",
    "-o", "--source", "--target", "--gold", "--metric", "--by-length", "--plot", "--line", "--best", "--last",
    "--shortlist", "--int8", "--device", "--batch-size", "--length-penalty", "--help", "--", "--encoding",
    "--batches", "--rounds",
]  # fmt: skip


@pytest.fixture
def empty(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("examples", KINDS)
def test_command_lines(empty: Path, record_property, examples: int) -> None:
    """In a folder without runs, so that nothing is trained."""

    @settings(max_examples=examples, **OPTIONS)
    @given(some.sampled_from(COMMANDS), some.lists(some.one_of(some.sampled_from(FLAGS), words()), max_size=6))
    def fuzz(command: str, rest: list[str]) -> None:
        if command == "bench" and "--reference" in rest:
            return
        done = call(command, *(word.replace("\0", "").encode(errors="replace").decode() for word in rest))
        assert done.status in {0, 2}, (command, rest, done)
        assert "Traceback" not in done.errors

    fuzz()
    record_property("cases", examples)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workplace = make_workplace(tmp_path_factory.mktemp("fuzz"))
    run(workplace, workplace / "run", "training.max_steps=2")
    return workplace / "run"


def json_values() -> some.SearchStrategy[Any]:
    plain = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=5))
    names = some.text(max_size=5)
    return some.recursive(
        plain, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(names, inner, max_size=4)
    )


@contextlib.contextmanager
def changed(path: Path, change: tuple[str, int, bytes, Any]) -> Iterator[None]:
    """The file has other bytes within this context."""
    kind, place, content, value = change
    before = path.read_bytes()
    at = place % (len(before) + 1)
    if kind == "json" and path.suffix == ".json":
        values = json.loads(before)
        values[list(values)[place % len(values)]] = value
        after = json.dumps(values).encode()
    else:
        after = {"cut": before[:at], "insert": before[:at] + content + before[at:]}.get(
            kind, before[:at] + content + before[at + len(content) :]
        )
    path.write_bytes(after)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("examples", KINDS)
def test_files_of_a_run(trained: Path, record_property, examples: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(trained, Path(folder) / "run"))
        checkpoint = list_checkpoints(copy / CHECKPOINTS)[-1]
        files = [*sorted(path for path in copy.iterdir() if path.is_file()), *sorted(checkpoint.iterdir())]
        changes = some.tuples(
            some.sampled_from(["replace", "cut", "insert", "json"]),
            some.integers(0, 10**6),
            some.binary(max_size=8),
            json_values(),
        )

        @settings(max_examples=examples, **OPTIONS)
        @given(some.sampled_from(files), changes)
        def fuzz(path: Path, change: tuple[str, int, bytes, Any]) -> None:
            with changed(path, change), contextlib.suppress(UserError):
                list(describe_run(copy))
                load_checkpoint(checkpoint)

        fuzz()
    record_property("cases", examples)


@pytest.mark.parametrize("examples", KINDS)
def test_corpora_and_lines(trained: Path, tmp_path: Path, record_property, examples: int) -> None:
    """Read as a corpus: pairs or one line. Translated: a line for each line."""
    translator = load_translator(trained, threads=1)
    files = ParallelFiles(tmp_path / "a", tmp_path / "b")
    encoded = some.text(max_size=60).map(lambda line: line.encode(errors="surrogatepass"))
    text = some.one_of(some.binary(max_size=80), encoded)

    @settings(max_examples=examples, **OPTIONS)
    @given(text, text, some.lists(some.text(max_size=30), max_size=3))
    def fuzz(source: bytes, target: bytes, lines: list[str]) -> None:
        files.source.write_bytes(source)
        files.target.write_bytes(target)
        with contextlib.suppress(UserError):
            for pair in read_pairs(files):
                assert "\n" not in pair.source and "\0" not in pair.source
        lines = [line.encode(errors="replace").decode() for line in lines]
        found = translator.translate(lines, beam_size=1, attention=False)
        assert [each.source for each in found] == lines
        assert all("\n" not in each.text for each in found)

    fuzz()
    record_property("cases", examples)
