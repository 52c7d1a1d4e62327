"""Which validation is the best, and how long ago it was."""

import math

import pytest

from nmt.training.checkpoint import best_names
from nmt.training.state import Progress, Validation


def validation(step: int, loss: float, bleu: float, *, averaged: bool = False, judge: str = "") -> Validation:
    return Validation(step, step / 10, loss, {"bleu": float(bleu), "chrf": float(bleu)}, averaged, judge)


def test_more_bleu_and_less_loss_are_better() -> None:
    progress = Progress(validations=[validation(1, 3.0, 20), validation(2, 2.0, 30), validation(3, 1.0, 25)])
    assert progress.best("bleu") == progress.validations[1]
    assert progress.best("loss") == progress.validations[2]
    assert progress.without_progress("bleu") == 1
    assert progress.without_progress("loss") == 0


def test_among_equal_scores_the_loss_decides() -> None:
    progress = Progress(validations=[validation(1, 3.0, 0), validation(2, 2.0, 0), validation(3, 2.5, 0)])
    assert progress.best("bleu") == progress.validations[1]
    assert progress.without_progress("bleu") == 1


def test_among_complete_equals_the_first_stays() -> None:
    progress = Progress(validations=[validation(1, 3.0, 9), validation(2, 3.0, 9)])
    assert progress.best("chrf") is progress.validations[0]


def test_what_is_not_a_number_is_never_the_best() -> None:
    progress = Progress(validations=[validation(1, 3.0, 1), validation(2, math.nan, 0), validation(3, math.inf, 0)])
    assert progress.best("loss") == progress.validations[0]
    assert progress.without_progress("loss") == 2


def test_an_average_may_be_best_but_does_not_count_as_a_validation() -> None:
    progress = Progress(validations=[validation(1, 3.0, 20), validation(1, 2.5, 30, averaged=True)])
    assert progress.best("bleu") == progress.validations[1]
    assert progress.regular() == progress.validations[:1]
    assert progress.without_progress("bleu") == 0


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("exact", (10.0, 50.0, 20.0), 1),
        ("cer", (40.0, 7.0, 9.0), 1),
        ("wer", (3.0, 7.0, 9.0), 0),
        ("ter", (9, 8, 7), 2),
    ],
)
def test_any_metric_can_choose_the_checkpoint(metric: str, values: tuple[float, ...], best: int) -> None:
    scores = [Validation(step, 0.1, 2.0, {metric: float(value)}) for step, value in enumerate(values)]
    assert Progress(validations=scores).best(metric) is scores[best]


def test_a_metric_that_was_not_measured_is_never_the_best() -> None:
    progress = Progress(validations=[validation(1, 1.0, 50), Validation(2, 0.2, 2.0, {"exact": 0.0})])
    assert progress.best("exact") is progress.validations[1]
    assert progress.best("cer") is None


def test_only_scores_of_the_same_judge_are_compared() -> None:
    old = [validation(1, 2.0, 80, judge="old"), validation(2, 1.9, 70, judge="old")]
    new = [validation(3, 2.1, 30, judge="new"), validation(4, 2.2, 20, judge="new")]
    progress = Progress(judge="new", validations=[*old, *new])
    assert progress.best("bleu") is new[0]
    assert progress.regular() == new
    assert progress.without_progress("bleu") == 1
    assert best_names(progress, "bleu", 9) == ["step-00000003-0003", "step-00000004-0004"]
    assert progress.ranks("bleu") == [[(80.0, -2.0), (70.0, -1.9)], [(30.0, -2.1), (20.0, -2.2)]]


def test_validations_of_earlier_versions_are_read() -> None:
    values = {"step": 3, "epoch": 1.0, "loss": 2.0, "bleu": 12.0, "chrf": 30.0, "averaged": False}
    assert Validation.from_json(values) == Validation(3, 1.0, 2.0, {"bleu": 12.0, "chrf": 30.0})


def test_progress_survives_json() -> None:
    progress = Progress(step=3, epoch=1, batch=2, batches=4, validations=[validation(3, 1.5, 20)])
    assert Progress.from_json(progress.to_json()) == progress
    assert progress.epochs == 1.5
