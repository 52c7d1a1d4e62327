"""Lines in, lines out: raw text -> pieces -> search -> raw text, in the order in which it came."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.config import DecodingSettings, changed
from nmt.data.batch import pad_sources, pad_targets
from nmt.data.batching import longest_first
from nmt.data.corpus import is_blank
from nmt.data.sentences import count_sentences
from nmt.data.statistics import TrainingStatistics
from nmt.data.subword import LONGEST_LINE, UNK_ID, Piece, Subwords
from nmt.data.words import split_words
from nmt.decoding.alignment import (
    END,
    Attention,
    join_attention,
    join_links,
    piece_attention,
    word_attention,
)
from nmt.decoding.constraints import Constraints, longest_allowed
from nmt.decoding.ensemble import Ensemble
from nmt.decoding.forced import Scored, attention_to, token_log_probs
from nmt.decoding.mbr import rank_by_chrf
from nmt.decoding.request import GIVEN, check_request, with_changes
from nmt.decoding.sampling import Place, Sampling, sample
from nmt.decoding.search import Hypothesis, Searchable, search
from nmt.decoding.shortlist import Shortlist
from nmt.decoding.side_by_side import computing_with, side_by_side
from nmt.decoding.splitting import Capacity, Parts, capacity, join, split_line
from nmt.decoding.unknown import copied_words
from nmt.errors import ConfigError
from nmt.model import Seq2Seq
from nmt.model.loop import PackedWeights, same_weights

MOST_VALUES = 2**26  # log-probabilities of a step, over all hypotheses of a batch; wide beams get smaller batches
MOST_TARGET = 20_000  # pieces of a given translation that are scored


@dataclass(frozen=True)
class Candidate:
    """One of the n best translations of a line."""

    text: str
    score: float
    log_prob: float


@dataclass(frozen=True)
class Translation:
    """A line and its translation. An empty or blank line has the text "", the score 0 and no attention.

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
    parts: int = 1  # more if the line held more than those in training, and was translated in so many parts
    unknown: int = 0  # words outside the vocabulary, copied from the source
    limited: bool = False  # it reached the longest length that was allowed, and may lack its end
    of: "tuple[Translation, ...]" = field(default=(), repr=False)  # the translations of the parts, if there are several

    @property
    def is_empty(self) -> bool:
        """Whether a line with text has a translation that shows nothing, as a whole or in a part."""
        if self.of:
            return any(part.is_empty for part in self.of)
        return is_blank(self.text) and not is_blank(self.source)


@dataclass(frozen=True)
class _Search:
    """How the hypotheses of a batch are found: by beam, or by samples, or as the samples that are most alike."""

    n_best: int
    sampling: Sampling | None
    mbr: int
    words: str

    @property
    def copies(self) -> int:
        """Rows that each sentence takes in the batch, apart from the beam."""
        return self.mbr or (self.n_best if self.sampling else 1)


class _Encoded(NamedTuple):
    """A line, as a whole or in parts, and the pieces of each part."""

    parts: Parts
    ids: list[list[int]]


class Translator:
    """A model, or several that decode as an ensemble, with their subwords and their way of searching."""

    def __init__(
        self,
        members: Sequence[Seq2Seq],
        subwords: Subwords,
        settings: DecodingSettings,
        device: torch.device | None = None,
        longest: int = 0,
        shortlist: Shortlist | None = None,
        statistics: TrainingStatistics | None = None,
        threads: int = 0,
    ) -> None:
        """`statistics` of the training text say when a line is split and how long a translation may become. Without
        them, lines with more pieces than `longest` are split at sentence ends; 0: none are. A shortlist: for one model.

        `threads` of the CPU compute; 0: as many as torch has where a translation is asked for. Several threads of a
        program may use one translator at once.
        """
        self.members = [member.eval() for member in members]
        self.model: Searchable = self.members[0] if len(members) == 1 else Ensemble(self.members)
        self.subwords = subwords
        self.settings = settings
        self.statistics = statistics
        self.capacity = capacity(statistics) if statistics else Capacity(0, longest, 0) if longest else None
        self.constraints = Constraints.of(subwords.target, statistics.target_lengths if statistics else None)
        self.device = device or torch.device("cpu")
        self.shortlist = shortlist
        self.threads = threads
        self.constraints = self.constraints.to(self.device)
        self._packed: PackedWeights = {}

    @property
    def attends(self) -> bool:
        """Whether there is an attention to show."""
        return any(member.settings.attention != "none" for member in self.members)

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam_size: int | None = None,
        length_penalty: int | float | None = None,
        n_best: int = 1,
        attention: bool = True,
        sampling: Sampling | None = None,
        mbr: int = 0,
        first_line: int = 1,
        words: str = "scripts",
        changes: Mapping[str, Any] | None = None,
    ) -> list[Translation]:
        """As many translations as lines, in their order; `changes` are any other decoding settings.

        Raises ConfigError if a setting is impossible or could have no effect. More translations than the beam of the
        run is wide widen it. `words` says what a word is in attention and alignment, out of WORDS.

        `attention` costs one more pass of the model over the result; without it there is no alignment either.
        With `sampling`, `n_best` translations are drawn. With `mbr`, so many are drawn (without `sampling`, from the
        model's own distribution) and those with the highest mean chrF to the others taken. What is drawn for a line
        depends on the seed and its number, counted from `first_line`; each part of a split line has draws of its own.
        """
        given = {"beam_size": beam_size, "length_penalty": length_penalty}
        named = {name: value for name, value in given.items() if value is not None}
        changes = {**(changes or {}), **named}
        settings = self._requested(changes, n_best, drawn=sampling is not None, mbr=mbr)
        split_words("", words)  # raises for an unknown kind
        way = _Search(n_best, sampling, mbr, words)
        lines = list(lines)
        encoded = [self._encode_parts(line) for line in lines]
        texts = [text for each in encoded for text in each.parts.texts]
        ids = [part for each in encoded for part in each.ids]
        places = [(first_line + index, part) for index, each in enumerate(encoded) for part in range(len(each.ids))]
        with computing_with(self.threads):
            found = iter(self._translate(texts, ids, places, settings, way, attention))
        return [
            _joined(line, each.parts.spaced, [next(found) for _ in each.ids], mean_score=bool(mbr))
            for line, each in zip(lines, encoded, strict=True)
        ]

    def _requested(self, changes: Mapping[str, Any], n_best: int, *, drawn: bool, mbr: int) -> DecodingSettings:
        settings = with_changes(self.settings, changes)
        check_request(changes, n_best=n_best, drawn=drawn, mbr=mbr)
        if changes.get("coverage_penalty") and not self.attends:
            raise ConfigError("coverage_penalty: needs an attention, which this model has not; remove it")
        if not (drawn or mbr) and n_best > settings.beam_size:
            settings = changed(settings, beam_size=n_best)
        return settings

    def _encode(self, line: str) -> list[int]:
        return [] if is_blank(line) else self.subwords.source.encode(line)

    def _encode_parts(self, line: str) -> _Encoded:
        """The line as a whole, unless it holds more than the lines of training did. Of a huge line the beginning."""
        line = line[:LONGEST_LINE]
        most = self.capacity
        sentences = count_sentences(line) if most else 1
        if not most or most.holds_sentences(sentences):
            ids = self._encode(line)
            if not most or most.holds(sentences, len(ids)):
                return _Encoded(Parts([line], [False]), [ids])
        parts = split_line(line, lambda text: len(self._encode(text)), most)
        return _Encoded(parts, [self._encode(text) for text in parts.texts])

    def _translate(
        self,
        lines: list[str],
        ids: list[list[int]],
        places: list[Place],
        settings: DecodingSettings,
        way: _Search,
        attention: bool,
    ) -> list[Translation]:
        """Each of `lines` is a line, or part of one."""
        found: list[Translation] = [Translation(line, "") for line in lines]
        real = [index for index in range(len(lines)) if ids[index]]

        def of_batch(batch: list[int]) -> list[Translation]:
            sources = [ids[index][: settings.max_source] for index in batch]
            with same_weights(self._packed):
                hypotheses = self._search(sources, settings, way, [places[index] for index in batch])
                limits = longest_allowed(pad_sources(sources), settings, self.constraints).tolist()
                return self._render(
                    [lines[index] for index in batch], sources, hypotheses, limits, attention, way.words
                )

        rows = way.copies * (1 if way.sampling or way.mbr else settings.beam_size)
        at_once = max(1, MOST_VALUES // (rows * len(self.subwords.target)))
        size = min(max(1, settings.batch_size // way.copies), at_once)
        batches = list(longest_first(real, [len(each) for each in ids], size))
        for batch, results in zip(batches, side_by_side(of_batch, batches, self.device), strict=True):
            for index, translation in zip(batch, results, strict=True):
                found[index] = replace(translation, cut=len(ids[index]) > settings.max_source)
        return found

    def _search(
        self, sources: list[list[int]], settings: DecodingSettings, way: _Search, places: list[Place]
    ) -> list[list[Hypothesis]]:
        source = self._padded(sources)
        if not (way.sampling or way.mbr):
            if self.shortlist:
                return self.shortlist.search(self.members[0], source, settings, way.n_best, self.constraints)
            return search(self.model, source, settings, way.n_best, self.constraints)
        sampling = way.sampling or Sampling()
        drawn = sample(self.model, source, settings, sampling, way.copies, places, self.constraints)
        if not way.mbr:
            return drawn
        return [rank_by_chrf(samples, self.subwords.target.decode)[: way.n_best] for samples in drawn]

    def _render(
        self,
        lines: list[str],
        sources: list[list[int]],
        found: list[list[Hypothesis]],
        limits: list[int],
        attention: bool,
        words: str,
    ) -> list[Translation]:
        best = [hypotheses[0] for hypotheses in found]
        weights = self.attention(sources, [hypothesis.tokens for hypothesis in best]) if attention else None
        copies = self._copies(lines, sources, found)
        translations = []
        for index, (line, source, hypotheses) in enumerate(zip(lines, sources, found, strict=True)):
            candidates = [
                Candidate(self.subwords.target.decode(tokens, copied), score, log_prob)
                for (tokens, score, log_prob), copied in zip(hypotheses, copies[index], strict=True)
            ]
            translation = Translation(
                line,
                candidates[0].text,
                candidates[0].score,
                candidates[0].log_prob,
                candidates,
                limited=len(best[index].tokens) >= limits[index],
                unknown=best[index].tokens.count(UNK_ID),
            )
            if weights is not None and weights[index].any():
                pieces = self.subwords.target.decoded_pieces(best[index].tokens, copies[index][0])
                translation = self._with_attention(translation, source, pieces, weights[index], words)
            translations.append(translation)
        return translations

    def _copies(
        self, lines: list[str], sources: list[list[int]], found: list[list[Hypothesis]]
    ) -> list[list[list[str]]]:
        """Return, for each hypothesis of each line, the texts that are copied in place of its unknown words."""
        copies: list[list[list[str]]] = [[[] for _ in hypotheses] for hypotheses in found]
        places = [
            (row, rank)
            for row, hypotheses in enumerate(found)
            for rank, hypothesis in enumerate(hypotheses)
            if UNK_ID in hypothesis.tokens
        ]
        if not places or not self.attends:
            return copies
        for start in range(0, len(places), self.settings.batch_size):
            some = places[start : start + self.settings.batch_size]
            targets = [found[row][rank].tokens for row, rank in some]
            weights = self.attention([sources[row] for row, _ in some], targets)
            for (row, rank), target, matrix in zip(some, targets, weights, strict=True):
                pieces = self.subwords.source.pieces(lines[row], len(sources[row]))
                copies[row][rank] = copied_words(lines[row], sources[row], pieces, target, matrix)
        return copies

    def attention(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """The attention of given translations, per sentence (target pieces + end, source pieces + end)."""
        weights = attention_to(self.members, self._padded(sources), pad_targets(targets)[0].to(self.device))
        arrays = weights.float().cpu().numpy()
        return [
            arrays[index, : len(target) + 1, : len(source) + 1]
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def score(self, pairs: Iterable[tuple[str, str]], *, changes: Mapping[str, Any] | None = None) -> list[Scored]:
        """How probable the given translation of each line is, token by token; (source, target) in their order.

        Raises ConfigError if one of the `changes` is impossible or has no effect on given translations.
        """
        settings = with_changes(self.settings, changes or {}, GIVEN)
        with computing_with(self.threads):
            return self._score(list(pairs), settings)

    def _score(self, pairs: list[tuple[str, str]], settings: DecodingSettings) -> list[Scored]:
        limit = settings.max_source
        sources = [self.subwords.source.beginning(source, limit + 1) for source, _ in pairs]
        known_targets = [self.subwords.target.beginning(target, MOST_TARGET + 1) for _, target in pairs]
        targets = [target[:MOST_TARGET] for target in known_targets]
        found: dict[int, Scored] = {}
        for batch in longest_first(range(len(pairs)), [len(target) for target in targets], settings.batch_size):
            source = self._padded([sources[index][:limit] for index in batch])
            known = (part.to(self.device) for part in pad_targets([targets[index] for index in batch]))
            for index, row in zip(batch, token_log_probs(self.members, source, *known).tolist(), strict=True):
                pieces = [piece.text for piece in self.subwords.target.decoded_pieces(targets[index])]
                cut = len(sources[index]) > limit or len(known_targets[index]) > MOST_TARGET
                cut = cut or max(map(len, pairs[index])) > LONGEST_LINE
                found[index] = Scored(*pairs[index], [*pieces, END], row[: len(pieces) + 1], cut)
        return [found[index] for index in range(len(pairs))]

    def _padded(self, sources: Sequence[list[int]]) -> Tensor:
        return pad_sources(sources).to(self.device)

    def _with_attention(
        self,
        translation: Translation,
        source: list[int],
        target_pieces: list[Piece],
        weights: np.ndarray,
        words: str,
    ) -> Translation:
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        read = translation.source[: max(piece.end for piece in source_pieces)]  # less than all if the line was cut
        between, links = word_attention(weights, read, translation.text, source_pieces, target_pieces, words)
        pieces = piece_attention(weights, source_pieces, target_pieces)
        return replace(translation, attention=between, piece_attention=pieces, alignment=links)


def warnings_of(translations: Iterable[Translation], n_best: int = 1) -> Counter[str]:
    """What the user should know about these translations, and of how many lines."""
    notes: Counter[str] = Counter()
    for each in translations:
        notes["lines cut to decoding.max_source pieces"] += each.cut
        notes["lines that hold more than those in training, translated in parts"] += each.parts > 1
        notes[
            "translations that reached the longest length allowed (decoding.max_length=N allows another) and may lack "
            "their end"
        ] += each.limited
        notes["lines with words outside the vocabulary, copied from the source (decoding.replace_unknown)"] += (
            each.unknown > 0
        )
        notes["lines with text and an empty translation"] += each.is_empty
        few = bool(each.candidates) and len(each.candidates) < n_best
        notes[f"lines with fewer than {n_best} different translations, the others empty"] += few
    return notes


def _joined(line: str, spaced: list[bool], parts: list[Translation], mean_score: bool) -> Translation:
    """One translation out of those of a line's parts; scores are summed, or their mean is taken."""
    if len(parts) == 1:
        return replace(parts[0], source=line, cut=parts[0].cut or len(line) > LONGEST_LINE)
    ranks = _ranks([part.candidates or [Candidate("", 0.0, 0.0)] for part in parts])
    candidates = [
        Candidate(
            join([one.text for one in rank], spaced),
            math.fsum(one.score for one in rank) / (len(rank) if mean_score else 1),
            math.fsum(one.log_prob for one in rank),
        )
        for rank in ranks
    ]
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
        of=tuple(parts),
    )


def _ranks(candidates: Sequence[Sequence[Candidate]]) -> Iterator[list[Candidate]]:
    """The first of every part, then the second of every part, and so on; a part with fewer gives its last again."""
    for rank in zip_longest(*candidates):
        yield [one or part[-1] for one, part in zip(rank, candidates, strict=True)]
