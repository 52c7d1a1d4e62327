"""Explain hypotheses: how much each target word attends to each source word, how probable it is, what else could come.

What is shown comes from the trace of the search: what the model saw when it chose each word. Only what a trace lacks
takes one more pass of the model over the result.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nmt.data.batch import pad_sources, pad_targets
from nmt.data.subword import UNK_ID, Piece, Subwords
from nmt.inference.alignment import AttentionMatrix, piece_attention, word_attention
from nmt.inference.details import Alternative, Details, next_words, place_words, traced, word_probabilities
from nmt.inference.heads import head_attention
from nmt.inference.request import TranslateOptions
from nmt.inference.scoring import attention_to, read_targets
from nmt.inference.search import Hypothesis, Searchable
from nmt.inference.trace import Trace
from nmt.inference.translation import Candidate, Translation
from nmt.inference.unknown import copied_words
from nmt.model import Seq2Seq

# From the probability of a word to confidence, and from that of a sentence.
Confidence = tuple[Callable[[float], float], Callable[[float], float]]


@dataclass(frozen=True)
class Explainer:
    """Make translations out of hypotheses, with as much explanation as is asked for."""

    members: Sequence[Seq2Seq]
    model: Searchable  # the only member, or all as an ensemble
    subwords: Subwords
    device: torch.device
    batch_size: int
    confidence: Confidence | None = None
    link_share: float = 1.0  # of `strongest_links`

    def translations(
        self,
        lines: list[str],
        sources: list[list[int]],
        found: list[list[Hypothesis]],
        limits: list[int],
        options: TranslateOptions,
        trace: Trace | None,
        rows: list[int],
    ) -> list[Translation]:
        """Return the translations of a batch of lines: their token ids, the hypotheses of each, best first.

        `limits` are the longest lengths that were allowed; `trace` of the search has the lines as `rows`.
        """
        targets = [hypotheses[0].tokens for hypotheses in found]
        weights, heads, log_probs = self._read(sources, targets, options, trace, rows)
        copies = self._copies(lines, sources, found)
        translations = []
        for index, (line, source, hypotheses) in enumerate(zip(lines, sources, found, strict=True)):
            candidates = [
                Candidate(self.subwords.target.decode(tokens, copied), score, log_prob)
                for (tokens, score, log_prob), copied in zip(hypotheses, copies[index], strict=True)
            ]
            best, target = candidates[0], targets[index]
            translation = Translation(
                line,
                best.text,
                best.score,
                best.log_prob,
                candidates,
                limited=len(target) >= limits[index],
                unknown=target.count(UNK_ID),
            )
            pieces = (
                self.subwords.target.decoded_pieces(target, copies[index][0])
                if weights is not None or options.details
                else []
            )
            if weights is not None and weights[index].any():
                of_heads: list[np.ndarray] = [] if heads is None else list(heads[index])
                translation = self._with_attention(translation, source, pieces, weights[index], of_heads, options.words)
            if options.details:
                details = self._details(translation, source, target, pieces, log_probs[index], options)
                if trace and options.trace:
                    nodes = traced(trace.nodes(rows[index]), target, self.subwords.target)
                    details = replace(details, trace=nodes)
                translation = replace(translation, details=details)
            translations.append(translation)
        return translations

    def _read(
        self,
        sources: list[list[int]],
        targets: list[list[int]],
        options: TranslateOptions,
        trace: Trace | None,
        rows: list[int],
    ) -> tuple[list[np.ndarray] | None, list[np.ndarray] | None, list[list[float]]]:
        """Return the attention to the translations, that of each head, and the log-probability of each token, as far
        as they are asked for. There are heads if a single model has an attention with several."""
        if not (options.attention or options.details):
            return None, None, []
        heads = None
        if options.heads and len(self.members) == 1:
            target_input = pad_targets(targets)[0].to(self.device)
            found = head_attention(self.members[0], pad_sources(sources), target_input)
            heads = None if found is None else _cropped(found, sources, targets)
        # A shortlist leaves words out, and those that stay get their probability: another pass knows all words.
        if trace and trace.has_attention and (trace.whole_vocabulary or not options.details):
            paths = [trace.path(row, target) for row, target in zip(rows, targets, strict=True)]
            weights = [path.attention[:, : len(source) + 1] for path, source in zip(paths, sources, strict=True)]
            return weights, heads, [path.log_probs for path in paths]
        source, (target_input, target_output) = pad_sources(sources), pad_targets(targets)
        parts = target_input.to(self.device), target_output.to(self.device)
        read, log_probs = read_targets(self.members, source, *parts)
        return _cropped(read, sources, targets), heads, log_probs.tolist()

    def _with_attention(
        self,
        translation: Translation,
        source: list[int],
        target_pieces: list[Piece],
        weights: np.ndarray,
        heads: Sequence[np.ndarray],
        words: str,
    ) -> Translation:
        """Return the translation with its attention between words and pieces, its alignment, and that of each head."""
        source_pieces = self.subwords.source.pieces(translation.source, len(source))
        read = translation.source[: max(piece.end for piece in source_pieces)]  # less than all if the line was cut

        def between(matrix: np.ndarray) -> tuple[AttentionMatrix, list[tuple[int, int]]]:
            return word_attention(matrix, read, translation.text, source_pieces, target_pieces, words, self.link_share)

        attention, links = between(weights)
        return replace(
            translation,
            attention=attention,
            piece_attention=piece_attention(weights, source_pieces, target_pieces),
            alignment=links,
            heads=[between(head)[0] for head in heads],
        )

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
        log_probs = log_probs[: len(target) + 1]  # with the end, without padding
        words = place_words(translation.text, options.words)
        probabilities, first = word_probabilities(translation.text, options.words, pieces, log_probs)
        others: list[tuple[Alternative, ...]] = [()] * len(words)
        if options.alternatives:
            row = pad_sources([source])
            count = options.alternatives
            others = list(next_words(self.model, row, target, first, count, self.subwords.target))
        whole = math.exp(math.fsum(log_probs) / len(log_probs))  # geometric mean per token: lengths are comparable
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
        if not places or all(member.settings.attention == "none" for member in self.members):
            return copies
        for start in range(0, len(places), self.batch_size):  # the n best of a batch are more rows than a batch has
            some = places[start : start + self.batch_size]
            targets = [found[row][rank].tokens for row, rank in some]
            weights = self.attention([sources[row] for row, _ in some], targets)
            for (row, rank), target, matrix in zip(some, targets, weights, strict=True):
                pieces = self.subwords.source.pieces(lines[row], len(sources[row]))
                copies[row][rank] = copied_words(lines[row], sources[row], pieces, target, matrix)
        return copies

    def attention(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """Return the attention of given translations, per sentence (target pieces + end, source pieces + end)."""
        weights = attention_to(self.members, pad_sources(sources), pad_targets(targets)[0].to(self.device))
        return _cropped(weights, sources, targets)


def _cropped(weights: Tensor, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
    """Return the attention of each sentence, (target pieces + end, source pieces + end) or that of each head."""
    arrays = weights.float().cpu().numpy()  # (batch, tgt, src) or (batch, heads, tgt, src); numpy has no bf16
    return [
        arrays[index, ..., : len(target) + 1, : len(source) + 1]
        for index, (source, target) in enumerate(zip(sources, targets, strict=True))
    ]
