"""Calibrate the probabilities of words on the validation text by isotonic regression: confidence.

A word counts as right if the reference has it too, in the same order. Of a sentence, confidence is the share of its
words that are right. Each half of the lines is judged by a curve that was fitted on the other half, so that the
calibration error which the report shows is one on unseen text.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.data.words import split_words
from nmt.inference.details import word_probabilities
from nmt.inference.translator import MOST_TARGET, Translator

FORMAT = 1
MOST_LINES = 1000  # that a curve is fitted on
LEAST = 200  # words, fewer of which tell too little
GROUPS = 40  # of equal size, between which the curve may rise
BINS = 10  # of the reliability diagram

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Hold a rising function from the model's probability to the share that is right, linear between its points."""

    probabilities: tuple[float, ...]
    shares: tuple[float, ...]

    def __call__(self, probability: float) -> float:
        return float(np.interp(probability, self.probabilities, self.shares))


@dataclass(frozen=True)
class Fit:
    """Hold a curve, and how far probabilities were from what was right: (mean probability, share right, count) in
    bins, and the expected calibration error, before and after."""

    curve: Curve
    before: tuple[tuple[float, float, int], ...]
    after: tuple[tuple[float, float, int], ...]
    error_before: float
    error_after: float


@dataclass(frozen=True)
class Calibration:
    """Hold the curves of a model for words and sentences. `model` is the checksum of its weights."""

    model: str
    lines: int
    words: Fit
    sentences: Fit


# Fitting -------------------------------------------------------------------------------------------------------------


def calibrate(
    translator: Translator, model: str, sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]
) -> Calibration | None:
    """Fit the confidence of a model on its translations, up to MOST_LINES; None if there are too few words. `model` is
    the checksum of its weights."""
    chosen = np.linspace(0, len(sources) - 1, min(MOST_LINES, len(sources))).astype(int).tolist()
    chosen = [index for index in chosen if hypotheses[index] and sources[index]]
    scored = translator.score([(sources[index], hypotheses[index]) for index in chosen])
    words: list[tuple[float, float, int]] = []  # (probability, right, line)
    sentences: list[tuple[float, float, int]] = []
    target = translator.subwords.target
    for number, (index, each) in enumerate(zip(chosen, scored, strict=True)):
        ids = target.beginning(hypotheses[index], MOST_TARGET)
        found, first = word_probabilities(target.decode(ids), "scripts", target.decoded_pieces(ids), each.log_probs)
        right = right_words(target.decode(ids), references[index])
        words += [
            (sure, float(fits), number) for sure, fits, token in zip(found, right, first, strict=True) if token >= 0
        ]
        if right:
            sure = math.exp(each.log_prob / len(each.tokens))
            sentences.append((sure, sum(right) / len(right), number))
    if len(words) < LEAST:
        return None
    return Calibration(model, len(chosen), _fit(words), _fit(sentences))


def right_words(hypothesis: str, reference: str) -> list[bool]:
    """Return, for each word of a translation, whether the reference has it too, in the same order."""
    own, wanted = ([word.text for word in split_words(text)] for text in (hypothesis, reference))
    right = [False] * len(own)
    for start, _, size in SequenceMatcher(None, own, wanted, autojunk=False).get_matching_blocks():
        right[start : start + size] = [True] * size
    return right


def _fit(pairs: Sequence[tuple[float, float, int]]) -> Fit:
    """Fit the curve on all (probability, share right, line), and judge each half by the curve of the other."""
    table = np.array(pairs, np.float64)
    # Halves by line, not by word: words of one line are right or wrong together.
    sure, right, half = table[:, 0], table[:, 1], table[:, 2] % 2 == 1
    calibrated = np.empty_like(sure)
    for part in (half, ~half):
        if part.any() and not part.all():
            curve = isotonic(sure[~part], right[~part])
            calibrated[part] = np.interp(sure[part], curve.probabilities, curve.shares)
    before, error_before = _reliability(sure, right)
    after, error_after = _reliability(calibrated, right)
    return Fit(isotonic(sure, right), before, after, error_before, error_after)


def _reliability(sure: Floats, right: Floats) -> tuple[tuple[tuple[float, float, int], ...], float]:
    """Return (mean probability, share right, count) of each bin that has any, and the expected calibration error."""
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = [
        (round(float(sure[inside].mean()), 4), round(float(right[inside].mean()), 4), int(inside.sum()))
        for inside in (place == number for number in range(BINS))
        if inside.any()
    ]
    return tuple(bins), sum(abs(mean - share) * count for mean, share, count in bins) / len(sure)


def isotonic(sure: Floats, right: Floats) -> Curve:
    """Return the rising curve with the least squared error on GROUPS of equal size: pool adjacent violators. Half a
    right one and half a wrong one are added to each group, so that nothing is certain."""
    groups = np.array_split(np.argsort(sure, kind="stable"), max(1, min(GROUPS, len(sure) // 10)))
    blocks: list[tuple[float, float, float]] = []  # sum of probabilities, sum of what is right, count
    for group in groups:
        blocks.append((float(sure[group].sum()), float(right[group].sum()), float(len(group))))
        while len(blocks) > 1 and _share(blocks[-2]) >= _share(blocks[-1]):
            *_, one, other = blocks  # the curve would fall here: both groups get their common mean
            blocks[-2:] = [(one[0] + other[0], one[1] + other[1], one[2] + other[2])]
    return Curve(
        tuple(round(total / count, 6) for total, _, count in blocks), tuple(round(_share(block), 6) for block in blocks)
    )


def _share(block: tuple[float, float, float]) -> float:
    return (block[1] + 0.5) / (block[2] + 1)


# JSON ----------------------------------------------------------------------------------------------------------------


def to_json(calibration: Calibration) -> bytes:
    """Return a calibration as it is saved in a run."""
    return json.dumps({"format": FORMAT, **asdict(calibration)}).encode()


def from_json(values: Mapping[str, Any]) -> Calibration:
    """Read and check what `to_json` wrote: a run may come from anybody. Raises ValueError."""
    try:
        return _checked(values)
    except (KeyError, TypeError):
        raise ValueError("a value is missing or of the wrong kind") from None


def _checked(values: Mapping[str, Any]) -> Calibration:
    if values["format"] != FORMAT or not isinstance(values["model"], str) or type(values["lines"]) is not int:
        raise ValueError
    return Calibration(
        values["model"], values["lines"], _checked_fit(values["words"]), _checked_fit(values["sentences"])
    )


def _checked_fit(values: Mapping[str, Any]) -> Fit:
    curve = Curve(*(tuple(map(_checked_share, values["curve"][name])) for name in ("probabilities", "shares")))
    if not 0 < len(curve.probabilities) == len(curve.shares) <= 1000:
        raise ValueError
    if any(list(axis) != sorted(axis) for axis in (curve.probabilities, curve.shares)):
        raise ValueError
    before, after = (
        tuple((_checked_share(sure), _checked_share(right), int(count)) for sure, right, count in values[name][:BINS])
        for name in ("before", "after")
    )
    return Fit(curve, before, after, _checked_share(values["error_before"]), _checked_share(values["error_after"]))


def _checked_share(value: Any) -> float:
    if type(value) not in {int, float} or not 0 <= value <= 1.0001:
        raise ValueError
    return float(value)
