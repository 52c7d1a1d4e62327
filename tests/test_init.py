"""First values of the weights."""

import pytest
import torch

from nmt.config import ModelSettings
from nmt.data.subword import PAD_ID
from nmt.model import Seq2Seq


def model(**changes) -> Seq2Seq:
    torch.manual_seed(4)
    return Seq2Seq(ModelSettings(**{"embedding": 64, "hidden": 32, "attention": "additive", **changes}), 500, 500)


@pytest.mark.parametrize("tying", ["none", "target", "all"])
def test_embeddings_have_variance_one_over_their_size_and_zero_padding(tying: str) -> None:
    built = model(tying=tying)
    for embedding in (built.encoder.embedding, built.target_embedding):
        weight = embedding.table.weight
        assert weight[PAD_ID + 1 :].std().item() == pytest.approx(64**-0.5, rel=0.03)
        assert not weight[PAD_ID].any()
        vectors = embedding.eval()(torch.arange(4, 500).unsqueeze(0))
        assert vectors.std().item() == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_recurrences_are_orthogonal_gate_by_gate(cell: str) -> None:
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    layer = model(cell=cell).decoder.bottom.layers[0]
    assert layer.weight_hh_l0.shape == (gates * 32, 32)
    for gate in layer.weight_hh_l0.split(32):
        torch.testing.assert_close(gate @ gate.T, torch.eye(32), atol=1e-5, rtol=0)
    limit = (6 / (64 + 32)) ** 0.5  # Glorot & Bengio 2010, of one gate
    assert 0.95 * limit < layer.weight_ih_l0.abs().max() <= limit


def test_an_lstm_starts_by_remembering() -> None:
    layer = model(cell="lstm").decoder.bottom.layers[0]
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    assert bias.tolist() == [0.0] * 32 + [1.0] * 32 + [0.0] * 64  # gates: input, forget, cell, output


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("gates", "changes"),
    [(4, {"cell": "ln_lstm"}), (3, {"cell": "gru", "encoder_transitions": 3, "decoder_transitions": 3})],
)
def test_stepped_layers_start_as_the_librarys(part: str, gates: int, changes: dict) -> None:
    """Gate by gate in each direction and in each transition, of which each has its own weights."""
    built = model(**changes)
    layer = built.encoder.layers[0] if part == "encoder" else built.decoder.bottom.layers[0]
    size = layer.hidden_size
    assert size == {"encoder": 16, "decoder": 32}[part]
    named = dict(layer.named_parameters())
    recurrences = [weight for name, weight in named.items() if name.endswith("weight_hh")]
    assert len(recurrences) == {"encoder": 2, "decoder": 1}[part] * changes.get("encoder_transitions", 1)
    squares = [gate for weight in recurrences for gate in weight.split(size)]
    assert len(squares) == gates * len(recurrences)
    for gate in squares:
        torch.testing.assert_close(gate @ gate.T, torch.eye(size), atol=1e-5, rtol=0)
    assert not any(torch.equal(squares[0], other) for other in squares[1:])
    limit = (6 / (64 + size)) ** 0.5
    for name, weight in named.items():
        if name.endswith("weight_ih"):
            assert 0.9 * limit < weight.abs().max() <= limit
        elif name.endswith("gain"):
            assert (weight == 1).all()
        elif "bias" in name and changes["cell"] == "gru":
            assert not weight.any()
        elif "bias" in name:
            assert weight.tolist() == [0.0] * size + [1.0] * size + [0.0] * 2 * size


def test_linear_layers_start_without_bias() -> None:
    layers = [module for module in model().modules() if isinstance(module, torch.nn.Linear)]
    assert len(layers) > 4
    assert not any(layer.bias.any() for layer in layers if layer.bias is not None)


def test_equal_seeds_give_equal_weights() -> None:
    first, second = (dict(model().named_parameters()) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("attention", ["general", "local", "hard", "scaled_dot"])
def test_scores_of_normalised_states_begin_about_one(attention: str) -> None:
    """Far larger ones make a hard softmax, through which nothing is learnt."""
    built = model(attention=attention, hidden=128).decoder.attention
    memory = built.memory(torch.randn(40, 20, 128), torch.ones(40, 20, dtype=torch.bool))
    assert 0.5 < built.score(torch.randn(40, 10, 128), memory.keys).std().item() < 1.5
