"""R6: non-finite values never reach the weights, and training rolls back before it gives up."""

import json
import math

import pytest
import torch

from nmt.errors import Diverged
from nmt.runs.store import CHECKPOINTS, METRICS
from nmt.training import step as step_module
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.state import Progress, Validation
from reliability.job import check_equal, command, result, run

real_loss = step_module.batch_loss


def bad_at(monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
    """The n-th losses in training, counted from 1, are not a number."""
    done = 0

    def loss(model, batch, **options):
        nonlocal done
        if not torch.is_grad_enabled():  # looking for the bad module
            return real_loss(model, batch, **options)
        done += 1
        return real_loss(model, batch, **options) * (math.nan if done in calls else 1.0)

    monkeypatch.setattr(step_module, "batch_loss", loss)


def test_an_update_that_is_not_finite_is_left_out(workplace, tmp_path, monkeypatch, capsys) -> None:
    run(workplace, tmp_path / "short", "training.max_steps=4", "training.schedule=constant")
    before = result(tmp_path / "short")
    capsys.readouterr()
    bad_at(monkeypatch, 5)
    words = [
        "training.max_steps=5",
        "training.validate_every=4",
        "training.schedule=constant",
        "training.average=false",
    ]
    run(workplace, tmp_path / "run", *words)
    after = result(tmp_path / "run")
    assert (after["weights"], after["optimizer"]) == (before["weights"], before["optimizer"])
    assert after["progress"]["skipped"] == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: step 5: the loss is not finite; update skipped (lines ")
    numbers = [int(word) for word in line.split("lines ")[1].split(", ...")[0].split(", ")]
    assert len(numbers) == 5 and all(1 <= number <= 120 for number in numbers)


def test_the_first_bad_module_is_named(workplace, tmp_path, monkeypatch, capsys) -> None:
    real = step_module.TrainStep.__call__

    def call(self, *values):
        with self.model.decoder.readout.linear.register_forward_hook(lambda module, inputs, output: output * math.inf):
            return real(self, *values)

    monkeypatch.setattr(step_module.TrainStep, "__call__", call)
    with pytest.raises(Diverged):
        run(workplace, tmp_path / "run")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert all("not finite, first in decoder.readout.linear; update skipped" in line for line in lines[:5])


def test_after_five_in_a_row_training_goes_back_and_on(workplace, tmp_path, monkeypatch, capsys) -> None:
    bad_at(monkeypatch, *range(8, 13))  # steps 8 to 12; the newest checkpoint is that of step 9, weights of step 7
    outcome = run(workplace, tmp_path / "run")
    assert outcome.stop == ("steps", "training.max_steps=12 reached")
    output = capsys.readouterr().out
    assert output.count("rolling back to step 9, with half the learning rate") == 1
    last = load_checkpoint(list_checkpoints(tmp_path / "run" / CHECKPOINTS)[-1])
    assert (last.progress.step, last.progress.setbacks, last.progress.skipped) == (12, 1, 5)
    assert all(weight.isfinite().all() for weight in last.weights.values())
    records = [json.loads(line) for line in (tmp_path / "run" / METRICS).read_text().splitlines()]
    rates = {record["step"]: record["learning_rate"] for record in records if record["kind"] == "train"}
    assert list(rates) == sorted(rates)
    plain = run(workplace, tmp_path / "plain")
    assert plain.stop == outcome.stop
    records = [json.loads(line) for line in (tmp_path / "plain" / METRICS).read_text().splitlines()]
    usual = {record["step"]: record["learning_rate"] for record in records if record["kind"] == "train"}
    assert rates[11] == pytest.approx(usual[11] / 2)
    assert rates[8] == usual[8]


def test_a_second_time_it_gives_up_with_a_good_checkpoint(workplace, tmp_path) -> None:
    poison = """
import math
from nmt.training import step as step_module
real, done = step_module.batch_loss, 0
def loss(*values, **options):
    global done
    done += 1
    return real(*values, **options) * (math.nan if done > 8 else 1.0)
step_module.batch_loss = loss
"""
    done = command(workplace, "train", "digits.yaml", f"run={tmp_path / 'run'}", "training.max_steps=40", before=poison)
    assert done.returncode == 4, done.stderr
    [error] = done.stderr.splitlines()
    assert error.startswith("error: training diverged: 5 consecutive updates were skipped")
    assert "is kept" in error and "training.learning_rate" in error
    newest = load_checkpoint(list_checkpoints(tmp_path / "run" / CHECKPOINTS)[-1])
    assert all(weight.isfinite().all() for weight in newest.weights.values())


def test_without_a_checkpoint_it_says_so(workplace, tmp_path, monkeypatch) -> None:
    bad_at(monkeypatch, *range(1, 6))
    words = ["training.save_every=100", "training.validate_every=100"]
    with pytest.raises(Diverged, match="there is no checkpoint yet"):
        run(workplace, tmp_path / "run", *words)


def test_skipping_is_as_exact_as_everything(workplace, tmp_path, monkeypatch) -> None:
    """Stopped between two bad updates and started again: equal to never stopped."""
    real = step_module.TrainStep._loss
    monkeypatch.setattr(
        step_module.TrainStep,
        "_loss",
        lambda self, batch, step: real(self, batch, step) * (math.nan if step in (4, 5) else 1),
    )
    words = ["training.schedule=constant", "training.average=false", "training.validate_every=5"]
    run(workplace, tmp_path / "whole", *words)
    run(workplace, tmp_path / "parts", *words, "training.max_steps=5")
    run(workplace, tmp_path / "parts", *words)
    check_equal(tmp_path / "parts", tmp_path / "whole")
    assert result(tmp_path / "whole")["progress"]["skipped"] == 2


@pytest.mark.parametrize("metric", ["bleu", "chrf", "loss"])
def test_what_is_not_a_number_is_never_the_best(metric: str) -> None:
    good = Validation(1, 1.0, 9.0, {"bleu": 0.0, "chrf": 0.0})
    for bad in (math.nan, math.inf if metric == "loss" else -math.inf):
        values = {"loss": 1.0, "bleu": 50.0, "chrf": 50.0, metric: bad}
        other = Validation(2, 2.0, values.pop("loss"), values)
        for validations in ([good, other], [other, good]):
            assert Progress(validations=validations).best(metric) is good
