"""Learning rates by hand. The highest learning rate is 0.8 throughout."""

import math

import pytest

from nmt.config import TrainingSettings
from nmt.training.schedule import SCHEDULES, ScheduleState, budget_used, interval_count, learning_rate


def training(schedule: str, **changes) -> TrainingSettings:
    return TrainingSettings(**{"schedule": schedule, "learning_rate": 0.8, "warmup": 0, **changes})


def rate(settings: TrainingSettings, step: int = 0, epoch: float = 0.0, progress: float = 0.0, scores=()) -> float:
    """With `scores` of one judge, at equal losses."""
    return learning_rate(settings, ScheduleState(step, epoch, progress, [[(score, 0.0) for score in scores]]))


@pytest.mark.parametrize(("step", "expected"), [(0, 0.2), (1, 0.4), (2, 0.6), (3, 0.8), (4, 0.8), (1000, 0.8)])
def test_warmup_is_linear(step: int, expected: float) -> None:
    assert rate(training("constant", warmup=4), step) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_warms_up_to_the_highest_rate_and_never_exceeds_it(schedule: str) -> None:
    settings = training(schedule, warmup=10, max_steps=1_000_000)
    rates = [rate(settings, step, progress=step / 1_000_000) for step in range(200)]
    assert rates[:10] == pytest.approx([0.08 * step for step in range(1, 11)], rel=1e-6)
    assert max(rates) == pytest.approx(0.8)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_constant() -> None:
    assert [rate(training("constant"), step, progress=share) for step, share in ((0, 0.0), (500, 1.0))] == [0.8, 0.8]


@pytest.mark.parametrize(
    ("step", "expected"),
    # Vaswani et al. 2017: step^-0.5 or step * warmup^-1.5, whichever is less, times sqrt(warmup); here warmup is 4
    # and the rate is of the next step: the 1st, 4th, 5th, 16th, 64th.
    [(0, 0.2), (3, 0.8), (4, 0.8 * math.sqrt(4 / 5)), (15, 0.4), (63, 0.2)],
)
def test_inverse_sqrt(step: int, expected: float) -> None:
    assert rate(training("inverse_sqrt", warmup=4), step) == pytest.approx(expected)


def test_inverse_sqrt_without_warmup() -> None:
    settings = training("inverse_sqrt")
    assert [rate(settings, step) for step in (0, 3, 99)] == pytest.approx([0.8, 0.4, 0.08])


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.8), (0.25, 0.4 + 0.4 / math.sqrt(2)), (0.5, 0.4), (2 / 3, 0.2), (1.0, 0.0), (1.5, 0.0)],
)
def test_cosine(progress: float, expected: float) -> None:
    assert rate(training("cosine"), progress=progress) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.8), (9, 0.8), (10, 0.2), (19, 0.2), (20, 0.05), (35, 0.0125)])
def test_step_counts_steps(step: int, expected: float) -> None:
    assert rate(training("step", decay=0.25, decay_every="10"), step) == pytest.approx(expected)


@pytest.mark.parametrize(("epoch", "expected"), [(0.0, 0.8), (0.49, 0.8), (0.5, 0.4), (1.2, 0.2), (2.0, 0.05)])
def test_step_counts_epochs(epoch: float, expected: float) -> None:
    assert rate(training("step", decay=0.5, decay_every="0.5e"), step=7, epoch=epoch) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "drops"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 0.5], 0),
        ([1.0, 0.5, 0.6], 1),  # two without a better one
        ([1.0, 1.0, 1.0], 1),  # equal is not better
        ([1.0, 0.5, 1.5, 0.5], 0),  # a better one starts the count anew
        ([1.0, 0.5, 0.6, 0.7], 1),  # the count starts anew after each drop
        ([1.0, 0.5, 0.6, 0.7, 0.8], 2),
        ([-3.0, -2.0, -1.0], 0),  # losses, with their sign turned
        ([-math.inf, -math.inf, -math.inf, -1.0], 1),  # not a number
    ],
)
def test_plateau(scores: list[float], drops: int) -> None:
    settings = training("plateau", decay=0.5, plateau_patience=2)
    assert rate(settings, step=100, scores=scores) == pytest.approx(0.8 * 0.5**drops)


def test_plateau_takes_the_loss_among_equal_scores() -> None:
    """As the choice of the checkpoint does: BLEU stays at 0 for a while, and that is no plateau."""
    settings = training("plateau", decay=0.5, plateau_patience=2)
    falling = ScheduleState(100, 0.0, 0.0, [[(0.0, -loss) for loss in (4.0, 3.0, 2.0, 1.0)]])
    rising = ScheduleState(100, 0.0, 0.0, [[(0.0, -loss) for loss in (4.0, 5.0, 6.0)]])
    assert learning_rate(settings, falling) == pytest.approx(0.8)
    assert learning_rate(settings, rising) == pytest.approx(0.4)


def test_plateau_begins_anew_with_another_judge_but_the_rate_stays() -> None:
    settings = training("plateau", decay=0.5, plateau_patience=2)
    first, second = [[(score, 0.0) for score in scores] for scores in ((60.0, 50.0, 40.0), (5.0, 6.0, 7.0))]
    assert learning_rate(settings, ScheduleState(100, 0.0, 0.0, [first, second])) == pytest.approx(0.4)
    assert learning_rate(settings, ScheduleState(100, 0.0, 0.0, [first, second[::-1]])) == pytest.approx(0.2)


def test_plateau_with_a_patience_of_one() -> None:
    settings = training("plateau", decay=0.1, plateau_patience=1)
    assert rate(settings, scores=[5.0, 4.0, 6.0, 6.0]) == pytest.approx(0.008)


@pytest.mark.parametrize("schedule", ["cosine", "step", "plateau", "inverse_sqrt"])
def test_min_learning_rate(schedule: str) -> None:
    settings = training(schedule, min_learning_rate=0.3, decay_every="1", decay=0.1, plateau_patience=1, warmup=1)
    assert rate(settings, step=50, progress=0.99, scores=[3.0, 2.0, 1.0]) == pytest.approx(0.3)
    assert rate(settings, step=0, progress=0.0, scores=[3.0]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("interval", "steps", "epochs", "expected"),
    [
        ("500", 499, 9.0, 0),
        ("500", 500, 0.0, 1),
        ("500", 1700, 0.0, 3),
        ("1e", 10**6, 0.999, 0),
        ("1e", 0, 1.0, 1),
        ("0.5e", 0, 1.6, 3),
        ("0.1e", 0, 0.3, 3),  # 0.3 / 0.1 is a little less than 3 in floating point
        ("2e", 0, 5.0, 2),
    ],
)
def test_interval_count(interval: str, steps: int, epochs: float, expected: int) -> None:
    assert interval_count(interval, steps, epochs) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_steps": 200}, 0.25),
        ({"max_epochs": 4}, 0.375),
        ({"max_time": 100.0}, 0.3),
        ({"max_steps": 200, "max_epochs": 4, "max_time": 100.0}, 0.375),  # the nearest limit
        ({"patience": 3}, 0.0),
        ({}, 0.0),
    ],
)
def test_budget_used(limits: dict, expected: float) -> None:
    assert budget_used(TrainingSettings(**limits), step=50, epoch=1.5, seconds=30.0) == pytest.approx(expected)
