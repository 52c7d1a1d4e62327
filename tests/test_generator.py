"""The generator, and which tensors the embeddings and it share."""

import math

import pytest
import torch
import torch.nn.functional as F

from nmt.config import ModelSettings
from nmt.data.subword import PAD_ID
from nmt.model import Seq2Seq
from nmt.model.embedding import Embedding
from nmt.model.generator import Generator

SOURCE = torch.tensor([[5, 6, 3], [4, 3, 0]])
TARGET = torch.tensor([[2, 7, 8], [2, 9, 0]])


def model(tying: str, decoder: str = "luong") -> Seq2Seq:
    torch.manual_seed(0)
    settings = ModelSettings(tying=tying, decoder=decoder, embedding=6, hidden=8, attention="dot", dropout=0.0)
    return Seq2Seq(settings, 10, 10)


def test_logits_by_hand() -> None:
    generator = Generator(2, 3, None)
    with torch.no_grad():
        generator.output.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        generator.output.bias.copy_(torch.tensor([0.0, 0.5, -1.0]))
    features = torch.tensor([[1.0, 2.0]])
    assert generator(features).tolist() == [[1.0, 2.5, 2.0]]
    total = math.log(math.exp(1.0) + math.exp(2.5) + math.exp(2.0))
    assert generator.log_probs(features)[0].tolist() == pytest.approx([1.0 - total, 2.5 - total, 2.0 - total])


def test_tied_logits_by_hand() -> None:
    """W P f + b, W being the embedding's table: features of size 1 are projected to the embedding's size 2 first."""
    table = Embedding(3, 2, dropout=0.0, variational=False, word_dropout=0.0)
    generator = Generator(1, 3, table)
    with torch.no_grad():
        table.table.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]]))
        generator.projection.weight.copy_(torch.tensor([[2.0], [0.5]]))
        generator.output.bias.copy_(torch.tensor([0.25, 0.0, 0.0]))
    assert generator(torch.tensor([[1.0], [-2.0]])).tolist() == [[0.25, 3.0, 5.5], [0.25, -6.0, -11.0]]


def test_log_probs_are_float32_and_sum_to_one() -> None:
    generator = Generator(4, 50, None).to(torch.bfloat16)
    found = generator.log_probs(torch.randn(3, 4).to(torch.bfloat16))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.exp().sum(dim=-1), torch.ones(3))


@pytest.mark.parametrize("tying", ["none", "target", "all"])
@pytest.mark.parametrize("decoder", ["luong", "bahdanau", "conditional"])
def test_tying_shares_storage(tying: str, decoder: str) -> None:
    built = model(tying, decoder)
    source, target = built.encoder.embedding.table.weight, built.target_embedding.table.weight
    output = built.generator.output.weight
    assert (output.data_ptr() == target.data_ptr()) == (tying != "none")
    assert (source.data_ptr() == target.data_ptr()) == (tying == "all")
    assert (
        len([p for p in built.parameters() if p.shape == (10, 6)])
        == {
            "none": 2 + (built.decoder.features == 6),
            "target": 2,
            "all": 1,
        }[tying]
    )


@pytest.mark.parametrize("tying", ["target", "all"])
def test_tied_tensors_stay_one_after_a_step(tying: str) -> None:
    built = model(tying)
    before = built.target_embedding.table.weight.detach().clone()
    step(built)
    assert not torch.equal(built.target_embedding.table.weight, before)
    assert torch.equal(built.generator.output.weight, built.target_embedding.table.weight)
    assert torch.equal(built.encoder.embedding.table.weight, built.target_embedding.table.weight) == (tying == "all")


def test_padding_row_stays_zero_after_a_step() -> None:
    built = model("none")
    for _ in range(3):
        step(built)
    for table in (built.encoder.embedding.table, built.target_embedding.table):
        assert not table.weight[PAD_ID].any()
        assert table.weight[5].any()


def step(built: Seq2Seq) -> None:
    optimizer = torch.optim.Adam(built.parameters(), lr=0.1)
    logits = built.generator(built(SOURCE, TARGET).features)
    F.cross_entropy(logits.flatten(0, 1), torch.tensor([7, 8, 3, 9, 3, PAD_ID]), ignore_index=PAD_ID).backward()
    optimizer.step()
