"""Score functions against numbers worked out in plain Python from the formulas of the papers."""

import math

import pytest
import torch

from nmt.config import ModelSettings
from nmt.model.attention import ATTENTIONS
from nmt.model.memory import Attention, Memory, masked_softmax

QUERY = [0.5, -1.0]
ENCODED = [[1.0, 2.0], [0.0, -1.0], [3.0, 0.5], [9.0, 9.0]]  # the last one is padding
WORD = torch.tensor([[[0.25, 0.75]]])
MASK = torch.tensor([[True, True, True, False]])


def attention(name: str, hidden: int = 2, heads: int = 1) -> Attention:
    return ATTENTIONS[name](ModelSettings(attention=name, hidden=hidden, attention_heads=heads))


def put(parameter: torch.Tensor, values: list | float) -> None:
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
    found_context, found, _ = module(torch.tensor([[query]]), memory, WORD)
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
    context, weights, _ = module(torch.tensor([[[1.0, 1.0, 0.0, 1.5]]]), memory, WORD)
    first = 1 / (1 + math.exp((1.0 - 4.0) / 2))  # q . k = 4 and 1
    assert weights[0, 0].tolist() == pytest.approx([first, 1 - first], abs=1e-6)
    assert context[0, 0].tolist() == pytest.approx([first, 1 - first, 1 - first, 2 * first], abs=1e-6)


def test_none() -> None:
    module = attention("none")
    assert module.context_size == 0
    context, weights, _ = module(torch.tensor([[QUERY]]), module.memory(torch.tensor([ENCODED]), MASK), WORD)
    assert context.shape == (1, 1, 0)
    assert weights.tolist() == [[[0.0, 0.0, 0.0, 0.0]]]


def test_cosine() -> None:
    """Sharpness times the cosine; the length of a key plays no part."""
    module = attention("cosine")
    put(module.sharpness, 2.0)
    cosines = [dot(QUERY, key) / math.sqrt(dot(QUERY, QUERY) * dot(key, key)) for key in ENCODED[:3]]
    assert cosines == pytest.approx([-0.6, 0.894427, 0.294086], abs=1e-6)  # -1.5 / sqrt(1.25 * 5) and so on
    weights = softmax([2.0 * cosine for cosine in cosines])
    check(module, weights, mixed(weights, ENCODED[:3]))


def test_qkv() -> None:
    """Three matrices and 1 / sqrt(d), d = 2."""
    q, k, v = [[1.0, 0.5], [-1.0, 0.3]], [[0.2, 0.4], [0.6, -0.5]], [[1.0, -1.0], [0.5, 2.0]]
    module = attention("qkv")
    for part, values in (("query", q), ("key", k), ("value", v)):
        put(getattr(module, part).weight, values)
    weights = softmax([dot(times(q, QUERY), times(k, key)) / math.sqrt(2) for key in ENCODED[:3]])
    check(module, weights, mixed(weights, [times(v, key) for key in ENCODED[:3]]))


def test_hard_takes_the_best_position() -> None:
    module = attention("hard").eval()
    put(module.key.weight, [[0.5, -1.0], [2.0, 0.25]])  # scores -3.25, 0.75, -5.625, as in test_general
    check(module, [0.0, 1.0, 0.0], ENCODED[1])


def test_hard_draws_positions_in_training_by_their_probability() -> None:
    module = attention("hard").train()
    put(module.key.weight, [[0.1, -0.2], [0.4, 0.05]])
    memory = module.memory(torch.tensor([ENCODED]), MASK)
    torch.manual_seed(0)
    drawn = module(torch.tensor([[QUERY]]).expand(1, 20_000, 2), memory, WORD.expand(1, 20_000, 2)).weights[0]
    assert sorted(drawn.detach().unique().tolist()) == pytest.approx([0.0, 1.0], abs=1e-6)
    assert drawn.sum(dim=-1).allclose(torch.ones(20_000))
    expected = softmax([-0.65, 0.15, -1.125])  # a fifth of the scores above
    assert drawn.mean(dim=0).tolist() == pytest.approx([*expected, 0.0], abs=0.015)


def test_hard_learns_straight_through() -> None:
    """The gradient of a weight is that of the softmax, though the weights are 0 and 1."""
    module = attention("hard").train()
    memory = module.memory(torch.tensor([ENCODED]), MASK)
    torch.manual_seed(0)
    module(torch.tensor([[QUERY]]), memory, WORD).weights[0, 0, 1].backward()
    assert module.key.weight.grad is not None and module.key.weight.grad.abs().max() > 1e-3


def test_location() -> None:
    """W [state; word] + b gives the scores of the positions; what stands there plays no part."""
    module = ATTENTIONS["location"](ModelSettings(attention="location", hidden=2, embedding=2, attention_length=5))
    rows = [
        [1.0, 0.0, 0.0, 2.0],
        [0.0, -1.0, 1.0, 0.0],
        [0.5, 0.5, 0.5, 0.5],
        [9.0, 9.0, 9.0, 9.0],
        [7.0, 7.0, 7.0, 7.0],
    ]
    put(module.position.weight, rows)
    put(module.position.bias, [0.1, 0.2, 0.3, 0.0, 0.0])
    weights = softmax([0.5 + 1.5 + 0.1, 1.0 + 0.25 + 0.2, 0.25 - 0.5 + 0.125 + 0.375 + 0.3])
    check(module, weights, mixed(weights, ENCODED[:3]))


def test_location_sees_no_further_than_its_length() -> None:
    module = ATTENTIONS["location"](ModelSettings(attention="location", hidden=2, embedding=2, attention_length=2))
    memory = module.memory(torch.tensor([ENCODED]), torch.ones(1, 4, dtype=torch.bool))
    weights = module(torch.tensor([[QUERY]]), memory, WORD).weights[0, 0]
    assert weights[:2].sum().item() == pytest.approx(1.0, abs=1e-6)
    assert weights[2:].tolist() == [0.0, 0.0]


def local(window: int) -> Attention:
    """Centre S sigmoid(v . tanh(W q + b)) with W = 0 and b = 1: sigmoid(v tanh(1)) = 0.4 of the source."""
    module = ATTENTIONS["local"](ModelSettings(attention="local", hidden=2, attention_window=window))
    put(module.key.weight, [[0.3, 0.0], [0.0, 0.2]])
    put(module.query.weight, [[0.0, 0.0], [0.0, 0.0]])
    put(module.query.bias, [1.0, 0.0])
    put(module.centre.weight, [[math.log(0.4 / 0.6) / math.tanh(1.0), 5.0]])
    return module


def test_local() -> None:
    """The paper's softmax times Gaussian, brought to sum 1; p = 0.4 * 3 = 1.2, D = 1, so tokens 1 and 2."""
    alignment = [math.exp(0.3 * 0.5 * x - 0.2 * y) for x, y in ENCODED[:3]]
    product = [0.0, *(alignment[s] * math.exp(-((s - 1.2) ** 2) / (2 * 0.5**2)) for s in (1, 2))]
    weights = [value / sum(product) for value in product]
    check(local(1), weights, mixed(weights, ENCODED[:3]))


def test_local_reads_the_same_through_a_window() -> None:
    """For a long source only the window is read; a target long enough goes the other way."""
    torch.manual_seed(3)
    module = local(3)
    with torch.no_grad():
        module.query.weight.copy_(torch.randn(2, 2))
    encoded, lengths = torch.randn(2, 120, 2), torch.tensor([120, 50])
    memory = module.memory(encoded, torch.arange(120) < lengths.unsqueeze(1))
    queries = torch.randn(2, 40, 2) * 3
    whole = module(queries, memory, queries)
    for position in range(40):
        alone = module(queries[:, position : position + 1], memory, queries[:, :1])
        torch.testing.assert_close(alone.context[:, 0], whole.context[:, position], rtol=0, atol=1e-5)
        torch.testing.assert_close(alone.weights[:, 0], whole.weights[:, position], rtol=0, atol=1e-5)
    assert ((whole.weights > 0).sum(dim=-1) <= 7).all()


def test_coverage() -> None:
    """The second position's scores know what the first one looked at."""
    w, u, v, c = [[1.0, 0.5], [-0.5, 0.25]], [[0.3, -0.6], [0.2, 0.4]], [1.5, -0.7], [[-2.0], [1.0]]
    module = attention("coverage")
    for part, values in (("query", w), ("key", u), ("energy", [v]), ("coverage", c)):
        put(getattr(module, part).weight, values)
    put(module.query.bias, [0.0, 0.0])
    queries = [QUERY, [0.2, 0.9]]
    seen, expected = [0.0, 0.0, 0.0], []
    for query in queries:
        energies = [
            [math.tanh(a + b + x[0] * s) for a, b, x in zip(times(w, query), times(u, key), c, strict=True)]
            for key, s in zip(ENCODED[:3], seen, strict=True)
        ]
        expected.append(softmax([dot(v, energy) for energy in energies]))
        seen = [a + b for a, b in zip(seen, expected[-1], strict=True)]
    memory = module.memory(torch.tensor([ENCODED]), MASK)
    found = module(torch.tensor([queries]), memory, WORD.expand(1, 2, 2), module.initial_state(memory))
    assert found.weights[0, 0].tolist() == pytest.approx([*expected[0], 0.0], abs=1e-6)
    assert found.weights[0, 1].tolist() == pytest.approx([*expected[1], 0.0], abs=1e-6)
    assert found.cache[0][0, 0].tolist() == pytest.approx([*seen, 0.0], abs=1e-6)
    assert found.context[0, 1].tolist() == pytest.approx(mixed(expected[1], ENCODED[:3]), abs=1e-6)


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
    context, weights, _ = module(query, module.memory(encoded, mask), query)
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
