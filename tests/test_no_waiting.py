"""No step of a training or a search waits for a GPU: on the meta device, any copy to the host is an error."""

import pytest
import torch

from nmt.config import DecodingSettings, ModelSettings, TrainingSettings
from nmt.data.batch import Batch, SoftTargets
from nmt.data.statistics import TargetLengths
from nmt.inference import constraints as constraints_module
from nmt.inference import search as search_module
from nmt.inference.characters import Characters
from nmt.inference.constraints import Allowed, Constraints
from nmt.inference.search import Hypothesis
from nmt.model import Seq2Seq, make_model
from nmt.model.attention import ATTENTIONS
from nmt.model.recurrent import CELLS
from nmt.training.step import TrainStep

VOCAB, META = 300, torch.device("meta")
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [4, 9, 3, 0, 0], [10, 3, 0, 0, 0]])
INPUT = torch.tensor([[2, 5, 6, 7], [2, 8, 9, 0], [2, 4, 0, 0]])
OUTPUT = torch.tensor([[5, 6, 7, 3], [8, 9, 3, 0], [4, 3, 0, 0]])
BATCH = Batch(SOURCE, INPUT, OUTPUT, 9)
KINDS = {
    "conditional": {"decoder": "conditional"},
    "luong": {"decoder": "luong", "attention": "general"},
    "luong without feeding": {"decoder": "luong", "attention": "general", "input_feeding": False},
    "bahdanau": {"decoder": "bahdanau", "attention": "additive"},
    "transformer": {"architecture": "transformer"},
    **{f"{name} attention": {"decoder": "luong", "attention": name} for name in ATTENTIONS},
    **{f"{name} cell": {"cell": name, "bridge": "mean"} for name in CELLS},
    "deep transition": {"cell": "gru", "encoder_transitions": 2, "decoder_transitions": 2},
    "self-attention": {"self_attention": "qkv", "residual": True, "word_dropout": 0.1, "variational": False},
}
COURSES = {
    "adam": {},
    "average of weights": {"ema": 0.9, "clip_norm": 0.0},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "scheduled sampling": {"teacher_forcing": 0.5, "coverage_loss": 0.5},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def on_meta(**changes) -> Seq2Seq:
    sizes = {"embedding": 8, "hidden": 8, "attention_heads": 2, "attention_length": 6, "attention_window": 1}
    return make_model(ModelSettings(**{**sizes, **changes}), VOCAB, VOCAB).to(META)


@every_kind
def test_training_does_not_wait(kind: str) -> None:
    step = TrainStep(on_meta(**KINDS[kind]), TrainingSettings(), META)
    pending = step.start([BATCH, BATCH], 0, 0.1)
    assert pending.values.device == META
    assert all(weight.grad is None or weight.grad.device == META for weight in step.model.parameters())


@pytest.mark.parametrize("course", COURSES)
def test_no_course_of_training_waits(course: str) -> None:
    batch = BATCH._replace(
        soft_targets=SoftTargets(torch.ones(3, 4, 2, dtype=torch.long), torch.full((3, 4, 2), 0.25)),
        alignment=torch.zeros(3, 4, 5),
    )
    training = TrainingSettings(**{"guided_attention": 0.3, **COURSES[course]})
    step = TrainStep(on_meta(decoder="luong", attention="general"), training, META)
    for number in range(2):
        assert step.start([batch], number, 0.1).values.device == META


def test_this_test_notices_waiting() -> None:
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(torch.zeros((), device=META))


def constraints() -> Constraints:
    values = torch.full((VOCAB,), -1)
    values[20 : 20 + 256] = torch.arange(256)
    blank = torch.zeros(VOCAB, dtype=torch.bool)
    blank[5] = True
    lengths = TargetLengths((4, 9), (5, 10))
    return Constraints(lengths, blank, Characters.of(values.numpy()), unknown=True)


@every_kind
def test_the_steps_of_a_search_do_not_wait(kind: str) -> None:
    model, settings = on_meta(**KINDS[kind]).eval(), DecodingSettings(coverage_penalty=0.2, no_repeat_ngram=2)
    with torch.inference_mode():
        limit = torch.tensor([6, 5, 4])
        allowed = Allowed(settings, constraints().to(META), 1)
        beam = search_module._Beam.of(model, SOURCE, limit, settings)
        for _ in range(40):  # beyond the room of the first buffers
            search_module._advance(model, beam, settings, allowed)
            beam.done = search_module._done(beam, settings, 1) | beam.done
        assert beam.tokens.device == beam.ended_tokens.device == beam.done.device == META


@every_kind
def test_greedy_search_asks_only_every_few_steps(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, steps = on_meta(**KINDS[kind]).eval(), []
    real = model.step
    monkeypatch.setattr(model, "step", lambda *values: steps.append(1) or real(*values))
    with pytest.raises((RuntimeError, NotImplementedError)):  # the first look at what has ended
        search_module.search(model, SOURCE, DecodingSettings(beam_size=1), constraints=constraints().to(META))
    assert len(steps) == search_module.STEPS_ON_GPU


# The way of a GPU, on a CPU -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_looking_rarely_changes_nothing(seed: int, beam_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(seed)
    model = make_model(ModelSettings(embedding=8, hidden=8, decoder="luong", attention="additive"), VOCAB, VOCAB).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.4 * torch.randn_like(weight))
        model.generator.output.bias[3] += 4.0  # endings come at all times
        model.generator.output.bias[20 : 20 + 256] += 1.0  # bytes as well
    settings = DecodingSettings(beam_size=beam_size, coverage_penalty=0.1, max_ratio=2.0)
    source = torch.randint(4, 20, (9, 6))
    for row in range(9):
        source[row, row % 5 + 1] = 3
        source[row, row % 5 + 2 :] = 0
    expected = search_module.search(model, source, settings, beam_size, constraints())
    monkeypatch.setattr(search_module, "steps_between_looks", lambda device: 5)
    check_same(search_module.search(model, source, settings, beam_size, constraints()), expected)
    for module in (search_module, constraints_module):
        monkeypatch.setattr(module, "concerns_any", lambda rows: True)
    check_same(search_module.search(model, source, settings, beam_size, constraints()), expected)
    assert len({len(each.tokens) for hypotheses in expected for each in hypotheses}) > 1


def check_same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]]) -> None:
    for hypotheses, others in zip(found, expected, strict=True):
        assert [each.tokens for each in hypotheses] == [each.tokens for each in others]
        for one, other in zip(hypotheses, others, strict=True):
            assert one[1:] == pytest.approx(other[1:], rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.gpu
@every_kind
def test_cuda_is_not_waited_for(kind: str) -> None:
    device = torch.device("cuda")
    step = TrainStep(on_meta(**KINDS[kind]).to_empty(device=device), TrainingSettings(), device)
    for weight in step.model.parameters():
        torch.nn.init.normal_(weight.data, std=0.1)
    step.start([BATCH], 0, 0.1)  # kernels are loaded, memory is taken
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step.start([BATCH], 1, 0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
