"""The alignment of given translations."""

from collections.abc import Sequence
from typing import NamedTuple

from nmt.data.batching import longest_first
from nmt.data.subword import Piece, Subword
from nmt.decoding.alignment import AttentionMatrix, Link, word_attention
from nmt.decoding.side_by_side import computing_with
from nmt.decoding.translator import Translator

ENOUGH = 5_000  # characters whose words are looked at in any case


class Aligned(NamedTuple):
    words: AttentionMatrix
    links: list[Link]
    cut: bool  # a side was longer than `decoding.max_source` and only its beginning was read


def align(translator: Translator, pairs: Sequence[tuple[str, str]]) -> list[Aligned]:
    """The alignment of given translations: the model reads (source, target) and its attention is looked at.

    Pieces beyond `decoding.max_source`, on either side, are not read and have no links.
    """
    subwords, limit = translator.subwords, translator.settings.max_source
    sources = [subwords.source.beginning(source, limit + 1) for source, _ in pairs]
    targets = [subwords.target.beginning(target, limit + 1) for _, target in pairs]
    with computing_with(translator.threads):
        return _aligned(translator, pairs, sources, targets)


def _aligned(
    translator: Translator, pairs: Sequence[tuple[str, str]], sources: list[list[int]], targets: list[list[int]]
) -> list[Aligned]:
    subwords, limit = translator.subwords, translator.settings.max_source
    found: dict[int, Aligned] = {}
    for batch in longest_first(range(len(pairs)), [len(target) for target in targets], translator.settings.batch_size):
        read = [(sources[index][:limit], targets[index][:limit]) for index in batch]
        weights = translator.attention([source for source, _ in read], [target for _, target in read])
        for index, matrix, ids in zip(batch, weights, read, strict=True):
            pieces = list(map(_places, subwords, pairs[index], ids))
            cut = max(len(sources[index]), len(targets[index])) > limit
            source, target = (_read(*each) for each in zip(pairs[index], pieces, strict=True))
            found[index] = Aligned(*word_attention(matrix, source, target, *pieces), cut)
    return [found[index] for index in range(len(pairs))]


def _places(subword: Subword, text: str, ids: list[int]) -> list[Piece]:
    return subword.pieces(text, len(ids)) if ids else []


def _read(text: str, pieces: Sequence[Piece]) -> str:
    """The text; of a very long one, whose words fill no matrix, the part that the pieces are of."""
    return text[: max([ENOUGH, *(piece.end for piece in pieces)])]
