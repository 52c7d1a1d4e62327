"""What the training pairs were like: how long, how many sentences a line, how long the target of each source.

Translation takes its limits from it: when a line is split, how long a translation may become, which ratio of lengths is
usual. It is computed once, by training, and kept in the run as JSON.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.data.dataset import Dataset
from nmt.data.sentences import count_sentences
from nmt.data.subword import Subwords
from nmt.data.words import split_words

FORMAT = 1
SAMPLE = 5_000  # lines whose text is looked at
COUNTED = 10_000_000  # pairs whose lengths are counted, from all over the text
USUAL = 95.0  # percentile of the sentences in a line, up to which a line stays whole
RARE = 99.9  # percentile of target lengths that a limit is taken from
BUCKET = 200  # pairs of about one source length, at least, that give one limit
MOST_BUCKETS = 200
SLACK, MORE = 1.25, 5  # limit: SLACK times the length seen in training, plus MORE tokens
LARGEST = 10**9  # of any number in a file
LONGEST = 100_000  # pieces: what data.max_length may be


@dataclass(frozen=True)
class TargetLengths:
    """Hold how long the targets of training sources were: for up to `sources[i]` pieces rarely more than `targets[i]`.

    Both rise. Lengths are in pieces, the end not counted.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]

    def limits(self, source: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the maximum number of tokens in the translation of a source of `source` tokens.

        This is the length seen in training plus slack; for a source longer than any in training, the longest in
        proportion.
        """
        bounds, targets = np.array(self.sources), np.array(self.targets)
        place = np.searchsorted(bounds, source).clip(max=len(bounds) - 1)
        longer = np.maximum(source / bounds[-1], 1.0)
        allowed: npt.NDArray[np.int64] = np.ceil(targets[place] * longer * SLACK).astype(np.int64) + MORE
        return allowed


@dataclass(frozen=True)
class TrainingStatistics:
    """Hold statistics of the pairs that a run was trained on."""

    pairs: int
    longest_source: int  # pieces
    usual_source: int  # pieces: the 99.9th percentile
    usual_sentences: int  # sentences in a source line: the 95th percentile
    target_lengths: TargetLengths
    word_ratio: tuple[float, float, float]  # target words for a source word: 0.1st percentile, median, 99.9th


def training_statistics(data: Dataset, subwords: Subwords) -> TrainingStatistics:
    """Count the lengths of all pairs, and the sentences and words of a sample from all over the text."""
    if len(data) <= COUNTED:
        source, target = data.source_lengths(), data.target_lengths()
    else:
        some = np.linspace(0, len(data) - 1, COUNTED).astype(np.int64)
        source, target = data.lengths("source", some), data.lengths("target", some)
    chosen = np.linspace(0, len(data) - 1, min(SAMPLE, len(data))).astype(int).tolist()
    sources = [subwords.source.decode(data.source(index).tolist()) for index in chosen]
    targets = [subwords.target.decode(data.target(index).tolist()) for index in chosen]
    words = [(len(split_words(one)), len(split_words(other))) for one, other in zip(sources, targets, strict=True)]
    ratios = [other / one for one, other in words if one and other] or [1.0]
    low, median, high = (float(value) for value in np.percentile(ratios, [100 - RARE, 50, RARE]))
    sentences = np.percentile([count_sentences(text) for text in sources], USUAL, method="lower")
    return TrainingStatistics(
        pairs=len(data),
        longest_source=int(source.max()),
        usual_source=int(np.percentile(source, RARE, method="higher")),
        usual_sentences=int(sentences),
        target_lengths=target_lengths(source, target),
        word_ratio=(low, median, high),
    )


def target_lengths(source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> TargetLengths:
    """Return the 99.9th percentile of target lengths in buckets of about one source length, made to rise."""
    order = np.argsort(source, kind="stable")
    source, target = source[order], target[order]
    size = max(BUCKET, len(source) // MOST_BUCKETS)
    bounds, limits = [], []
    start = 0
    while start < len(source):
        bound = source[min(start + size, len(source)) - 1]
        end = int(np.searchsorted(source, bound, side="right"))
        if len(source) - end < size:
            end = len(source)
        bounds.append(int(source[end - 1]))
        limits.append(int(np.percentile(target[start:end], RARE, method="higher")))
        start = end
    return TargetLengths(tuple(bounds), tuple(int(limit) for limit in np.maximum.accumulate(limits)))


def to_json(statistics: TrainingStatistics) -> bytes:
    """Return the statistics as they are saved in a run."""
    return json.dumps({"format": FORMAT, **asdict(statistics)}, indent=1).encode()


def from_json(values: dict[str, Any]) -> TrainingStatistics:
    """Read and check what `to_json` wrote: a run may come from anybody. Raises ValueError."""
    try:
        lengths = values["target_lengths"]
        low, median, high = (float(value) for value in values["word_ratio"])
        if not 0 < low <= median <= high <= LARGEST or math.isnan(low + median + high):
            raise ValueError("the ratio of words is out of range")
        found = TrainingStatistics(
            pairs=_count(values["pairs"]),
            longest_source=_count(values["longest_source"]),
            usual_source=_count(values["usual_source"]),
            usual_sentences=_count(values["usual_sentences"]),
            target_lengths=TargetLengths(_rising(lengths["sources"]), _rising(lengths["targets"])),
            word_ratio=(low, median, high),
        )
    except (KeyError, TypeError):
        raise ValueError("a value is missing or of the wrong kind") from None
    if values.get("format") != FORMAT or len(found.target_lengths.sources) != len(found.target_lengths.targets):
        raise ValueError("it has another format")
    return found


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
        raise ValueError(f"{str(value)[:20]} is not a count")
    return value


def _rising(values: Any) -> tuple[int, ...]:
    counts = tuple(_count(value) for value in values) if isinstance(values, list) else ()
    if not 1 <= len(counts) <= 10 * MOST_BUCKETS or counts[-1] > LONGEST or list(counts) != sorted(counts):
        raise ValueError("lengths do not rise")
    return counts


def together(first: TrainingStatistics, others: Sequence[TrainingStatistics]) -> TrainingStatistics:
    """Combine the statistics of models that decode as one: a line is split when it is too long for any of them."""
    for other in others:
        first = replace(
            first,
            longest_source=min(first.longest_source, other.longest_source),
            usual_source=min(first.usual_source, other.usual_source),
            usual_sentences=min(first.usual_sentences, other.usual_sentences),
        )
    return first
