"""Align given translations by the attention of the model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nmt.data.batching import longest_first
from nmt.data.subword import LONGEST_LINE, Piece, Subword
from nmt.inference.alignment import AttentionMatrix, Link, word_attention
from nmt.inference.parallel import computing_with
from nmt.inference.request import ALIGNED, pairs_of, with_changes
from nmt.inference.translator import Translator

ENOUGH = 5_000  # characters whose words are looked at in any case


class Aligned(NamedTuple):
    """Hold the words of a pair, their attention weights and links."""

    words: AttentionMatrix
    links: list[Link]
    cut: bool  # a side was longer than `decoding.max_source` and only its beginning was read

    def to_dict(self) -> dict[str, Any]:
        """Return words, attention and links as JSON has them."""
        return {
            "source_words": self.words.source,
            "target_words": self.words.target,
            "attention": [[round(float(weight), 4) for weight in row] for row in self.words.weights],
            "alignment": self.links,
        }


def align(
    translator: Translator,
    pairs: Sequence[tuple[str, str]],
    *,
    words: str = "scripts",
    changes: Mapping[str, Any] | None = None,
) -> list[Aligned]:
    """Align given translations: the model reads (source, target), and its attention gives the links.

    `words` says what a word is, out of WORDS; `changes` are decoding settings that have an effect here.
    Pieces beyond `decoding.max_source`, on either side, are not read and have no links.
    """
    settings = with_changes(translator.settings, changes or {}, ALIGNED)
    pairs = pairs_of(pairs)
    subwords, limit = translator.subwords, settings.max_source
    found: dict[int, Aligned] = {}  # by the place of the pair, since batches go by length
    with computing_with(translator.threads):
        # One token more than is read tells that a side was cut.
        sources = [subwords.source.beginning(source, limit + 1) for source, _ in pairs]
        targets = [subwords.target.beginning(target, limit + 1) for _, target in pairs]
        for batch in longest_first(range(len(pairs)), [len(target) for target in targets], settings.batch_size):
            read = [(sources[index][:limit], targets[index][:limit]) for index in batch]
            weights = translator.attention([source for source, _ in read], [target for _, target in read])
            for index, matrix, ids in zip(batch, weights, read, strict=True):
                source, target = map(_places, subwords, pairs[index], ids)
                texts = (_read(pairs[index][0], source), _read(pairs[index][1], target))
                cut = max(len(sources[index]), len(targets[index])) > limit
                cut = cut or max(map(len, pairs[index])) > LONGEST_LINE
                between, links = word_attention(matrix, *texts, source, target, words, settings.link_share)
                found[index] = Aligned(between, links, cut)
    return [found[index] for index in range(len(pairs))]


def _places(subword: Subword, text: str, ids: list[int]) -> list[Piece]:
    return subword.pieces(text, len(ids)) if ids else []


def _read(text: str, pieces: Sequence[Piece]) -> str:
    """Return the text, or only the part that the subwords cover if its words would fill a huge matrix."""
    return text[: max([ENOUGH, *(piece.end for piece in pieces)])]
