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
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from nmt import config
from nmt.api import load_translator
from nmt.data.corpus import ParallelFiles, read_pairs
from nmt.data.documents import document_format, open_document
from nmt.data.sources import find_source
from nmt.errors import UserError
from nmt.info import describe_run
from nmt.runs.store import CHECKPOINTS, CONFIG, WEIGHTS, load_run
from nmt.runs.weights import named_weights, pack_weights
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from reliability.job import call, make_workplace, run

KEYS = config.keys()
KINDS = [pytest.param(50, id="quick"), pytest.param(2500, id="long", marks=pytest.mark.slow)]  # of each test
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


# Crafted runs: their checksums are right, as those of a stranger who has this program would be -----------------


def tensors() -> some.SearchStrategy[torch.Tensor]:
    kinds = some.sampled_from([torch.float32, torch.float16, torch.float64, torch.int64, torch.bool, torch.uint8])
    shapes = some.lists(some.integers(0, 5), max_size=4)
    values = some.sampled_from([0.0, 1.0, -1.0, 3e38, float("inf"), float("nan")])
    return some.builds(lambda kind, shape, value: torch.full(shape, value).to(kind), kinds, shapes, values)


def settings_of_a_stranger() -> some.SearchStrategy[tuple[str, str]]:
    numbers = some.sampled_from(
        ["-1", "0", "1", "7", "8", "9", "100", "65536", "1e9", "nan", "true", "[]", "''", "gru"]
    )
    return some.tuples(some.sampled_from([key for key in KEYS if key.startswith(("model.", "decoding."))]), numbers)


@pytest.mark.parametrize("examples", KINDS)
def test_crafted_runs(trained: Path, record_property, examples: int) -> None:
    """Weights of any name, shape, type and value, under settings that may ask for others: loaded, or one line."""
    whole = load_run(trained, torch.device("cpu"))
    weights = named_weights(whole.model)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(trained, Path(folder) / "run", ignore=shutil.ignore_patterns(CHECKPOINTS)))
        original = (copy / CONFIG).read_text(encoding="utf-8")
        names = some.one_of(some.sampled_from(sorted(weights)), some.text(max_size=4))

        @settings(max_examples=examples, **OPTIONS)
        @given(
            some.dictionaries(names, tensors(), max_size=2),
            some.sets(some.sampled_from(sorted(weights)), max_size=1),
            some.one_of(some.none(), settings_of_a_stranger()),
        )
        def fuzz(new: dict[str, torch.Tensor], gone: set[str], change: tuple[str, str] | None) -> None:
            written = {name: tensor for name, tensor in (weights | new).items() if name not in gone}
            written = {name.encode(errors="replace").decode(): tensor for name, tensor in written.items()}
            given_settings = whole.settings
            with contextlib.suppress(UserError):
                if change is not None:
                    section, _, key = change[0].partition(".")
                    values = yaml.safe_load(original)
                    values[section][key] = yaml.safe_load(change[1])
                    (copy / CONFIG).write_text(yaml.safe_dump(values), encoding="utf-8")
                    given_settings = config.load(copy / CONFIG)
                (copy / WEIGHTS).write_bytes(pack_weights(written, given_settings, whole.subwords))
                translator = load_translator(copy, threads=1)
                [found] = translator.translate(["1 2 3"], beam_size=2)
                assert "\n" not in found.text
            (copy / CONFIG).write_text(original, encoding="utf-8")

        fuzz()
    record_property("cases", examples)


# Files of every format -----------------------------------------------------------------------------------------------

SAMPLES = {
    "a.po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n#, c-format\nmsgid "a %d"\nmsgstr ""\n',
    "a.xlf": '<xliff version="1.2"><file source-language="a" target-language="b"><body><trans-unit id="1"><source>1'
    "</source><target>2</target></trans-unit></body></file></xliff>",
    "a.tmx": '<tmx version="1.4"><header/><body><tu><tuv xml:lang="a"><seg>1 <ph>x</ph></seg></tuv><tuv xml:lang="b">'
    "<seg>2</seg></tuv></tu></body></tmx>",
    "a.tsv": "a\tb\n1\t2\n", "a.csv": 'a,b\n"1, ""1""",2\n', "a.jsonl": '{"a": "1", "b": ""}\n',
    "a.json": '[{"a": "1", "b": ""},\n {"translation": {"a": "1"}}]', "a.bars": "1 ||| 2\n",
    "a.sgm": '<srcset setid="x"><doc docid="d"><seg id="1">1</seg></doc></srcset>',
    "a.srt": "1\n00:00:01,000 --> 00:00:02,000\n1\n\n",
}  # fmt: skip


@pytest.mark.parametrize("examples", KINDS)
def test_formats(tmp_path: Path, record_property, examples: int) -> None:
    """A changed file of each format: read as a corpus, filled as a document, or one line. Nothing spans two lines."""
    changes = some.lists(
        some.tuples(some.integers(0, 400), some.integers(0, 8), some.one_of(some.binary(max_size=6), odd_bytes())),
        max_size=4,
    )

    @settings(max_examples=examples, **OPTIONS)
    @given(some.sampled_from(sorted(SAMPLES)), changes)
    def fuzz(name: str, changes: list[tuple[int, int, bytes]]) -> None:
        path, content = tmp_path / name, SAMPLES[name].encode()
        for place, cut, new in changes:
            at = place % (len(content) + 1)
            content = content[:at] + new + content[at + cut :]
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            for pair in find_source(tmp_path, name, ("a", "b")).pairs():
                assert not {"\n", "\0"} & {*pair.source, *pair.target}
        with contextlib.suppress(UserError):
            kind = document_format(path)
            if kind is not None:
                document = open_document(path, kind, ("a", "b"))
                assert not any("\n" in text for text in document.texts)
                document.filled([text.upper() for text in document.texts])

    fuzz()
    record_property("cases", examples)


def odd_bytes() -> some.SearchStrategy[bytes]:
    return some.sampled_from(
        [b"\0", b"\r", b"\n", b'"', b"<", b">", b"&", b"\xff\xfe", b"\xef\xbb\xbf", b"</", b"\\", b"]"]
    )
