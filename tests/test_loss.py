"""The training loss by hand, and that splitting a batch changes nothing."""

import math

import pytest
import torch

from nmt import config
from nmt.config import ModelSettings
from nmt.data.batch import Batch
from nmt.data.subword import PAD_ID
from nmt.model import Seq2Seq
from nmt.runs.weights import named_weights
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.loss import batch_loss, repeated_attention
from nmt.training.train import train

VOCAB = 9
BATCH = Batch(
    torch.tensor([[4, 5, 3], [6, 3, 0]]),
    torch.tensor([[2, 7, 8, 4], [2, 5, 0, 0]]),
    torch.tensor([[7, 8, 4, 3], [5, 3, 0, 0]]),
    6,
)


def model() -> Seq2Seq:
    torch.manual_seed(2)
    built = Seq2Seq(ModelSettings(embedding=6, hidden=8, attention="dot"), VOCAB, VOCAB).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return built


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
@torch.inference_mode()
def test_label_smoothing_by_hand(smoothing: float) -> None:
    """(1 - e) of the truth and e / V of each piece, over real tokens, summed, in nats."""
    built, total = model(), 0.0
    logits = built.generator(built(BATCH.source, BATCH.target_input).features).tolist()
    for row, truths in enumerate(BATCH.target_output.tolist()):
        for position, truth in enumerate(truths):
            if truth == PAD_ID:
                continue
            powers = [math.exp(logit) for logit in logits[row][position]]
            losses = [-math.log(power / sum(powers)) for power in powers]
            total += (1 - smoothing) * losses[truth] + smoothing * sum(losses) / VOCAB
    assert float(batch_loss(built, BATCH, label_smoothing=smoothing)) == pytest.approx(total, rel=1e-5)


@torch.inference_mode()
def test_a_uniform_model_loses_the_logarithm_of_the_vocabulary() -> None:
    built = model()
    with torch.no_grad():
        built.generator.output.weight.zero_()
        built.generator.output.bias.zero_()
    for smoothing in (0.0, 0.3):
        loss = float(batch_loss(built, BATCH, label_smoothing=smoothing))
        assert loss == pytest.approx(6 * math.log(VOCAB), rel=1e-6)


@torch.inference_mode()
def test_a_batch_loses_what_its_sentences_lose() -> None:
    built = model()
    first = Batch(BATCH.source[:1], BATCH.target_input[:1], BATCH.target_output[:1], 4)
    second = Batch(BATCH.source[1:, :2], BATCH.target_input[1:, :2], BATCH.target_output[1:, :2], 2)
    parts = sum(float(batch_loss(built, part, label_smoothing=0.1)) for part in (first, second))
    assert float(batch_loss(built, BATCH, label_smoothing=0.1)) == pytest.approx(parts, rel=1e-5)


@torch.inference_mode()
def test_teacher_forcing_reaches_the_model() -> None:
    built = model()
    forced, free = (float(batch_loss(built, BATCH, teacher_forcing=probability)) for probability in (1.0, 0.0))
    assert forced != pytest.approx(free, rel=1e-3)


def test_accumulated_batches_equal_one(tiny_config, tmp_path) -> None:
    """All sentences in one batch, or in seven batches for one step: the same weights after each of three steps."""
    weights = []
    for name, batch, accumulate in (("whole", 1000, 1), ("parts", 27, 7)):
        words = [f"run={tmp_path / name}", f"training.batch_sentences={batch}", f"training.accumulate={accumulate}"]
        words += ["training.optimizer=sgd", "training.learning_rate=0.5", "training.schedule=constant"]
        words += ["training.max_steps=3", "training.validate_every=3", "training.average=false"]
        words += ["model.dropout=0", "model.embedding_dropout=0", "model.attention=dot", "decoding.max_length=2"]
        train(config.load(tiny_config, words), [])
        weights.append(load_checkpoint(list_checkpoints(tmp_path / name / "checkpoints")[-1]))
    whole, parts = weights
    assert whole.progress.tokens == parts.progress.tokens
    assert (whole.progress.epoch, parts.progress.epoch) == (3, 3)
    for name, expected in whole.weights.items():
        torch.testing.assert_close(parts.weights[name], expected, rtol=0, atol=1e-6)
    settings = config.load(tmp_path / "whole" / "config.yaml").model
    torch.manual_seed(1)
    size = len(whole.weights["encoder.embedding.table.weight"])
    start = named_weights(Seq2Seq(settings, size, size))
    moved = max(float((whole.weights[name] - start[name]).abs().max()) for name in start)
    assert moved > 1e-2, "the steps must have had an effect"


def test_repeated_attention_by_hand() -> None:
    """Each position's overlap with what the positions before have looked at; the padded third one does not count."""
    attention = torch.tensor([[[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]])
    real = torch.tensor([0, 1])  # places in (batch * tgt)
    # position 1: min(0.5, 0.75) + min(0.5, 0.25) = 0.75; position 2 would be min(0, 1.25) + min(1, 0.75) = 0.75
    assert repeated_attention(attention, real).item() == pytest.approx(0.75)
    assert repeated_attention(attention, torch.tensor([0, 1, 2])).item() == pytest.approx(1.5)


@torch.inference_mode()
def test_coverage_loss_is_added_with_its_weight() -> None:
    built = model()
    plain = batch_loss(built, BATCH).item()
    repeated = repeated_attention(built(BATCH.source, BATCH.target_input).attention, BATCH.real_places()).item()
    assert repeated > 0.1
    assert batch_loss(built, BATCH, coverage_loss=0.5).item() == pytest.approx(plain + 0.5 * repeated, abs=1e-4)
