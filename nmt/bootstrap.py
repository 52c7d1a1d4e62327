"""Scores from counts per sentence: of a whole test set, of a part, with confidence intervals, and of two systems.

What is kept of a sentence are its counts, so that a part, a resample and a comparison need only sums.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nmt.errors import ConfigError

CONFIDENCE_SAMPLES = 1000  # bootstrap resamples for the 95 % intervals and the p-values
SEED = "12345"  # sacreBLEU's own default, so that the signature can be reproduced; SACREBLEU_SEED replaces it


class Score(NamedTuple):
    """Hold a score; `interval` is half the width of the 95 % bootstrap confidence interval; 0 if it was not asked
    for."""

    name: str
    value: float
    interval: float
    signature: str

    def __str__(self) -> str:
        interval = f" ± {self.interval:.1f}" if self.interval else ""
        return f"{self.name} {self.value:.1f}{interval}  [{self.signature}]"


class Difference(NamedTuple):
    """Hold second minus first, on the same sentences. `p_value` is two-sided; `interval` as that of a score."""

    name: str
    value: float
    interval: float
    p_value: float

    def __str__(self) -> str:
        return f"{self.name} {self.value:+.1f} ± {self.interval:.1f}, p = {self.p_value:.3f}"


@dataclass(frozen=True, eq=False)
class Statistics:
    """Counts per sentence, whose sum over any selection of the sentences gives the score of that selection."""

    name: str
    describe: Callable[[Any], str]  # summed counts -> signature
    rows: Any  # array (sentences, counts)
    value: Callable[[Any], float]  # summed counts -> score

    @property
    def signature(self) -> str:
        """Return how the score was computed."""
        return self.describe(self.rows.sum(0))

    def select(self, lines: Sequence[int]) -> "Statistics":
        """Select the sentences at `lines`, from 0."""
        return Statistics(self.name, self.describe, self.rows[list(lines)], self.value)

    def score(self, *, confidence: bool = False) -> Score:
        """Return the score of all lines."""
        value = self.value(self.rows.sum(0))
        if not confidence or len(self.rows) < 2:
            return Score(self.name, value, 0.0, self.signature)
        first, rest = self.signature.split("|", 1)
        signature = f"{first}|bs:{CONFIDENCE_SAMPLES}|seed:{resampling_seed()}|{rest}"
        values = self._values(_resamples(len(self.rows)))
        return Score(self.name, value, _half_width(values), signature)

    def compare(self, other: "Statistics") -> Difference:
        """Compute `other` minus this, by paired bootstrap resampling (Koehn 2004): both are resampled alike.

        p is the share of resamples whose difference, about the mean of all, is at least the one found: the chance of
        such a difference between systems that are equally good. It is sacreBLEU's, except for ties: a run against
        itself has 1.
        """
        value = other.value(other.rows.sum(0)) - self.value(self.rows.sum(0))
        resamples = _resamples(len(self.rows))
        pairs = zip(self._values(resamples), other._values(resamples), strict=True)
        differences = [theirs - ours for ours, theirs in pairs]
        mean = sum(abs(difference) for difference in differences) / len(differences)
        beyond = sum(abs(difference) - mean >= abs(value) for difference in differences)
        return Difference(self.name, value, _half_width(differences), (beyond + 1) / (len(differences) + 1))

    def _values(self, resamples: Any) -> list[float]:
        return [self.value(self.rows[lines].sum(0)) for lines in resamples]


def resampling_seed() -> str:
    """Return the seed: digits, or `none` for another one each time. Raises ConfigError if the environment has
    anything else."""
    seed = os.environ.get("SACREBLEU_SEED", SEED).lower()
    if seed != "none" and not (seed.isascii() and seed.isdecimal() and len(seed) < 20):
        raise ConfigError(f"SACREBLEU_SEED: {seed[:40]!r} must be a whole number or none; change it, or unset it")
    return seed


def _resamples(sentences: int) -> Any:
    """Draw (resamples, sentences): the sentences of each resample, the same as sacreBLEU's."""
    import numpy as np

    seed = resampling_seed()
    random = np.random.default_rng(None if seed == "none" else int(seed))
    return random.choice(sentences, size=(CONFIDENCE_SAMPLES, sentences), replace=True)


def _half_width(values: list[float]) -> float:
    """Return half the width of the interval that holds 95 % of the values."""
    tail = len(values) // 40
    values = sorted(values)
    return (values[-1 - tail] - values[tail]) / 2
