"""What may be asked of a translator: which settings go together. Imports no torch, so that errors answer at once."""

from collections.abc import Mapping
from typing import Any

from nmt.config import DecodingSettings, changed
from nmt.errors import ConfigError
from nmt.shown import number

MOST = 1000  # hypotheses of a line, or samples; as many as a beam may have
BEAM = ("beam_size", "length_penalty", "coverage_penalty")  # settings of a search
GIVEN = ("batch_size", "max_source", "window")  # those that have an effect on translations that are given


def check_request(changes: Mapping[str, Any], *, n_best: int = 1, drawn: bool = False, mbr: int = 0) -> None:
    """Raises ConfigError if something could have no effect. `changes` are settings that the user gave."""
    problems = []
    if n_best < 1:
        problems.append(f"n_best: {number(n_best)} must be 1 or more")
    if mbr < 0 or mbr == 1:
        problems.append(f"mbr: {number(mbr)} must be 2 or more, or 0 for none")
    for name, value in (("n_best", n_best), ("mbr", mbr)):
        if value > MOST:
            problems.append(f"{name}: {number(value)} must be {MOST} or less")
    if drawn or mbr:
        problems += [
            f"{name}: has no effect on samples, which need no beam; remove it" for name in BEAM if name in changes
        ]
        if mbr and n_best > mbr:
            problems.append(f"n_best: {n_best} needs mbr of {n_best} or more, and it is {mbr}")
    elif n_best > changes.get("beam_size", n_best):
        problems.append(f"n_best: {n_best} needs a beam_size of {n_best} or more, and it is {changes['beam_size']}")
    if problems:
        raise ConfigError(*problems)


def with_changes(
    settings: DecodingSettings, changes: Mapping[str, Any], allowed: tuple[str, ...] = ()
) -> DecodingSettings:
    """The settings with some replaced. Raises ConfigError for an impossible value, for settings that contradict each
    other, and for one that is not among `allowed`, if these are given."""
    found = changed(settings, **changes)
    if idle := [name for name in changes if allowed and name not in allowed]:
        raise ConfigError(*(f"{name}: has no effect on translations that are given; remove it" for name in idle))
    if 0 < found.max_length < found.min_length:
        raise ConfigError(f"min_length: {found.min_length} is more than max_length={found.max_length}")
    return found
