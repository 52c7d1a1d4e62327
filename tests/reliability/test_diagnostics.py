"""Diagnosis: models broken on purpose are diagnosed in words while they train; a sound one gets no warning."""

import math
import random
from pathlib import Path

import pytest
import torch

from nmt.config import ModelSettings, TrainingSettings
from nmt.data.batch import Batch
from nmt.model import make_model
from nmt.training.diagnostics import (
    Symptoms,
    early_stop_note,
    mean_entropy,
    most_frequent_share,
    source_gain,
    warnings_for,
)
from nmt.training.state import Progress, Validation
from reliability.job import CONFIG, run

SOUND = Symptoms(same=0.1, cut=0.0, flatness=0.3, source_gain=2.0)
LATER = Progress(step=5000, epoch=3, batches=10)


def after(*losses: float) -> Progress:
    return Progress(
        step=5000,
        epoch=len(losses),
        validations=[Validation(n, float(n), loss, {"bleu": float(n)}) for n, loss in enumerate(losses)],
    )


@pytest.mark.parametrize(
    ("symptoms", "kind", "words"),
    [
        ({"source_gain": 0.01}, "source", "raises the loss by only 0.01 nats per token"),
        ({"source_gain": -0.4}, "source", "raises the loss by only 0.00 nats per token"),
        ({"same": 0.8}, "same", "80% of the validation outputs are the same line"),
        ({"cut": 0.25}, "cut", "25% of the validation outputs reach the maximum length"),
        ({"flatness": 0.97}, "flat", "the attention is flat (97% of the entropy of uniform weights)"),
    ],
)
def test_each_sign_has_its_words(symptoms: dict[str, float], kind: str, words: str) -> None:
    found = warnings_for(SOUND._replace(**symptoms), LATER, TrainingSettings())
    assert list(found) == [kind]
    assert words in found[kind] and "\n" not in found[kind]
    assert warnings_for(SOUND, LATER, TrainingSettings()) == {}
    early = Progress(step=5000, epoch=0, batch=9, batches=10)
    assert warnings_for(SOUND._replace(**symptoms), early, TrainingSettings()) == {}


@pytest.mark.parametrize(
    ("losses", "rise"),
    [
        ((3.0, 2.0, 1.9, 2.0, 2.1, 2.2), "16%"),
        ((3.0, 2.0, 1.9, 2.0, 2.2), ""),
        ((2.0, 2.01, 2.02, 2.03), ""),
        ((2.0,), ""),
    ],
)
def test_overfitting(losses: tuple[float, ...], rise: str) -> None:
    found = warnings_for(SOUND, after(*losses), TrainingSettings())
    assert list(found) == (["overfitting"] if rise else [])
    assert not rise or f"has risen by {rise}" in found["overfitting"]


@pytest.mark.parametrize(
    ("metric", "value", "warned"),
    [("bleu", 0.0, True), ("exact", 0.0, True), ("cer", 50.0, True), ("bleu", 100.0, False), ("cer", 0.0, False)],
)
def test_a_metric_that_does_not_move_while_the_loss_falls(metric: str, value: float, warned: bool) -> None:
    def progress(*losses: float, last: float = value) -> Progress:
        values = [value] * (len(losses) - 1) + [last]
        scores = [
            Validation(n, float(n), loss, {metric: each})
            for n, (loss, each) in enumerate(zip(losses, values, strict=True))
        ]
        return Progress(step=5000, epoch=len(losses), validations=scores)

    def found(progress: Progress) -> str:
        return warnings_for(SOUND, progress, TrainingSettings(metric=metric)).get("metric", "")

    line = found(progress(4.0, 3.0, 2.5))
    assert bool(line) == warned
    assert not warned or f"was {value:.1f} in each of the last 3 validations although the loss fell" in line
    assert found(progress(4.0, 3.0)) == found(progress(4.0, 3.0, 4.0)) == found(progress(4.0, 3.0, 2.0, last=7.0)) == ""


def test_a_warm_up_that_was_not_over() -> None:
    settings = TrainingSettings(warmup=4000)
    line = early_stop_note(Progress(step=1500), settings)
    assert line.startswith("the learning rate was still warming up (step 1,500 of 4,000) when patience ran out")
    assert early_stop_note(Progress(step=4500), settings) == ""


def test_measures_by_hand() -> None:
    assert most_frequent_share(["a", "b", "a", "a"]) == 0.75
    assert most_frequent_share([]) == 0.0
    even = torch.full((1, 2, 4), 0.25)
    sharp = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]]])
    real = torch.ones(1, 2, dtype=torch.bool)
    assert mean_entropy(even, torch.tensor([4]), real) == pytest.approx(1.0)
    assert mean_entropy(sharp, torch.tensor([4]), real) == pytest.approx((0 + math.log(2)) / 2 / math.log(4))


def test_a_decoder_that_reads_nothing_gains_nothing_by_the_source() -> None:
    torch.manual_seed(1)
    deaf = make_model(ModelSettings(embedding=8, hidden=8, attention="none", bridge="zero"), 12, 12).eval()
    source = torch.tensor([[5, 6, 3], [7, 8, 3]])
    batch = Batch(source, torch.tensor([[2, 5], [2, 6]]), torch.tensor([[5, 3], [6, 3]]), 4)
    assert source_gain(deaf, batch) == pytest.approx(0.0, abs=1e-6)


def notes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits that are to be copied, and a model that learns it; `shuffled` has the same lines in another order."""
    folder, chance = tmp_path_factory.mktemp("health"), random.Random(3)
    for name in ("corpus", "shuffled"):
        (folder / name).mkdir()
        for stem, count in (("train", 600), ("valid", 40)):
            lines = ["".join(chance.choices("0123456789", k=4)) for _ in range(count)]
            others = chance.sample(lines, len(lines)) if name == "shuffled" else lines
            (folder / name / f"{stem}.a").write_text("".join(f"{line}\n" for line in lines))
            (folder / name / f"{stem}.b").write_text("".join(f"{line}\n" for line in others))
    text = CONFIG.replace("embedding: 8, hidden: 8", "embedding: 24, hidden: 48, dropout: 0.0, embedding_dropout: 0.0")
    text = text.replace("max_steps: 12", "max_steps: 300").replace("validate_every: 4", "validate_every: 75")
    text = text.replace("save_every: 3", "save_every: 300").replace("batch_sentences: 8", "batch_sentences: 32")
    (folder / "digits.yaml").write_text(
        text.replace("warmup: 2", "warmup: 20\n  learning_rate: 1e-2\n  average: false")
    )
    return folder


def test_a_sound_training_gets_no_remark(learning, tmp_path, capsys) -> None:
    run(learning, tmp_path / "run")
    assert notes(capsys) == []


@pytest.mark.slow
def test_a_corpus_whose_lines_do_not_fit(learning, tmp_path, capsys) -> None:
    run(learning, tmp_path / "run", f"data.folder={learning / 'shuffled'}")
    assert [line for line in notes(capsys) if line.startswith("warning: the decoder nearly ignores the source")]


@pytest.mark.slow
def test_attention_that_cannot_form(learning, tmp_path, capsys, monkeypatch) -> None:
    from nmt.model.attention import GeneralAttention

    monkeypatch.setattr(GeneralAttention, "score", lambda self, query, keys: 0 * (query @ keys.transpose(1, 2)))
    run(learning, tmp_path / "run", "model.attention=general")
    assert len([line for line in notes(capsys) if line.startswith("warning: the attention is flat (100%")]) == 1


@pytest.mark.slow
def test_a_learning_rate_that_is_far_too_high(learning, tmp_path, capsys) -> None:
    run(learning, tmp_path / "run", "training.learning_rate=3", "training.clip_norm=0")
    found = " ".join(notes(capsys))
    assert "are the same line" in found or "reach the maximum length" in found


@pytest.mark.slow
def test_learning_by_heart(learning, tmp_path, capsys) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for side in "ab":
        lines = (learning / "shuffled" / f"train.{side}").read_text().splitlines()[:32]
        (few / f"train.{side}").write_text("\n".join(lines))
        (few / f"valid.{side}").write_text((learning / "shuffled" / f"valid.{side}").read_text())
    words = [f"data.folder={few}", "training.validate_every=25", "training.max_steps=200"]
    run(learning, tmp_path / "run", *words)
    assert len([line for line in notes(capsys) if "warning: the validation loss has risen by" in line]) == 1
