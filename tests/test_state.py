"""Which validation is the best, and how long ago it was."""

import math

from nmt.training.state import Progress, Validation


def validation(step: int, loss: float, bleu: float, *, averaged: bool = False) -> Validation:
    return Validation(step, step / 10, loss, float(bleu), chrf=float(bleu), averaged=averaged)


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


def test_progress_survives_json() -> None:
    progress = Progress(step=3, epoch=1, batch=2, batches=4, validations=[validation(3, 1.5, 20)])
    assert Progress.from_json(progress.to_json()) == progress
    assert progress.epochs == 1.5
