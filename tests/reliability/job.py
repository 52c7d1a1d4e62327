"""The small job that the proofs of reliability train, whole or in processes of its own."""

import io
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nmt import cli, config
from nmt.runs.store import CHECKPOINTS, METRICS, WEIGHTS
from nmt.runs.weights import tensors_hash, unpack_weights
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.train import TrainResult, train

PROJECT = Path(__file__).parent.parent.parent
CONFIG = """\
data: {folder: corpus, source: a, target: b}
subword: {model_type: char, vocab_size: 30}
model: {embedding: 8, hidden: 8, attention: additive}
training:
  max_steps: 12
  batch_sentences: 8
  validate_every: 4
  save_every: 3
  log_every: 1
  warmup: 2
  samples: 0
decoding: {max_length: 5}
threads: 1
"""

# What runs of the job have in common with none of the others: cells, decoders, accumulation, edges of epochs.
CASES = {
    "conditional": [],
    "luong, accumulate, average of weights": [
        "model.decoder=luong",
        "model.cell=gru",
        "model.variational=false",
        "training.accumulate=3",
        "training.ema=0.9",
    ],
    "bahdanau, plateau": [
        "model.decoder=bahdanau",
        "model.cell=rnn",
        "training.schedule=plateau",
        "training.plateau_patience=1",
        "training.metric=loss",
        "training.validate_every=2",
        "training.learning_rate=0.5",
    ],
    "sampled inputs, sgd": [
        "model.attention=general",
        "training.guided_attention=0.3",
        "training.teacher_forcing=0.5",
        "training.optimizer=sgd",
        "training.momentum=0.9",
        "training.validate_every=0.3e",
        "training.save_every=0.1e",
        "training.log_every=5",
    ],
    "resampled pieces, coverage": [
        "subword.model_type=bpe",
        "subword.vocab_size=300",
        "subword.sampling=0.5",
        "model.attention=coverage",
        "training.coverage_loss=0.5",
    ],
}


def make_workplace(folder: Path) -> Path:
    """A corpus of digits and their mirror images, and a config that trains on it in a moment."""
    write_corpus(folder / "corpus")
    (folder / "digits.yaml").write_text(CONFIG)
    return folder


def write_corpus(folder: Path) -> None:
    chance = random.Random(0)
    folder.mkdir(parents=True)
    for stem, count in (("train", 120), ("valid", 6)):
        lines = ["".join(chance.choices("0123456789", k=chance.randint(1, 6))) for _ in range(count)]
        (folder / f"{stem}.a").write_text("".join(f"{line}\n" for line in lines))
        (folder / f"{stem}.b").write_text("".join(f"{line[::-1]}\n" for line in lines))


def run(workplace: Path, folder: Path, *words: str) -> TrainResult:
    """Trains in this process."""
    return train(config.load(workplace / "digits.yaml", [f"run={folder}", *words]), ["nmt", "train"])


def sampled(values: Iterable[Any], every: int) -> list[Any]:
    """All of these parameters in the long form, the first of `every` in the quick one."""
    slow = pytest.mark.slow
    return [
        value if index % every == 0 else pytest.param(*_tuple(value), marks=slow) for index, value in enumerate(values)
    ]


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if type(value) is tuple else (value,)


class Called(NamedTuple):
    """What a command did in this process."""

    status: int
    output: str
    errors: str


def call(*words: object) -> Called:
    """`nmt WORDS` in this process. What the command does not catch is raised, and so is no exit status."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    argv, sys.argv = sys.argv, ["nmt", *map(str, words)]
    status: int | str | None = None
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            cli.main()
    except SystemExit as leaving:
        status = leaving.code
    finally:
        sys.argv = argv
    for stream in (output, errors):
        stream.seek(0)
    return Called(int(status or 0), output.read(), errors.read())


FORKED: list[BaseProcess] = []  # those that `ended` has not seen


@contextmanager
def no_process_left() -> Iterator[None]:
    """Kill the processes that `fork` starts in the block and that still run at its end, as where a test fails."""
    before = list(FORKED)
    try:
        yield
    finally:
        for process in [process for process in FORKED if process not in before]:
            end(process)


def end(process: BaseProcess) -> None:
    """Kill a process, with what it has started, and forget it."""
    if process in FORKED:
        FORKED.remove(process)
    if process.pid:
        with suppress(ProcessLookupError):  # it has not made its group yet, or all are gone
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


def fork(*words: object, output: Path = Path(os.devnull), before: Callable[[], None] | None = None) -> BaseProcess:
    """`nmt WORDS` in a process of its own, forked off one that has imported everything, so that each costs little.

    What it prints goes to `output`; `before` is called there first.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nmt.training.train", "torch._dynamo", "pytest"])
    process = context.Process(target=_main, args=([str(word) for word in words], output, before))
    process.start()
    FORKED.append(process)
    return process


def _main(words: list[str], output: Path, before: Callable[[], None] | None) -> None:
    os.setpgid(0, 0)  # a group, so that what it starts can be ended with it
    with output.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    sys.argv = ["nmt", *words]
    if before:
        before()
    cli.main()


def ended(process: BaseProcess, seconds: float = 120.0) -> int:
    """The exit status, or minus the signal, of a process that ends by itself."""
    process.join(seconds)
    status = process.exitcode
    end(process)
    assert status is not None, "no end"
    return status


def command(workplace: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`nmt` in a process of its own, which first does what `before` says in Python."""
    program = f"{before}\nimport sys\nsys.argv[0] = 'nmt'\nfrom nmt.cli import main\nmain()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        check=False, cwd=workplace, env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip


def result(folder: Path) -> dict[str, Any]:
    """Everything of a run that must be equal: all but the times, the memory and the interruptions."""
    last = load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1])
    tensors, _ = unpack_weights((folder / WEIGHTS).read_bytes(), folder / WEIGHTS)
    records = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    timeless = [
        {key: value for key, value in record.items() if key not in {"seconds", "target_tokens_per_second"}}
        for record in records
        if record["kind"] in {"train", "validation"}
    ]
    return {
        "model": tensors_hash(tensors),
        "weights": tensors_hash(last.weights),
        "average": tensors_hash(last.average),
        "optimizer": tensors_hash(last.optimizer),
        "progress": {**last.progress.to_json(), "seconds": None},
        "metrics": [json.dumps(record) for record in timeless],
    }


def check_equal(folder: Path, expected: Path) -> None:
    found, wanted = result(folder), result(expected)
    assert [part for part in wanted if found[part] != wanted[part]] == []
    assert not list(folder.rglob("*.tmp-*"))
