"""Precision: chosen by hardware, recorded in the run, and exact where it must be."""

from pathlib import Path

import pytest
import torch
from reliability.job import call, make_workplace, run

import nmt
from nmt import api, config, precision
from nmt.config import ModelSettings, TrainingSettings
from nmt.data.batch import Batch, SoftTargets
from nmt.errors import ConfigError
from nmt.inference.parallel import computing_with, own_threads
from nmt.kernels import Thresholds, using
from nmt.model import Seq2Seq, make_model
from nmt.precision import choose_precision, precision_of_decoding
from nmt.training.loss import batch_loss
from nmt.training.step import TrainStep

CPU, CUDA, MPS = map(torch.device, ("cpu", "cuda", "mps"))
LARGE, TINY = ModelSettings(hidden=128), ModelSettings(hidden=64)
VOCAB = 40
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [4, 9, 3, 0, 0], [10, 3, 0, 0, 0]])
INPUT = torch.tensor([[2, 5, 6, 7], [2, 8, 9, 0], [2, 4, 0, 0]])
OUTPUT = torch.tensor([[5, 6, 7, 3], [8, 9, 3, 0], [4, 3, 0, 0]])
BATCH = Batch(SOURCE, INPUT, OUTPUT, 9)
KINDS = {
    "conditional": {},
    "luong": {"decoder": "luong", "attention": "general"},
    "bahdanau, gru": {"decoder": "bahdanau", "attention": "additive", "cell": "gru"},
    "layer-normalised cells": {"cell": "ln_lstm"},
    "transformer": {"architecture": "transformer"},
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("precision"))


def with_unit(monkeypatch: pytest.MonkeyPatch, unit: str) -> None:
    monkeypatch.setattr(precision, "native_bf16", lambda device: unit if device.type == "cpu" else "")


# Choosing ------------------------------------------------------------------------------------------------------------


def test_bf16_where_the_cpu_multiplies_it_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    with_unit(monkeypatch, "avx512_bf16")
    assert choose_precision("auto", CPU, LARGE) == ("bf16", "avx512_bf16")
    assert choose_precision("auto", CPU, TINY) == (
        "float32",
        "model.hidden=64 is below 128, too small to gain from bf16",
    )
    with_unit(monkeypatch, "")
    assert choose_precision("auto", CPU, LARGE) == ("float32", "this cpu has no native bf16")
    assert choose_precision("bf16", CPU, LARGE) == ("bf16", "")


@pytest.mark.parametrize(("capability", "chosen"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "float32")])
def test_bf16_on_recent_gpus(capability, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", CUDA, LARGE).precision == chosen
    assert choose_precision("fp16", CUDA, LARGE).precision == "fp16"


def test_mps_stays_in_float32() -> None:
    assert choose_precision("auto", MPS, LARGE).precision == "float32"


@pytest.mark.parametrize(("wanted", "device"), [("fp16", CPU), ("fp16", MPS), ("bf16", CUDA), ("int8", CUDA)])
def test_what_a_device_cannot_do_is_one_line_with_a_remedy(wanted, device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(ConfigError, match=f"^training.precision: {wanted} needs .*; set training.precision=auto$"):
        choose_precision(wanted, device, LARGE)
    assert choose_precision("auto", device, LARGE)  # the remedy works


def test_features_are_those_of_this_cpu() -> None:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    assert all(name in flags for name in precision.cpu_features())


# A run ---------------------------------------------------------------------------------------------------------------


def recorded(folder: Path) -> str:
    return config.load(folder / "config.yaml").training.precision


def test_a_run_keeps_the_precision_that_it_began_with(workplace, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(precision, "SMALLEST", 1)
    with_unit(monkeypatch, "avx512_bf16")
    run(workplace, tmp_path / "run", "training.max_steps=3")
    assert "training.precision=auto: bf16 (avx512_bf16)" in capsys.readouterr().out.split("\n")
    assert recorded(tmp_path / "run") == "bf16"
    with_unit(monkeypatch, "")  # another machine
    run(workplace, tmp_path / "run", "training.max_steps=6")
    assert recorded(tmp_path / "run") == "bf16"
    lines = capsys.readouterr().out.split("\n")
    assert any("this CPU has no native bf16" in line for line in lines)
    assert not any(line.startswith("changed: training.precision") for line in lines)
    with pytest.raises(ConfigError, match=r"training\.precision: bf16 -> float32: cannot be changed"):
        run(workplace, tmp_path / "run", "training.max_steps=7", "training.precision=float32")


@pytest.mark.parametrize("old", ["recorded", "not recorded"])
def test_a_run_without_the_setting_began_in_float32(old, workplace, tmp_path, capsys, monkeypatch) -> None:
    folder = tmp_path / "run"
    run(workplace, folder, "training.max_steps=3", "training.precision=float32")
    text = (folder / "config.yaml").read_text().split("\n")
    (folder / "config.yaml").write_text("\n".join(line for line in text if "precision:" not in line))
    if old == "not recorded":
        forget_settings(folder, monkeypatch)
    monkeypatch.setattr(precision, "SMALLEST", 1)
    with_unit(monkeypatch, "avx512_bf16")
    capsys.readouterr()
    run(workplace, folder, "training.max_steps=4")
    assert recorded(folder) == "float32"
    assert "precision" not in capsys.readouterr().out


def forget_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checkpoints be as those of versions that did not record the settings."""
    from nmt.training import resume

    monkeypatch.setattr(resume, "read_trained_with", lambda folder: {})


# Numbers -------------------------------------------------------------------------------------------------------------


def model(kind: str, **changes) -> Seq2Seq:
    torch.manual_seed(1)
    settings = ModelSettings(**{"embedding": 16, "hidden": 16, "dropout": 0.0, "embedding_dropout": 0.0,
                                **KINDS[kind], **changes})  # fmt: skip
    return make_model(settings, VOCAB, VOCAB)


def gradients(built: Seq2Seq, how: str) -> list[torch.Tensor]:
    with precision.computing_in(how, CPU):
        loss = batch_loss(built, BATCH, label_smoothing=0.1)
    assert loss.dtype == torch.float32
    found = torch.autograd.grad(loss, list(built.parameters()), allow_unused=True)
    return [torch.zeros(1) if each is None else each for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_in_bf16_are_those_of_float32_up_to_rounding(kind: str) -> None:
    built = model(kind)
    for exact, rounded in zip(gradients(built, "float32"), gradients(built, "bf16"), strict=True):
        assert rounded.dtype == torch.float32
        error = (exact - rounded).norm() / exact.norm().clamp(min=1e-3)
        assert error < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_weights_moments_and_loss_stay_in_float32(kind: str) -> None:
    step = TrainStep(model(kind), TrainingSettings(precision="bf16", ema=0.9, guided_attention=0.0), CPU)
    before = [step([BATCH], number, 0.01).loss for number in range(12)]
    assert before[-1] < 0.9 * before[0]
    assert {weight.dtype for weight in step.model.parameters()} == {torch.float32}
    moments = [value for state in step.optimizer.state.values() for value in state.values()]
    assert {value.dtype for value in [*moments, *step.average.values()]} == {torch.float32}


def test_gradients_are_put_off_in_bf16_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from nmt.kernels import deferred_gradients as deferred

    kinds = []
    real = deferred._Linear.apply
    monkeypatch.setattr(deferred._Linear, "apply", lambda *given: kinds.append(given[0].dtype) or real(*given))
    gradients(model("luong"), "bf16")
    assert len(kinds) > 4 and set(kinds) == {torch.bfloat16}


# Translating ---------------------------------------------------------------------------------------------------------

LINES = ["I see them.", "The red car.", "You love the garden and the green apples."]


def scores(translator, precision: str) -> list[tuple[str, float]]:
    return [(each.text, each.log_prob) for each in translator.translate(LINES, changes={"precision": precision})]


def test_translating_in_bf16_is_close_and_leaves_float32_alone(tiny_run: Path) -> None:
    translator = nmt.load(tiny_run)
    exact = scores(translator, "float32")
    rounded = scores(translator, "bf16")
    assert [log_prob for _, log_prob in rounded] == pytest.approx([log_prob for _, log_prob in exact], rel=0.1)
    assert rounded != exact
    assert (
        scores(translator, "float32") == exact == [(each.text, each.log_prob) for each in translator.translate(LINES)]
    )


def test_auto_changes_nothing_without_native_bf16_and_int8(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_unit(monkeypatch, "")
    monkeypatch.setattr(precision, "SMALLEST", 1)
    monkeypatch.setattr(precision, "multiplies_int8", lambda: False)
    translator = nmt.load(tiny_run)
    assert scores(translator, "auto") == scores(translator, "float32")


@pytest.mark.parametrize("measured", ["float32", "bf16", "int8"])
def test_auto_translates_in_the_precision_that_was_measured_as_the_fastest(measured: str) -> None:
    with using({1: Thresholds(precision=measured), 2: Thresholds(precision="bf16")}), computing_with(1):
        found = precision_of_decoding("auto", CPU, LARGE)
        assert found == (measured, "the fastest that was measured on this CPU")
        assert precision_of_decoding("auto", CPU, TINY).precision == "float32"
        assert precision_of_decoding("float32", CPU, LARGE) == ("float32", "")


def test_auto_translates_by_the_hardware_where_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with_unit(monkeypatch, "avx512_bf16")
    monkeypatch.setattr(precision, "multiplies_int8", lambda: True)
    assert precision_of_decoding("auto", CPU, LARGE) == ("int8", "this CPU has VNNI")
    monkeypatch.setattr(precision, "multiplies_int8", lambda: False)
    assert precision_of_decoding("auto", CPU, LARGE) == ("bf16", "avx512_bf16")
    with_unit(monkeypatch, "")
    assert precision_of_decoding("auto", CPU, LARGE).precision == "float32"


def test_a_translator_takes_what_was_measured_and_translate_says_it(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "SMALLEST", 1)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    monkeypatch.setattr("nmt.model.int8.SMALLEST_SIDE", 8)
    translator = nmt.load(tiny_run)
    translator.speed = {count: Thresholds(precision="int8") for count in (1, 2, translator.threads or own_threads())}
    assert scores(translator, "auto") == scores(translator, "int8") != scores(translator, "float32")
    (tmp_path / "text").write_text("I see them.\n")
    words = ("translate", tiny_run, "decoding.precision=auto", "-i", tmp_path / "text", "--device", "cpu")
    assert "decoding.precision=auto: int8 (this CPU has VNNI)" in call(*words).errors.split("\n")


def test_8_bits_on_request(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = nmt.load(tiny_run)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(ConfigError, match=r"^decoding\.precision: int8 needs a CPU with VNNI, .*=auto$"):
        scores(translator, "int8")
    exact = scores(translator, "float32")
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    monkeypatch.setattr("nmt.model.int8.SMALLEST_SIDE", 8)
    rounded = scores(translator, "int8")
    assert [log_prob for _, log_prob in rounded] == pytest.approx([log_prob for _, log_prob in exact], rel=0.2)
    assert rounded != exact
    assert scores(translator, "float32") == exact


def test_8_bit_runs_are_for_cpus(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nmt.model.int8 as int8_module
    from nmt.runs.export import export

    monkeypatch.setattr(int8_module, "SMALLEST_SIDE", 8)
    export(tiny_run, tmp_path / "small", eight_bits=True, shortlist=None, command=[], say=print)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    assert nmt.load(tmp_path / "small").device == CPU  # device=auto
    with pytest.raises(ConfigError, match="has 8-bit weights, which need a CPU, and device=cuda; set device=cpu"):
        nmt.load(tmp_path / "small", device="cuda")


def test_batches_of_a_gpu_are_wider_and_mean_the_same() -> None:
    soft = SoftTargets(torch.randint(4, VOCAB, (3, 4, 2)), torch.full((3, 4, 2), 0.25))
    batch = BATCH._replace(soft_targets=soft, alignment=torch.rand(3, 4, 5) * (OUTPUT != 0).unsqueeze(2))
    wide = batch.widened(8)
    assert wide.source.shape == wide.target_input.shape == (3, 8)
    built = model("luong").double().eval()
    losses = [
        batch_loss(built, each, teacher_share=0.5, coverage_loss=0.1, guided_attention=0.2) for each in (batch, wide)
    ]
    torch.testing.assert_close(*losses)
    assert torch.equal(wide.widened(8).source, wide.source)


@pytest.mark.parametrize(
    ("natively", "found", "chosen"),
    [
        (True, "cuda", "cpu"),
        (True, "cpu", "cpu"),
        (False, "cuda", "cuda"),
        (False, "mps", "mps"),
        (False, "cpu", "cpu"),
    ],
)
def test_8_bits_go_where_they_are_fast(
    natively: bool, found: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CPU without VNNI multiplies no 8-bit integers, so `auto` does not prefer it to a GPU."""
    monkeypatch.setattr(api.int8, "multiplies_int8", lambda: natively)
    assert api.device_for_8_bits(torch.device(found)).type == chosen
