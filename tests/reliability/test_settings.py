"""Settings: impossible settings are refused with file, line and key, and a misspelt key gets a suggestion."""

import random
import string
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nmt import config
from nmt.errors import ConfigError
from reliability.job import call, command, make_workplace, sampled

KEYS = config.keys()
LETTERS = ["abcd", "efgh", "ijkl", "mnop", "qrst", "uvwx", "yz_"]  # in processes of their own
BASE = "data:\n  folder: corpus\n  source: a\n  target: b\ntraining:\n  max_steps: 9\n"  # six lines


def edits(key: str, letters: str) -> Iterator[str]:
    """Everything that is one deletion, transposition, substitution or insertion away."""
    for place in range(len(key) + 1):
        before, after = key[:place], key[place:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in letters:
            yield before + letter + after[1:]
            yield before + letter + after


def meant(letters: str, share: float) -> dict[str, str]:
    """Every slip, or a share of them, with the key that it is of; one that could be of several is of any."""
    chance = random.Random(1)
    found = {slip: key for key in KEYS for slip in edits(key, letters) if chance.random() < share}
    return {slip: key for slip, key in found.items() if slip and slip not in KEYS and "=" not in slip}


@pytest.mark.parametrize(
    ("letters", "share"),
    [("e_", 0.06), *(pytest.param(some, 1.0, marks=pytest.mark.slow) for some in LETTERS)],
)
def test_a_slip_gets_its_key(tmp_path: Path, record_property, letters: str, share: float) -> None:
    (tmp_path / "a.yaml").write_text(BASE)
    slips = meant(letters, share)
    assert len(slips) > 300
    right, names = 0, list(slips)
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        with pytest.raises(ConfigError) as caught:
            config.load(tmp_path / "a.yaml", [f"{slip}=1" for slip in some])
        lines = str(caught.value).split("\n")
        for slip in some:
            [line] = [line for line in lines if line.startswith(f"command line: {slip}: ") or f"'{slip}=1'" in line]
            right += line.endswith(f"; did you mean {slips[slip]}?")
    assert right >= 0.95 * len(slips), right / len(slips)
    record_property("cases", len(slips))


@pytest.mark.parametrize("key", sampled(["model.hidden", *random.Random(1).sample(KEYS, 7)], 8))
def test_in_a_second_and_before_torch(tmp_path: Path, key: str) -> None:
    """Of the processor, from the start of the process to its end."""
    make_workplace(tmp_path)
    slip = key[:-2] + key[-1] + key[-2] + random.choice(string.ascii_lowercase)
    report = "import atexit, sys, time; atexit.register(lambda: print('torch' in sys.modules, time.process_time()))"
    done = command(tmp_path, "train", "digits.yaml", f"{slip}=1", before=report)
    assert done.returncode == 2
    assert done.stderr == f"error: command line: {slip}: unknown key; did you mean {key}?\n"
    torch, seconds = done.stdout.split()
    assert torch == "False" and float(seconds) < 1


REFUSED = [  # what a file ends with, the line of it that is named, and words of the message
    ("modle:\n  hidden: 4", 8, "unknown key; did you mean model.hidden?"),
    ("  max_steps: 10", 7, "training.max_steps: set twice, first at"),
    ("model:\n\thidden: 4", 8, "indent with spaces, not tabs"),
    ("a: &a [x, x]\nb: [*a, *a, *a, *a]", 8, "aliases (*name) are not used here"),
    ("a: " + "[" * 50_000, 7, "nested more than 20 deep"),
    ("  learning_rate: .nan", 7, "must be a finite number"),
    ("  learning_rate: .inf", 7, "must be a finite number"),
    ("  learning_rate: -1e-3", 7, "must be more than 0"),
    ("  warmup: -1", 7, "must be 0 or more"),
    ("  warmup: soon", 7, "must be a whole number"),
    ("  betas: 0.9", 7, "must be a list"),
    ("model: [hidden]", 7, "needs settings below it"),
    ("device: {a: b}", 7, "device.a: unknown key"),
    ("run: !!python/object/apply:os.getcwd []", 7, "not a value"),
]


@pytest.mark.parametrize(("text", "number", "words"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("name", ["check", "train"])
def test_refused_with_file_and_line(tmp_path: Path, monkeypatch, name: str, text: str, number: int, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(f"{BASE}{text}\n")
    started = time.process_time()
    done = call(name, "a.yaml")
    assert time.process_time() - started < 1
    assert (done.status, done.output) == (2, "")
    [error] = done.errors.splitlines()
    assert error.startswith(f"error: a.yaml:{number}: ") and words in error, error
    assert list(tmp_path.iterdir()) == [tmp_path / "a.yaml"]


def test_norwegian_and_small_numbers(tmp_path: Path) -> None:
    """`no` is a language and `1e-3` a number, through a whole training."""
    make_workplace(tmp_path)
    for path in sorted((tmp_path / "corpus").glob("*.b")):
        path.rename(path.with_suffix(".no"))
    text = (tmp_path / "digits.yaml").read_text().replace("target: b", "target: no")
    (tmp_path / "digits.yaml").write_text(text.replace("warmup: 2", "warmup: 2\n  learning_rate: 1e-3"))
    done = call("train", tmp_path / "digits.yaml", f"run={tmp_path / 'run'}", "training.max_steps=1")
    assert done.status == 0, done.errors
    assert "a -> no" in done.output
    settings = config.load(tmp_path / "run" / "config.yaml")
    assert (settings.data.target, settings.training.learning_rate) == ("no", 0.001)
