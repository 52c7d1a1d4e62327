"""R7: a batch that does not fit into memory is split and tried again, as the same update."""

import pytest
import torch

from nmt.config import ModelSettings, TrainingSettings
from nmt.data.batch import Batch
from nmt.errors import OutOfMemory
from nmt.model import Seq2Seq, make_model
from nmt.training import step as step_module
from nmt.training.step import TrainStep
from reliability.job import command, run

SETTINGS = ModelSettings(embedding=8, hidden=8, dropout=0.0, embedding_dropout=0.0)
SOURCE = torch.tensor([[5, 6, 7, 3], [4, 3, 0, 0], [9, 8, 3, 0], [5, 5, 3, 0], [4, 3, 0, 0]])
TARGET = torch.tensor([[5, 6, 7, 3], [4, 3, 0, 0], [9, 8, 3, 0], [5, 5, 3, 0], [4, 3, 0, 0]])
INPUT = torch.tensor([[2, 5, 6, 7], [2, 4, 0, 0], [2, 9, 8, 0], [2, 5, 5, 0], [2, 4, 0, 0]])
BATCH = Batch(SOURCE, INPUT, TARGET, int((TARGET != 0).sum()))

real_loss = step_module.batch_loss


def train_step() -> TrainStep:
    torch.manual_seed(1)
    model = make_model(SETTINGS, 12, 12).double()
    return TrainStep(model, TrainingSettings(optimizer="sgd"), torch.device("cpu"))


def weights(model: Seq2Seq) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def full_above(monkeypatch: pytest.MonkeyPatch, rows: int, error: type[Exception] = RuntimeError) -> None:
    def loss(model, batch, **options):
        if batch.source.size(0) > rows:
            raise error("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return real_loss(model, batch, **options)

    monkeypatch.setattr(step_module, "batch_loss", loss)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
@pytest.mark.parametrize(("rows", "splits"), [(4, 1), (2, 2), (1, 4)])
def test_a_split_batch_is_the_same_update(monkeypatch, rows: int, splits: int, error: type[Exception]) -> None:
    whole, parts = train_step(), train_step()
    expected = whole([BATCH], 0, 0.01)
    full_above(monkeypatch, rows, error)
    found = parts([BATCH], 0, 0.01)
    assert (found.splits, found.nonfinite, found.tokens) == (splits, "", expected.tokens)
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert found.norm == pytest.approx(expected.norm, rel=1e-6)
    torch.testing.assert_close(weights(parts.model), weights(whole.model), rtol=0.0, atol=1e-6)


def test_other_errors_are_not_swallowed(monkeypatch) -> None:
    def loss(model, batch, **options):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(step_module, "batch_loss", loss)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train_step()([BATCH], 0, 0.01)


def test_a_single_sentence_that_does_not_fit_ends_it(monkeypatch) -> None:
    full_above(monkeypatch, 0)
    with pytest.raises(OutOfMemory, match=r"out of memory at step 8 with a single sentence of \d+ and \d+ tokens"):
        train_step()([BATCH], 7, 0.01)
    assert OutOfMemory.status == 5


def test_training_goes_on_and_says_so(workplace, tmp_path, monkeypatch, capsys) -> None:
    full_above(monkeypatch, 4)
    assert run(workplace, tmp_path / "run", "training.max_steps=2").stop.text == "training.max_steps=2 reached"
    lines = [line for line in capsys.readouterr().out.splitlines() if "out of memory" in line]
    assert lines[0] == "warning: step 1: out of memory; batch split in halves; set training.batch_tokens lower"


def test_a_process_with_little_memory(workplace, tmp_path) -> None:
    """The limit is the kernel's: no allocation beyond it succeeds. The smallest batch does not fit either."""
    limited = """
import resource, torch
from nmt.training import step as step_module
from nmt.training.train import train
limit = resource.getrlimit(resource.RLIMIT_AS)[1]
def lower(*_):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 40_000_000, limit))
real = step_module.TrainStep.__call__
def call(self, *values):
    lower()
    return real(self, *values)
step_module.TrainStep.__call__ = call
"""
    words = ["model.embedding=512", "model.hidden=1024", "training.max_steps=2", "training.validate_every=1000"]
    done = command(workplace, "train", "digits.yaml", f"run={tmp_path / 'run'}", *words, before=limited)
    assert done.returncode == 5, done.stdout + done.stderr
    [error] = done.stderr.splitlines()
    assert error.startswith("error: out of memory at step 1 with a single sentence")
