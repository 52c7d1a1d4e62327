"""Security: what a run, a corpus or a file's name holds cannot command the terminal, nor forge a line of output."""

import json
import re
import shutil
from pathlib import Path

import pytest

from nmt.runs.store import LOG
from reliability.job import call, make_workplace

EVIL = "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m\u202eevil\nerror: forged"
COMMANDING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def check(text: str) -> None:
    assert not COMMANDING.search(text), repr(text)
    assert not any(line.startswith("error: forged") for line in text.split("\n"))


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_names_in_a_run(copied: Path, record_property) -> None:
    provenance = json.loads((copied / "provenance.json").read_text())
    evil = {
        **provenance, "machine": EVIL, "device": EVIL, "command": [EVIL], "data": {EVIL: EVIL},
        "versions": {EVIL: EVIL}, "left_out": {EVIL: {EVIL: 3}},
    }  # fmt: skip
    (copied / "provenance.json").write_text(json.dumps(evil))
    scores = {"sentences": 3, "decoding": EVIL, "signatures": {"bleu": EVIL}, "bleu": 1.0, "confidence": {"bleu": 1.0}}
    (copied / "scores.json").write_text(json.dumps({"sets": {EVIL: scores}}))
    done = call("info", copied)
    assert done.status == 0 and "evil" in done.output
    check(done.output)
    record_property("cases", 9)


@pytest.mark.parametrize("text", [f"{json.dumps(EVIL)}: 1", f"zz: {json.dumps(EVIL)}", f"y: [{json.dumps(EVIL)}]"])
def test_errors_about_a_run(copied: Path, text: str) -> None:
    with (copied / "config.yaml").open("a") as file:
        file.write(f"{text}\n")
    for command in ("info", "translate", "eval"):
        done = call(command, copied)
        assert done.status == 2
        check(done.errors)


def test_names_of_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = EVIL.replace("/", "")
    for words in (["info", name], ["train", name], ["translate", name], ["train", "a.yaml", f"{name}=1"], [name]):
        done = call(*words)
        assert done.status == 2
        check(done.errors)


def test_lines_of_a_corpus(tmp_path: Path) -> None:
    """In samples on the screen and in train.log, and in sample batches."""
    workplace = make_workplace(tmp_path)
    evil = EVIL.split("\n", maxsplit=1)[0]
    for side in "ab":
        path = workplace / "corpus" / f"valid.{side}"
        path.write_text("".join(f"{evil} 12\n" for _ in range(6)), encoding="utf-8")
    words = [workplace / "digits.yaml", f"run={tmp_path / 'run'}", "training.max_steps=2", "training.samples=2"]
    for command in ("check", "train"):
        done = call(command, *words)
        assert done.status == 0, done.errors
        check(done.output + done.errors)
    check((tmp_path / "run" / LOG).read_text(encoding="utf-8"))
    assert r"source      \x1b[2J" in (tmp_path / "run" / LOG).read_text(encoding="utf-8")


def test_drawings_and_tokens(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text(f"We \x1b[2J see\x9b31m the {EVIL[-20:-14]} house.\n", encoding="utf-8")
    for words in (
        ["translate", copied, "-i", tmp_path / "in", "--attention"],
        ["translate", copied, "-i", tmp_path / "in", "--pieces"],
        ["translate", copied, "-i", tmp_path / "in", "--jsonl"],
        ["score", copied, "--source", tmp_path / "in", "--target", tmp_path / "in", "--per-token"],
        ["score", copied, "--source", tmp_path / "in", "--target", tmp_path / "in", "--jsonl"],
    ):
        done = call(*words)
        assert done.status == 0, done.errors
        check(done.output)
