"""The translation of a line: a value with everything that is known of it; and of a line in segments, joined."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from nmt.data.corpus import is_blank
from nmt.data.subword import LONGEST_LINE
from nmt.inference.alignment import Attention, AttentionMatrix, join_attention, join_links
from nmt.inference.details import Details, joined
from nmt.inference.segmentation import join


@dataclass(frozen=True)
class Candidate:
    """Hold one of the n best translations of a line."""

    text: str
    score: float
    log_prob: float


@dataclass(frozen=True)
class Translation:
    """Hold a line and its translation. An empty or blank line has the text "", the score 0 and no attention.

    A search with a shortlist normalises probabilities over that alone, and a batch has one shortlist. So `score` and
    `log_prob` are then higher than the model's own, and depend on the other lines; those of `Translator.score` do not.
    """

    source: str
    text: str
    score: float = 0.0  # log-probability / length penalty + coverage penalty; natural log. With MBR: mean chrF
    log_prob: float = 0.0  # natural log
    candidates: list[Candidate] = field(default_factory=list)  # n best, best first; samples as they were drawn
    attention: Attention | None = None  # between words
    piece_attention: Attention | None = None
    alignment: list[tuple[int, int]] = field(default_factory=list)  # (source word, target word), from 0
    cut: bool = False  # the line was longer than `decoding.max_source` and only its beginning was translated
    parts: int = 1  # more if the line held more than those in training, and was translated in this number of parts
    unknown: int = 0  # words outside the vocabulary, copied from the source
    limited: bool = False  # it reached the longest length that was allowed, and may lack its end
    details: Details | None = None  # of each word, if asked for
    heads: list[AttentionMatrix] = field(default_factory=list)  # between words, of each head, if asked for
    of: "tuple[Translation, ...]" = field(default=(), repr=False)  # the translations of the parts, if there are several

    @property
    def is_empty(self) -> bool:
        """Return whether a line with text has a translation that shows nothing, as a whole or in a part."""
        if self.of:
            return any(part.is_empty for part in self.of)
        return is_blank(self.text) and not is_blank(self.source)

    def to_dict(self, *, pieces: bool = False) -> dict[str, Any]:
        """Return it as JSON has it. `attention` is that of a line translated as a whole; of one translated in parts,
        `attention_parts` has a matrix for each part and where its words begin. `pieces` adds the attention between
        subwords."""
        blocks = []
        source = target = 0
        for part in self.attention.parts if self.attention else ():
            blocks.append({"source": source, "target": target, "attention": _rounded(part)})
            source, target = source + len(part.source), target + len(part.target)
        return {
            "source": self.source,
            "text": self.text,
            "score": self.score,
            "log_prob": self.log_prob,
            "candidates": [vars(candidate) for candidate in self.candidates],
            "source_words": self.attention.source if self.attention else [],
            "target_words": self.attention.target if self.attention else [],
            "attention": blocks[0]["attention"] if len(blocks) == 1 else [],
            "attention_parts": blocks if len(blocks) > 1 else [],
            "alignment": self.alignment,
            **({"details": self.details.to_dict()} if self.details else {}),
            **({"heads": [_rounded(head) for head in self.heads]} if self.heads else {}),
            **({"pieces": _as_dict(self.piece_attention)} if pieces and self.piece_attention else {}),
        }


def _rounded(matrix: Attention) -> list[list[float]]:
    return [[round(float(weight), 4) for weight in row] for row in matrix.weights]


def _as_dict(matrix: Attention) -> dict[str, Any]:
    return {"source": matrix.source, "target": matrix.target, "attention": _rounded(matrix)}


def warnings_of(translations: Iterable[Translation], n_best: int = 1) -> Counter[str]:
    """Count, for each warning about these translations, the lines that it concerns."""
    notes: Counter[str] = Counter()
    for each in translations:
        notes["lines cut to decoding.max_source tokens"] += each.cut
        notes["lines longer than those in training, translated in segments"] += each.parts > 1
        notes[
            "translations that reached the longest length allowed (decoding.max_length=N allows another) and may be "
            "incomplete"
        ] += each.limited
        notes["lines with words outside the vocabulary, copied from the source (decoding.replace_unknown)"] += (
            each.unknown > 0
        )
        notes["lines with text and an empty translation"] += each.is_empty
        few = bool(each.candidates) and len(each.candidates) < n_best
        notes[f"lines with fewer than {n_best} different translations, the others empty"] += few
    return notes


def join_segments(line: str, spaces: list[str], parts: list[Translation], mean_score: bool) -> Translation:
    """Join the translations of a line's segments into one; scores are summed, or averaged with `mean_score`."""
    if len(parts) == 1:
        return replace(parts[0], source=line, cut=parts[0].cut or len(line) > LONGEST_LINE)
    # The first candidate of every segment, then the second, and so on; a segment with fewer repeats its last.
    of_parts = [part.candidates or [Candidate("", 0.0, 0.0)] for part in parts]
    candidates = []
    for some in zip_longest(*of_parts):
        rank = [one or of_part[-1] for one, of_part in zip(some, of_parts, strict=True)]
        candidates.append(
            Candidate(
                join([one.text for one in rank], spaces),
                math.fsum(one.score for one in rank) / (len(rank) if mean_score else 1),
                math.fsum(one.log_prob for one in rank),
            )
        )
    matrices = [part.attention for part in parts]
    return Translation(
        line,
        candidates[0].text,
        candidates[0].score,
        candidates[0].log_prob,
        candidates,
        join_attention(matrices),
        join_attention([part.piece_attention for part in parts]),
        join_links([part.alignment for part in parts], matrices),
        cut=any(part.cut for part in parts) or len(line) > LONGEST_LINE,
        parts=len(parts),
        unknown=sum(part.unknown for part in parts),
        limited=any(part.limited for part in parts),
        details=joined(
            line,
            join([part.text for part in parts], spaces),
            [(part.source, part.text, part.details) for part in parts],
        ),
        of=tuple(parts),
    )
