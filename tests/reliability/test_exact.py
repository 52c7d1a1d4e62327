"""R1: killed five times and resumed equals never stopped, tensor by tensor, under every setting of training."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.training.signals import Signals
from reliability.job import check_equal, ended, fork, result, run
from reliability.test_killed import killed_somewhere

KILLS = 5
EVERY_STEP = ["training.save_every=1"]
INPUT_FEEDING = ["model.decoder=luong", "model.attention=general", "model.input_feeding=true"]
TRANSFORMER = ["model.architecture=transformer", "model.attention=multihead", "model.attention_heads=2"]
BPE = ["subword.model_type=bpe", "subword.vocab_size=300"]

# PARENT and TEACHER stand for runs with the same subwords.
SETTINGS = {
    "fine-tuning, average of weights, bf16": [
        "training.start_from=PARENT",
        "training.ema=0.9",
        "training.precision=bf16",
        "model.word_dropout=0.2",
    ],
    "transformer, bf16": [*TRANSFORMER, "training.precision=bf16"],
    "distillation": ["training.teachers=[PARENT, TEACHER]", "training.teacher_share=0.7"],
    "fine-tuning, distillation": ["training.start_from=PARENT", "training.teachers=[TEACHER]", "training.accumulate=2"],
    "subword sampling": [*BPE, "subword.sampling=0.4"],
    "subword sampling, unigram": ["subword.model_type=unigram", "subword.vocab_size=300", "subword.sampling=0.4"],
    "scheduled sampling": ["training.teacher_forcing=0.4", "training.forcing_unit=sentence"],
    "scheduled sampling that grows": [
        *INPUT_FEEDING,
        "training.teacher_forcing=0.3",
        "training.forcing_schedule=linear",
        "training.forcing_steps=6",
    ],
    "accumulation": ["training.accumulate=4", "training.max_steps=9"],
    "average of weights": ["training.ema=0.8"],
    "bf16": ["training.precision=bf16"],
    "bf16, gated recurrent units": ["training.precision=bf16", "model.cell=gru"],
    "bf16, accumulation, average of weights": [
        "training.precision=bf16",
        "training.accumulate=3",
        "training.ema=0.9",
        *INPUT_FEEDING,
    ],
    "plateau": [
        "training.schedule=plateau",
        "training.plateau_patience=1",
        "training.decay=0.5",
        "training.metric=loss",
        "training.validate_every=1",
        "training.learning_rate=0.5",
    ],
    "word dropout": ["model.word_dropout=0.3", "model.embedding_dropout=0.3"],
    "input feeding": INPUT_FEEDING,
    "input feeding, dropout by position": [*INPUT_FEEDING, "model.variational=false", "model.dropout=0.4"],
    "transformer": TRANSFORMER,
    "transformer, everything at once": [
        *TRANSFORMER,
        *BPE,
        "subword.sampling=0.3",
        "model.word_dropout=0.2",
        "training.ema=0.9",
        "training.accumulate=2",
        "training.teacher_forcing=0.6",
    ],
    "held out validation text": ["data.hold_out=10"],
    "two texts, weighted": ["data.train=[{path: train, weight: 0.5}, {path: valid, weight: 2}]"],
}
QUICK = "fine-tuning, average of weights, bf16"


@pytest.fixture(scope="module")
def words(workplace: Path) -> Callable[[str], list[str]]:
    """The words of a setting, with the runs that it names."""
    folders = {name: workplace / name.lower() for name in ("PARENT", "TEACHER")}
    for seed, folder in enumerate(folders.values()):
        run(workplace, folder, "training.max_steps=4", f"training.seed={seed + 5}")

    def named(setting: str) -> list[str]:
        chosen = SETTINGS[setting]
        for name, folder in folders.items():
            chosen = [word.replace(name, str(folder)) for word in chosen]
        return chosen

    return named


class Crash(BaseException):
    """Stands for a process that is no more."""


class CrashAt(Signals):
    """A crash at the `count`-th time that training looks whether a signal came."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


def test_crashed_between_steps_and_in_validations(
    workplace, uninterrupted, words, monkeypatch, tmp_path, record_property
) -> None:
    """In this process, so that it takes seconds; the long form kills processes."""
    chosen, folder, crashes = [*words(QUICK), *EVERY_STEP, "training.max_steps=8"], tmp_path / "run", 0
    for count in (2, 9, 12):
        with monkeypatch.context() as patch:
            patch.setattr("nmt.training.train.Signals", lambda count=count: CrashAt(count))
            try:
                run(workplace, folder, *chosen)
            except Crash:
                crashes += 1
    run(workplace, folder, *chosen)
    check_equal(folder, uninterrupted("conditional", *chosen))
    record_property("cases", crashes)
    assert crashes == 3


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_killed_five_times(
    workplace, uninterrupted, words, monkeypatch, tmp_path, record_property, setting: str
) -> None:
    monkeypatch.chdir(workplace)
    chosen, folder, chance = [*words(setting), *EVERY_STEP], tmp_path / "0", random.Random(setting)
    if not any(word.startswith("training.max_steps") for word in chosen):
        chosen.append("training.max_steps=20")
    expected, kills = uninterrupted("conditional", *chosen), 0
    for starts in range(100):
        if kills == KILLS:
            break
        aim = (b"save", b"", b"validation", b"step", b"")[kills]
        if killed_somewhere(chance, aim, f"run={folder}", *chosen) is None:
            check_equal(folder, expected)
            folder = tmp_path / str(starts + 1)
        else:
            kills += 1
    assert ended(fork("train", "digits.yaml", f"run={folder}", *chosen)) == 0
    check_equal(folder, expected)
    record_property("cases", kills)
    assert kills == KILLS


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_setting_has_an_effect(workplace, uninterrupted, words, setting: str) -> None:
    """So that equality means something."""
    with_it, without = uninterrupted("conditional", *words(setting)), uninterrupted("conditional")
    assert result(with_it) != result(without)
