"""Translation metrics: hypotheses and references, as detokenised text -> scores with their signature.

All figures are sacreBLEU's (Post 2018), which is imported only when something is scored.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

CONFIDENCE_SAMPLES = 1000  # bootstrap resamples for the 95 % intervals
SEED = "12345"  # sacreBLEU's own default, so that the signature can be reproduced


class Score(NamedTuple):
    """`interval` is half the width of the 95 % bootstrap confidence interval; 0 if it was not asked for."""

    name: str
    value: float
    interval: float
    signature: str

    def __str__(self) -> str:
        interval = f" ± {self.interval:.1f}" if self.interval else ""
        return f"{self.name} {self.value:.1f}{interval}  [{self.signature}]"


def _bleu() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU()  # 13a tokenisation, cased, exponential smoothing


def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=2)  # chrF2++


def _ter() -> Any:
    from sacrebleu.metrics import TER

    return TER()


def score(metric: str, hypotheses: Sequence[str], references: Sequence[str], *, confidence: bool = False) -> Score:
    """The corpus score of one metric. The two lists must be equally long and not empty."""
    import os

    os.environ.setdefault("SACREBLEU_SEED", SEED)
    scorer = METRICS[metric]()
    statistics = scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
    result = scorer._aggregate_and_compute(statistics)
    interval = _interval(scorer, statistics) if confidence and len(hypotheses) > 1 else 0.0
    return Score(result.name, float(result.score), interval, str(scorer.get_signature()))


def _interval(scorer: Any, statistics: Any) -> float:
    """Half the width of sacreBLEU's own interval, whose `estimate_ci` fails if a resample has no match at all."""
    from sacrebleu.significance import _bootstrap_resample

    scorer.n_bootstrap = CONFIDENCE_SAMPLES  # goes into the signature
    scorer.seed, resampled = _bootstrap_resample(statistics, scorer, CONFIDENCE_SAMPLES)
    scores = sorted(float(found.score) for found in resampled)
    tail = len(scores) // 40
    return (scores[-1 - tail] - scores[tail]) / 2


def signature(metric: str) -> str:
    """What makes a plain score of this metric comparable."""
    return score(metric, ["-"], ["-"]).signature


METRICS: dict[str, Callable[[], Any]] = {
    "bleu": _bleu,
    "chrf": _chrf,
    "ter": _ter,
}

# What may choose the best checkpoint, and whether more of it is better.
VALIDATION_METRICS: dict[str, bool] = {
    "bleu": True,
    "chrf": True,
    "loss": False,
}
