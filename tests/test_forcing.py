"""Teacher forcing: its schedules by hand, what the coin decides on, and that a run goes on exactly."""

import math
from pathlib import Path

import pytest
import torch

from nmt import config
from nmt.config import ModelSettings, TrainingSettings
from nmt.errors import ConfigError
from nmt.model import Seq2Seq, make_model
from nmt.model.architecture import ARCHITECTURES
from nmt.model.decoder import DECODERS
from nmt.runs.store import CHECKPOINTS
from nmt.runs.weights import tensors_hash
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.forcing import FORCINGS, forcing
from nmt.training.train import train

VOCAB = 12
SOURCE = torch.tensor([[4, 5, 6, 7, 3], [8, 9, 3, 0, 0], [11, 4, 5, 3, 0], [6, 3, 0, 0, 0]])
TARGET = torch.tensor([[2, 9, 8, 7, 6, 5], [2, 4, 4, 0, 0, 0], [2, 10, 5, 6, 7, 0], [2, 11, 0, 0, 0, 0]])


# Schedules -----------------------------------------------------------------------------------------------------------


def probability(schedule: str, step: int, floor: float = 0.25, k: int = 8) -> float:
    return forcing(TrainingSettings(teacher_forcing=floor, forcing_schedule=schedule, forcing_steps=k), step)


BY_HAND = [
    ("constant", 0, 0.25),
    ("constant", 10**9, 0.25),
    ("linear", 0, 1.0),
    ("linear", 2, 0.8125),
    ("linear", 4, 0.625),
    ("linear", 8, 0.25),
    ("linear", 9, 0.25),
    ("exponential", 0, 1.0),
    ("exponential", 8, 0.25 + 0.75 * 0.36787944),
    ("exponential", 24, 0.25 + 0.75 * 0.04978707),
    ("inverse_sigmoid", 0, 0.25 + 0.75 * 8 / 9),
    ("inverse_sigmoid", 8, 0.25 + 0.75 * 8 / 10.71828183),
    ("inverse_sigmoid", 16, 0.25 + 0.75 * 8 / 15.38905610),
    ("inverse_sigmoid", 10**9, 0.25),
]


@pytest.mark.parametrize(("schedule", "step", "expected"), BY_HAND)
def test_schedules_by_hand(schedule: str, step: int, expected: float) -> None:
    assert probability(schedule, step) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("schedule", FORCINGS)
def test_every_schedule_falls_to_the_floor_and_not_below(schedule: str) -> None:
    for floor in (0.0, 0.4):
        course = [probability(schedule, step, floor, k=50) for step in range(2000)]
        assert course == sorted(course, reverse=True)
        assert course[0] <= 1.0 and course[-1] == pytest.approx(floor, abs=1e-9)
        assert min(course) >= floor


@pytest.mark.parametrize("schedule", FORCINGS)
def test_a_floor_of_one_forces_always(schedule: str) -> None:
    assert {probability(schedule, step, floor=1.0) for step in (0, 3, 10**6)} == {1.0}


def test_an_inverse_sigmoid_is_at_half_after_k_ln_k() -> None:
    assert probability("inverse_sigmoid", round(1000 * math.log(1000)), 0.0, 1000) == pytest.approx(0.5, abs=1e-4)


# What the coin decides on ---------------------------------------------------------------------------------------------


def model(architecture: str = "recurrent", **changes) -> Seq2Seq:
    torch.manual_seed(5)
    plain = {"embedding": 8, "hidden": 8, "attention_heads": 2, "dropout": 0.0, "embedding_dropout": 0.0}
    built = make_model(ModelSettings(architecture=architecture, **{**plain, **changes}), VOCAB, VOCAB).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return built


def inputs_of_the_pass(built: Seq2Seq, *arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The words that the decoder reads in the pass that is learned from, and its features."""
    read: list[torch.Tensor] = []
    handle = built.target_embedding.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    features = built(*arguments).features.detach()
    handle.remove()
    return read[-1], features


KINDS = {**{name: {"decoder": name} for name in DECODERS}, "transformer": {"architecture": "transformer"}}


def test_every_architecture_is_among_the_kinds() -> None:
    assert {kind.get("architecture", "recurrent") for kind in KINDS.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_a_sentence_is_forced_or_free_as_a_whole(kind: str) -> None:
    """Every row equals the forced pass or the free one at every position, in about the given share."""
    built = model(**KINDS[kind])
    source, target = SOURCE[:1].repeat(1500, 1), TARGET[:1].repeat(1500, 1)
    forced, free = built(SOURCE[:1], TARGET[:1]).features, built(SOURCE[:1], TARGET[:1], 0.0).features
    assert not torch.allclose(forced[0, 1], free[0, 1])
    torch.manual_seed(0)
    mixed = built(source, target, 0.3, True).features
    is_forced = (mixed - forced).abs().amax(dim=(1, 2)) < 1e-4
    is_free = (mixed - free).abs().amax(dim=(1, 2)) < 1e-4
    assert (is_forced ^ is_free).all()
    assert 0.26 < is_forced.float().mean() < 0.34
    torch.manual_seed(0)
    by_position = built(source, target, 0.3).features
    assert (
        not ((by_position - forced).abs().amax(dim=(1, 2)) < 1e-4)
        .logical_or((by_position - free).abs().amax(dim=(1, 2)) < 1e-4)
        .all()
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "transformer"])
def test_the_words_chosen_are_the_best_under_the_same_dropout(kind: str) -> None:
    """The pass that is learned from, dropout included, would choose the same words as those that it is given."""
    built = model(**KINDS[kind], embedding=20, hidden=40, dropout=0.5, embedding_dropout=0.5).train()
    for _ in range(5):
        words, features = inputs_of_the_pass(built, SOURCE, TARGET, 0.0)
        own = built.generator(features).argmax(dim=-1)
        assert torch.equal(words[:, 0], TARGET[:, 0])
        assert torch.equal(words[0, 1:], own[0, :-1])  # the longest row, which is real to its end
        for row, length in enumerate((TARGET != 0).sum(dim=1).tolist()):
            assert torch.equal(words[row, 1:length], own[row, : length - 1])
    assert not torch.equal(words[0], TARGET[0])


@torch.inference_mode()
def test_free_positions_are_the_only_ones_that_change() -> None:
    built = model()
    torch.manual_seed(3)
    forced = torch.rand(TARGET.shape) < 0.5
    torch.manual_seed(3)
    words, _ = inputs_of_the_pass(built, SOURCE, TARGET, 0.5)
    kept = words == TARGET
    assert kept[forced].all()
    assert not kept[:, 1:][~forced[:, 1:] & (TARGET[:, 1:] != 0)].all()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns_from_free_sentences(kind: str, precision: torch.dtype) -> None:
    """Autocast keeps copies of weights; those made where no gradient is wanted must not serve where one is."""
    bf16 = {"cell": "gru"} if precision == torch.bfloat16 else {}  # not every processor has an LSTM in bf16
    built = model(**{**KINDS[kind], **bf16}, tying="none").train()
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        features = built(SOURCE, TARGET, 0.0).features
        built.generator(features).float().logsumexp(dim=-1).sum().backward()
    assert [name for name, weight in built.named_parameters() if weight.grad is None or not weight.grad.any()] == []


# In training ---------------------------------------------------------------------------------------------------------

WORDS = [
    "training.schedule=constant",
    "training.average=false",
    "training.save_every=1",
    "decoding.max_length=3",
]
FALLING = ["training.teacher_forcing=0.2", "training.forcing_schedule=linear", "training.forcing_steps=4"]


def test_training_follows_the_schedule(tiny_config, tmp_path, monkeypatch) -> None:
    from nmt.training import step as step_module

    seen, real = [], step_module.batch_loss

    def spy(*arguments, **options):
        seen.append((options["teacher_forcing"], options["whole_sentences"]))
        return real(*arguments, **options)

    monkeypatch.setattr(step_module, "batch_loss", spy)
    words = [*WORDS, *FALLING, "training.forcing_unit=sentence", "training.max_steps=6", "training.validate_every=6"]
    train(config.load(tiny_config, [f"run={tmp_path / 'run'}", *words]), [])
    assert [share for share, _ in seen] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert {whole for _, whole in seen} == {True}


@pytest.mark.parametrize("unit", ["position", "sentence"])
def test_stopped_and_resumed_equals_never_stopped(tiny_config, tmp_path, unit: str) -> None:
    def weights(name: str, *limits: int, words: list[str]) -> str:
        for steps in limits:
            train(config.load(tiny_config, [f"run={tmp_path / name}", f"training.max_steps={steps}", *words]), [])
        last = load_checkpoint(list_checkpoints(tmp_path / name / CHECKPOINTS)[-1])
        assert last.progress.step == limits[-1]
        return tensors_hash(last.weights)

    words = [*WORDS, *FALLING, f"training.forcing_unit={unit}"]
    whole = weights("whole", 5, words=words)
    assert weights("parts", 1, 3, 5, words=words) == whole
    assert weights("forced", 5, words=WORDS) != whole


# Settings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["training.teacher_forcing=0.5", "training.forcing_steps=9"],
            "training.forcing_steps: has no effect unless training.forcing_schedule=linear or "
            "training.forcing_schedule=exponential or training.forcing_schedule=inverse_sigmoid; remove it",
        ),
        (
            ["training.forcing_schedule=linear"],
            "training.forcing_schedule: has no effect unless training.teacher_forcing is less than 1; remove it",
        ),
        (
            ["training.forcing_unit=sentence"],
            "training.forcing_unit: has no effect unless training.teacher_forcing is less than 1; remove it",
        ),
        (
            ["training.teacher_forcing=0.5", "training.forcing_schedule=linaer"],
            "training.forcing_schedule: 'linaer' must be one of constant, linear, exponential, inverse_sigmoid; "
            "did you mean linear?",
        ),
    ],
)
def test_settings_without_effect_are_refused(tiny_config: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tiny_config, words)
    assert caught.value.problems == (f"command line: {message}",)
