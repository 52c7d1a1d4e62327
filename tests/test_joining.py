"""Sentences that join a running beam search get what they get alone."""

import random

import pytest
import torch

from nmt.config import DecodingSettings, ModelSettings
from nmt.data.subword import EOS_ID, PAD_ID
from nmt.inference.beam import BeamSearch
from nmt.inference.characters import Characters
from nmt.inference.constraints import NO_CONSTRAINTS, Constraints
from nmt.inference.ensemble import Ensemble
from nmt.inference.search import beam_search
from nmt.inference.searchable import Hypothesis, Searchable
from nmt.kernels.deferred_gradients import deferred_gradients
from nmt.model import Seq2Seq, make_model
from nmt.model.attention import ATTENTIONS

BYTES = 20  # the first of 256 tokens that are bytes
VOCAB = BYTES + 256


def model_of(seed: int, **changes: object) -> Seq2Seq:
    """Return a model with sharp opinions, whose translations end at all times and have bytes and blanks."""
    torch.manual_seed(seed)
    sizes = {"embedding": 8, "hidden": 8, "attention_heads": 2, "feed_forward": 12}
    model = make_model(ModelSettings(**sizes, **{"decoder": "luong", "attention": "additive", **changes}), VOCAB, VOCAB)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
        model.generator.output.bias[EOS_ID] += 2.5
        model.generator.output.bias[BYTES:] += 1.0
        model.generator.output.bias[5] += 3.0  # a blank
    return model.eval()


def constraints() -> Constraints:
    values = torch.full((VOCAB,), -1)
    values[BYTES:] = torch.arange(256)
    blank = torch.zeros(VOCAB, dtype=torch.bool)
    blank[5] = True
    return Constraints(None, blank, Characters.of(values.numpy()), unknown=True)


def sentences(seed: int, count: int) -> list[list[int]]:
    choose = random.Random(seed)
    return [[*(choose.randrange(6, 20) for _ in range(choose.randint(1, 9))), EOS_ID] for _ in range(count)]


def padded(rows: list[list[int]]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [PAD_ID] * (width - len(row)) for row in rows])


def alone(model: Searchable, settings: DecodingSettings, rows: list[list[int]], n_best: int, own: Constraints):
    return [beam_search(model, padded([row]), settings, n_best, own)[0] for row in rows]


def joined(
    model: Searchable, settings: DecodingSettings, rows: list[list[int]], n_best: int, own: Constraints, seed: int
) -> list[list[Hypothesis]]:
    """Return what a search finds that is never empty before the last sentence has come."""
    choose, waiting = random.Random(seed), list(rows)
    running, found, widest = BeamSearch(model, settings, n_best, own), {}, 0
    while waiting or len(running):
        count = max(choose.choice([0, 0, 0, 1, 2]), int(len(running) < 2))
        if some := waiting[:count]:
            running.add(padded(some))
            del waiting[:count]
        found |= running.advance()
        widest = max(widest, running._beam.tokens.size(2) if running._beam else 0)
    assert widest <= 128  # columns that no sentence needs are dropped
    return [found[number] for number in range(len(rows))]


def check_same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]]) -> None:
    for hypotheses, others in zip(found, expected, strict=True):
        assert [each.tokens for each in hypotheses] == [each.tokens for each in others]
        for one, other in zip(hypotheses, others, strict=True):
            assert one[1:] == pytest.approx(other[1:], rel=1e-4, abs=1e-4)


SETTINGS = {
    "plain": {},
    "greedy": {"beam_size": 1},
    "coverage": {"coverage_penalty": 0.3, "length_penalty": 0.6},
    "no repetition": {"no_repeat_ngram": 2},
    "no word twice": {"no_repeat_ngram": 1, "min_length": 3},
    "long": {"min_length": 12, "max_ratio": 4.0},
    "short": {"max_length": 2},
    "one token": {"max_length": 1},
    "empty": {"allow_empty": True},
}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("own", [NO_CONSTRAINTS, constraints()], ids=["free", "constrained"])
def test_each_sentence_gets_what_it_gets_alone(kind: str, own: Constraints) -> None:
    settings = DecodingSettings(**{"beam_size": 3, "max_ratio": 2.0, **SETTINGS[kind]})
    model, rows, n_best = model_of(1), sentences(1, 8), min(2, settings.beam_size)
    with torch.inference_mode(), deferred_gradients():
        expected = alone(model, settings, rows, n_best, own)
        check_same(joined(model, settings, rows, n_best, own, 1), expected)
    if kind == "plain" and own is NO_CONSTRAINTS:
        assert len({len(each.tokens) for hypotheses in expected for each in hypotheses}) > 3


@pytest.mark.parametrize("attention", [kind for kind in ATTENTIONS if kind != "coverage"])
@pytest.mark.parametrize("decoder", ["luong", "bahdanau", "conditional"])
def test_every_recurrent_model_may_be_joined(attention: str, decoder: str) -> None:
    layers = {"decoder_layers": 2} if decoder == "conditional" else {}
    model = model_of(1, attention=attention, decoder=decoder, **layers)
    assert model.joinable
    settings, rows = DecodingSettings(beam_size=2, max_ratio=2.0), sentences(7, 5)
    with torch.inference_mode(), deferred_gradients():
        expected = alone(model, settings, rows, 1, NO_CONSTRAINTS)
        check_same(joined(model, settings, rows, 1, NO_CONSTRAINTS, 7), expected)


def test_an_ensemble_may_be_joined() -> None:
    model, rows = Ensemble([model_of(1), model_of(2, attention="general")]), sentences(3, 6)
    settings = DecodingSettings(beam_size=3, max_ratio=2.0)
    with torch.inference_mode(), deferred_gradients():
        expected = alone(model, settings, rows, 3, NO_CONSTRAINTS)
        check_same(joined(model, settings, rows, 3, NO_CONSTRAINTS, 3), expected)


@pytest.mark.parametrize(
    "changes", [{"attention": "coverage"}, {"architecture": "transformer", "attention": "multihead"}]
)
def test_models_that_may_not_be_joined_say_so(changes: dict[str, str]) -> None:
    assert not model_of(1, **changes).joinable


def test_sentences_that_are_dropped_leave_the_others_alone() -> None:
    model, rows, settings = model_of(4), sentences(4, 9), DecodingSettings(beam_size=3, min_length=4, max_ratio=2.0)
    with torch.inference_mode(), deferred_gradients():
        expected = alone(model, settings, rows, 1, NO_CONSTRAINTS)
        running = BeamSearch(model, settings)
        running.add(padded(rows[:5]))
        found = running.advance()
        running.drop({1, 3})
        running.add(padded(rows[5:]))
        running.drop({8})
        assert len(running) == 6
        while len(running):
            found |= running.advance()
        assert sorted(found) == [0, 2, 4, 5, 6, 7]
        check_same([found[number] for number in sorted(found)], [expected[number] for number in sorted(found)])
        running.add(padded(rows[:1]))  # and begins anew once it is empty
        running.drop({9})
        assert running.advance() == {} and len(running) == 0
