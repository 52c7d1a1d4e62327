"""Variables that libraries read: what the user has set stays."""

import os

import pytest

from nmt import environment
from nmt.environment import BRIEFLY, CALLS, FOR_SEARCH, FOR_TRAINING, LONGER, PRIMITIVES, bound_primitives, spin

SPINS = "GOMP_SPINCOUNT"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PRIMITIVES, CALLS, SPINS, "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "_own", {})


def test_a_later_value_replaces_an_own_one() -> None:
    for capacity in (FOR_TRAINING, FOR_SEARCH):
        bound_primitives(capacity)
        assert (os.environ[PRIMITIVES], os.environ[CALLS]) == (str(capacity), "32")
    for rounds in (BRIEFLY, LONGER):
        spin(rounds)
        assert os.environ[SPINS] == str(rounds)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PRIMITIVES, CALLS, SPINS):
        monkeypatch.setenv(name, "7")
    bound_primitives(FOR_TRAINING)
    bound_primitives(FOR_SEARCH)
    spin(BRIEFLY)
    assert {os.environ[name] for name in (PRIMITIVES, CALLS, SPINS)} == {"7"}


def test_a_policy_of_the_user_decides_how_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    spin(BRIEFLY)
    assert SPINS not in os.environ
