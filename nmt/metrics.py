"""Translation metrics: hypotheses and references, as detokenised text -> scores with their signature.

All figures are sacreBLEU's (Post 2018), which is imported only when something is scored. What is kept of a sentence are
its counts, so that a part of a test set, a resample and a comparison need nothing but sums.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nmt.errors import ConfigError

CONFIDENCE_SAMPLES = 1000  # bootstrap resamples for the 95 % intervals and the p-values
SEED = "12345"  # sacreBLEU's own default, so that the signature can be reproduced; SACREBLEU_SEED replaces it


class Score(NamedTuple):
    """`interval` is half the width of the 95 % bootstrap confidence interval; 0 if it was not asked for."""

    name: str
    value: float
    interval: float
    signature: str

    def __str__(self) -> str:
        interval = f" ± {self.interval:.1f}" if self.interval else ""
        return f"{self.name} {self.value:.1f}{interval}  [{self.signature}]"


class Difference(NamedTuple):
    """Second minus first, on the same sentences. `p_value` is two-sided; `interval` as that of a score."""

    name: str
    value: float
    interval: float
    p_value: float

    def __str__(self) -> str:
        return f"{self.name} {self.value:+.1f} ± {self.interval:.1f}, p = {self.p_value:.3f}"


@dataclass(frozen=True, eq=False)
class Statistics:
    """Counts per sentence, out of whose sum the score of any selection of the sentences is computed."""

    name: str
    signature: str
    rows: Any  # array (sentences, counts)
    value: Callable[[Any], float]  # summed counts -> score

    def select(self, lines: Sequence[int]) -> "Statistics":
        """The sentences at `lines`, from 0."""
        return Statistics(self.name, self.signature, self.rows[list(lines)], self.value)

    def score(self, *, confidence: bool = False) -> Score:
        value = self.value(self.rows.sum(0))
        if not confidence or len(self.rows) < 2:
            return Score(self.name, value, 0.0, self.signature)
        first, rest = self.signature.split("|", 1)
        signature = f"{first}|bs:{CONFIDENCE_SAMPLES}|seed:{resampling_seed()}|{rest}"
        values = self._values(_resamples(len(self.rows)))
        return Score(self.name, value, _half_width(values), signature)

    def compare(self, other: "Statistics") -> Difference:
        """`other` minus this, by paired bootstrap resampling (Koehn 2004): both are resampled alike.

        p is the share of resamples whose difference, about the mean of all, is at least the one found: the chance of
        such a difference between systems that are equally good. It is sacreBLEU's, but for ties: a run against itself
        has 1.
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
    """Digits, or `none` for another one each time. Raises ConfigError if the environment has anything else."""
    seed = os.environ.get("SACREBLEU_SEED", SEED).lower()
    if seed != "none" and not (seed.isascii() and seed.isdecimal() and len(seed) < 20):
        raise ConfigError(f"SACREBLEU_SEED: {seed[:40]!r} must be a whole number or none; change it, or unset it")
    return seed


def _resamples(sentences: int) -> Any:
    """(resamples, sentences): which sentences each resample has; those that sacreBLEU draws."""
    import numpy as np

    seed = resampling_seed()
    random = np.random.default_rng(None if seed == "none" else int(seed))
    return random.choice(sentences, size=(CONFIDENCE_SAMPLES, sentences), replace=True)


def _half_width(values: list[float]) -> float:
    """Of the interval that holds 95 % of the values."""
    tail = len(values) // 40
    values = sorted(values)
    return (values[-1 - tail] - values[tail]) / 2


def statistics(
    metric: str, hypotheses: Sequence[str], references: Sequence[str], *, language: str | None = None
) -> Statistics:
    """Of one metric. The two lists must be equally long and not empty; `language` is theirs, such as `fr`."""
    import numpy as np

    name, make = METRICS[metric]
    scorer = make(language)
    rows = np.array(scorer._extract_corpus_statistics(list(hypotheses), [list(references)]), np.float64)
    return Statistics(
        name, str(scorer.get_signature()), rows, lambda total: float(scorer._compute_score_from_stats(total).score)
    )


def score(
    metric: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str | None = None,
    confidence: bool = False,
) -> Score:
    """The corpus score of one metric, see `statistics`."""
    return statistics(metric, hypotheses, references, language=language).score(confidence=confidence)


def signature(metric: str) -> str:
    """What makes a plain score of this metric comparable."""
    return score(metric, ["-"], ["-"]).signature


# The metrics ---------------------------------------------------------------------------------------------------------


class Metric(NamedTuple):
    name: str  # as it is printed
    make: Callable[[str | None], Any]  # language of the text -> a metric of sacreBLEU


def _bleu(language: str | None) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU()  # 13a tokenisation, cased, exponential smoothing


def _lowercased_bleu(language: str | None) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(lowercase=True)


def _tokenised_lowercased_bleu(language: str | None) -> Any:
    """The BLEU of the papers on Multi30k (Elliott et al. 2016): on lowercased, normalised, tokenised text.

    Hypothesis and reference alike are lowercased, then their punctuation is normalised, then they are tokenised: the
    order in which the published files `*.lc.norm.tok.*` were made. It matters: a full stop before a small letter stays
    with its word.
    """
    from sacrebleu.metrics import BLEU

    if language is None:
        raise ConfigError("tok-lc: tokenises by the rules of a language, and it is not known; give --language")
    scorer = BLEU(lowercase=True, tokenize="none", force=True)
    scorer.tokenizer, version = moses(language)
    scorer.tokenizer_signature = f"none+moses-lc-{language}-{version}"
    return scorer


def moses(language: str) -> tuple[Callable[[str], str], str]:
    """Moses' punctuation normalisation, tokenisation and escaping, as sacremoses has them, and its version."""
    try:
        import sacremoses
    except ModuleNotFoundError:
        raise ConfigError("tok-lc: needs sacremoses, which is not installed: pip install 'nmt[moses]'") from None
    normalizer = sacremoses.MosesPunctNormalizer(lang=language, perl_parity=True)
    tokenizer = sacremoses.MosesTokenizer(lang=language)

    def tokenise(line: str) -> str:
        return str(tokenizer.tokenize(normalizer.normalize(line), escape=True, return_str=True))

    return tokenise, str(sacremoses.__version__)


def _chrf(language: str | None) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=2)  # chrF2++


def _ter(language: str | None) -> Any:
    from sacrebleu.metrics import TER

    return TER()


METRICS: dict[str, Metric] = {
    "bleu": Metric("BLEU", _bleu),
    "bleu-lc": Metric("BLEU-lc", _lowercased_bleu),
    "tok-lc": Metric("BLEU-tok-lc", _tokenised_lowercased_bleu),
    "chrf": Metric("chrF2++", _chrf),
    "ter": Metric("TER", _ter),
}

DEFAULT_METRICS = ("bleu", "chrf", "ter")
AER = "aer"  # the alignment error rate: of a model's attention, not of text, so it is no entry of the table

# What may choose the best checkpoint, and whether more of it is better.
VALIDATION_METRICS: dict[str, bool] = {
    "bleu": True,
    "chrf": True,
    "loss": False,
}
