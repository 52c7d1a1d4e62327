"""Lines in, lines out: raw text -> pieces -> search -> raw text, in the order in which it came."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.config import DecodingSettings, changed
from nmt.data.batch import pad_sources, pad_targets
from nmt.data.batching import longest_first
from nmt.data.corpus import is_blank
from nmt.data.subword import LONGEST_LINE, UNK_ID, Piece, Subwords
from nmt.decoding.alignment import END, AttentionMatrix, piece_attention, word_attention
from nmt.decoding.characters import whole_characters
from nmt.decoding.ensemble import Ensemble
from nmt.decoding.forced import Scored, attention_to, token_log_probs
from nmt.decoding.mbr import rank_by_chrf
from nmt.decoding.sampling import Place, Sampling, sample
from nmt.decoding.search import Hypothesis, Searchable, search
from nmt.decoding.shortlist import Shortlist
from nmt.decoding.side_by_side import computing_with, side_by_side
from nmt.decoding.splitting import Parts, join, join_attention, join_links, split_line
from nmt.decoding.unknown import copy_unknown
from nmt.errors import ConfigError
from nmt.model import Seq2Seq
from nmt.model.loop import PackedWeights, same_weights

MOST_HYPOTHESES = 1000  # of a line that are asked for; as many as a beam may have
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
    attention: AttentionMatrix | None = None  # between words
    piece_attention: AttentionMatrix | None = None
    alignment: list[tuple[int, int]] = field(default_factory=list)  # (source word, target word), from 0
    cut: bool = False  # the line was longer than `decoding.max_source` and only its beginning was translated
    unknown: int = 0  # words that the target vocabulary lacks, copied from the source
    parts: int = 1  # more if the line was longer than those in training, and translated in so many parts


@dataclass(frozen=True)
class _Search:
    """How the hypotheses of a batch are found: by beam, or by samples, or as the samples that are most alike."""

    n_best: int
    sampling: Sampling | None
    mbr: int

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        wrong = (
            (not 1 <= self.n_best <= MOST_HYPOTHESES, f"n_best: must be from 1 to {MOST_HYPOTHESES:,}"),
            (not (self.mbr == 0 or 2 <= self.mbr <= MOST_HYPOTHESES), f"mbr: must be from 2 to {MOST_HYPOTHESES:,}"),
        )
        if problems := [problem for is_wrong, problem in wrong if is_wrong]:
            raise ConfigError(*problems)

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
        threads: int = 0,
    ) -> None:
        """Lines with more pieces than `longest` are split at sentence ends; 0: none are. A shortlist: for one model.

        `threads` of the CPU compute; 0: as many as torch has where a translation is asked for. Several threads of a
        program may use one translator at once."""
        self.members = [member.eval() for member in members]
        model: Searchable = self.members[0] if len(members) == 1 else Ensemble(self.members)
        self.model = whole_characters(model, subwords.target, device or torch.device("cpu"))
        self.subwords = subwords
        self.settings = settings
        self.longest = longest
        self.device = device or torch.device("cpu")
        self.shortlist = shortlist
        self.threads = threads
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
        changes: Mapping[str, int | float] | None = None,
    ) -> list[Translation]:
        """As many translations as lines, in their order; `changes` are any other decoding settings.

        `attention` costs one more pass of the model over the result; without it there is no alignment either.
        With `sampling`, `n_best` translations are drawn. With `mbr`, so many are drawn (without `sampling`, from the
        model's own distribution) and those with the highest mean chrF to the others taken. What is drawn for a line
        depends on the seed and its number, counted from `first_line`; each part of a split line has draws of its own.
        """
        given = {"beam_size": beam_size, "length_penalty": length_penalty}
        named = {name: value for name, value in given.items() if value is not None}
        settings = changed(self.settings, **{**(changes or {}), **named})
        if self.subwords.target.bytes:  # nothing is unknown that can be spelt in bytes
            settings = settings.model_copy(update={"replace_unknown": False})
        way = _Search(n_best, sampling, mbr)
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

    def _encode(self, line: str) -> list[int]:
        return [] if is_blank(line) else self.subwords.source.encode(line)

    def _encode_parts(self, line: str) -> _Encoded:
        """The line as a whole, unless it has more than `longest` pieces. Of a huge line the beginning."""
        line = line[:LONGEST_LINE]
        ids = self._encode(line)
        if not self.longest or len(ids) <= self.longest:
            return _Encoded(Parts([line], [False]), [ids])
        parts = split_line(line, lambda text: len(self._encode(text)), self.longest)
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
                return self._render([lines[index] for index in batch], sources, hypotheses, attention)

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
                return self.shortlist.search(self.members[0], source, settings, way.n_best, self.subwords.target.bytes)
            return search(self.model, source, settings, way.n_best)
        drawn = sample(self.model, source, settings, way.sampling or Sampling(), way.copies, places)
        if not way.mbr:
            return drawn
        return [rank_by_chrf(samples, self.subwords.target.decode)[: way.n_best] for samples in drawn]

    def _render(
        self, lines: list[str], sources: list[list[int]], found: list[list[Hypothesis]], attention: bool
    ) -> list[Translation]:
        best = [hypotheses[0] for hypotheses in found]
        weights = self.attention(sources, [hypothesis.tokens for hypothesis in best]) if attention else None
        translations = []
        for index, (line, source, hypotheses) in enumerate(zip(lines, sources, found, strict=True)):
            candidates = [self._candidate(hypothesis, line, source) for hypothesis in hypotheses]
            translation = Translation(
                line,
                candidates[0].text,
                candidates[0].score,
                candidates[0].log_prob,
                candidates,
                unknown=best[index].tokens.count(UNK_ID),
            )
            if weights is not None and weights[index].any():
                translation = self._with_attention(translation, source, best[index].tokens, weights[index])
            translations.append(translation)
        return translations

    def _candidate(self, hypothesis: Hypothesis, line: str, source: list[int]) -> Candidate:
        text = self._text(line, source, hypothesis.tokens)[0]
        return Candidate(text, hypothesis.score, hypothesis.log_prob)

    def _text(self, line: str, source: list[int], tokens: list[int]) -> tuple[str, list[Piece]]:
        """The text of a hypothesis and the places of its tokens in it; unknown words are copied from the source."""
        if UNK_ID not in tokens:
            return self.subwords.target.decode(tokens), self.subwords.target.decoded_pieces(tokens)
        weights = self.attention([source], [tokens])[0] if self.attends else None
        return copy_unknown(self.subwords.target, tokens, line, self.subwords.source.pieces(line, len(source)), weights)

    def attention(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """The attention of given translations, per sentence (target pieces + end, source pieces + end)."""
        weights = attention_to(self.members, self._padded(sources), pad_targets(targets)[0].to(self.device))
        arrays = weights.float().cpu().numpy()
        return [
            arrays[index, : len(target) + 1, : len(source) + 1]
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def score(
        self, pairs: Iterable[tuple[str, str]], *, changes: Mapping[str, int | float] | None = None
    ) -> list[Scored]:
        """How probable the given translation of each line is, token by token; (source, target) in their order."""
        settings = changed(self.settings, **(changes or {}))
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
                found[index] = Scored(*pairs[index], [*pieces, END], row[: len(pieces) + 1], cut)
        return [found[index] for index in range(len(pairs))]

    def _padded(self, sources: Sequence[list[int]]) -> Tensor:
        return pad_sources(sources).to(self.device)

    def _with_attention(
        self, translation: Translation, source: list[int], target: list[int], weights: np.ndarray
    ) -> Translation:
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        target_pieces = self._text(translation.source, source, target)[1]
        read = translation.source[: max(piece.end for piece in source_pieces)]  # less than all if the line was cut
        words, links = word_attention(weights, read, translation.text, source_pieces, target_pieces)
        pieces = piece_attention(weights, source_pieces, target_pieces)
        return replace(translation, attention=words, piece_attention=pieces, alignment=links)


def _joined(line: str, spaced: list[bool], parts: list[Translation], mean_score: bool) -> Translation:
    """One translation out of those of a line's parts; scores are summed, or their mean is taken."""
    if len(parts) == 1:
        return replace(parts[0], source=line, cut=parts[0].cut or len(line) > LONGEST_LINE)
    ranks = zip(*(part.candidates or [Candidate("", 0.0, 0.0)] for part in parts), strict=False)
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
        any(part.cut for part in parts) or len(line) > LONGEST_LINE,
        sum(part.unknown for part in parts),
        len(parts),
    )
