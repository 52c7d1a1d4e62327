"""Ensembles: the mean of probabilities, whatever the members are made of."""

import functools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import nmt
from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import pad_targets
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, Subwords, load_subword
from nmt.data.subword import Subword as SubwordModel
from nmt.data.subword_training import train_subword
from nmt.errors import DataError
from nmt.inference.ensemble import Ensemble, mean_attention, mean_log_probs
from nmt.inference.scoring import attention_to, token_log_probs
from nmt.inference.search import Searchable, search
from nmt.model import Seq2Seq, make_model
from nmt.runs import store
from nmt.runs.weights import named_weights

VOCAB = 9
SOURCE = torch.tensor([[4, 5, 8, EOS_ID], [6, EOS_ID, PAD_ID, PAD_ID], [7, 4, EOS_ID, PAD_ID]])

# Different in everything that a state or a memory could be made of.
MEMBERS: list[dict[str, object]] = [
    {"cell": "lstm", "hidden": 8, "decoder": "conditional", "attention": "additive"},
    {"cell": "gru", "hidden": 6, "decoder": "luong", "attention": "dot", "input_feeding": True},
    {"cell": "gru", "hidden": 10, "decoder": "bahdanau", "attention": "none", "decoder_layers": 1},
    {"architecture": "transformer", "hidden": 6, "attention_heads": 2},  # its state grows
]


@functools.cache
def member(index: int, seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    model = make_model(ModelSettings(embedding=6, **MEMBERS[index]), VOCAB, VOCAB)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    return model.eval()


def members(*indices: int) -> list[Seq2Seq]:
    return [member(index) for index in indices]


def decoding(**changes: int | float) -> DecodingSettings:
    return DecodingSettings(**{"beam_size": 4, "max_length": 12, "allow_empty": True, **changes})


# The mean ------------------------------------------------------------------------------------------------------------


def test_mean_of_probabilities_by_hand() -> None:
    found = mean_log_probs([torch.tensor([0.2, 0.8, 0.0]).log(), torch.tensor([0.6, 0.4, 0.0]).log()])
    assert found.exp().tolist() == pytest.approx([0.4, 0.6, 0.0])


def test_mean_of_attention_leaves_out_who_does_not_attend() -> None:
    found = mean_attention([torch.tensor([[0.2, 0.8]]), torch.tensor([[0.6, 0.4]]), torch.tensor([[0.0, 0.0]])])
    assert found[0].tolist() == pytest.approx([0.4, 0.6])
    assert mean_attention([torch.zeros(1, 2), torch.zeros(1, 2)]).tolist() == [[0.0, 0.0]]


@torch.inference_mode()
def test_a_step_is_the_mean_of_the_members_steps_also_when_rows_have_moved() -> None:
    ensemble = Ensemble(members(0, 1, 2))
    memory, state = ensemble.encode(SOURCE)
    own = [each.encode(SOURCE) for each in ensemble.members]
    tokens = torch.full((3,), BOS_ID)
    for rows in (torch.tensor([2, 0]), torch.tensor([1, 0])):
        log_probs, state, attention = ensemble.step(tokens, state, memory)
        steps = [each.step(tokens, *reversed(pair)) for each, pair in zip(ensemble.members, own, strict=True)]
        probabilities = sum(step[0].exp() for step in steps) / 3
        torch.testing.assert_close(log_probs.exp(), probabilities)
        torch.testing.assert_close(attention, (steps[0][2] + steps[1][2]) / 2)
        memory, state = memory.select(rows), tuple(part.index_select(1, rows) for part in state)
        own = [
            (kept.select(rows), tuple(part.index_select(1, rows) for part in step[1]))
            for (kept, _), step in zip(own, steps, strict=True)
        ]
        tokens = log_probs.argmax(dim=-1)[rows]
    assert torch.equal(memory.mask, (SOURCE != PAD_ID)[[0, 2]])


# In search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("index", range(len(MEMBERS)))
def test_a_model_with_itself_is_that_model(index: int, beam_size: int) -> None:
    model, settings = member(index), decoding(beam_size=beam_size)
    alone, together = (search(each, SOURCE, settings, n_best=3) for each in (model, Ensemble([model, model, model])))
    assert [[each.tokens for each in found] for found in together] == [
        [each.tokens for each in found] for found in alone
    ]
    for one, other in zip(alone, together, strict=True):
        assert [each.score for each in other] == pytest.approx([each.score for each in one], abs=1e-4)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_what_search_finds_has_the_probability_that_one_pass_gives(beam_size: int) -> None:
    """Search steps and reorders; the pass over known targets does neither."""
    models = members(0, 1, 2, 3)
    found = search(Ensemble(models), SOURCE, decoding(beam_size=beam_size), n_best=beam_size)
    assert len({tuple(each.tokens) for hypotheses in found for each in hypotheses}) >= beam_size
    for rank in range(beam_size):
        ranked = [hypotheses[rank] for hypotheses in found]
        log_probs = token_log_probs(models, SOURCE, *pad_targets([each.tokens for each in ranked]))
        assert log_probs.sum(dim=1).tolist() == pytest.approx([each.log_prob for each in ranked], abs=1e-4)


def test_an_ensemble_is_not_one_of_its_members() -> None:
    """Two that are sure of different words, and one that likes a third word well: together they take the third."""

    class Sure:
        def __init__(self, shares: dict[int, float]) -> None:
            self.shares = torch.full((VOCAB,), 1e-9)
            for word, share in shares.items():
                self.shares[word] = share

        def encode(self, source: Tensor) -> tuple[nmt.inference.search.Encoded, tuple[Tensor, ...]]:
            return member(0).encode(source)

        def step(
            self, tokens: Tensor, state: tuple[Tensor, ...], memory: nmt.inference.search.Encoded
        ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
            shares = self.shares if int(tokens[0]) == BOS_ID else torch.eye(VOCAB)[EOS_ID] + 1e-9
            return shares.log().repeat(len(tokens), 1), state, torch.zeros(len(tokens), memory.mask.size(1))

    first, second = Sure({4: 0.55, 6: 0.45}), Sure({5: 0.55, 6: 0.45})
    assert isinstance(Ensemble([first, second]), Searchable)
    [found], *_ = search(Ensemble([first, second]), SOURCE, decoding())
    assert found.tokens == [6]
    assert found.log_prob == pytest.approx(math.log(0.45), abs=1e-5)
    assert search(first, SOURCE, decoding())[0][0].tokens == [4]


def test_attention_of_an_ensemble_is_the_members_mean() -> None:
    inputs = torch.tensor([[BOS_ID, 4, 5], [BOS_ID, 6, 7], [BOS_ID, 8, 8]])
    first, second = (attention_to([each], SOURCE, inputs) for each in members(0, 1))
    torch.testing.assert_close(attention_to(members(0, 1), SOURCE, inputs), (first + second) / 2)


# Runs ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the same subwords as the tiny one, other settings and other weights."""
    folder = tmp_path_factory.mktemp("runs") / "other"
    settings, subwords = store.load_settings(tiny_run), store.load_subwords(tiny_run)
    settings = settings.model_copy(
        update={"model": settings.model.model_copy(update={"hidden": 24, "cell": "gru", "attention": "none"})}
    )
    torch.manual_seed(7)
    model = Seq2Seq(settings.model, len(subwords.source), len(subwords.target))
    store.save_run(folder, settings, subwords, named_weights(model))
    return folder


def test_runs_together(tiny_run: Path, other_run: Path) -> None:
    lines = ["I love you.", "", "the cat and the dog"]
    short = {"max_length": 15}
    one, twice, both = (nmt.load(paths) for paths in (tiny_run, [tiny_run, tiny_run], [str(tiny_run), other_run]))
    expected = one.translate(lines, changes=short)
    found = twice.translate(lines, changes=short)
    assert [each.text for each in found] == [each.text for each in expected]
    assert found[0].score == pytest.approx(expected[0].score, abs=1e-4)
    torch.testing.assert_close(
        torch.from_numpy(found[0].attention.weights), torch.from_numpy(expected[0].attention.weights)
    )
    assert both.attends
    assert not nmt.load(other_run).attends
    assert both.translate(lines, changes=short)[1].text == ""
    pair = [("the cat", "le chat")]
    [[first], [second], [mean]] = [
        nmt.load(paths).score(pair) for paths in (tiny_run, other_run, [tiny_run, other_run])
    ]
    for own, other, together in zip(first.log_probs, second.log_probs, mean.log_probs, strict=True):
        assert math.exp(together) == pytest.approx((math.exp(own) + math.exp(other)) / 2, rel=1e-3)


def test_runs_with_other_subwords_are_refused(tiny_run: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    settings, before = store.load_settings(tiny_run), load_subword(tiny_run / "subword.model")
    lines = (tiny_corpus / "train.fr").read_text(encoding="utf-8").split("\n")
    other = SubwordModel(train_subword(lines, settings.subword.model_copy(update={"vocab_size": 350})), "other")
    model = Seq2Seq(settings.model, len(other), len(other))
    store.save_run(tmp_path / "other", settings, Subwords(other, other), named_weights(model))
    assert len(before) != len(other)
    nmt.load(tmp_path / "other")
    with pytest.raises(DataError) as caught:
        nmt.load([tiny_run, tmp_path / "other"])
    assert str(caught.value) == (
        f"{tmp_path / 'other'}: its subwords differ from those of {tiny_run}; runs go together only if they are "
        "trained with the same subword.model"
    )
