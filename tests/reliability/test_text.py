"""Text: odd text is repaired and counted, or refused with its place; each input line gives one output line."""

import functools
import gzip
import importlib
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmt.api import load_translator
from nmt.data.sources import find_source
from nmt.errors import DataError
from reliability.job import Called, call, command, make_workplace, run, sampled

Edit = Callable[[Path], object]
A_MILLION = 1_000_000


def replaced(path: Path, number: int, line: bytes) -> None:
    """Line `number`, counted from 1, becomes another."""
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))


def line(number: int, text: str | bytes, side: str = "a") -> Edit:
    content = text.encode() if isinstance(text, str) else text
    return lambda folder: replaced(folder / f"train.{side}", number, content)


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Edit:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def both(*edits: Edit) -> Edit:
    return lambda folder: [edit(folder) for edit in edits]


def instead(make: Edit) -> Edit:
    """Something else than a file in the place of train.a."""
    return lambda folder: ((folder / "train.a").unlink(), make(folder))


def cut_short(folder: Path) -> None:
    packed = gzip.compress((folder / "train.a").read_bytes())
    (folder / "train.a").unlink()
    (folder / "train.a.gz").write_bytes(packed[: len(packed) // 2])


def crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


# A corpus that is mended ---------------------------------------------------------------------------------------------

LINE_LIKE = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r"
BLANK = ["", " ", "\u00a0", "\u3000", "\u200b"]
WHOLE = "train: 120 usable pairs"
UNKNOWN = "source lines that hold unknown characters: 1; set subword.character_coverage=1"
OF_DIGITS = ("repeat an earlier one", "use of U+00", "cannot give back")  # true of this text of digits, edited or not
MENDED: list[tuple[str, Edit, list[str]]] = [
    ("nothing", lambda folder: None, [WHOLE]),
    *((f"U+{ord(each):04X}", line(7, f"1{each}2"), [WHOLE]) for each in LINE_LIKE),
    ("CRLF on one side", bytes_of("train.a", crlf), [WHOLE, r"train: train.a: line ending \r\n read as \n: 120"]),
    (
        "CRLF on both sides",
        both(bytes_of("train.a", crlf), bytes_of("train.b", crlf)),
        [WHOLE, *(rf"train: train.{side}: line ending \r\n read as \n: 120" for side in "ab")],
    ),
    ("BOM", bytes_of("train.a", lambda text: b"\xef\xbb\xbf" + text), [WHOLE, "byte order mark dropped: 1"]),
    ("no final newline", bytes_of("train.b", lambda text: text[:-1]), [WHOLE, "no newline at the end of the file: 1"]),
    (
        "blank lines at the end",
        both(*(bytes_of(f"train.{side}", lambda text: text + b"\n\n") for side in "ab")),
        [WHOLE, "pairs with a blank side left out: 2"],
    ),
    *(
        (f"blank {blank!a}", line(9, blank), ["train: 119 usable pairs", "pairs with a blank side left out: 1"])
        for blank in BLANK
    ),
    ("a million characters", line(9, "7" * A_MILLION), ["pairs longer than 100 pieces left out (data.max_length): 1"]),
    *((f"the text {text}", line(9, text), [WHOLE, UNKNOWN]) for text in ("<s>", "</s>", "<unk>")),
    *((f"the text {text}", line(9, text), [WHOLE]) for text in ("\u2581", "1 ||| 2")),
    (
        "valid = train",
        both(*(bytes_of(f"valid.{s}", functools.partial(lambda s, _: SAME[s], s)) for s in "ab")),
        ["train.a and valid.a are the same: validation will not see overfitting"],
    ),
    (
        "valid inside train",
        both(*(bytes_of(f"train.{s}", functools.partial(lambda s, text: text + VALID[s], s)) for s in "ab")),
        [
            "6 of its source lines are in train, 6 with the same translation: scores on them say little; "
            "remove them from the training text"
        ],
    ),
]
SAME: dict[str, bytes] = {}
VALID: dict[str, bytes] = {}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The folder of the corpus of a workplace of its own."""
    folder = make_workplace(tmp_path) / "corpus"
    for side in "ab":
        SAME[side], VALID[side] = ((folder / f"{stem}.{side}").read_bytes() for stem in ("train", "valid"))
    return folder


@pytest.mark.parametrize(("edit", "said"), sampled([case[1:] for case in MENDED], 4), ids=[case[0] for case in MENDED])
def test_a_corpus_that_is_mended(corpus: Path, edit: Edit, said: list[str]) -> None:
    """Each with one line, and so once."""
    edit(corpus)
    done = call("check", corpus.parent / "digits.yaml", "data.test=[]")
    assert (done.status, done.errors) == (0, "")
    lines = done.output.splitlines()
    for each in said:
        assert len([line for line in lines if line.endswith(each)]) == 1, done.output
    warnings = [line for line in lines if "warning: " in line and not any(each in line for each in OF_DIGITS)]
    assert "same" in said[0] or len(warnings) == len([each for each in said if "usable" not in each])


# A corpus that is refused --------------------------------------------------------------------------------------------


def longer(side: str, by: int) -> Edit:
    change = (lambda text: text + b"7\n" * by) if by > 0 else (lambda text: b"\n".join(text.split(b"\n")[-by:]))
    return bytes_of(f"train.{side}", change)


def empty(stem: str) -> Edit:
    return both(*(bytes_of(f"{stem}.{side}", lambda _: b"") for side in "ab"))


REFUSED: list[tuple[str, Edit, list[str]]] = [
    *(
        (
            f"{by:+} lines of {side}",
            longer(side, by),
            [f"train.a has {120 + by * (side == 'a')} lines", f"train.b has {120 + by * (side == 'b')};"],
        )
        for by in (1, -1, 100)
        for side in "ab"
    ),
    ("an empty file", bytes_of("train.a", lambda _: b""), ["train.a has 0 lines", "train.b has 120;"]),
    ("two empty files", empty("train"), ["train.a: no usable pair of sentences"]),
    ("empty validation", empty("valid"), ["valid.a: no usable pair of sentences"]),
    ("invalid UTF-8", line(7, b"12\xff"), ["train.a:7: byte 3: not UTF-8"]),
    ("a lone surrogate", line(7, b"1\xed\xa0\x80", "b"), ["train.b:7: byte 2: not UTF-8"]),
    ("NUL", line(7, b"123\x00"), ["train.a:7: byte 4: a NUL character"]),
    ("all too long", both(*(line(n, "7" * 300) for n in range(1, 121))), ["no usable pair of sentences is left"]),
    ("gz cut short", cut_short, ["train.a.gz: damaged or cut short"]),
    ("a folder", instead(lambda folder: (folder / "train.a").mkdir()), ["train.a: "]),
    (
        "a pipe",
        instead(lambda folder: os.mkfifo(folder / "train.a")),
        ["train.a: a pipe or device, and the texts of a config are read several times"],
    ),
    ("nothing", instead(lambda folder: None), ["train.a: no such file"]),
    ("no permission", lambda folder: (folder / "train.a").chmod(0), ["train.a: cannot read: Permission denied"]),
]


@pytest.mark.parametrize(
    ("edit", "said"), sampled([case[1:] for case in REFUSED], 4), ids=[case[0] for case in REFUSED]
)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_corpus_that_is_refused(corpus: Path, command: str, edit: Edit, said: list[str]) -> None:
    """With one line, before a run is made."""
    edit(corpus)
    if "Permission" in said[0] and os.geteuid() == 0:
        pytest.skip("root reads everything")
    done = call(command, corpus.parent / "digits.yaml", f"run={corpus.parent / 'run'}")
    assert done.status == 2
    [error] = done.errors.splitlines()
    assert error.startswith("error: ") and all(each in error for each in said), error
    assert not (corpus.parent / "run").exists()


# Lines that are translated -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Path:
    run(workplace, workplace / "trained", "training.max_steps=2")
    return workplace / "trained"


def translate(trained: Path, content: bytes, *words: str) -> Called:
    source = trained.parent / "in"
    source.write_bytes(content)
    return call("translate", trained, "-i", source, "--threads", 1, "--beam-size", 1, *words)


def translated(trained: Path, content: bytes, *words: str) -> tuple[list[str], list[str]]:
    """The lines that came out, and the warnings."""
    done = translate(trained, content, *words)
    assert done.status == 0, done.errors
    *lines, end = done.output.split("\n")
    assert end == ""
    return lines, done.errors.splitlines()


def test_a_line_in_is_a_line_out(trained: Path) -> None:
    odd = [*(f"1{each}2" for each in LINE_LIKE), *BLANK, "<s>", "</s>", "<unk>", "\u2581", "1 ||| 2", "12"]
    lines, warnings = translated(trained, "\n".join(odd).encode())
    assert len(lines) == len(odd) and warnings == []
    blank = lines[len(LINE_LIKE) : len(LINE_LIKE) + len(BLANK)]
    assert blank == [""] * len(BLANK)
    assert lines[-1] == translated(trained, b"12\n")[0][0]


def test_endings_and_marks_change_nothing(trained: Path) -> None:
    expected = translated(trained, b"12\n34\n")
    for content in (b"12\r\n34\r\n", b"\xef\xbb\xbf12\n34\n", b"12\n34"):
        assert translated(trained, content) == expected


def test_bytes_that_are_no_text_are_replaced_and_said(trained: Path) -> None:
    lines, warnings = translated(trained, b"1\xff2\n3\x004\n\xed\xa0\x80\n12\n")
    assert len(lines) == 4 and lines[3] == translated(trained, b"12\n")[0][0]
    assert warnings == [
        "warning: lines with bytes that are not UTF-8, shown as U+FFFD: 2",
        "warning: lines with NUL characters, read as spaces: 1",
    ]


def translated_file(workplace: Path, content: str) -> tuple[list[str], list[str]]:
    """What a process writes for these lines, and its warnings."""
    (workplace / "long").write_text(content)
    done = command(workplace, "translate", "trained", "-i", "long", "-o", "out", "--threads", "1", "--beam-size", "1")
    assert done.returncode == 0, done.stderr
    return (workplace / "out").read_text().split("\n"), done.stderr.splitlines()


@pytest.mark.parametrize("text", sampled(["7" * A_MILLION, "77 7. " * (A_MILLION // 60), "7 " * (A_MILLION // 2)], 3))
def test_a_million_characters(workplace, trained, text: str) -> None:
    """With a warning; the lines beside it are what they are without it. (A tenth of it if it is many sentences.)"""
    expected, _ = translated_file(workplace, "12\n34\n")
    lines, warnings = translated_file(workplace, f"12\n{text}\n34\n")
    assert len(lines) == 4 and [lines[0], *lines[2:]] == expected
    assert warnings and all(warning.startswith("warning: lines ") for warning in warnings)


# Random files --------------------------------------------------------------------------------------------------------

PARTS = [
    b"\n", b"\r\n", b"12", b"345 6", b" ", "\u00a0".encode(), "\u2028".encode(), b"\x1c", b"\r", b"<s>", b"</s>",
    b" ||| ", "\u2581".encode(), "\u200b".encode(), "é".encode(), "👍".encode(), b"\xef\xbb\xbf", b"\0", b"\xff",
]  # fmt: skip
WEIGHTS = [20, 4, 20, 20, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 0.2, 0.2]


def random_file(chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(60))
    return b"".join(chance.choices(PARTS, WEIGHTS, k=chance.randrange(60)))


def line_count(content: bytes) -> int:
    return content.count(b"\n") + (content[-1:] not in {b"", b"\n"})


@pytest.fixture
def loaded_once(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model stays in memory from one command to the next."""
    once = load_translator(trained, threads=1)
    monkeypatch.setattr(importlib.import_module("nmt.cli.translate"), "translator_of", lambda *_: once)


def seeds(files: int) -> list[Any]:
    """Four seeds of the long form, with so many files each."""
    return [pytest.param(seed, files, marks=pytest.mark.slow) for seed in range(1, 5)]


@pytest.mark.parametrize(("seed", "files"), [(0, 40), *seeds(1250)])
def test_random_lines_are_translated(trained, loaded_once, record_property, seed: int, files: int) -> None:
    chance, refused = random.Random(seed), 0
    for _ in range(files):
        content = random_file(chance)
        done = translate(trained, content, "--batch-size", "16")
        if done.status == 2:
            assert re.fullmatch(r"error: .*: (not UTF-8; it looks like .*|.*, not text; .*)\n", done.errors), (
                done.errors
            )
            refused += 1
            continue
        assert done.status == 0 and done.output.count("\n") == line_count(content), content
    assert refused < files // 5
    record_property("cases", files)


@pytest.mark.parametrize(("seed", "files"), [(0, 25), *seeds(400)])
def test_random_corpora_are_taken_or_refused(tmp_path, trained, monkeypatch, record_property, seed, files) -> None:
    chance, outcomes = random.Random(seed), Counter[int]()
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    folder = make_workplace(tmp_path) / "corpus"
    words: list[Any] = [f"subword.model={trained / 'subword.model'}", "training.batch_sentences=4"]
    for number in range(files):
        content = random_file(chance)
        other = b"1\n" * line_count(content) if chance.random() < 0.8 else random_file(chance)
        (folder / "train.a").write_bytes(content)
        (folder / "train.b").write_bytes(other)
        done = call("check", folder.parent / "digits.yaml", *words)
        assert done.status in {0, 2}, content
        assert done.status == 0 or len(done.errors.splitlines()) == 1, done.errors
        outcomes[done.status] += 1
        if number % 50 == 0:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert min(outcomes[0], outcomes[2]) > files // 10, outcomes
    record_property("cases", files)


# Escapes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", r'{"a": "1\ud8002", "b": "3"}'),
        ("a.jsonl", r'{"a": "1", "b": "3\u0000"}'),
        ("a.po", 'msgid "1"\nmsgstr "\\0"'),
    ],
)
def test_escapes_that_stand_for_no_character_are_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(f"{content}\n")
    with pytest.raises(DataError, match=rf"{name}:\d: .*which is not a character of text"):
        list(find_source(tmp_path, name, ("a", "b")).pairs())


def test_a_long_escape_is_a_byte(tmp_path: Path) -> None:
    (tmp_path / "a.po").write_text('msgid "1"\nmsgstr "\\xffffffffff41"\n')
    assert [pair.target for pair in find_source(tmp_path, "a.po", ("a", "b")).pairs()] == ["A"]
