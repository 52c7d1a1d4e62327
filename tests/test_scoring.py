"""Known targets: their probabilities are those of stepping through them."""

import math
from pathlib import Path

import pytest
import torch

import nmt
from nmt.config import ModelSettings
from nmt.data.batch import pad_sources, pad_targets
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.errors import ConfigError
from nmt.inference import scoring
from nmt.inference.scoring import Scored, perplexity, token_log_probs
from nmt.inference.translator import Translator
from nmt.model import Seq2Seq

VOCAB = 9


@torch.inference_mode()
def stepped(models: list[Seq2Seq], source: list[int], target: list[int]) -> list[float]:
    """One sentence and one token at a time; the mean of probabilities."""
    states = [model.encode(pad_sources([source])) for model in models]
    found = []
    for last, word in zip([BOS_ID, *target], [*target, EOS_ID], strict=True):
        steps = [model.step(torch.tensor([last]), state, memory) for model, (memory, state) in zip(models, states)]  # noqa: B905
        found.append(math.log(sum(math.exp(float(step[0][0, word])) for step in steps) / len(models)))
        states = [(memory, step[1]) for (memory, _), step in zip(states, steps, strict=True)]
    return found


@pytest.mark.parametrize("kinds", [["conditional"], ["luong"], ["bahdanau", "luong"]], ids=" ".join)
@pytest.mark.parametrize("chunk", [1, 3, 1024])
def test_forced_equals_stepped(kinds: list[str], chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    torch.manual_seed(1)
    models = [Seq2Seq(ModelSettings(embedding=6, hidden=8, decoder=kind), VOCAB, VOCAB).eval() for kind in kinds]
    sources, targets = [[4, 5, 6], [7], []], [[5, 6], [], [8, 4, 4, 7]]
    target_input, target_output = pad_targets(targets)
    found = token_log_probs(models, pad_sources(sources), target_input, target_output)
    for row, source, target in zip(found.tolist(), sources, targets, strict=True):
        assert row[: len(target) + 1] == pytest.approx(stepped(models, source, target), abs=1e-4)
    assert (found[target_output == PAD_ID] == 0).all()
    assert int((target_output == PAD_ID).sum()) == 6


def test_perplexity_by_hand() -> None:
    scored = Scored("a", "b", ["x", "y", "</s>"], [math.log(0.5), math.log(0.25), 0.0])
    assert scored.log_prob == pytest.approx(math.log(0.125))
    assert scored.perplexity == pytest.approx(2.0)  # (1 / 0.125) ** (1 / 3)
    assert perplexity(0.0, 0) == 1.0
    assert math.isfinite(perplexity(-1e9, 1))


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return nmt.load(tiny_run)


PAIRS = [
    ("I love you.", "je t'aime ."),
    ("", "le chat"),
    ("the cat", ""),
    ("a", "a b c d e f g"),
    ("나는 👍🏽", "é 👍🏽"),
]


def test_scores_of_lines(translator: Translator) -> None:
    found = translator.score(iter(PAIRS))
    assert [(each.source, each.target) for each in found] == PAIRS
    for each, (source, target) in zip(found, PAIRS, strict=True):
        ids = (translator.subwords.source.encode(source), translator.subwords.target.encode(target))
        assert each.log_probs == pytest.approx(stepped(translator.members, *ids), abs=1e-4)
        assert len(each.tokens) == len(each.log_probs) == len(ids[1]) + 1
        assert each.tokens[-1] == "</s>"
        assert not each.cut
    assert "".join(found[0].tokens[:-1]).replace("\u2581", " ").strip() == "je t'aime ."
    assert translator.score([]) == []


def test_the_company_of_a_pair_changes_nothing(translator: Translator) -> None:
    together = translator.score(PAIRS)
    for size in (1, 2):
        apart = translator.score(PAIRS, changes={"batch_size": size})
        assert [each.log_prob for each in apart] == pytest.approx([each.log_prob for each in together], abs=1e-4)


def test_a_long_source_is_cut_as_in_translation_and_says_so(translator: Translator) -> None:
    short = "the cat and the dog"
    pieces = len(translator.subwords.source.encode(short))
    whole, cut = translator.score([(short, "a"), (f"{short} and more", "a")], changes={"max_source": pieces})
    assert (whole.cut, cut.cut) == (False, True)
    assert cut.log_prob == pytest.approx(whole.log_prob, abs=1e-4)


def test_impossible_settings_are_refused(translator: Translator) -> None:
    with pytest.raises(ConfigError) as caught:
        translator.score(PAIRS, changes={"batch_size": 0})
    assert str(caught.value) == "batch_size: 0 must be 1 or more"
