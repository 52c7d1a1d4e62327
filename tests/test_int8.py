"""8-bit weights: small errors, equal after every round through a file, and refused when they do not fit."""

import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

import nmt
from nmt.config import ModelSettings
from nmt.errors import DataError
from nmt.kernels import reference
from nmt.kernels.lstm import LSTM
from nmt.model import int8, make_model
from nmt.model.int8 import Int8Linear, Int8LSTM, is_packed, pack, quantize, rounded, unpack
from nmt.runs.store import WEIGHTS, load_run, load_subwords
from nmt.runs.weights import named_weights, pack_weights

CPU = torch.device("cpu")


def test_rounding_by_hand() -> None:
    values, scale = rounded(torch.tensor([[127.0, -63.4, 0.6], [0.0, 0.0, 0.0], [-2.54, 1.27, 0.0]]))
    assert values.tolist() == [[127, -63, 1], [0, 0, 0], [-127, 64, 0]]
    assert scale[0].item() == 1.0 and scale[2].item() == pytest.approx(0.02)


def test_rounded_again_nothing_changes() -> None:
    torch.manual_seed(1)
    weights = {"a": torch.randn(40, 50), "small": torch.randn(3, 50), "bias": torch.randn(40)}
    packed = pack(weights)
    assert {name: part.dtype for name, part in packed.items() if part.dtype == torch.int8} == {"a": torch.int8}
    assert is_packed(packed) and not is_packed(weights)
    once = unpack(packed)
    assert once.keys() == weights.keys()
    assert torch.equal(pack(once)["a"], packed["a"])
    torch.testing.assert_close(once["a"], weights["a"], rtol=0.0, atol=float(weights["a"].abs().max()) / 127)
    assert torch.equal(once["small"], weights["small"]) and torch.equal(once["bias"], weights["bias"])


@pytest.mark.parametrize("rows", [(1,), (5,), (3, 7)])
def test_a_layer_is_nearly_that_in_32_bits(rows: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    layer, inputs = nn.Linear(64, 48), torch.randn(*rows, 64)
    exact, found = layer(inputs), Int8Linear(layer.weight, layer.bias)(inputs)
    assert found.shape == exact.shape
    assert 0 < (found - exact).abs().max() < 0.03


def test_some_outputs_of_a_layer() -> None:
    layer, kept, inputs = nn.Linear(64, 48), torch.tensor([5, 2, 40]), torch.randn(4, 64)
    whole = Int8Linear(layer.weight, layer.bias)
    assert torch.equal(whole.only(kept)(inputs), whole(inputs)[:, kept])
    assert len(whole.weight) == 48


@pytest.mark.skipif(not int8.packs_int8(), reason="the oneDNN of this torch cannot pack weights in 8 bits")
@pytest.mark.parametrize("rows", [2, 5, 40])
def test_a_packed_weight_gives_the_same_product(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(rows)
    layer = Int8Linear(3 * torch.randn(70, 96), torch.randn(70))
    inputs, one = 10 * torch.randn(rows, 96), torch.randn(1, 96)
    expected = layer(inputs)
    assert len(layer._packed) == 0  # too small
    monkeypatch.setattr(int8, "WORTH_PACKING", 1)
    layer(one)
    assert len(layer._packed) == 0
    torch.testing.assert_close(layer(inputs), expected)
    assert len(layer._packed) == 1
    assert len(deepcopy(layer)._packed) == 0
    some = torch.tensor([3, 1, 60])
    torch.testing.assert_close((part := layer.only(some))(inputs), expected[:, some])
    assert part._packed is None
    other = Int8Linear(torch.randn(70, 96), torch.randn(70))
    layer.load_state_dict(other.state_dict())
    torch.testing.assert_close(layer(inputs), other(inputs))
    with reference("packed"):
        assert layer._packed_for(rows) is None
    assert layer.double()._packed_for(rows) is None


def test_a_step_with_gradients_switched_on() -> None:
    layer, state = Int8LSTM(LSTM(64, 48)), (torch.randn(1, 5, 48), torch.randn(1, 5, 48))
    outputs, (hidden, cell) = layer(torch.randn(5, 1, 64, requires_grad=True), state)
    assert outputs.shape == (5, 1, 48)
    assert not (outputs.requires_grad or hidden.requires_grad or cell.requires_grad)


def test_a_step_is_nearly_that_in_32_bits_and_a_sequence_equal() -> None:
    torch.manual_seed(1)
    layer = LSTM(64, 48)
    eight, state = Int8LSTM(layer), (torch.randn(1, 5, 48), torch.randn(1, 5, 48))
    step, sequence = torch.randn(5, 1, 64), torch.randn(5, 3, 64)
    with torch.no_grad():
        exact, found = layer(step, state), eight(step, state)
        for one, other in zip((exact[0], *exact[1]), (found[0], *found[1]), strict=True):
            torch.testing.assert_close(one, other, rtol=0.0, atol=0.02)
        assert torch.equal(layer(sequence, state)[0], eight(sequence, state)[0])


KINDS = {
    **{kind: {"decoder": kind} for kind in ("luong", "bahdanau", "conditional")},
    "one way": {"bidirectional": False},
    "transformer": {"architecture": "transformer", "attention_heads": 4},
}


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_a_model(changes: dict) -> None:
    torch.manual_seed(1)
    model = make_model(ModelSettings(embedding=64, hidden=64, **changes), 50, 50).eval()
    source, target = torch.randint(4, 50, (3, 6)), torch.randint(4, 50, (3, 5))
    with torch.no_grad():
        exact = model.generator.log_probs(model(source, target).features)
        quantize(model)
        found = model.generator.log_probs(model(source, target).features)
        assert not any(isinstance(part, nn.Linear) and min(part.weight.shape) >= 32 for part in model.modules())
        assert not any(isinstance(part, Int8LSTM) for part in model.encoder.modules())
        stepped = any(isinstance(part, Int8LSTM) for part in model.decoder.modules())
        assert stepped == ("architecture" not in changes)
        memory, state = model.encode(source)
        step, _, _ = model.step(target[:, 0], state, memory)
    assert 0 < (exact - found).abs().max() < 0.3
    torch.testing.assert_close(step, exact[:, 0], rtol=0.0, atol=0.3)


@pytest.mark.parametrize("natively", [True, False])
def test_a_run_in_8_bits_translates(tiny_run: Path, tmp_path: Path, monkeypatch, natively: bool) -> None:
    """With 8-bit products where the CPU has them; with the same weights in 32 bits where those would be slow."""
    monkeypatch.setattr(int8, "multiplies_int8", lambda: natively)
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    loaded = load_run(tiny_run, CPU)
    packed = pack(named_weights(loaded.model))
    (tmp_path / "run" / WEIGHTS).write_bytes(pack_weights(packed, loaded.settings, loaded.subwords))
    assert load_run(tmp_path / "run", CPU).eight_bits and not loaded.eight_bits
    translator = nmt.load(tmp_path / "run", device="cpu")
    assert any(isinstance(part, Int8Linear) for part in translator.members[0].modules()) == natively
    assert len(translator.translate(["We see the house.", ""])) == 2


@pytest.mark.parametrize("damage", ["no scale", "another shape", "not a number", "nothing to scale"])
def test_scales_that_do_not_fit_are_refused(tiny_run: Path, tmp_path: Path, damage: str) -> None:
    """With a checksum that fits: whoever makes the file can compute one."""
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    loaded = load_run(tiny_run, CPU)
    packed = pack(named_weights(loaded.model))
    name = next(name for name in packed if name.endswith(".scale"))
    if damage == "no scale":
        del packed[name]
    elif damage == "another shape":
        packed[name] = packed[name][:1]
    elif damage == "not a number":
        packed[name] = packed[name] * float("nan")
    else:
        packed["bridge.more.scale"] = torch.ones(3, 1)
    content = pack_weights(packed, loaded.settings, load_subwords(tiny_run))
    (tmp_path / "run" / WEIGHTS).write_bytes(content)
    with pytest.raises(DataError, match=WEIGHTS):
        load_run(tmp_path / "run", CPU)
