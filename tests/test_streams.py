"""Standard streams, pipes and screens, as a shell gives them to the commands."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nmt.cli import app
from nmt.cli.streams import check_output
from nmt.errors import ConfigError
from nmt.training.log import Log

PROJECT = Path(__file__).parent.parent


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a script in which `$NMT` is the program."""
    return subprocess.run(
        ["bash", "-c", script.replace("$NMT", f"{sys.executable} -m nmt")],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        timeout=120,
    )


def test_pipes_and_process_substitution(tiny_run: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    for language in ("en", "fr"):
        lines = (tiny_corpus / f"test.{language}").read_text(encoding="utf-8").split("\n")[:3]
        (tmp_path / f"a.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = bash(
        f"""set -e
        gzip -k a.en
        $NMT score {tiny_run} --source <(zcat a.en.gz) --target <(cat a.fr) > scores
        $NMT score {tiny_run} --source a.en.gz --target a.fr > expected
        cmp scores expected
        cat a.fr | $NMT eval --hypothesis - --reference <(cat a.fr) --metric bleu
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "scores").read_text().splitlines()) == 3
    assert b"BLEU 100.0" in done.stdout


def test_closed_streams(tiny_run: Path, tmp_path: Path) -> None:
    """The work is done, or one line says why it is not; nothing is written into a file that took the stream's place."""
    (tmp_path / "a").write_text("Tom.\n")
    done = bash(
        f"""$NMT translate {tiny_run} -i a >&-; echo $?
        $NMT translate {tiny_run} <&-; echo $?
        $NMT translate {tiny_run} -i a -o out <&- >&- 2>&-; echo $?
        """,
        tmp_path,
    )
    assert done.stdout.decode().split() == ["2", "2", "0"]
    assert done.stderr.decode().splitlines() == [
        "error: standard output: closed; send it to a terminal or a file",
        "error: standard input: closed; give a file",
    ]
    assert len((tmp_path / "out").read_text().splitlines()) == 1


def test_training_with_all_streams_closed(tiny_config: Path, tmp_path: Path) -> None:
    done = bash(f"$NMT train {tiny_config} run=run training.max_steps=2 <&- >&- 2>&-; echo $?", tmp_path)
    assert done.stdout == b"0\n"
    records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert records and all(line.startswith('{"kind": ') for line in records)


def test_a_screen_that_cannot_show_a_character(tiny_run: Path, tmp_path: Path) -> None:
    """Messages have its code in its place, and translations are UTF-8 whatever the screen is."""
    for name in ("hyp", "ref"):
        (tmp_path / name).write_text("سلام دنیا خوب است\n", encoding="utf-8")
    done = bash(
        f"""$NMT eval --hypothesis hyp --reference ref --metric bleu &&
        $NMT translate {tiny_run} --jsonl < hyp > out""",
        tmp_path,
        PYTHONIOENCODING="ascii",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"ref: 1 line") and b"\\xb1 is half" in done.stdout
    assert json.loads((tmp_path / "out").read_text(encoding="utf-8"))["source"] == "سلام دنیا خوب است"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_the_log_of_training_from_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))
    log = Log()
    log.open(tmp_path)
    log.say("سلام ±")
    log.close()
    shown = {"ascii": "\\u0633\\u0644\\u0627\\u0645 \\xb1", "latin-1": "\\u0633\\u0644\\u0627\\u0645 ±"}
    assert screen.getvalue().decode(encoding) == f"{shown.get(encoding, 'سلام ±')}\n"
    assert (tmp_path / "train.log").read_text(encoding="utf-8").endswith("سلام ±\n")


def test_the_log_without_streams(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    log = Log()
    log.open(tmp_path)
    log.say("line")
    log.close()
    assert (tmp_path / "train.log").read_text(encoding="utf-8").endswith("line\n")


def test_an_output_never_replaces_what_is_read(tmp_path: Path) -> None:
    text, link, other = tmp_path / "a.en", tmp_path / "b", tmp_path / "c"
    text.write_text("a")
    link.symlink_to(text)
    with pytest.raises(ConfigError, match=r"--output .*b: is read by this command too; name another file"):
        check_output(link, other, text)
    check_output(other, text, None)
    check_output(None, text)
    with pytest.raises(ConfigError, match=r"--output .*c\.gz: output is not compressed; name it c, and compress it"):
        check_output(other.with_suffix(".gz"))


def test_an_output_never_replaces_a_file_of_a_run(tiny_run: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.yaml", "metrics.jsonl"):
        with pytest.raises(ConfigError, match="is a file of the run"):
            check_output(tiny_run / name)
    check_output(tiny_run / "report.html")
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / "my.txt").write_text("")
    check_output(tmp_path / "my.txt")


@pytest.mark.parametrize(
    "words",
    [
        ["translate", "-i", "a.en", "-o", "a.en"],
        ["translate", "-i", "b.fr", "--prefix-file", "a.en", "-o", "a.en"],
        ["translate", "-i", "film.srt", "-o", "film.srt"],
        ["score", "--source", "a.en", "--target", "b.fr", "-o", "b.fr"],
        ["align", "--source", "a.en", "--target", "b.fr", "-o", "a.en"],
    ],
)
def test_commands_refuse_to_write_over_their_text(
    tiny_run: Path, tmp_path: Path, words: list[str], monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {"a.en": "a\n", "b.fr": "b\n", "film.srt": "00:01 --> 00:02\na\n"}
    for name, content in contents.items():
        Path(name).write_text(content)
    result = CliRunner().invoke(app, [words[0], str(tiny_run), *words[1:]])
    assert isinstance(result.exception, ConfigError)
    assert "is read by this command too" in str(result.exception)
    assert {name: Path(name).read_text() for name in contents} == contents
