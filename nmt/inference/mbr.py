"""Minimum Bayes risk decoding: of several samples, the one that is most like the others (Eikema & Aziz 2020).

The likeness is sacreBLEU's chrF (Popovic 2015): characters alone, n-grams up to 6, beta 2. Counts are taken once per
text, and all pairs are compared in one product of matrices per order.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from nmt.inference.search import Hypothesis

ORDER, BETA = 6, 2.0  # sacreBLEU's defaults
COLUMNS = 16_384  # of a matrix that is in memory


def rank_by_chrf(samples: Sequence[Hypothesis], decode: Callable[[list[int]], str]) -> list[Hypothesis]:
    """Rank the samples with different texts, best first. The score becomes the mean chrF against all the
    other samples."""
    drawn = Counter(texts := [decode(sample.tokens) for sample in samples])
    likeness = pairwise_chrf(list(drawn))
    count = np.array(list(drawn.values()))
    # (texts, texts) @ (texts,): a text that was drawn twice votes twice, but no sample votes for itself
    mean = (likeness @ count - np.diagonal(likeness)) / max(len(samples) - 1, 1)
    order = np.argsort(-mean, kind="stable")
    first = [samples[texts.index(text)] for text in drawn]
    return [first[index]._replace(score=float(mean[index])) for index in order]


def pairwise_chrf(texts: Sequence[str]) -> Float[np.ndarray, "texts texts"]:
    """Return the chrF, 0 to 100, of each text (row) against each other one as its reference (column)."""
    from sacrebleu.metrics.helpers import extract_char_ngrams

    precision, recall, orders = np.zeros((3, len(texts), len(texts)))
    for n in range(1, ORDER + 1):
        matches = np.zeros((len(texts), len(texts)), np.float32)
        for seen in _occurrences([extract_char_ngrams(text, n) for text in texts]):
            matches += seen @ seen.T
        own = matches.diagonal()  # n-grams of each text: what it has in common with itself
        both = (own[:, None] > 0) & (own[None, :] > 0)
        precision += matches / np.maximum(own[:, None], 1)
        recall += matches / np.maximum(own[None, :], 1)
        orders += both  # sacreBLEU averages over the orders that both texts have
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    weighted = BETA**2 * precision + recall
    return 100 * (1 + BETA**2) * precision * recall / np.where(weighted > 0, weighted, 1)


def _occurrences(counts: Sequence[Counter[str]]) -> Iterator[Float[np.ndarray, "texts occurrences"]]:
    """Yield matrices with 1 where a text has an n-gram for the k-th time. A column for each (n-gram, k): then a
    product of two rows is the sum of the smaller of their counts, which is what chrF calls matches. COLUMNS at a
    time: memory is bounded."""
    columns: dict[tuple[str, int], int] = {}
    places = [
        (row, columns.setdefault((ngram, time), len(columns)))
        for row, found in enumerate(counts)
        for ngram, count in found.items()
        for time in range(count)
    ]
    rows, ordered = np.array(places, np.int64).reshape(-1, 2).T
    for start in range(0, len(columns), COLUMNS):
        chosen = (ordered >= start) & (ordered < start + COLUMNS)
        matrix = np.zeros((len(counts), min(COLUMNS, len(columns) - start)), np.float32)
        matrix[rows[chosen], ordered[chosen] - start] = 1
        yield matrix
