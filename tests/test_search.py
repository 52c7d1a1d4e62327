"""Greedy and beam search against brute force, on a model that is a table and on real ones."""

import functools
import itertools
import math

import pytest
import torch
from torch import Tensor

from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import pad_sources
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from nmt.inference.constraints import Constraints, longest_allowed
from nmt.inference.prefix import Prefix, Prefixed, Prefixes, Spelling
from nmt.inference.request import Sampling
from nmt.inference.sampling import sample
from nmt.inference.search import (
    Hypothesis,
    Searchable,
    beam_search,
    coverage_penalty,
    greedy_search,
    length_penalty,
    search,
    size_for,
)
from nmt.inference.trace import Trace
from nmt.kernels.topk import topk
from nmt.model import Memory, Seq2Seq, State, make_model

VOCAB = 7  # padding, unknown, begin, end and three words
WORDS = (4, 5, 6)
SOURCE = torch.tensor([[4, 5, EOS_ID], [6, EOS_ID, PAD_ID], [EOS_ID, PAD_ID, PAD_ID], [6, 4, EOS_ID]])
PREFIXES = 997


class Table:
    """A model that is a table: for a source sentence and a prefix, random log-probabilities and attention.

    The prefix is carried in the state as a number. `rows` notes how many rows each step had.
    """

    def __init__(self, seed: int, sharpness: float = 2.0) -> None:
        random = torch.Generator().manual_seed(seed)
        self.logits = sharpness * torch.randn(PREFIXES, VOCAB, generator=random)
        self.attention_logits = torch.randn(PREFIXES, 8, generator=random)
        self.rows: list[int] = []

    def encode(self, source: Tensor) -> tuple[Memory, State]:
        keys = (source * torch.arange(1, source.size(1) + 1)).sum(dim=1).double()
        mask = source != PAD_ID
        return Memory(keys.view(-1, 1, 1).expand(-1, source.size(1), 1), source.unsqueeze(-1).double(), mask), (
            keys.view(1, -1, 1) * 31,
        )

    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        self.rows.append(len(tokens))
        prefix = (state[0][0, :, 0].long() * 7 + tokens) % PREFIXES
        mask = memory.mask.repeat_interleave(len(tokens) // len(memory.mask), dim=0)
        attention = self.attention_logits[prefix, : mask.size(1)].masked_fill(~mask, -math.inf).softmax(dim=-1)
        return self.logits[prefix].log_softmax(dim=-1), (prefix.double().view(1, -1, 1),), attention


class Fixed:
    """A model whose words depend on the word before alone: {word before: {word: share}}."""

    def __init__(self, shares: dict[int, dict[int, float]]) -> None:
        self.log_probs = torch.full((VOCAB, VOCAB), 1e-9)
        for last, row in shares.items():
            for word, share in row.items():
                self.log_probs[last, word] = share
        self.log_probs = self.log_probs.log()

    def encode(self, source: Tensor) -> tuple[Memory, State]:
        return Memory(source.unsqueeze(-1).float(), source.unsqueeze(-1).float(), source != PAD_ID), (
            torch.zeros(1, len(source), 1),
        )

    def step(self, tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        return self.log_probs[tokens], state, torch.zeros(len(tokens), memory.mask.size(1))


def everywhere(shares: dict[int, float]) -> Fixed:
    return Fixed(dict.fromkeys(range(VOCAB), shares))


@functools.cache
def real(seed: int, **changes: str) -> Seq2Seq:
    torch.manual_seed(seed)
    sizes = {"embedding": 6, "hidden": 8, "attention_heads": 2, "feed_forward": 10}
    model = make_model(ModelSettings(**sizes, **{"attention": "additive", **changes}), VOCAB, VOCAB)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    return model.eval()


def decoding(**changes) -> DecodingSettings:
    return DecodingSettings(**{"beam_size": 4, "max_length": 12, "allow_empty": True, **changes})


MODELS = {
    "table": Table,
    "luong": lambda seed: real(seed, decoder="luong"),
    "bahdanau": lambda seed: real(seed, decoder="bahdanau"),
    "conditional": lambda seed: real(seed, decoder="conditional", attention="multihead"),
    "transformer": lambda seed: real(seed, architecture="transformer", attention="multihead"),
}
every_model = pytest.mark.parametrize("kind", MODELS)


# Brute force ---------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def all_hypotheses(model: Searchable, source: Tensor, longest: int, alpha: float, beta: float) -> list[Hypothesis]:
    """Every sequence of words up to a length, followed by the end; the best first. One sequence at a time."""
    memory, start = model.encode(source)
    real_tokens = [place for place, token in enumerate(source[0].tolist()) if token != PAD_ID]
    found = []

    def extend(prefix: list[int], state: State, log_prob: float, coverage: list[float]) -> None:
        log_probs, after, attention = model.step(torch.tensor([prefix[-1]]), state, memory)
        coverage = [before + float(more) for before, more in zip(coverage, attention[0], strict=True)]
        total = log_prob + float(log_probs[0, EOS_ID])
        score = total / ((5 + len(prefix)) / 6) ** alpha  # the prefix has begin where the length counts the end
        if beta:
            score += beta * sum(math.log(min(max(coverage[place], 1e-6), 1.0)) for place in real_tokens)
        found.append(Hypothesis(prefix[1:], score, total))
        if len(prefix) <= longest:
            for word in WORDS:
                extend([*prefix, word], after, log_prob + float(log_probs[0, word]), coverage)

    extend([BOS_ID], start, 0.0, [0.0] * source.size(1))
    return sorted(found, key=lambda hypothesis: -hypothesis.score)


@every_model
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.6, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_a_wide_beam_equals_brute_force(kind: str, alpha: float, beta: float) -> None:
    model, longest = MODELS[kind](1), 3
    settings = decoding(beam_size=130, max_length=longest, length_penalty=alpha, coverage_penalty=beta)
    found = search(model, SOURCE, settings, n_best=40)
    for sentence in range(2):
        source = SOURCE[sentence : sentence + 1]
        expected = all_hypotheses(model, source[:, : int((source != PAD_ID).sum())], longest, alpha, beta)
        assert len(expected) == 1 + 3 + 9 + 27 == len({tuple(each.tokens) for each in expected})
        assert [each.tokens for each in found[sentence]] == [each.tokens for each in expected]
        assert [each.score for each in found[sentence]] == pytest.approx([each.score for each in expected], abs=1e-4)
        assert [each.log_prob for each in found[sentence]] == pytest.approx(
            [each.log_prob for each in expected], abs=1e-4
        )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_best", [1, 3])
def test_a_wide_beam_finds_the_best_although_it_stops_early(seed: int, n_best: int) -> None:
    for alpha in (0.0, 0.6, 1.0):
        model = Table(seed)
        found = search(model, SOURCE[:1], decoding(beam_size=130, max_length=4, length_penalty=alpha), n_best)
        expected = all_hypotheses(model, SOURCE[:1], 4, alpha, 0.0)[:n_best]
        assert [each.tokens for each in found[0]] == [each.tokens for each in expected]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_wide_beam_equals_brute_force_without_repetitions(n: int) -> None:
    model = Table(3)
    settings = decoding(beam_size=400, max_length=4, length_penalty=0.6, no_repeat_ngram=n)
    found = search(model, SOURCE[:1], settings, n_best=400)[0]
    expected = [
        each
        for each in all_hypotheses(model, SOURCE[:1], 4, 0.6, 0.0)
        if len(ngrams(each, n)) == len(set(ngrams(each, n)))
    ]
    assert len(expected) < 121
    assert [each.tokens for each in found] == [each.tokens for each in expected]


def ngrams(hypothesis: Hypothesis, n: int) -> list[tuple[int, ...]]:
    return list(zip(*(hypothesis.tokens[start:] for start in range(n)), strict=False))


# Properties ----------------------------------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"length_penalty": 0.0},
        {"coverage_penalty": 0.5},
        {"no_repeat_ngram": 2},
        {"min_length": 3, "max_length": 5},
    ],
    ids=str,
)
def test_a_beam_of_one_equals_greedy_search(kind: str, changes: dict) -> None:
    settings = decoding(beam_size=1, **changes)
    for seed in range(3):
        model = MODELS[kind](seed)
        with torch.inference_mode():
            beam, greedy = beam_search(model, SOURCE, settings), greedy_search(model, SOURCE, settings)
        assert [[each.tokens] for each in greedy] == [[each.tokens for each in found] for found in beam]
        for one, [other] in zip(greedy, beam, strict=True):
            assert one[1:] == pytest.approx(other[1:], abs=1e-5)
        assert search(model, SOURCE, settings) == [[each] for each in greedy]


def test_greedy_search_takes_the_likeliest_word() -> None:
    model = Fixed({BOS_ID: {4: 0.6, 5: 0.4}, 4: {4: 0.2, 6: 0.5, EOS_ID: 0.3}, 6: {EOS_ID: 0.9, 5: 0.1}})
    [[found]] = search(model, SOURCE[:1], decoding(beam_size=1, length_penalty=1.0))
    assert found.tokens == [4, 6]
    assert found.log_prob == pytest.approx(math.log(0.6 * 0.5 * 0.9), abs=1e-5)
    assert found.score == pytest.approx(math.log(0.27) / (8 / 6), abs=1e-5)


@every_model
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_batch_equals_each_sentence_alone(kind: str, beam_size: int) -> None:
    model, settings = MODELS[kind](5), decoding(beam_size=beam_size)
    source = torch.tensor([[4, 5, 6, 6, EOS_ID], [5, EOS_ID, 0, 0, 0], [EOS_ID, 0, 0, 0, 0], [6, 5, 4, EOS_ID, 0]])
    together = search(model, source, settings, n_best=beam_size)
    for row, found in zip(source, together, strict=True):
        [alone] = search(model, row[row != PAD_ID].unsqueeze(0), settings, n_best=beam_size)
        assert [each.tokens for each in found] == [each.tokens for each in alone]
        assert [each.score for each in found] == pytest.approx([each.score for each in alone], abs=1e-5)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_finished_sentences_leave_the_batch(beam_size: int) -> None:
    model = Table(2)
    found = search(model, SOURCE, decoding(beam_size=beam_size))
    assert model.rows[0] == 4 * beam_size
    assert model.rows == sorted(model.rows, reverse=True)
    assert all(rows % beam_size == 0 for rows in model.rows)
    assert model.rows[-1] < model.rows[0]
    if beam_size == 1:  # a sentence is there for each of its words and for its end
        assert sum(model.rows) == sum(len(hypotheses[0].tokens) + 1 for hypotheses in found)


@pytest.mark.parametrize(
    "changes", [{"beam_size": 1}, {"beam_size": 3}, {"beam_size": 1, "no_repeat_ngram": 1}], ids=str
)
def test_a_batch_shrinks_to_few_sizes_and_finds_the_same(changes: dict[str, int]) -> None:
    model, settings = Table(2), decoding(max_ratio=3.0, **changes)
    lengths = torch.arange(21) % 7 + 1  # so that some end long before others
    source = pad_sources([[4 + (row + place) % 3 for place in range(length)] for row, length in enumerate(lengths)])
    found = search(model, source, settings)
    assert set(model.rows) <= {settings.beam_size * size for size in (21, *map(size_for, range(21)))}
    assert len(set(model.rows)) > 2
    for row, hypotheses in zip(source, found, strict=True):
        [alone] = search(model, row[row != PAD_ID].unsqueeze(0), settings)
        assert [each.tokens for each in hypotheses] == [each.tokens for each in alone]


def test_samples_do_not_depend_on_who_has_finished() -> None:
    settings = decoding(max_ratio=3.0, no_repeat_ngram=1)  # nothing may follow an end that is there already
    source = pad_sources([[4, 5, 4][: row % 3 + 1] for row in range(12)])
    sampling, places = Sampling(seed=1), [(row, 0) for row in range(12)]
    found = sample(Table(2), source, settings, sampling, 2, places)
    for row, drawn in enumerate(found):
        [alone] = sample(Table(2), source[row : row + 1, : row % 3 + 2], settings, sampling, 2, [places[row]])
        assert [each.tokens for each in drawn] == [each.tokens for each in alone]


def test_few_sizes() -> None:
    sizes = {live: size_for(live) for live in range(1, 257)}
    assert all(live <= size <= 1.25 * live and size_for(size) == size for live, size in sizes.items())
    assert sorted(set(sizes.values()))[:14] == [*range(1, 9), 10, 12, 14, 16, 20, 24]
    assert len(set(sizes.values())) == 28


@every_model
def test_n_best_are_distinct_and_sorted(kind: str) -> None:
    for found in search(MODELS[kind](4), SOURCE, decoding(beam_size=5), n_best=5):
        assert 1 < len(found) <= 5
        assert len({tuple(each.tokens) for each in found}) == len(found)
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        for each in found:
            penalty = (5 + len(each.tokens) + 1) / 6
            assert each.score == pytest.approx(each.log_prob / penalty, abs=1e-5)


def test_n_best_is_at_most_the_beam() -> None:
    assert all(len(found) <= 3 for found in search(Table(0), SOURCE, decoding(beam_size=3), n_best=10))


@pytest.mark.parametrize("beam_size", [1, 4])
def test_padding_unknown_and_begin_are_never_produced(beam_size: int) -> None:
    likely = {PAD_ID: 0.4, UNK_ID: 0.3, BOS_ID: 0.2, 4: 0.04, 5: 0.03, EOS_ID: 0.02, 6: 0.01}
    model = everywhere(likely)
    for found in search(model, SOURCE, decoding(beam_size=beam_size), n_best=beam_size):
        for each in found:
            assert set(each.tokens) <= set(WORDS)
            assert each.log_prob > -math.inf


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("min_length", [1, 4])
def test_min_length(beam_size: int, min_length: int) -> None:
    model = everywhere({EOS_ID: 0.97, 4: 0.02, 5: 0.01})
    for found in search(model, SOURCE, decoding(beam_size=beam_size, min_length=min_length), n_best=beam_size):
        assert len(found[0].tokens) == min_length
        assert all(len(each.tokens) >= min_length for each in found)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_longest_translation(beam_size: int) -> None:
    """ceil(ratio x source pieces) + 10, the end not counted, but never more than max_length."""
    model = everywhere({4: 0.6, 5: 0.4})
    source = torch.tensor([[4, 4, 4, EOS_ID], [4, EOS_ID, 0, 0], [EOS_ID, 0, 0, 0]])
    settings = decoding(beam_size=beam_size, max_ratio=1.5, max_length=14)
    assert longest_allowed(source, settings).tolist() == [14, 12, 10]
    assert longest_allowed(source, settings.model_copy(update={"max_length": 200})).tolist() == [15, 12, 10]
    found = search(model, source, settings, n_best=beam_size)
    assert [[len(each.tokens) for each in hypotheses] for hypotheses in found] == [
        [longest] * beam_size for longest in (14, 12, 10)
    ]
    assert [hypotheses[0].tokens for hypotheses in found] == [[4] * 14, [4] * 12, [4] * 10]


def test_the_longest_wins_over_the_shortest() -> None:
    model = everywhere({EOS_ID: 0.9, 4: 0.1})
    for beam_size in (1, 3):
        found = search(model, SOURCE, decoding(beam_size=beam_size, min_length=9, max_length=5))
        assert [hypotheses[0].tokens for hypotheses in found] == [[4] * 5] * 4


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_ngram_comes_twice(n: int, beam_size: int) -> None:
    model = everywhere({4: 0.7, 5: 0.25, 6: 0.049, EOS_ID: 0.001})
    settings = decoding(beam_size=beam_size, no_repeat_ngram=n, length_penalty=1.0)
    for found in search(model, SOURCE, settings, n_best=beam_size):
        for each in found:
            assert len(ngrams(each, n)) == len(set(ngrams(each, n)))
        if beam_size == 1:  # worked out by hand: the likeliest word that makes no n-gram for the second time
            start = {1: [4, 5, 6], 2: [4, 4, 5, 4, 6, 4], 3: [4, 4, 4, 5, 4, 4, 6, 4, 4]}[n]
            assert found[0].tokens[: len(start)] == start


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_translation_ends_early_when_every_word_would_repeat(beam_size: int) -> None:
    model = everywhere({4: 0.5, 5: 0.25, 6: 0.2, EOS_ID: 0.05})
    settings = decoding(beam_size=beam_size, no_repeat_ngram=1, min_length=5)
    for found in search(model, SOURCE, settings):
        assert sorted(found[0].tokens) == [4, 5, 6]
        assert found[0].log_prob == pytest.approx(math.log(0.5 * 0.25 * 0.2 * 0.05), abs=1e-5)


def test_an_ending_counts_only_within_the_beam() -> None:
    """At first the end is third, so a beam of two goes on, though the empty translation is the best of all."""
    going_on = {4: 0.25, 5: 0.25, 6: 0.4, EOS_ID: 0.1}
    model = Fixed({BOS_ID: {4: 0.45, 5: 0.35, EOS_ID: 0.2}, 4: going_on, 5: going_on, 6: {EOS_ID: 1.0}})
    [found] = search(model, SOURCE[:1], decoding(beam_size=2, length_penalty=0.0), n_best=2)
    assert found[0].tokens == [4, 6]
    assert all(each.tokens for each in found)
    assert found[0].log_prob == pytest.approx(math.log(0.45 * 0.4), abs=1e-5)
    [found] = search(model, SOURCE[:1], decoding(beam_size=3, length_penalty=0.0), n_best=1)
    assert found[0].tokens == []
    assert found[0].log_prob == pytest.approx(math.log(0.2), abs=1e-5)


@pytest.mark.parametrize("beam_size", [2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_poor_endings_do_not_stop_a_good_hypothesis(beam_size: int, alpha: float) -> None:
    """The end ranks second at each position, so that many translations end before the good one does."""
    model = everywhere({})
    words = [4, 5, 6, 4, 5, 6, 4, 5, 6, 4]
    step = model.step

    def by_position(tokens: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor]:
        _, _, attention = step(tokens, state, memory)
        position = int(state[0][0, 0, 0])
        shares = torch.full((VOCAB,), 1e-6)
        shares[EOS_ID] = 0.01 if position < len(words) else 0.98
        if position < len(words):
            shares[words[position]] = 0.98
        return shares.log().repeat(len(tokens), 1), tuple(part + 1 for part in state), attention

    model.step = by_position  # type: ignore[method-assign]
    for found in search(model, SOURCE, decoding(beam_size=beam_size, length_penalty=alpha)):
        assert found[0].tokens == words
        assert found[0].log_prob == pytest.approx(11 * math.log(0.98), abs=1e-4)


def test_length_penalty_decides_between_short_and_long() -> None:
    """log 0.4 = -0.916 for the short one; log 0.36 = -1.022 for the long one, divided by ((5 + 3) / 6) = -0.766."""
    model = Fixed({BOS_ID: {EOS_ID: 0.4, 4: 0.6}, 4: {5: 1.0}, 5: {EOS_ID: 0.6, 6: 0.4}, 6: {EOS_ID: 1.0}})
    [short] = search(model, SOURCE[:1], decoding(beam_size=4, length_penalty=0.0))
    [long] = search(model, SOURCE[:1], decoding(beam_size=4, length_penalty=1.0))
    assert short[0].tokens == []
    assert short[0].score == pytest.approx(math.log(0.4), abs=1e-5)
    assert long[0].tokens == [4, 5]
    assert long[0].score == pytest.approx(math.log(0.36) * 6 / 8, abs=1e-5)


# Penalties by hand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "alpha", "expected"),
    [(1, 0.6, 1.0), (7, 1.0, 2.0), (7, 0.5, 2**0.5), (19, 0.5, 2.0), (40, 0.0, 1.0), (10, 0.6, 1.7329)],
)
def test_length_penalty(length: int, alpha: float, expected: float) -> None:
    assert float(length_penalty(length, alpha)) == pytest.approx(expected, abs=1e-4)


def test_coverage_penalty() -> None:
    """0.5 (log 0.5 + log 1 + log 0.1): more than 1 counts as 1, and padding does not count."""
    coverage = torch.tensor([[0.5, 1.7, 0.1, 0.2], [1.0, 1.0, 1.0, 1.0]])
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    found = coverage_penalty(coverage, mask, 0.5)
    assert found.tolist() == pytest.approx([0.5 * (-0.6931472 - 2.3025851), 0.0], abs=1e-5)


def test_a_token_without_attention_costs_much_but_not_everything() -> None:
    found = coverage_penalty(torch.tensor([[0.0, 1.0]]), torch.tensor([[True, True]]), 1.0)
    assert found.tolist() == pytest.approx([math.log(1e-6)], abs=1e-3)


def test_search_accepts_whatever_encodes_and_steps() -> None:
    assert all(isinstance(model, Searchable) for model in (Table(0), Fixed({}), real(0)))
    for kind, seed in itertools.product(MODELS, range(2)):
        assert all(len(found) == 1 for found in search(MODELS[kind](seed), SOURCE, decoding()))


@pytest.mark.parametrize("size", [3, 64, 200, 5 * 64, 5 * 64 + 7, 2000])
@pytest.mark.parametrize("count", [1, 2, 10])
def test_the_largest_are_torchs(size: int, count: int) -> None:
    torch.manual_seed(size)
    values = torch.randn(4, size).masked_fill(torch.rand(4, size) < 0.3, -math.inf)
    count = min(count, size)
    found, places = topk(values, count)
    torch.testing.assert_close(found, values.topk(count).values)
    torch.testing.assert_close(values.gather(1, places), found)
    assert all(len(set(row)) == count for row in places.tolist())


# A prefix and the trace -----------------------------------------------------------------------------------------------

SPELLING = Spelling((b"", b"", b"", b"", b"a", b"ab", b"b"))


def spelt(tokens: list[int]) -> bytes:
    return b"".join(SPELLING.surfaces[token] for token in tokens)


@pytest.mark.parametrize(
    "prefix", [Prefix([], b"ab", 1), Prefix([6], b"", 1), Prefix([4], b"a", 2), Prefix([6, 6], b"aba", 4)], ids=str
)
@pytest.mark.parametrize("kind", ["table", "bahdanau", "transformer"])
def test_a_wide_beam_with_a_prefix_finds_what_brute_force_finds(kind: str, prefix: Prefix) -> None:
    """The best of all sequences that begin with the forced tokens and then spell the rest, or more."""
    model, source = MODELS[kind](3), SOURCE[:1]
    settings = decoding(beam_size=600, max_length=5, length_penalty=0.7, no_repeat_ngram=0)
    prefixes = Prefixes.of([prefix], SPELLING)
    [found] = beam_search(Prefixed(model, prefixes), source, settings, 3)
    count = len(prefix.forced)
    every = [
        hypothesis
        for hypothesis in all_hypotheses(model, source, 5, 0.7, 0.0)
        if hypothesis.tokens[:count] == prefix.forced and spelt(hypothesis.tokens[count:]).startswith(prefix.rest)
    ]
    assert [one.tokens for one in found] == [one.tokens for one in every[:3]]
    assert [one.score for one in found] == pytest.approx([one.score for one in every[:3]], abs=1e-4)


def test_prefixes_of_a_batch_do_not_mix() -> None:
    prefixes = [Prefix([5, 4], b"b", 3), None, Prefix([], b"a", 1), Prefix([6], b"", 1)]
    settings = decoding(beam_size=3)
    together = beam_search(Prefixed(Table(1), Prefixes.of(prefixes, SPELLING)), SOURCE, settings)
    for row, prefix in enumerate(prefixes):
        alone = Prefixes.of([prefix], SPELLING)
        real_tokens = int((SOURCE[row] != PAD_ID).sum())
        [found] = beam_search(Prefixed(Table(1), alone), SOURCE[row : row + 1, :real_tokens], settings)
        assert [one.tokens for one in found] == [one.tokens for one in together[row]]
    [plain] = [found for row, found in enumerate(beam_search(Table(1), SOURCE, settings)) if row == 1]
    assert [one.tokens for one in plain] == [one.tokens for one in together[1]]


def test_a_prefix_comes_where_other_rules_would_forbid_it() -> None:
    constraints = Constraints(least=torch.tensor([9]))
    prefixes = Prefixes.of([Prefix([4, 4, 4, 4], b"", 4)], SPELLING)
    [[found]] = beam_search(
        Prefixed(Table(1), prefixes), SOURCE[:1], decoding(no_repeat_ngram=1, max_length=2), 1, constraints
    )
    assert found.tokens[:4] == [4, 4, 4, 4]


def test_the_trace_has_the_whole_search() -> None:
    trace = Trace(candidates=True)
    settings = decoding(beam_size=3)
    found = beam_search(Table(5), SOURCE, settings, 3, trace=trace)
    assert found == beam_search(Table(5), SOURCE, settings, 3)
    for row, hypotheses in enumerate(found):
        nodes = trace.nodes(row)
        assert all(-1 <= node.parent < number for number, node in enumerate(nodes))
        for number, node in enumerate(nodes[1:], 1):
            assert nodes[node.parent].fate == "lived"
            assert node.log_prob <= nodes[node.parent].log_prob, number
        ended = set()
        for node in nodes:
            if node.fate == "ended":
                tokens, place = [], node.parent
                while place > 0:
                    tokens.append(nodes[place].token)
                    place = nodes[place].parent
                ended.add((tuple(reversed(tokens)), round(node.log_prob, 4)))
        assert {(tuple(one.tokens), round(one.log_prob, 4)) for one in hypotheses} <= ended


@torch.inference_mode()
def stepped(model: Searchable, source: Tensor, tokens: list[int]) -> tuple[Tensor, list[float]]:
    """Return attention and log-probabilities of a translation of one sentence, one token after the other."""
    memory, state = model.encode(source)
    attentions, log_probs = [], []
    for last, token in itertools.pairwise([BOS_ID, *tokens, EOS_ID]):
        found, state, attention = model.step(torch.tensor([last]), state, memory)
        attentions.append(attention)
        log_probs.append(float(found[0, token]))
    return torch.cat(attentions), log_probs


@every_model
@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("rules", [{}, {"no_repeat_ngram": 1, "min_length": 2}], ids=str)
def test_the_trace_has_what_the_model_saw_at_each_word(kind: str, beam_size: int, rules: dict) -> None:
    for seed in range(2):
        model, trace = MODELS[kind](seed), Trace()
        source = SOURCE.repeat(3, 1)  # the batch shrinks while finished sentences wait
        found = search(model, source, decoding(beam_size=beam_size, **rules), beam_size, trace=trace)
        for row, hypotheses in enumerate(found):
            real_tokens = int((source[row] != PAD_ID).sum())
            for hypothesis in hypotheses:
                path = trace.path(row, hypothesis.tokens)
                attention, log_probs = stepped(model, source[row : row + 1, :real_tokens], hypothesis.tokens)
                torch.testing.assert_close(torch.from_numpy(path.attention[:, :real_tokens]), attention.float())
                assert not path.attention[:, real_tokens:].any()
                assert path.log_probs == pytest.approx(log_probs, abs=1e-4)


def test_the_trace_has_what_the_model_saw_for_each_sample() -> None:
    model, trace = Table(3), Trace(copies=4)
    found = sample(model, SOURCE, decoding(), Sampling(temperature=2.0, seed=5), 4, trace=trace)
    for row, samples in enumerate(found):
        for drawn in samples:
            path = trace.path(row, drawn.tokens)
            attention, log_probs = stepped(model, SOURCE[row : row + 1], drawn.tokens)
            torch.testing.assert_close(torch.from_numpy(path.attention), attention)
            assert path.log_probs == pytest.approx(log_probs, abs=1e-4)
            assert sum(path.log_probs) == pytest.approx(drawn.log_prob, abs=1e-5)


def test_the_trace_has_no_path_of_what_was_not_searched() -> None:
    trace = Trace()
    [[found], *_] = search(Table(1), SOURCE, decoding(beam_size=1), trace=trace)
    for tokens in ([*found.tokens, 4], found.tokens[:-1], [UNK_ID]):
        with pytest.raises(LookupError, match="line 0: the search had no hypothesis"):
            trace.path(0, tokens)
