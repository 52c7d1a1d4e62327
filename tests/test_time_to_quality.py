"""scripts/lab/time_to_quality.py: the pieces that the peer reads, validations as they come, the table by hand, and that
nothing goes on running."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import time_to_quality
from time_to_quality import pieces, reached, table

PROJECT = Path(__file__).parent.parent


def test_table_takes_the_first_time_at_each_level() -> None:
    ours = [[(2.0, 31.0), (4.0, 41.0)], [(3.0, 36.0)]]
    found = {"OpenNMT-py": [(10.0, 20.0), (20.0, 36.0), (30.0, 33.0)], "nmt": ours}
    assert reached(ours[0], 42.0) is None
    assert list(table(found))[2:] == [
        "| 30 | 20.0 | 2.0, 3.0 | 8.0x |",
        "| 35 | 20.0 | 4.0, 3.0 | 5.7x |",
        "| 40 | more than 30 | 4.0 | more than 7.5x |",
    ]


@pytest.mark.parametrize("name", ["time_to_quality.json", "time_to_quality_eole.json"])
def test_table_of_the_page_is_that_of_the_numbers(name: str) -> None:
    page = (PROJECT / "docs" / "lab" / "benchmarks.md").read_text(encoding="utf-8")
    rows = list(table(json.loads((PROJECT / "docs" / "lab" / name).read_text(encoding="utf-8"))))
    assert len(rows) > 5
    assert "\n".join(rows) in page


def test_pieces_give_the_text_again_and_are_all_in_the_vocabulary(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(time_to_quality, "VOCAB", 400)
    data = tmp_path / "data"
    data.mkdir()
    for name, kept in (("train", 300), ("val", 20)):
        for language in ("en", "fr"):
            lines = (PROJECT / "data" / "en-fr" / f"train.{language}").read_text(encoding="utf-8").splitlines()
            (data / f"{name}.{language}").write_text("\n".join(lines[:kept]) + "\n", encoding="utf-8")
    subwords = pieces(data, tmp_path)
    vocabulary = (tmp_path / "vocabulary").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(vocabulary) == len(set(vocabulary)) == 400 - time_to_quality.SPECIALS
    for name in ("train.en", "train.fr", "val.en"):
        encoded = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        assert {piece for line in encoded for piece in line.split()} <= set(vocabulary)
        text = (data / name).read_text(encoding="utf-8").splitlines()
        assert [subwords.decode(line.split()) for line in encoded] == text


def test_validations_are_read_up_to_the_last_whole_line(tmp_path: Path) -> None:
    assert time_to_quality._validations(tmp_path) == []
    entries = [{"kind": "train", "loss": 1.0}, {"kind": "validation", "bleu": 12.5}]
    text = "\n".join(json.dumps(entry) for entry in entries) + '\n{"kind": "valid'
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8")
    assert time_to_quality._validations(tmp_path) == [12.5]


@pytest.mark.slow  # make lab
def test_a_failure_of_one_program_ends_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer would go on for ever; nmt does not find its corpus."""
    peer = tmp_path / "onmt_train"
    peer.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n", encoding="utf-8")
    peer.chmod(0o755)
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):
        def __init__(self, *words: object, **how: object) -> None:
            super().__init__(*words, **how)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    options = argparse.Namespace(minutes=1, each=1, every=1, data=tmp_path / "nowhere")
    with pytest.raises(SystemExit, match=r"nmt has ended with status 2; .*nmt-1\.log tells why"):
        time_to_quality.race(options, tmp_path, time_to_quality.TOOLKITS["OpenNMT-py"], tmp_path)
    assert [Path(str(process.args[0])) for process in started] == [peer, Path(sys.executable)]
    assert all(process.returncode is not None for process in started)


def test_the_measuring_scripts_start_outside_pytest() -> None:
    """pytest adds their folders to the path; a user's command does not."""
    start = (
        "import importlib, sys\n"
        "own = sys.path[:]\n"
        "for name in sys.argv[1:]:\n"
        "    sys.path[:] = own\n"
        "    importlib.import_module(name)\n"
    )
    folder = PROJECT / "scripts" / "lab"
    names = sorted(path.stem for path in folder.glob("*.py") if "httpx" not in path.read_text(encoding="utf-8"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, PROJECT)))}
    command = [sys.executable, "-c", start, *names]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
