"""Translate lines: raw text -> subwords -> search -> raw text, as many lines as came, in the same order."""

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.batch import pad_sources, pad_targets
from nmt.data.batching import longest_first
from nmt.data.corpus import is_blank
from nmt.data.sentences import count_sentences
from nmt.data.statistics import TrainingStatistics
from nmt.data.subword import LONGEST_LINE, UNK_ID, Piece, Subwords
from nmt.errors import ConfigError
from nmt.inference.alignment import (
    END,
    Attention,
    AttentionMatrix,
    join_attention,
    join_links,
    piece_attention,
    word_attention,
)
from nmt.inference.constraints import Constraints, longest_allowed
from nmt.inference.details import Alternative, Details, joined, next_words, place_words, traced, word_probabilities
from nmt.inference.ensemble import Ensemble
from nmt.inference.heads import head_attention
from nmt.inference.parallel import computing_with, parallel_map
from nmt.inference.prefix import Prefix, Prefixed, Prefixes, Spelling, prefix_of
from nmt.inference.request import GIVEN, Sampling, TranslateOptions, with_changes
from nmt.inference.sampling import Place
from nmt.inference.scoring import Scored, attention_to, read_targets, token_log_probs
from nmt.inference.search import Hypothesis, Searchable
from nmt.inference.searches import SEARCHES, Wanted, name_of
from nmt.inference.segmentation import Capacity, Segments, capacity, join, split_line
from nmt.inference.shortlist import Shortlist
from nmt.inference.trace import Trace
from nmt.inference.unknown import copied_words
from nmt.kernels import Thresholds, using
from nmt.kernels.deferred_gradients import PackedWeights, cached_packing
from nmt.model import Seq2Seq
from nmt.model.int8 import Int8Linear, quantize
from nmt.precision import choose_precision, computing_in

Confidence = tuple[Callable[[float], float], Callable[[float], float]]

MOST_VALUES = 2**26  # log-probabilities of a step, over all hypotheses of a batch; wide beams get smaller batches
MOST_TARGET = 20_000  # pieces of a given translation that are scored


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


class _Encoded(NamedTuple):
    """Hold a line, whole or in segments, and the token ids of each segment."""

    parts: Segments
    ids: list[list[int]]
    prefix: Prefix | None = None  # that the translation begins with, if it is one part


class _Batch(NamedTuple):
    """Hold lines, or parts of lines, that are translated together."""

    lines: list[str]
    ids: list[list[int]]
    places: list[Place]
    prefixes: list[Prefix | None]

    def at(self, indices: Sequence[int]) -> "_Batch":
        lines, ids, places, prefixes = ([part[index] for index in indices] for part in self)
        return _Batch(lines, ids, places, prefixes)  # type: ignore[arg-type]


class Translator:
    """Translate with a model, or with several as an ensemble, given their subwords and decoding settings."""

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
        confidence: Confidence | None = None,
        speed: Mapping[int, Thresholds] | None = None,
    ) -> None:
        """Take `statistics` of the training text, which decide when a line is split and how long a translation may
        become. Without them, lines with more subwords than `longest` are split at sentence ends; 0: never. A shortlist
        needs a single model.

        `threads` of the CPU compute; 0: as many as torch has where a translation is asked for. Several threads of a
        program may use one translator at once. `speed` are the thresholds of this machine's fast paths, by number of
        threads; None: those of the thread that asks for a translation.
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
        self.speed = speed
        self.confidence = confidence  # (of words, of sentences): from probability to confidence
        self.constraints = self.constraints.to(self.device)
        self._packed: PackedWeights = {}
        self._has_8_bits = any(isinstance(part, Int8Linear) for member in self.members for part in member.modules())
        self._in_8_bits: Translator | None = None  # made when it is asked for

    @property
    def attends(self) -> bool:
        """Return whether there is an attention to show."""
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
        prefixes: Sequence[str] | None = None,
        options: TranslateOptions | None = None,
    ) -> list[Translation]:
        """Translate lines; returns as many translations, in the same order; `changes` are any other decoding settings.

        Raises ConfigError if a setting is impossible or could have no effect. More translations than the beam of the
        run is wide widen it. `words` says what a word is in attention and alignment, out of WORDS.

        `attention` costs one more pass of the model over the result; without it there is no alignment either.
        With `sampling`, `n_best` translations are drawn. `mbr` is the number of samples to draw (without `sampling`,
        from the model's own distribution); those with the highest mean chrF to the others are returned.
        The samples of a line depend on the seed and its number, counted from `first_line`; each part of a split line
        has samples of its own.

        `prefixes` has a text for each line, with which its translation begins; "" for none. A line with a prefix is
        translated as a whole, however long it is. `options` describe the whole request in place of the others.
        """
        if options is None:
            named = {"beam_size": beam_size, "length_penalty": length_penalty}
            changes = {**(changes or {}), **{name: value for name, value in named.items() if value is not None}}
            options = TranslateOptions(n_best, sampling, mbr, attention, words, changes=changes)
        settings = options.settings(self.settings, attends=self.attends)
        lines = list(lines)
        begun = list(prefixes) if prefixes is not None else [""] * len(lines)
        if len(begun) != len(lines):
            raise ConfigError(f"prefixes: {len(begun):,} for {len(lines):,} lines; give one for each, empty for none")
        encoded = [self._encode_parts(line, prefix) for line, prefix in zip(lines, begun, strict=True)]
        batch = _Batch(
            [text for each in encoded for text in each.parts.texts],
            [part for each in encoded for part in each.ids],
            [(first_line + index, part) for index, each in enumerate(encoded) for part in range(len(each.ids))],
            [each.prefix for each in encoded for _ in each.ids],
        )
        with computing_with(self.threads), using(self.speed):
            found = iter(self._in_precision(settings)._translate(batch, settings, options))
        return [
            _join_segments(line, each.parts.spaces, [next(found) for _ in each.ids], mean_score=bool(options.mbr))
            for line, each in zip(lines, encoded, strict=True)
        ]

    def _encode(self, line: str) -> list[int]:
        return [] if is_blank(line) else self.subwords.source.encode(line)

    def _encode_parts(self, line: str, begun: str = "") -> _Encoded:
        """Encode the line whole, or in segments if it holds more than the training lines did; of a huge line only
        the beginning."""
        line = line[:LONGEST_LINE]
        if prefix := prefix_of(begun[:LONGEST_LINE], self.subwords.target):
            return _Encoded(Segments([line], [""]), [self._encode(line)], prefix)
        most = self.capacity
        sentences = count_sentences(line) if most else 1
        if not most or most.holds_sentences(sentences):
            ids = self._encode(line)
            if not most or most.holds(sentences, len(ids)):
                return _Encoded(Segments([line], [""]), [ids])
        verbatim = self.subwords.target.normalizer.name == "identity"
        parts = split_line(line, lambda text: len(self._encode(text)), most, verbatim)
        return _Encoded(parts, [self._encode(text) for text in parts.texts])

    def _in_precision(self, settings: DecodingSettings) -> "Translator":
        """Return a translator that computes as `decoding.precision` says: this one, or one with 8-bit weights. Raise
        ConfigError if the device cannot."""
        wanted = choose_precision(
            settings.precision, self.device, self.members[0].settings, "decoding.precision"
        ).precision
        if wanted != "int8" or self._has_8_bits:
            return self
        if self._in_8_bits is None:
            other = copy(self)
            other.members = [deepcopy(member) for member in self.members]
            for member in other.members:
                quantize(member)
            other.model = other.members[0] if len(other.members) == 1 else Ensemble(other.members)
            other._packed, other._has_8_bits = {}, True
            self._in_8_bits = other
        return self._in_8_bits

    def _translate(self, whole: _Batch, settings: DecodingSettings, options: TranslateOptions) -> list[Translation]:
        found: list[Translation] = [Translation(line, "") for line in whole.lines]
        ids = whole.ids
        real = [index for index in range(len(ids)) if ids[index]]
        precision = choose_precision(settings.precision, self.device, self.members[0].settings).precision
        precision = "int8" if self._has_8_bits else precision

        def of_batch(indices: list[int]) -> list[Translation]:
            batch = whole.at(indices)
            batch = batch._replace(ids=[each[: settings.max_source] for each in batch.ids])
            with cached_packing(self._packed), computing_in(precision, self.device):
                trace = Trace(len(batch.ids), settings.beam_size) if options.trace else None
                hypotheses = self._search(batch, settings, options, trace)
                limits = longest_allowed(pad_sources(batch.ids), settings, self.constraints).tolist()
                return self._render(batch, hypotheses, limits, options, trace)

        rows = options.copies * (1 if options.drawn or options.mbr else settings.beam_size)
        at_once = max(1, MOST_VALUES // (rows * len(self.subwords.target)))
        size = min(max(1, settings.batch_size // options.copies), at_once)
        batches = list(longest_first(real, [len(each) for each in ids], size))
        for indices, results in zip(batches, parallel_map(of_batch, batches, self.device), strict=True):
            for index, translation in zip(indices, results, strict=True):
                found[index] = replace(translation, cut=len(ids[index]) > settings.max_source)
        return found

    def _search(
        self, batch: _Batch, settings: DecodingSettings, options: TranslateOptions, trace: Trace | None
    ) -> list[list[Hypothesis]]:
        source = self._padded(batch.ids)
        model, constraints = self.model, self.constraints
        if any(batch.prefixes):
            prefixes = Prefixes.of(batch.prefixes, self._spelling).to(self.device)
            model, constraints = Prefixed(model, prefixes), replace(constraints, least=prefixes.least)
        kind = name_of(options)
        if kind == "beam" and self.shortlist and model is self.model:  # a prefix may have words that no shortlist has
            return self.shortlist.search(self.members[0], source, settings, options.n_best, constraints, trace)
        decode = self.subwords.target.decode
        return SEARCHES[kind](model, Wanted(source, settings, options, batch.places, constraints, decode, trace))

    @functools.cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self.subwords.target)

    def _render(
        self,
        batch: _Batch,
        found: list[list[Hypothesis]],
        limits: list[int],
        options: TranslateOptions,
        trace: Trace | None,
    ) -> list[Translation]:
        sources, targets = batch.ids, [hypotheses[0].tokens for hypotheses in found]
        weights, log_probs = self._read(sources, targets, options)
        copies = self._copies(batch.lines, sources, found)
        heads = self._heads(sources, targets) if options.heads else None
        translations = []
        for index, (line, source, hypotheses) in enumerate(zip(batch.lines, sources, found, strict=True)):
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
                limited=len(targets[index]) >= limits[index],
                unknown=targets[index].count(UNK_ID),
            )
            if weights is not None or options.details:
                pieces = self.subwords.target.decoded_pieces(targets[index], copies[index][0])
                if weights is not None and weights[index].any():
                    translation = self._with_attention(translation, source, pieces, weights[index], options.words)
                    if heads is not None:
                        translation = replace(
                            translation,
                            heads=[
                                self._between_words(translation, source, pieces, head, options.words)[0]
                                for head in heads[index]
                            ],
                        )
                if options.details:
                    details = self._details(translation, source, targets[index], pieces, log_probs[index], options)
                    nodes = traced(trace.nodes[index], targets[index], self.subwords.target) if trace else ()
                    translation = replace(translation, details=replace(details, trace=nodes))
            translations.append(translation)
        return translations

    def _read(
        self, sources: list[list[int]], targets: list[list[int]], options: TranslateOptions
    ) -> tuple[list[np.ndarray] | None, list[list[float]]]:
        """Return the attention to the translations and the log-probability of each token, as far as asked for."""
        if not options.details:
            return (self.attention(sources, targets) if options.attention else None), []
        known = (part.to(self.device) for part in pad_targets(targets))
        weights, log_probs = read_targets(self.members, self._padded(sources), *known)
        return self._cropped(weights, sources, targets), log_probs.tolist()

    def _heads(self, sources: list[list[int]], targets: list[list[int]]) -> list[np.ndarray] | None:
        """Return the attention of each head, per sentence (heads, target pieces + end, source pieces + end); None if
        there is no single model whose attention has several heads."""
        if len(self.members) > 1:
            return None
        weights = head_attention(self.members[0], self._padded(sources), pad_targets(targets)[0].to(self.device))
        if weights is None:
            return None
        arrays = weights.float().cpu().numpy()
        sizes = [(len(target) + 1, len(source) + 1) for source, target in zip(sources, targets, strict=True)]
        return [array[:, :rows, :columns] for array, (rows, columns) in zip(arrays, sizes, strict=True)]

    def _details(
        self,
        translation: Translation,
        source: list[int],
        target: list[int],
        pieces: list[Piece],
        log_probs: list[float],
        options: TranslateOptions,
    ) -> Details:
        """Return offsets, probabilities and alternatives of the words."""
        log_probs = log_probs[: len(target) + 1]
        words = place_words(translation.text, options.words)
        probabilities, first = word_probabilities(translation.text, options.words, pieces, log_probs)
        others: list[tuple[Alternative, ...]] = [()] * len(words)
        if options.alternatives:
            row = self._padded([source])
            count = options.alternatives
            others = list(next_words(self.model, row, target, first, count, self.subwords.target))
        whole = math.exp(math.fsum(log_probs) / len(log_probs))
        of_word, of_sentence = self.confidence or (None, None)
        return Details(
            place_words(translation.source, options.words),
            [
                replace(
                    word,
                    probability=probability,
                    confidence=of_word(probability) if of_word else None,
                    alternatives=other,
                )
                for word, probability, other in zip(words, probabilities, others, strict=True)
            ],
            whole,
            len(log_probs),
            confidence=of_sentence(whole) if of_sentence else None,
        )

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
        """Return the attention of given translations, per sentence (target pieces + end, source pieces + end)."""
        weights = attention_to(self.members, self._padded(sources), pad_targets(targets)[0].to(self.device))
        return self._cropped(weights, sources, targets)

    def _cropped(self, weights: Tensor, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """Return the attention of each sentence, without padding."""
        arrays = weights.float().cpu().numpy()
        return [
            arrays[index, : len(target) + 1, : len(source) + 1]
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def score(self, pairs: Iterable[tuple[str, str]], *, changes: Mapping[str, Any] | None = None) -> list[Scored]:
        """Score the given translation of each line token by token; (source, target) pairs, in the same order.

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
        return pad_sources(sources)  # on the host: the model reads the lengths there, and copies it

    def _with_attention(
        self,
        translation: Translation,
        source: list[int],
        target_pieces: list[Piece],
        weights: np.ndarray,
        words: str,
    ) -> Translation:
        between, links = self._between_words(translation, source, target_pieces, weights, words)
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        pieces = piece_attention(weights, source_pieces, target_pieces)
        return replace(translation, attention=between, piece_attention=pieces, alignment=links)

    def _between_words(
        self, translation: Translation, source: list[int], target_pieces: list[Piece], weights: np.ndarray, words: str
    ) -> tuple[AttentionMatrix, list[tuple[int, int]]]:
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        read = translation.source[: max(piece.end for piece in source_pieces)]  # less than all if the line was cut
        return word_attention(weights, read, translation.text, source_pieces, target_pieces, words)


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


def _join_segments(line: str, spaces: list[str], parts: list[Translation], mean_score: bool) -> Translation:
    """Join the translations of a line's segments into one; scores are summed, or averaged with `mean_score`."""
    if len(parts) == 1:
        return replace(parts[0], source=line, cut=parts[0].cut or len(line) > LONGEST_LINE)
    ranks = _ranks([part.candidates or [Candidate("", 0.0, 0.0)] for part in parts])
    candidates = [
        Candidate(
            join([one.text for one in rank], spaces),
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
        details=_joined_details(line, join([part.text for part in parts], spaces), parts),
        of=tuple(parts),
    )


def _joined_details(source: str, target: str, parts: list[Translation]) -> Details | None:
    """Return the details of a line out of those of its parts, moved to the places of these. Searches are not joined."""
    found, read, written = [], 0, 0
    for part in parts:
        if part.details is None:
            return None
        read, written = max(source.find(part.source, read), read), max(target.find(part.text, written), written)
        found.append(part.details.moved(source[:read], target[:written]))
        read, written = read + len(part.source), written + len(part.text)
    return joined(found)


def _ranks(candidates: Sequence[Sequence[Candidate]]) -> Iterator[list[Candidate]]:
    """Yield the first candidate of every segment, then the second, and so on; a segment with fewer repeats its last."""
    for rank in zip_longest(*candidates):
        yield [one or part[-1] for one, part in zip(rank, candidates, strict=True)]
