"""Score functions against numbers worked out in plain Python from the formulas of the papers."""

import math

import pytest
import torch

from nmt.config import ModelSettings
from nmt.model.attention import ATTENTIONS, Attention, Memory, masked_softmax

QUERY = [0.5, -1.0]
ENCODED = [[1.0, 2.0], [0.0, -1.0], [3.0, 0.5], [9.0, 9.0]]  # the last one is padding
MASK = torch.tensor([[True, True, True, False]])


def attention(name: str, hidden: int = 2, heads: int = 1) -> Attention:
    return ATTENTIONS[name](ModelSettings(attention=name, hidden=hidden, attention_heads=heads))


def put(parameter: torch.Tensor, values: list) -> None:
    with torch.no_grad():
        assert parameter.shape == torch.tensor(values).shape
        parameter.copy_(torch.tensor(values))


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def times(matrix: list[list[float]], vector: list[float]) -> list[float]:
    return [dot(row, vector) for row in matrix]


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def mixed(weights: list[float], values: list[list[float]]) -> list[float]:
    return [dot(weights, list(column)) for column in zip(*values, strict=True)]


def check(module: Attention, weights: list[float], context: list[float], query: list[float] = QUERY) -> None:
    memory = module.memory(torch.tensor([ENCODED]), MASK)
    found_context, found = module(torch.tensor([[query]]), memory)
    assert found[0, 0].tolist() == pytest.approx([*weights, 0.0], abs=1e-6)
    assert found_context[0, 0].tolist() == pytest.approx(context, abs=1e-5)


def test_dot() -> None:
    # q . k = 0.5 * 1 - 1 * 2 = -1.5;  0 + 1 = 1;  1.5 - 0.5 = 1
    # exp: 0.22313, 2.71828, 2.71828; sum 5.65969
    weights = [0.0394245, 0.4802877, 0.4802877]
    check(attention("dot"), weights, [0.0394245 + 3 * 0.4802877, 2 * 0.0394245 - 0.4802877 + 0.5 * 0.4802877])


def test_scaled_dot() -> None:
    weights = softmax([-1.5 / math.sqrt(2), 1 / math.sqrt(2), 1 / math.sqrt(2)])
    check(attention("scaled_dot"), weights, mixed(weights, ENCODED[:3]))


def test_general() -> None:
    """q W k, the query on the left."""
    matrix = [[0.5, -1.0], [2.0, 0.25]]
    module = attention("general")
    put(module.key.weight, matrix)
    weights = softmax([dot(QUERY, times(matrix, key)) for key in ENCODED[:3]])
    assert weights[1] > 0.7  # q W k = -3.25, 0.75, -5.625 in the order of the keys: the second one wins
    check(module, weights, mixed(weights, ENCODED[:3]))


def test_additive() -> None:
    """v . tanh(W q + b + U k)."""
    w, b, u, v = [[1.0, 0.5], [-0.5, 0.25]], [0.1, -0.2], [[0.3, -0.6], [0.2, 0.4]], [1.5, -0.7]
    module = attention("additive")
    put(module.query.weight, w)
    put(module.query.bias, b)
    put(module.key.weight, u)
    put(module.energy.weight, [v])
    scores = [
        dot(v, [math.tanh(x + y + z) for x, y, z in zip(times(w, QUERY), b, times(u, key), strict=True)])
        for key in ENCODED[:3]
    ]
    # by hand, first key: W q = [0, -0.5]; U k = [-0.9, 1]; tanh(-0.8) = -0.664037, tanh(0.3) = 0.291313
    assert scores[0] == pytest.approx(1.5 * -0.664037 - 0.7 * 0.291313, abs=1e-5)
    weights = softmax(scores)
    check(module, weights, mixed(weights, ENCODED[:3]))


def test_multihead() -> None:
    """Two heads of size 1: each scores with one row of W_q and W_k, divided by sqrt(1)."""
    q, k, v = [[1.0, 0.5], [-1.0, 0.3]], [[0.2, 0.4], [0.6, -0.5]], [[1.0, -1.0], [0.5, 2.0]]
    o = [[1.0, 2.0], [-0.5, 0.25]]
    module = attention("multihead", heads=2)
    for part, values in (("query", q), ("key", k), ("value", v), ("output", o)):
        put(getattr(module, part).weight, values)
    heads, contexts = [], []
    for head in range(2):
        projected = dot(q[head], QUERY)
        weights = softmax([projected * dot(k[head], key) for key in ENCODED[:3]])
        heads.append(weights)
        contexts.append(sum(weight * dot(v[head], key) for weight, key in zip(weights, ENCODED[:3], strict=True)))
    assert heads[0] != pytest.approx(heads[1], abs=0.1)
    mean = [(a + b) / 2 for a, b in zip(*heads, strict=True)]
    check(module, mean, times(o, contexts))


def test_multihead_divides_by_the_root_of_the_size_of_a_head() -> None:
    """One head of size 4 and identity matrices: the scaled dot product with sqrt(4)."""
    module = attention("multihead", hidden=4, heads=1)
    for part in ("query", "key", "value", "output"):
        put(getattr(module, part).weight, torch.eye(4).tolist())
    encoded = torch.tensor([[[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 1.0, 0.0]]])
    memory = module.memory(encoded, torch.ones(1, 2, dtype=torch.bool))
    context, weights = module(torch.tensor([[[1.0, 1.0, 0.0, 1.5]]]), memory)
    first = 1 / (1 + math.exp((1.0 - 4.0) / 2))  # q . k = 4 and 1
    assert weights[0, 0].tolist() == pytest.approx([first, 1 - first], abs=1e-6)
    assert context[0, 0].tolist() == pytest.approx([first, 1 - first, 1 - first, 2 * first], abs=1e-6)


def test_none() -> None:
    module = attention("none")
    assert module.context_size == 0
    context, weights = module(torch.tensor([[QUERY]]), module.memory(torch.tensor([ENCODED]), MASK))
    assert context.shape == (1, 1, 0)
    assert weights.tolist() == [[[0.0, 0.0, 0.0, 0.0]]]


def test_softmax_leaves_padding_out_even_when_scores_are_huge() -> None:
    scores = torch.tensor([[[1e4, 1e4 - math.log(3), 3e4]], [[-1e4, 5.0, -1e30]]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    expected = torch.tensor([[[0.75, 0.25, 0.0]], [[1.0, 0.0, 0.0]]])
    torch.testing.assert_close(masked_softmax(scores, mask), expected, atol=1e-4, rtol=0)


def test_softmax_is_computed_in_float32() -> None:
    scores = torch.linspace(-3, 3, 7).view(1, 1, 7)
    found = masked_softmax(scores.to(torch.bfloat16), torch.ones(1, 7, dtype=torch.bool))
    assert found.dtype == torch.bfloat16
    exact = scores.to(torch.bfloat16).float().softmax(dim=-1).to(torch.bfloat16)
    assert torch.equal(found, exact)


def test_rows_of_one_sentence_share_its_memory() -> None:
    """Rows 0 and 1 belong to the first sentence, 2 and 3 to the second; each has two positions."""
    module = attention("dot")
    encoded = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 2.0], [-1.0, 4.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    query = torch.arange(16.0).view(4, 2, 2) / 10
    context, weights = module(query, module.memory(encoded, mask))
    assert context.shape == (4, 2, 2) and weights.shape == (4, 2, 2)
    for row in (0, 1):
        for position in (0, 1):
            x, y = query[row, position].tolist()
            expected = softmax([x, y])
            assert weights[row, position].tolist() == pytest.approx(expected, abs=1e-6)
            assert context[row, position].tolist() == pytest.approx(expected, abs=1e-6)
    assert weights[2:].tolist() == [[[1.0, 0.0], [1.0, 0.0]]] * 2
    assert context[2:].tolist() == [[[2.0, 2.0], [2.0, 2.0]]] * 2


def test_memory_selects_sentences() -> None:
    memory = Memory(torch.arange(6.0).view(3, 2, 1), torch.arange(12.0).view(3, 2, 2), torch.eye(3, 2).bool())
    chosen = memory.select(torch.tensor([2, 0]))
    assert chosen.keys.flatten().tolist() == [4.0, 5.0, 0.0, 1.0]
    assert chosen.values.flatten().tolist() == [8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0]
    assert chosen.mask.tolist() == [[False, False], [True, False]]
