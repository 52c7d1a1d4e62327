"""The commands as a user meets them: what they print, what they write, how they end."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from endless import endless_lines

from nmt import cli, config

PROJECT = Path(__file__).parent.parent
NMT = [sys.executable, "-m", "nmt"]


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]

# Said of the tiny run, which has hardly learnt when to end, and of lines that are longer than its few training lines.
UNTRAINED = (
    r"warning: (?:\S+: )?(?:translations that reached the longest length allowed|lines longer than those in "
    r"training)[^\n]*\n"
)


@contextmanager
def standard_input(content: bytes, path: Path) -> Iterator[None]:
    """The process's standard input reads from a file with this content."""
    path.write_bytes(content)
    before, file = os.dup(0), os.open(path, os.O_RDONLY)
    os.dup2(file, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(file)


@pytest.fixture
def nmt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tiny_run: Path
) -> Run:
    """Runs `nmt ARGUMENTS` in this process and in an empty folder with a copy of the tiny run in runs/."""
    shutil.copytree(tiny_run, tmp_path / "here" / "runs" / "tiny")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, stdin: str | bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["nmt", *map(str, arguments)])
        content = stdin.encode() if isinstance(stdin, str) else stdin
        capfdbinary.readouterr()
        with standard_input(content, tmp_path / "stdin"), pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = (part.decode() for part in capfdbinary.readouterr())
        return Result(int(ended.value.code or 0), out, re.sub(UNTRAINED, "", err))

    return run


# Help and version ----------------------------------------------------------------------------------------------------

HELP = """\
Usage: nmt [OPTIONS] COMMAND [ARGS]...

  Train, run and explain recurrent neural machine translation.

Options:
  --version             Show the version
  --install-completion  Install completion for the current shell.
  --show-completion     Show completion for the current shell, to copy it or
                        customize the installation.
  -h, --help            Show this message and exit.

Commands:
  train      Train a model on raw parallel text.
  check      Check a config without training: show its settings, data,...
  translate  Translate raw text: one output line per input line, in order.
  eval       Translate and score test sets, with confidence intervals; or...
  align      Align the words of given translations by the model's...
  score      Score given translations: one natural log-probability per...
  average    Average the weights of several checkpoints of a run, or of...
  export     Export a run for translation only: no checkpoints,...
  info       Show a run: settings, parameter counts, data, scores and...
  report     Write report.html: one file that tells everything about a...
  compare    Compare two runs in a few lines: scores, significance, time,...
  watch      Draw the curves of a run in the terminal, while it trains.
  bench      Measure the speed of training, decoding and start-up on this...
  serve      Serve trained runs: a page at / and the APIs of...
"""


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help(nmt: Run, word: str) -> None:
    assert nmt(word) == Result(0, HELP, "")


@pytest.mark.parametrize(
    "command", ["train", "check", "translate", "eval", "align", "score", "average", "export", "info", "bench"]
)
def test_every_command_has_help(nmt: Run, command: str) -> None:
    result = nmt(command, "--help")
    assert result.status == 0
    assert result.out.startswith(f"Usage: nmt {command} ")
    assert result.err == ""


def test_version(nmt: Run) -> None:
    assert nmt("--version") == Result(0, "nmt 0.1.0\n", "")


@pytest.mark.parametrize(
    ("variables", "spins"),
    [({}, "2000"), ({"OMP_WAIT_POLICY": "active"}, None), ({"GOMP_SPINCOUNT": "7"}, "7")],
)
def test_threads_that_wait_spin_briefly_unless_the_user_says_how(
    nmt: Run, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], spins: str | None
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, variables.get(name, ""))
        if name not in variables:
            monkeypatch.delenv(name)
    nmt("--version")
    assert os.environ.get("GOMP_SPINCOUNT") == spins


def test_help_as_a_module_imports_no_torch() -> None:
    out = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nmt", "--help"],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    assert out.stdout == HELP
    imported = {line.rpartition("|")[2].strip() for line in out.stderr.split("\n")}
    assert "nmt.cli" in imported
    assert not imported & {"torch", "numpy", "sentencepiece", "sacrebleu"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["train"], "Missing argument 'CONFIG'."),
        (["translate", "--beam-size", "0"], "--beam-size: must be at least 1"),
        (["translate", "--beamsize", "3"], "No such option: --beamsize"),
    ],
)
def test_wrong_usage(nmt: Run, arguments: list[str], message: str) -> None:
    result = nmt(*arguments)
    assert (result.status, result.out) == (2, "")
    assert f"rror: {message}" in result.err


# train and check -----------------------------------------------------------------------------------------------------


def test_training_from_start_to_end_in_a_pipe(tiny_config: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [*NMT, "train", str(tiny_config), "training.max_steps=2", "training.samples=1"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert "\r" not in result.stdout
    lines = result.stdout.split("\n")
    assert re.fullmatch(r"nmt 0\.1\.0, torch \S+, cpu \(1 thread\), run \S*runs/tiny", lines[0])
    assert "179 training and 20 validation pairs, en -> fr; vocabulary of 360 tokens, joint" in lines
    number = r"\d+\.\d+"
    validation = rf"validation: step 2, epoch 0\.0, \d:\d\d: loss {number}, perplexity {number}, BLEU {number}, chrF2"
    assert sum(bool(re.match(validation, line)) for line in lines) == 1
    assert sum(line.startswith("    source      ") for line in lines) == 1
    assert "finished: training.max_steps=2 reached" in lines
    assert lines[-5:] == [
        "model: runs/tiny",
        "  translate: echo 'Some text.' | nmt translate runs/tiny",
        "  evaluate:  nmt eval runs/tiny",
        "report: runs/tiny/report.html",
        "",
    ]
    files = {path.name for path in (tmp_path / "runs" / "tiny").iterdir()}
    assert files >= {
        "config.yaml",
        "subword.model",
        "model.safetensors",
        "metrics.jsonl",
        "train.log",
        "provenance.json",
    }
    assert not [name for name in files if ".tmp" in name]


@pytest.mark.parametrize("command", ["train", "check"])
def test_every_wrong_setting_is_a_line_and_nothing_is_written(nmt: Run, tiny_config: Path, command: str) -> None:
    words = ["model.hiden=3", "model.cell=gur", "threads=-1", "run=new"]
    result = nmt(command, tiny_config, *words)
    assert (result.status, result.out) == (2, "")
    assert sorted(result.err.rstrip("\n").split("\n")) == [
        "error: command line: model.cell: 'gur' must be one of rnn, gru, lstm, ln_lstm; did you mean gru?",
        "error: command line: model.hiden: unknown key; did you mean model.hidden?",
        "error: command line: threads: -1 must be 0 or more",
    ]
    assert not Path("new").exists()


def test_a_config_that_is_not_there(nmt: Run) -> None:
    assert nmt("train", "none.yaml") == Result(
        2, "", "error: none.yaml: cannot read the config: No such file or directory\n"
    )


@pytest.mark.parametrize("command", ["train", "check"])
def test_lines_that_do_not_pair_up_are_refused_and_no_run_is_left(
    nmt: Run, tiny_corpus: Path, tiny_config: Path, tmp_path: Path, command: str
) -> None:
    corpus = Path(shutil.copytree(tiny_corpus, tmp_path / "corpus"))
    with (corpus / "train.fr").open("a", encoding="utf-8") as file:
        file.write("one more\n")
    result = nmt(command, tiny_config, f"data.folder={corpus}", "run=new")
    assert result.status == 2
    assert result.err == (
        f"error: {corpus}/train.en has 200 lines and {corpus}/train.fr has 201; "
        "line N of one must translate line N of the other\n"
    )
    assert not Path("new").exists()


def test_a_setting_that_cannot_change_in_a_run(nmt: Run, tiny_config: Path) -> None:
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    assert nmt("train", tiny_config, "run=runs/tiny", "model.hidden=32") == Result(
        2,
        "",
        "error: model.hidden: 16 -> 32: cannot be changed once a run has checkpoints\n"
        f"error: {Path.cwd()}/runs/tiny: resume with the old values, or train in another directory: run=runs/NAME\n",
    )
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == before


def test_check(nmt: Run, tiny_config: Path) -> None:
    result = nmt("check", tiny_config)
    assert (result.status, result.err) == (0, "")
    assert "\ntrain: 200 usable pairs\n" in result.out
    settings, _, rest = result.out.partition("# every other setting has its default: docs/settings.md\n")
    assert rest and "  hidden: " in settings and "schedule" not in settings
    assert config.dump(config.load(tiny_config), defaults=False) == settings
    assert not Path("runs", "tiny.yaml").exists()
    assert [path.name for path in Path("runs").iterdir()] == ["tiny"]  # nothing new


# translate -----------------------------------------------------------------------------------------------------------

QUICK = ("--beam-size", 2)
TEXT = "the cat\n\nI saw a dog.\n \u3000\nhe\u2028she\r\n"  # five lines, two of them blank


def test_lines_in_lines_out(nmt: Run) -> None:
    result = nmt("translate", *QUICK, stdin=TEXT)
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert len(lines) == 6
    assert [index for index, line in enumerate(lines) if not line] == [1, 3, 5]
    assert nmt("translate", "runs/tiny", *QUICK, stdin=TEXT.rstrip("\n")) == result
    assert nmt("translate", "--batch-size", 1, *QUICK, stdin=TEXT) == result


def test_no_input_no_output(nmt: Run) -> None:
    assert nmt("translate", stdin="") == Result(0, "", "")


def test_input_and_output_files(nmt: Run) -> None:
    Path("in.txt").write_text(TEXT, encoding="utf-8", newline="")
    assert nmt("translate", "-i", "in.txt", "-o", "out.txt", *QUICK) == Result(0, "", "")
    assert Path("out.txt").read_bytes().decode() == nmt("translate", *QUICK, stdin=TEXT).out
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["in.txt", "out.txt", "runs"]


def test_an_output_that_is_a_pipe_is_written_to_and_not_replaced(nmt: Run) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert nmt("translate", "-o", "pipe", stdin="\n\n") == Result(0, "", "")
        assert os.read(reader, 100) == b"\n\n"
    finally:
        os.close(reader)
    assert Path("pipe").is_fifo()


LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i", "none.txt"], "none.txt: no such file; name a text file"),
        (["-i", "."], ".: a folder; name a text file"),
        (["-o", "none/out.txt"], "none/out.txt: cannot write: No such file or directory"),
        (["-o", "runs"], "runs: cannot write: Is a directory"),
        (["-i", "/dev/null/x"], "/dev/null/x: no such file; name a text file"),
        (["-o", "/dev/null/x"], "/dev/null/x: cannot write: Not a directory"),
        (["-o", "/dev/full"], "/dev/full: cannot write: No space left on device"),
        (["-o", LONG], f"{LONG}: cannot write: File name too long"),
        ([LONG], f"{LONG}: File name too long"),
        (["--jsonl", "--scores"], "--scores: has no effect with --jsonl, which already includes it; remove it"),
        (
            ["--jsonl", "--flags", "--attention"],
            "--attention: has no effect with --jsonl, which already includes it; remove it\n"
            "error: --flags: has no effect with --jsonl, which already includes it; remove it",
        ),
        (["none"], "none: not a run directory: no such folder; a run is made by: nmt train CONFIG"),
        (["runs"], "runs: not a run directory: the folder has no config.yaml; a run is made by: nmt train CONFIG"),
        (["--n-best", 3, "--beam-size", 2], "--n-best: 3 needs a beam_size of 3 or more, and it is 2"),
        (["--n-best", 3, "decoding.beam_size=2"], "--n-best: 3 needs a beam_size of 3 or more, and it is 2"),
        (["--top-k", 3, "--seed", 1], "--top-k: needs --sample or --mbr\nerror: --seed: needs --sample or --mbr"),
        (
            ["--sample", "--beam-size", 2],
            "--beam-size: has no effect on samples, which need no beam; remove it",
        ),
        (
            ["--mbr", 4, "decoding.length_penalty=1"],
            "length_penalty: has no effect on samples, which need no beam; remove it",
        ),
        (["--mbr", 4, "--n-best", 5], "--n-best: 5 needs mbr of 5 or more, and it is 4"),
        (["-i", "a", "-i", "b"], "--input: given 2 times; give it once"),
        (["--flags", "--flags"], "--flags: given 2 times; give it once"),
        (
            ["decoding.no_repeat_ngrm=3", "decoding.batch_size=0", "beam_size=3"],
            "command line: decoding.no_repeat_ngrm: unknown key; did you mean decoding.no_repeat_ngram?\n"
            "error: command line: decoding.batch_size: 0 must be 1 or more\n"
            "error: command line: beam_size: unknown key; did you mean decoding.beam_size?",
        ),
        (
            ["--beam-size", 3, "decoding.beam_size=4"],
            "command line: decoding.beam_size: given twice, also as --beam-size; keep one",
        ),
        (["decoding.window=4", "decoding.window=5"], "command line: decoding.window: given twice; keep one"),
        (["device=cpu"], "command line: device: give it as --device"),
        (
            ["model.hidden=5"],
            "command line: model.hidden: belongs to training; a trained model takes decoding settings, such as "
            "decoding.beam_size=5",
        ),
        (["--words", "space"], "words: 'space' must be one of scripts, spaces"),
        (
            ["decoding.min_length=9", "decoding.max_length=8"],
            "min_length: 9 is more than max_length=8",
        ),
        (["--sample", "--temperature", 0], "--temperature: must be at least 0.001"),
        (["runs/tiny", "none"], "none: not a run directory: no such folder; a run is made by: nmt train CONFIG"),
        (["--beam-size", 2000], "--beam-size: must be at most 1000"),
        (["--length-penalty", "nan"], "--length-penalty: must be at most 10"),
        (["--device", "gpu"], "device: 'gpu' must be one of auto, cpu, cuda, mps; did you mean cuda?"),
    ],
)
def test_what_translate_refuses(nmt: Run, arguments: list[object], message: str) -> None:
    output = [] if "-o" in arguments else ["-o", "out.txt"]
    assert nmt("translate", *arguments, *output, stdin="a\n") == Result(2, "", f"error: {message}\n")
    assert [path.name for path in Path.cwd().iterdir()] == ["runs"]


def test_more_prefixes_than_lines_are_not_read_to_their_end(nmt: Run) -> None:
    with endless_lines(Path("prefixes")) as written:
        found = nmt("translate", "--prefix-file", "prefixes", "--beam-size", 1, stdin="We sing.\nWe eat.\n")
    message = "--prefix-file prefixes: has more lines than the text, 2; give one for each line"
    assert (found.status, found.out.count("\n"), found.err) == (2, 2, f"error: {message}\n")
    assert written() < 1_000_000
    message = "standard input: is given twice, but can be read only once; name a file"
    assert nmt("translate", "--prefix-file", "-", stdin="a\n") == Result(2, "", f"error: {message}\n")


def test_each_line_gets_its_own_prefix(nmt: Run) -> None:
    """Also those that are read while others are translated."""
    Path("lines").write_text("We sing.\n" * 25)
    Path("prefixes").write_text("".join(f"{number}\n" if number % 3 else "\n" for number in range(24)))
    options = ("--prefix-file", "prefixes", "--beam-size", 1, "decoding.window=10", "decoding.max_length=4")
    found = nmt("translate", "-i", "lines", *options)
    assert (found.status, found.err) == (0, "")
    lines = found.out.split("\n")[:-1]
    assert len(lines) == 25
    assert all(line.startswith(str(number)) for number, line in enumerate(lines[:24]) if number % 3)


def test_files_of_translators_keep_their_form(nmt: Run) -> None:
    Path("ui.po").write_text('msgid "a cat"\nmsgstr ""\n\nmsgid "a dog"\nmsgstr "un chien"\n', encoding="utf-8")
    text = nmt("translate", *QUICK, stdin="a cat\n").out.rstrip("\n")
    result = nmt("translate", "-i", "ui.po", "-o", "fr.po", *QUICK)
    assert result == Result(0, "", "ui.po: 1 text translated; review them\n")
    written = f'#, fuzzy\nmsgid "a cat"\nmsgstr "{text}"\n\nmsgid "a dog"\nmsgstr "un chien"\n'
    assert Path("fr.po").read_text(encoding="utf-8").replace('\\"', '"') == written
    assert nmt("translate", "-i", "fr.po", *QUICK).err == (
        "fr.po: nothing to translate: every text has its translation; --overwrite translates all again\n"
    )
    lines = nmt("translate", "-i", "ui.po", "--format", "text", *QUICK).out
    assert lines.count("\n") == 5
    Path("a.tsv").write_text("1\ta cat\n2\t\n", encoding="utf-8")
    assert nmt("translate", "-i", "a.tsv", "--column", 2, *QUICK).out == f"1\ta cat\t{text}\n2\t\t\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "odt"], "--format odt: not a format; give text, po, xliff, tmx, tsv, csv, jsonl, sgm, srt"),
        (["--format", "po"], "--format po: needs a file; name it with --input"),
        (["--column", "2"], "--column: has no effect on plain text; name the kind of file, as in --format tsv"),
        (
            ["-i", "a.po", "--scores", "--n-best", 2],
            "--n-best: has no effect on po, which keeps its file format; remove it, or add --format text\n"
            "error: --scores: has no effect on po, which keeps its file format; remove it, or add --format text",
        ),
        (["-i", "a.po"], "a.po: no such file; name a text file"),
    ],
)
def test_what_translate_refuses_of_files_that_keep_their_form(nmt: Run, arguments: list[object], message: str) -> None:
    assert nmt("translate", *arguments) == Result(2, "", f"error: {message}\n")


def test_scores_n_best_and_alignments(nmt: Run) -> None:
    text = nmt("translate", "--beam-size", 3, stdin="a cat\n").out.rstrip("\n")
    lines = nmt("translate", "--beam-size", 3, "--n-best", 3, "--scores", stdin="a cat\n").out.split("\n")
    assert len(lines) == 4
    scores = [float(line.split("\t")[0]) for line in lines[:3]]
    assert scores == sorted(scores, reverse=True)
    assert lines[0].split("\t")[1] == text
    aligned = nmt("translate", "--beam-size", 3, "--alignments", stdin="a cat\n\n").out.split("\n")
    assert aligned[0].split("\t")[0] == text
    assert re.fullmatch(r"(\d+-\d+( \d+-\d+)*)?", aligned[0].split("\t")[1])
    assert aligned[1] == "\t"


def test_more_candidates_than_the_beam_of_the_run_widen_it(nmt: Run) -> None:
    assert len(nmt("translate", "--n-best", 7, stdin="a cat\n").out.split("\n")) == 8


SHORT = "I love you.\n\nthe cat\n"


def test_samples(nmt: Run) -> None:
    options = ("--sample", "--top-k", 5, "--temperature", 0.5)
    first = nmt("translate", *options, "--seed", 1, stdin=SHORT)
    assert (first.status, first.err) == (0, "")
    assert [not line for line in first.out.split("\n")] == [False, True, False, True]
    assert nmt("translate", *options, "--seed", 1, "--batch-size", 1, stdin=SHORT) == first
    assert nmt("translate", *options, "--seed", 2, stdin=SHORT) != first
    lines = nmt("translate", *options, "--n-best", 4, "--scores", stdin="the cat\n").out.split("\n")
    assert len(lines) == 5
    assert all(float(line.split("\t")[0]) < 0 for line in lines[:4])
    found = json.loads(nmt("translate", *options, "--n-best", 2, "--jsonl", stdin="the cat\n").out)
    assert len(found["candidates"]) == 2


def test_samples_of_lines_that_come_one_by_one(nmt: Run, tiny_run: Path) -> None:
    """A line's samples depend on its number, not on how many lines there were to read at the time."""
    expected = nmt("translate", "--sample", "--seed", 1, stdin="a cat\na cat\na cat\n").out
    with subprocess.Popen(
        [*NMT, "translate", str(tiny_run), "--sample", "--seed", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        found = b""
        for _ in range(3):
            process.stdin.write(b"a cat\n")
            process.stdin.flush()
            found += process.stdout.readline()
        process.stdin.close()
    assert found.decode() == expected


def test_mbr(nmt: Run) -> None:
    result = nmt("translate", "--mbr", 4, "--seed", 1, "--n-best", 2, "--scores", stdin="the cat\n")
    assert (result.status, result.err) == (0, "")
    first, second = (float(line.split("\t")[0]) for line in result.out.rstrip("\n").split("\n"))
    assert 100 >= first >= second >= 0


def test_an_ensemble_of_runs(nmt: Run) -> None:
    shutil.copytree("runs/tiny", "runs/copy")
    alone = nmt("translate", "runs/tiny", *QUICK, stdin=TEXT)
    assert nmt("translate", "runs/tiny", "runs/copy", *QUICK, stdin=TEXT) == alone


def test_json_lines(nmt: Run) -> None:
    first, second, end = nmt("translate", *QUICK, "--jsonl", "--n-best", 2, stdin="a cat\n\n").out.split("\n")
    found, blank = json.loads(first), json.loads(second)
    assert end == ""
    assert list(found) == [
        "line", "source", "text", "score", "log_prob", "candidates", "source_words", "target_words", "attention",
        "attention_parts", "alignment", "flags",
    ]  # fmt: skip
    assert found["source"] == "a cat"
    assert [set(candidate) for candidate in found["candidates"]] == [{"text", "score", "log_prob"}] * 2
    assert found["source_words"] == ["a", "cat"]
    assert [len(row) for row in found["attention"]] == [2] * len(found["target_words"])
    assert blank == {
        "line": 2, "source": "", "text": "", "score": 0.0, "log_prob": 0.0, "candidates": [],
        "source_words": [], "target_words": [], "attention": [], "attention_parts": [], "alignment": [], "flags": [],
    }  # fmt: skip


@pytest.mark.parametrize(("option", "heads"), [("--attention", ["a", "cat"]), ("--pieces", None)])
def test_drawings(nmt: Run, monkeypatch: pytest.MonkeyPatch, option: str, heads: list[str] | None) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # wide enough for whatever an untrained model says
    lines = nmt("translate", *QUICK, option, stdin="a cat\n").out.split("\n")
    assert lines[0] == nmt("translate", *QUICK, stdin="a cat\n").out.rstrip("\n")
    assert lines[1].split() == heads or (heads is None and lines[1].split()[-1] == "</s>")
    assert lines[-2:] == ["", ""]  # an empty line after the drawing
    assert all(re.search(r"(\d\.\d\d|·)$", line) for line in lines[2:-2])


def test_what_was_mended_is_said(nmt: Run) -> None:
    result = nmt("translate", *QUICK, stdin=b"caf\xe9\nok\nnu\0l\n" + b"word " * 5000 + b"\n")
    assert result.status == 0
    assert result.out.count("\n") == 4
    assert result.err == (
        "warning: lines with bytes that are not UTF-8, shown as U+FFFD: 1\n"
        "warning: lines with NUL characters, read as spaces: 1\n"
    )


def test_every_line_has_as_many_lines_as_were_asked_for(nmt: Run) -> None:
    """Blank lines, lines in parts, and samples that are fewer than asked for."""
    text = "a cat\n\nI love you. We see the house.\n"
    for how in (["--beam-size", 3], ["--sample", "--seed", 1], ["--mbr", 4, "--top-k", 1, "--seed", 1]):
        result = nmt("translate", *how, "--n-best", 3, "--line-numbers", "--scores", stdin=text)
        rows = [line.split("\t") for line in result.out.split("\n")[:-1]]
        assert [row[0] for row in rows] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3
        assert [row[2] for row in rows[3:6]] == [""] * 3
        assert all(float(row[1]) == 0.0 for row in rows[3:6])
    note = "warning: lines with fewer than 3 different translations, the others empty: 2\n"
    assert note in result.err
    assert [row[1] for row in rows[1:3]] == ["-inf"] * 2
    found = [json.loads(line) for line in nmt("translate", *QUICK, "--jsonl", stdin=text).out.rstrip().split("\n")]
    assert [each["line"] for each in found] == [1, 2, 3]
    assert found[2]["attention"] == []
    assert [part["source"] for part in found[2]["attention_parts"]] == [0, 4]
    assert sum(len(part["attention"]) for part in found[2]["attention_parts"]) == len(found[2]["target_words"])


@pytest.mark.parametrize("setting", [name for name in tuple(config.keys()) if name.startswith("decoding.")])
def test_every_decoding_setting_can_be_given(nmt: Run, tiny_corpus: Path, setting: str) -> None:
    """As the remedies of training propose, in every command on which it has an effect."""
    values = {
        "min_length": 1,
        "no_repeat_ngram": 3,
        "allow_empty": "true",
        "replace_unknown": "false",
        "max_length": 9,
        "max_ratio": 1.5,
        "precision": "float32",
        "link_share": 0.5,
    }
    word = f"{setting}={values.get(setting.partition('.')[2], 3)}"
    assert nmt("translate", word, stdin="a cat\n").status == 0
    files = ("--source", tiny_corpus / "valid.en", "--target", tiny_corpus / "valid.fr", "-o", "out")
    for command, others in (("score", set[str]()), ("align", {"link_share"})):
        given = setting.partition(".")[2] in {"batch_size", "max_source", "window"} | others
        result = nmt(command, *files, word)
        assert (result.status == 0) == given
        assert given or "has no effect on given translations" in result.err


def test_settings_of_a_call_have_an_effect(nmt: Run) -> None:
    short = nmt("translate", "runs/tiny", "decoding.max_length=1", "--jsonl", stdin="We see the house.\n")
    assert len(json.loads(short.out)["target_words"]) <= 1
    Path("decoding.x=1").mkdir()  # a run may have any name
    assert nmt("translate", "decoding.x=1").err.startswith("error: decoding.x=1: not a run directory")


def test_words_between_spaces(nmt: Run) -> None:
    found = json.loads(nmt("translate", *QUICK, "--jsonl", "--words", "spaces", stdin="l'eau vive,\n").out)
    assert found["source_words"] == ["l'eau", "vive,"]
    assert found["target_words"] == found["text"].split()


def test_a_moved_run_translates_the_same(nmt: Run) -> None:
    before = nmt("translate", "runs/tiny", *QUICK, stdin=TEXT)
    Path("elsewhere").mkdir()
    shutil.move("runs/tiny", "elsewhere/moved")
    assert nmt("translate", "elsewhere/moved", *QUICK, stdin=TEXT) == before
    os.chdir("elsewhere/moved")
    assert nmt("translate", ".", *QUICK, stdin=TEXT) == before


def test_the_newest_run_is_the_default(nmt: Run) -> None:
    shutil.copytree("runs/tiny", "runs/older")
    shutil.copytree("runs/tiny", "runs/unfinished")
    Path("runs/unfinished/model.safetensors").unlink()
    os.utime("runs/older/model.safetensors", (1, 1))
    assert nmt("info").out.split("\n")[0] == "run: runs/tiny"
    os.utime("runs/tiny/model.safetensors", (0, 0))
    assert nmt("info").out.split("\n")[0] == "run: runs/older"
    shutil.rmtree("runs")
    assert nmt("info") == Result(
        2,
        "",
        f"error: no trained run in {Path.cwd()}/runs; name a run directory, or train one: nmt train CONFIG\n",
    )


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("command", ["translate", "eval", "info"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "config.yaml").unlink(), "{}: not a run directory: the folder has no config.yaml; a run"),
        (lambda run: (run / "config.yaml").write_text("x: 1\n"), "{}/config.yaml: data.source: missing; set it in"),
        (lambda run: (run / "model.safetensors").unlink(), "{}/model.safetensors: no such file: the run has no val"),
        (lambda run: (run / "model.safetensors").write_bytes(b""), "{}/model.safetensors: damaged, or not a model"),
        (lambda run: _flip(run / "model.safetensors"), "{}/model.safetensors: damaged: its checksum does not match"),
        (lambda run: (run / "subword.model").write_bytes(b"x"), "{}/subword.model: not a SentencePiece model"),
    ],
    ids=["no config", "other config", "no model", "empty model", "a bit", "subwords"],
)
def test_a_damaged_run_is_refused(nmt: Run, command: str, damage: Callable[[Path], object], message: str) -> None:
    damage(Path("runs/tiny"))
    result = nmt(command, "runs/tiny", stdin="a\n")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"error: {message.format('runs/tiny')}")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that are started take SIGINT, although this one ignores it if a shell runs it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_each_line_is_answered_before_the_next_and_an_interrupt_ends_it(tiny_run: Path) -> None:
    with subprocess.Popen(
        [*NMT, "translate", str(tiny_run), "--beam-size", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        for line in ("the cat", "", "a dog"):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer.endswith(b"\n")
            assert (answer == b"\n") == (line == "")
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        assert b"Traceback" not in process.stderr.read()


def test_a_reader_that_goes_away_ends_it_quietly(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\n\n" * 100_000, encoding="utf-8")
    command = f"{sys.executable} -m nmt translate {tiny_run} --beam-size 1 -i in"
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        ("info {} | head -n 1", 128 + signal.SIGPIPE, ""),
        ("translate {} -i in --beam-size 1 > /dev/full", 2, "error: standard output: No space left on device\n"),
        ("info {} > /dev/full", 2, "error: standard output: No space left on device\n"),
        ("--help > /dev/full", 2, "error: standard output: No space left on device\n"),
    ],
)
def test_a_standard_output_that_cannot_be_written(
    tiny_run: Path, tmp_path: Path, words: str, status: int, error: str
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    (tmp_path / "in").write_text("a\n", encoding="utf-8")
    left_out = {"train": {f"{number}": number for number in range(10_000)}}  # more than a pipe holds
    provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8")) | {"left_out": left_out}
    (run / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m nmt {words.format(run)}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (status, error)


# score and average ---------------------------------------------------------------------------------------------------


def test_score(nmt: Run, tiny_corpus: Path) -> None:
    Path("in.en").write_text(SHORT, encoding="utf-8")
    Path("in.fr").write_text("je t'aime .\nle\n\n", encoding="utf-8")
    files = ("--source", "in.en", "--target", "in.fr")
    plain = nmt("score", *files)
    assert plain.status == 0
    log_probs = [float(line) for line in plain.out.rstrip("\n").split("\n")]
    assert len(log_probs) == 3
    assert all(log_prob < 0 for log_prob in log_probs)
    found = [json.loads(line) for line in nmt("score", *files, "--jsonl").out.rstrip("\n").split("\n")]
    assert [each["target"] for each in found] == ["je t'aime .", "le", ""]
    assert [each["log_prob"] for each in found] == pytest.approx(log_probs, abs=1e-4)
    assert all(sum(each["log_probs"]) == pytest.approx(each["log_prob"]) for each in found)
    tokens = sum(len(each["tokens"]) for each in found)
    summary = re.fullmatch(
        r"3 lines, (\d+) tokens \(eos included\): log-probability (-[\d.]+), perplexity ([\d.]+) per token\n",
        plain.err,
    )
    assert summary
    assert int(summary[1]) == tokens
    assert float(summary[2]) == pytest.approx(sum(log_probs), abs=1e-3)
    assert float(summary[3]) == pytest.approx(math.exp(-sum(log_probs) / tokens), rel=1e-3)
    rows = [line.split("\t") for line in nmt("score", *files, "--per-token").out.rstrip("\n").split("\n")]
    assert [float(row[0]) for row in rows] == log_probs
    assert [[part.rsplit(" ", 1)[0] for part in row[1:]] for row in rows] == [each["tokens"] for each in found]
    shutil.copytree("runs/tiny", "runs/copy")
    assert nmt("score", "runs/tiny", "runs/copy", *files, "-o", "out").status == 0
    assert [float(line) for line in Path("out").read_text().split()] == pytest.approx(log_probs, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "a", "--target", "none"], "none: no such file; name a text file"),
        (
            ["--source", "a", "--target", "b"],
            "a has 2 lines and b has 1; line N of one must translate line N of the other",
        ),
        (
            ["--source", "a", "--target", "a", "--jsonl", "--per-token"],
            "--per-token: has no effect with --jsonl, which already includes it; remove it",
        ),
    ],
)
def test_what_score_refuses(nmt: Run, arguments: list[str], message: str) -> None:
    Path("a").write_text("x\ny\n", encoding="utf-8")
    Path("b").write_text("x\n", encoding="utf-8")
    assert nmt("score", *arguments, "-o", "out") == Result(2, "", f"error: {message}\n")
    assert not Path("out").exists()


def test_average(nmt: Run) -> None:
    result = nmt("average", "runs/tiny", "--best", 2, "-o", "runs/mean")
    assert (result.status, result.err) == (0, "")
    first, second, end = result.out.split("\n")
    assert re.fullmatch(r"averaged 2: step-0000000[24]-000[12], step-0000000[24]-000[12]", first)
    assert (second, end) == ("model: runs/mean; compare it with: nmt eval runs/mean", "")
    assert nmt("translate", "runs/mean", *QUICK, stdin=TEXT).out.count("\n") == 5
    assert nmt("info", "runs/mean").out.startswith("run: runs/mean\n")
    result = nmt("average", "runs/tiny", "runs/mean", "-o", "runs/both")
    assert (result.status, result.out.split("\n")[0]) == (0, "averaged 2: runs/tiny, runs/mean")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/tiny", "--best", 1, "--last", 1], "--best and --last: give one of them"),
        (
            ["runs/tiny", "runs/tiny", "--last", 1],
            "--last: applies to the checkpoints of a single run, but 2 are given",
        ),
        (["none"], "none: not a run directory: no such folder; a run is made by: nmt train CONFIG"),
    ],
)
def test_what_average_refuses(nmt: Run, arguments: list[object], message: str) -> None:
    assert nmt("average", *arguments, "-o", "new") == Result(2, "", f"error: {message}\n")
    assert nmt("average", "runs/tiny", "-o", "runs").err == "error: runs: already exists; name a new directory\n"
    assert not Path("new").exists()


# eval and info -------------------------------------------------------------------------------------------------------

SCORE = r"  {} \d+\.\d( ± \d+\.\d)?  \[nrefs:1\|bs:1000\|seed:12345\|.*version:.*\]"


def test_eval(nmt: Run) -> None:
    result = nmt("eval", "--beam-size", 1)
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert lines[0] == "translating test: 20 lines"
    assert re.fullmatch(r"test: 20 lines, beam 1, length penalty 1, \d+\.\d sentences/s", lines[1])
    for line, name in zip(lines[2:5], ("BLEU", r"chrF2\+\+", "TER"), strict=True):
        assert re.fullmatch(SCORE.format(name), line)
    assert lines[5:] == ["± is half of the 95 % bootstrap confidence interval (1,000 resamples)", ""]
    saved = json.loads(Path("runs/tiny/scores.json").read_text(encoding="utf-8"))
    assert saved["sets"]["test"]["sentences"] == 20
    assert "\nscores:\n  test: 20 lines, beam 1, length penalty 1\n" in nmt("info").out


def test_scores_that_cannot_be_saved_are_shown_all_the_same(nmt: Run) -> None:
    Path("runs/tiny/scores.json").mkdir()
    result = nmt("eval", "--beam-size", 1)
    assert (result.status, result.err) == (
        0,
        "warning: runs/tiny/scores.json: cannot write: Is a directory; nmt info will not show these scores\n",
    )
    assert "\n  BLEU " in result.out


def test_scores_that_cannot_be_shown_are_saved_all_the_same(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -u -m nmt eval {run} --beam-size 1 --json > /dev/full"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, re.sub(UNTRAINED, "", result.stderr)) == (
        2,
        "error: standard output: No space left on device\n",
    )
    assert json.loads((run / "scores.json").read_text(encoding="utf-8"))["sets"]["test"]["sentences"] == 20


ASKED = ["--metric", "bleu", "chrf", "ter", "tok-lc"]  # one option, several names


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (ASKED, ["bleu", "chrf", "ter", "tok-lc"]),
        (["runs/tiny", *ASKED], ["bleu", "chrf", "ter", "tok-lc"]),
        ([*ASKED, "runs/tiny"], ["bleu", "chrf", "ter", "tok-lc"]),
        (["--metric", "tok-lc", "--metric", "bleu"], ["tok-lc", "bleu"]),
        (["--metric=bleu,chrf", "ter", "runs/tiny"], ["bleu", "chrf", "ter"]),
        (["--metric", "ter", "--metric", "ter,bleu-lc"], ["ter", "bleu-lc"]),
    ],
)
def test_eval_of_the_metrics_that_are_asked_for(nmt: Run, words: list[str], names: list[str]) -> None:
    result = nmt("eval", *words, "--beam-size", 1, "--json")
    assert (result.status, result.err) == (0, "")
    [scores] = json.loads(result.out)["sets"].values()
    assert list(scores["signatures"]) == names
    if "tok-lc" in names:
        assert re.search(r"\|case:lc\|eff:no\|tok:none\+moses-lc-fr-\d", scores["signatures"]["tok-lc"])


def test_eval_by_length(nmt: Run) -> None:
    result = nmt("eval", "--metric", "bleu", "chrf", "--by-length", "--plot", "lengths.svg", "--beam-size", 1)
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert lines[4].split() == ["source", "words", "lines", "BLEU", "chrF2++"]
    groups = lines[5:-2]
    assert all(re.fullmatch(r"  \d+-\d+ +\d+( +\d+\.\d ± \d+\.\d){2}", line) for line in groups)
    assert sum(int(line.split()[1]) for line in groups) == 20
    assert Path("lengths.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_eval_of_two_runs(nmt: Run) -> None:
    shutil.copytree("runs/tiny", "runs/other")
    result = nmt("eval", "runs/tiny", "runs/other", "--metric", "bleu", "ter", "--beam-size", 1)
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert [lines[1], lines[2], lines[6]] == ["translating test: 20 lines", "runs/tiny", "runs/other"]
    assert lines[-3:] == [
        "runs/other minus runs/tiny, paired bootstrap resampling:",
        "  test: BLEU +0.0 ± 0.0, p = 1.000; TER +0.0 ± 0.0, p = 1.000",
        "",
    ]
    assert Path("runs/tiny/scores.json").exists()
    assert not Path("runs/other/scores.json").exists()
    found = json.loads(nmt("eval", "runs/tiny", "runs/other", "--beam-size", 1, "--json").out)
    assert (found["run"], found["other"]["run"]) == ("runs/tiny", "runs/other")
    assert found["difference"]["test"]["chrf"] == {"value": 0.0, "confidence": 0.0, "p_value": 1.0}


def test_eval_of_runs_that_translate_something_else(nmt: Run) -> None:
    shutil.copytree("runs/tiny", "runs/other")
    config = Path("runs/other/config.yaml")
    config.write_text(config.read_text(encoding="utf-8").replace("target: fr", "target: de"), encoding="utf-8")
    for words in ([], ["--language", "fr"]):
        assert nmt("eval", "runs/tiny", "runs/other", *words) == Result(
            2, "", "error: runs/other translates en -> de, and runs/tiny en -> fr; they cannot be compared\n"
        )


def test_eval_as_json(nmt: Run, tiny_corpus: Path) -> None:
    files = ("--source", tiny_corpus / "valid.en", "--reference", tiny_corpus / "valid.fr")
    result = nmt("eval", "runs/tiny", "--json", "--beam-size", 1, *files)
    assert (result.status, result.err) == (0, "")
    found = json.loads(result.out)
    assert found["run"] == "runs/tiny"
    assert set(found["sets"]) == {"valid.en"}
    assert set(found["sets"]["valid.en"]) >= {"bleu", "chrf", "ter", "signatures", "sentences"}
    assert not Path("runs/tiny/scores.json").exists()


def test_eval_of_a_translation_needs_no_model(nmt: Run, tiny_corpus: Path) -> None:
    shutil.rmtree("runs")
    result = nmt("eval", "--hypothesis", tiny_corpus / "test.fr", "--reference", tiny_corpus / "test.fr")
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert lines[0] == "test.fr: 20 lines"
    assert [line.split(" ")[2:4] for line in lines[1:4]] == [["BLEU", "100.0"], ["chrF2++", "100.0"], ["TER", "0.0"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hypothesis", "a"], "--hypothesis: needs --reference"),
        (
            ["--source", "a"],
            "--source and --reference: give both, or neither for the test sets of the config; a file that holds both "
            "is --test FILE",
        ),
        (
            ["--test", "a.tsv", "--reference", "b"],
            "--test: names source and reference; leave out --reference",
        ),
        (["--hypothesis", "a", "--reference", "b"], "a: no such file; name a text file"),
        (["runs/tiny", "--hypothesis", "a", "--reference", "b"], "--hypothesis: needs no model; leave out runs/tiny"),
        (
            ["--hypothesis", "a", "--reference", "b", "--by-length"],
            "--by-length: needs --source, to group lines by source length",
        ),
        (
            ["--metric", "blue"],
            "--metric: 'blue' must be one of bleu, bleu-lc, tok-lc, chrf, chrf2, ter, exact, cer, wer, aer; did you "
            "mean bleu?",
        ),
        (
            ["--hypothesis", "a", "--reference", "b", "--language", "Chinese"],
            "--language: 'Chinese' is not a language code; give one such as en, zh or pt-BR",
        ),
        (
            ["--hypothesis", "a", "--reference", "b", "--beam-size", "2", "--device", "cpu"],
            "--beam-size: has no effect with --hypothesis; remove it\n"
            "error: --device: has no effect with --hypothesis; remove it",
        ),
        (
            ["--metric", "aer", "--source", "{}/test.en", "--reference", "{}/test.fr"],
            "--metric aer: needs gold word alignments beside a test set: {}/test.align",
        ),
        (["--plot", "a.svg"], "--plot: draws the scores --by-length; give that too"),
        (["--by-length", "--plot", "a.gif"], "--plot a.gif: the name must end in .svg, .png or .pdf"),
    ],
)
def test_what_eval_refuses(nmt: Run, tiny_corpus: Path, arguments: list[str], message: str) -> None:
    words = [word.format(tiny_corpus) for word in arguments]
    assert nmt("eval", *words) == Result(2, "", f"error: {message.format(tiny_corpus)}\n")


# align ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def aligned_files(nmt: Run, tiny_corpus: Path) -> list[object]:
    """--source and --target of the tiny test set, whose gold alignments are in gold.align."""
    lines = (PROJECT / "data" / "en-fr" / "test.align").read_text(encoding="utf-8").split("\n")[:20]
    Path("gold.align").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["--source", tiny_corpus / "test.en", "--target", tiny_corpus / "test.fr"]


def test_align(nmt: Run, aligned_files: list[object]) -> None:
    result = nmt("align", *aligned_files)
    assert (result.status, result.err) == (0, "")
    lines = result.out.split("\n")
    assert (len(lines), lines[-1]) == (21, "")
    assert all(re.fullmatch(r"(\d+-\d+( \d+-\d+)*)?", line) for line in lines)
    found = nmt("align", "runs/tiny", *aligned_files, "-o", "links", "--gold", "gold.align")
    assert (found.status, found.out) == (0, "")
    assert Path("links").read_text(encoding="utf-8") == result.out
    number = r"\d+\.\d%"
    assert re.fullmatch(
        rf"alignment error rate {number}, precision {number}, recall {number} "
        r"\(20 lines, [\d,]+ links, \d+ sure gold links\)\n",
        found.err,
    )


def test_align_says_which_lines_were_cut(nmt: Run) -> None:
    Path("long.txt").write_text("word " * 1_100 + "\nword\n", encoding="utf-8")
    result = nmt("align", "--source", "long.txt", "--target", "long.txt")
    assert (result.status, result.err) == (0, "warning: lines cut to decoding.max_source tokens: 1\n")
    assert len(result.out.split("\n")) == 3


def test_alignments_against_themselves_have_no_error(nmt: Run, aligned_files: list[object]) -> None:
    nmt("align", *aligned_files, "-o", "links")
    count = len(Path("links").read_text(encoding="utf-8").split())
    assert count > 0
    assert nmt("align", *aligned_files, "-o", "again", "--gold", "links").err == (
        f"alignment error rate 0.0%, precision 100.0%, recall 100.0% "
        f"(20 lines, {count:,} links, {count:,} sure gold links)\n"
    )


def test_the_picture_of_a_pair(nmt: Run, aligned_files: list[object]) -> None:
    assert nmt("align", *aligned_files, "--plot", "a.svg", "--line", 2, "-o", "links") == Result(0, "", "")
    content = Path("a.svg").read_text(encoding="utf-8")
    assert "<!-- postcard -->" in content  # of the second line
    assert "<!-- grandmothers -->" not in content  # of the third


def test_align_reads_pipes_a_window_at_a_time(nmt: Run, tiny_corpus: Path) -> None:
    """What is read from a pipe cannot be read twice: a line to draw that is not there is found at the end."""

    def piped(*arguments: object) -> Result:
        for side in ("en", "fr"):
            Path(f"{side}.pipe").unlink(missing_ok=True)
            os.mkfifo(f"{side}.pipe")
            content = (tiny_corpus / f"test.{side}").read_bytes()
            threading.Thread(target=Path(f"{side}.pipe").write_bytes, args=(content,), daemon=True).start()
        return nmt("align", "--source", "en.pipe", "--target", "fr.pipe", "decoding.window=3", *arguments)

    files = ("--source", tiny_corpus / "test.en", "--target", tiny_corpus / "test.fr")
    assert piped("--jsonl").out == nmt("align", *files, "decoding.window=3", "--jsonl").out
    missing = piped("--plot", "a.svg", "--line", 21, "-o", "links")
    assert missing == Result(2, "", "error: --line 21: en.pipe has 20 lines\n")
    assert Path("links").read_text(encoding="utf-8").count("\n") == 20  # what was computed is not lost


def test_align_as_json(nmt: Run, aligned_files: list[object]) -> None:
    first = json.loads(nmt("align", *aligned_files, "--jsonl").out.split("\n")[0])
    assert list(first) == ["line", "source", "target", "source_words", "target_words", "attention", "alignment"]
    assert [len(first["attention"]), len(first["attention"][0])] == [
        len(first["target_words"]), len(first["source_words"])
    ]  # fmt: skip
    assert all(source < len(first["source_words"]) for source, _ in first["alignment"])


def test_gold_links_between_spaces(nmt: Run) -> None:
    """Of tokenised text: they count other words, which is said; with --words spaces they are read as they are meant."""
    Path("a").write_text("it 's 5 o'clock now .\n", encoding="utf-8")
    Path("b").write_text("il est 5 heures c'est-à-dire .\n", encoding="utf-8")
    Path("gold").write_text("0-0 1-1 2-2 3-3 4-4 5-5\n", encoding="utf-8")
    files = ("--source", "a", "--target", "b", "--gold", "gold")
    assert nmt("align", *files).err.startswith("warning: gold: its links seem to count words between spaces")
    fine = nmt("align", *files, "--words", "spaces")
    assert fine.err.startswith("alignment error rate")
    Path("gold").write_text("0-0 6-5\n", encoding="utf-8")
    assert "--words spaces, words are what spaces separate" in nmt("align", *files, "--words", "spaces").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--line", 21, "--plot", "a.svg"], "--line 21: {}/test.en has 20 lines"),
        (["--plot", "a.txt"], "--plot a.txt: the name must end in .svg, .png or .pdf"),
        (["--gold", "none"], "none: no such file; name a text file"),
        (["none"], "none: not a run directory: no such folder; a run is made by: nmt train CONFIG"),
    ],
)
def test_what_align_refuses(
    nmt: Run, aligned_files: list[object], tiny_corpus: Path, arguments: list[object], message: str
) -> None:
    assert nmt("align", *aligned_files, *arguments, "-o", "links") == Result(
        2, "", f"error: {message.format(tiny_corpus)}\n"
    )
    assert not Path("links").exists()


def test_info(nmt: Run) -> None:
    result = nmt("info", "runs/tiny")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("run: runs/tiny\n\ndata:\n  folder: ")
    assert "\nvocabulary: " in result.out
    assert result.out.endswith("scores: none yet; make them with: nmt eval\n")
