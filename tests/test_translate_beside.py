"""scripts/lab/translate_beside.py: what is translated, by which model, and the table by hand."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from sentencepiece import SentencePieceProcessor
from time_to_quality import in_pieces, read_lines, whole, write_lines
from translate_beside import OURS, PEER, SMALL, all_commands, make_small, measure, source_text, table

from nmt.runs.store import subword_files


def test_training_text_is_not_translated_and_validation_comes_first(tmp_path: Path) -> None:
    for name in ("a", "test", "train", "val"):
        write_lines(tmp_path / f"{name}.en", [f"{name} {number}" for number in (1, 2)])
        write_lines(tmp_path / f"{name}.fr", ["not this"])
    assert source_text(tmp_path) == ["val 1", "val 2", "a 1", "a 2", "test 1", "test 2"]


def test_the_newest_model_of_the_peer_is_taken(tmp_path: Path) -> None:
    for step in (900, 1050, 150):
        (tmp_path / f"model_step_{step}.pt").touch()
    commands = all_commands(tmp_path, tmp_path)
    assert list(commands) == [(name, beam) for beam in (5, 1) for name in (PEER, OURS, SMALL)]
    for (name, beam), command in commands.items():
        run = {PEER: "model_step_1050.pt", OURS: "nmt-1", SMALL: "nmt-1-small"}[name]
        assert tmp_path / run in command and str(beam) in command
    assert all(command[-1] in {"-o", "-output"} for command in commands.values())


@pytest.mark.slow  # make lab
def test_the_small_model_is_made_if_it_is_not_there(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "nmt-1").symlink_to(tiny_run)
    make_small(tmp_path)
    assert (tmp_path / "nmt-1-small" / "shortlist.safetensors").exists()


def test_commands_write_their_files_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    commands = {(name, 5): ["sh", "-c", f'echo {name} >>{log}; echo found >"$0"'] for name in ("one", "two")}
    ticks = iter([0.0, 2.0, 10.0, 14.0, 20.0, 22.5, 30.0, 35.0])  # start and end of each command
    monkeypatch.setattr("translate_beside.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    speeds = measure(commands, tmp_path, 100, 2)
    assert read_lines(log) == ["one", "two"] * 2
    assert speeds == {("one", 5): [50.0, 40.0], ("two", 5): [25.0, 20.0]}  # sentences per second
    assert read_lines(tmp_path / "one-5.txt") == ["found"]


def test_pieces_are_put_together_again(tiny_run: Path, tmp_path: Path) -> None:
    """Also around what other ways of reading lines take for the end of one."""
    subwords = SentencePieceProcessor(model_file=str(subword_files(tiny_run)[-1]))
    lines = ["un chien court dans le jardin", "deux chats mangent du\u2028pain blanc"]
    write_lines(tmp_path / "pieces", in_pieces(lines, subwords))
    pieces = read_lines(tmp_path / "pieces")
    assert len(pieces) == 2 and pieces != lines
    assert whole(pieces, subwords) == lines


def test_ratios_are_those_of_rounds() -> None:
    """By hand: 2, 1.5 and 3 have the median 2."""
    speeds = {(PEER, 5): [50.0, 80.0, 50.0], (OURS, 1): [100.0, 120.0, 150.0]}
    assert list(table(speeds, {(PEER, 5): 40.0, (OURS, 1): 51.23}))[2:] == [
        f"| {PEER} | 5 | 40.0 | 50 | 1.0x |",
        f"| {OURS} | 1 | 51.2 | 120 | 2.0x |",
    ]
