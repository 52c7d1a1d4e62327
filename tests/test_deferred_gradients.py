"""Products in a loop over positions: whatever is put off, gradients are those of the plain loop."""

import contextlib
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from nmt.config import ModelSettings
from nmt.kernels import Thresholds, using
from nmt.kernels.deferred_gradients import (
    Linear,
    deferred_gradients,
    is_deferring,
    linear,
    product,
)
from nmt.kernels.lstm import LSTM, _Gates
from nmt.kernels.packed import Packed, PackedWeights, cached_packing
from nmt.model import Seq2Seq, decoder, make_model
from nmt.model.attention import ATTENTIONS

VOCAB = 11
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [4, 9, 3, 0, 0], [10, 3, 0, 0, 0]])
TARGET = torch.tensor([[2, 5, 6, 7], [2, 8, 9, 0], [2, 4, 0, 0]])
EXACT = {"rtol": 0.0, "atol": 1e-10}


def gradients(model: Seq2Seq) -> dict[str, Tensor]:
    model.zero_grad()
    decoded = model(SOURCE, TARGET)
    (model.generator(decoded.features).logsumexp(-1) * (TARGET != 0)).sum().backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_are_those_of_the_plain_loop(attention, cell, kind, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ModelSettings(
        embedding=6, hidden=8, attention=attention, attention_heads=2, attention_length=6, attention_window=1,
        cell=cell, decoder=kind, decoder_layers=2, dropout=0.0, embedding_dropout=0.0,
    )  # fmt: skip
    torch.manual_seed(1)
    model = make_model(settings, VOCAB, VOCAB).double().eval()
    found = gradients(model)
    monkeypatch.setattr(decoder, "deferred_gradients", contextlib.nullcontext)
    plain = gradients(model)
    assert found.keys() == plain.keys()
    assert any(gradient.abs().max() > 1e-3 for gradient in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(found[name], gradient, **EXACT, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("bias", [True, False])
def test_shared_factors_get_their_gradients_by_one_product(bias: bool) -> None:
    torch.manual_seed(1)
    layer, keys = Linear(3, 5, bias=bias).double(), torch.randn(4, 3, 6, dtype=torch.float64, requires_grad=True)
    states = [torch.randn(4, 1, 3, dtype=torch.float64, requires_grad=True) for _ in range(7)]
    wanted = [*layer.parameters(), keys, *states]

    def total() -> Tensor:
        return sum(layer(state).sin().sum() + product(state, keys).exp().sum() for state in states)

    plain = torch.autograd.grad(total(), wanted)
    with deferred_gradients():
        looped = total()
    for one, other in zip(torch.autograd.grad(looped, wanted), plain, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_each_shared_factor_is_one_node_of_the_graph() -> None:
    weight, bias, keys = (torch.randn(size, requires_grad=True) for size in ((5, 3), (5,), (4, 3, 6)))
    state = torch.randn(4, 1, 3, requires_grad=True)
    with deferred_gradients():
        linears = [linear(state, weight, bias) for _ in range(3)]
        products = [product(state, keys) for _ in range(3)]
    assert len({each.grad_fn.next_functions[0][0].next_functions[1][0] for each in linears}) == 1
    assert len({each.grad_fn.next_functions[1][0] for each in products}) == 1


def test_outside_of_a_loop_and_without_gradients_nothing_is_put_off() -> None:
    layer, rows, keys = Linear(3, 5), torch.randn(4, 1, 3), torch.randn(4, 3, 6, requires_grad=True)
    assert "_Linear" not in layer(rows).grad_fn.name()
    assert "_Product" not in product(rows, keys).grad_fn.name()
    with deferred_gradients(), torch.no_grad():
        assert layer(rows).grad_fn is None
    assert not is_deferring()
    with torch.autocast("cpu", torch.bfloat16), deferred_gradients():
        assert layer(rows).dtype == torch.bfloat16


def test_gates_by_differences() -> None:
    torch.manual_seed(2)
    sums = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
    cell = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_Gates.apply, (sums, cell))


def test_steps_are_torchs_cell() -> None:
    torch.manual_seed(3)
    layer = LSTM(5, 4)
    inputs, hidden, cell = torch.randn(1, 3, 5), torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    expected = torch.lstm_cell(inputs[0], (hidden[0], cell[0]), *layer.parameters())
    with deferred_gradients():
        found = [layer._deferred_step(inputs, hidden, cell), layer._step(inputs, hidden, cell)]
        with torch.no_grad(), using({torch.get_num_threads(): Thresholds(1, 1)}), counted_packing() as packed:
            found.append(layer._step(inputs, hidden, cell))
    assert [tuple(weight.shape) for weight in packed] == [(16, 9)]
    for step in found:
        for one, other in zip(step, expected, strict=True):
            torch.testing.assert_close(one[0], other)


# Large enough for packing to pay.
ROWS, SIZE = 48, 256


def test_packed_weights_give_the_same_outputs_and_gradients() -> None:
    torch.manual_seed(4)
    layer, states = Linear(SIZE, SIZE), [torch.randn(ROWS, 1, SIZE, requires_grad=True) for _ in range(3)]
    wanted = [*layer.parameters(), *states]

    def total() -> Tensor:
        return sum(layer(state).sin().sum() for state in states)

    plain = torch.autograd.grad(total(), wanted)
    with deferred_gradients(), counted_packing() as packed:
        looped = total()
    assert packed == [layer.weight]
    for one, other in zip(torch.autograd.grad(looped, wanted), plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@contextlib.contextmanager
def counted_packing() -> Iterator[list[Tensor]]:
    """The weights that are packed meanwhile."""
    packed: list[Tensor] = []
    plain_init = Packed.__init__

    def counted(self: Packed, weight: Tensor, *others: object) -> None:
        packed.append(weight)
        plain_init(self, weight, *others)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Packed, "__init__", counted)
        yield packed


def test_weights_are_packed_once_in_a_loop_or_where_they_stay_the_same() -> None:
    layer, inputs = Linear(SIZE, SIZE), torch.randn(ROWS, SIZE)
    some = layer.weight.detach()[: SIZE - 1]

    def two_loops() -> None:
        for _ in range(2):
            with deferred_gradients():
                for _ in range(3):
                    layer(inputs)
                    linear(inputs, some, None)

    with torch.inference_mode():
        with counted_packing() as packed:
            two_loops()
        assert [len(weight) for weight in packed] == [SIZE, SIZE - 1] * 2
        kept = PackedWeights()
        with counted_packing() as packed, cached_packing(kept):
            two_loops()
        # What is not the model's own is not kept: it may be gone, and another in its place.
        assert [len(weight) for weight in packed] == [SIZE, SIZE - 1, SIZE - 1]
        assert len(kept) == 1


def test_a_packed_product_is_that_of_its_bias_and_its_type() -> None:
    layer, inputs = Linear(SIZE, SIZE), torch.randn(ROWS, SIZE)
    with torch.inference_mode(), deferred_gradients():
        with_bias, without = layer(inputs), linear(inputs, layer.weight, None)
        torch.testing.assert_close(with_bias - without, layer.bias.expand(ROWS, SIZE), rtol=1e-4, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(inputs).dtype == torch.bfloat16
        assert layer(inputs).dtype == torch.float32


def test_inputs_get_their_gradient_from_a_weight_that_has_none() -> None:
    torch.manual_seed(5)
    weight, inputs = torch.randn(SIZE, SIZE), torch.randn(ROWS, SIZE, requires_grad=True)
    with deferred_gradients():
        [gradient] = torch.autograd.grad(linear(inputs, weight, None).sum(), inputs)
    torch.testing.assert_close(gradient, weight.sum(dim=0).expand(ROWS, SIZE), rtol=1e-4, atol=1e-4)
