"""Lines in, lines out: raw text -> pieces -> search -> raw text, in the order in which it came."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from nmt.config import DecodingSettings, changed
from nmt.data.batch import pad_sources
from nmt.data.corpus import is_blank
from nmt.data.subword import BOS_ID, EOS_ID, Subwords
from nmt.decoding.alignment import AttentionMatrix, piece_attention, word_attention
from nmt.decoding.search import Hypothesis, search
from nmt.model import Seq2Seq


@dataclass(frozen=True)
class Candidate:
    """One of the n best translations of a line."""

    text: str
    score: float
    log_prob: float


@dataclass(frozen=True)
class Translation:
    """A line and its translation. An empty or blank line has the text "", the score 0 and no attention."""

    source: str
    text: str
    score: float = 0.0  # log-probability / length penalty + coverage penalty; natural log
    log_prob: float = 0.0  # natural log
    candidates: list[Candidate] = field(default_factory=list)  # n best, best first
    attention: AttentionMatrix | None = None  # between words
    piece_attention: AttentionMatrix | None = None
    alignment: list[tuple[int, int]] = field(default_factory=list)  # (source word, target word), from 0
    cut: bool = False  # the line was longer than `decoding.max_source` and only its beginning was translated


class Translator:
    """A model with its subwords and its way of searching."""

    def __init__(
        self, model: Seq2Seq, subwords: Subwords, settings: DecodingSettings, device: torch.device | None = None
    ) -> None:
        self.model = model.eval()
        self.subwords = subwords
        self.settings = settings
        self.device = device or torch.device("cpu")

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam_size: int | None = None,
        length_penalty: int | float | None = None,
        n_best: int = 1,
        attention: bool = True,
        changes: Mapping[str, int | float] | None = None,
    ) -> list[Translation]:
        """As many translations as lines, in their order; `changes` are any other decoding settings.

        `attention` costs one more pass of the model over the result; without it there is no alignment either.
        """
        given = {"beam_size": beam_size, "length_penalty": length_penalty}
        named = {name: value for name, value in given.items() if value is not None}
        settings = changed(self.settings, **{**(changes or {}), **named})
        lines = list(lines)
        ids = [[] if is_blank(line) else self.subwords.source.encode(line) for line in lines]
        found: list[Translation] = [Translation(line, "") for line in lines]
        order = sorted((index for index in range(len(lines)) if ids[index]), key=lambda index: -len(ids[index]))
        for start in range(0, len(order), settings.batch_size):
            batch = order[start : start + settings.batch_size]
            sources = [ids[index][: settings.max_source] for index in batch]
            results = self._translate_batch([lines[index] for index in batch], sources, settings, n_best, attention)
            for index, translation in zip(batch, results, strict=True):
                found[index] = replace(translation, cut=len(ids[index]) > settings.max_source)
        return found

    def _translate_batch(
        self, lines: list[str], sources: list[list[int]], settings: DecodingSettings, n_best: int, attention: bool
    ) -> list[Translation]:
        found = search(self.model, pad_sources(sources).to(self.device), settings, n_best)
        best = [hypotheses[0] for hypotheses in found]
        weights = self.attention(sources, [hypothesis.tokens for hypothesis in best]) if attention else None
        translations = []
        for index, (line, source, hypotheses) in enumerate(zip(lines, sources, found, strict=True)):
            candidates = [self._candidate(hypothesis) for hypothesis in hypotheses]
            translation = Translation(
                line,
                candidates[0].text,
                candidates[0].score,
                candidates[0].log_prob,
                candidates,
            )
            if weights is not None and weights[index].any():
                translation = self._with_attention(translation, source, best[index].tokens, weights[index])
            translations.append(translation)
        return translations

    def _candidate(self, hypothesis: Hypothesis) -> Candidate:
        return Candidate(self.subwords.target.decode(hypothesis.tokens), hypothesis.score, hypothesis.log_prob)

    @torch.inference_mode()
    def attention(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """The attention of given translations, per sentence (target pieces + end, source pieces + end).

        Search keeps no attention: forward equals stepping, so one pass over the result gives the same.
        """
        width = max(len(target) for target in targets) + 1
        inputs = [[BOS_ID, *target, *[EOS_ID] * (width - len(target) - 1)] for target in targets]
        decoded = self.model(pad_sources(sources).to(self.device), torch.tensor(inputs, device=self.device))
        weights = decoded.attention.float().cpu().numpy()
        return [
            weights[index, : len(target) + 1, : len(source) + 1]
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def _with_attention(
        self, translation: Translation, source: list[int], target: list[int], weights: np.ndarray
    ) -> Translation:
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        target_pieces = self.subwords.target.decoded_pieces(target)
        read = translation.source[: max(piece.end for piece in source_pieces)]  # less than all if the line was cut
        words, links = word_attention(weights, read, translation.text, source_pieces, target_pieces)
        pieces = piece_attention(weights, source_pieces, target_pieces)
        return replace(translation, attention=words, piece_attention=pieces, alignment=links)
