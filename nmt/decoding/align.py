"""The alignment of given translations."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nmt.data.batching import longest_first
from nmt.data.corpus import is_blank
from nmt.data.subword import Piece, Subword
from nmt.decoding.alignment import AttentionMatrix, Link, word_attention
from nmt.decoding.request import GIVEN, with_changes
from nmt.decoding.translator import Translator


class Aligned(NamedTuple):
    words: AttentionMatrix
    links: list[Link]
    cut: bool  # a side was longer than `decoding.max_source` and only its beginning was read


def align(
    translator: Translator,
    pairs: Sequence[tuple[str, str]],
    *,
    words: str = "scripts",
    changes: Mapping[str, Any] | None = None,
) -> list[Aligned]:
    """The alignment of given translations: the model reads (source, target) and its attention is looked at.

    `words` says what a word is, out of WORDS; `changes` are decoding settings that have an effect here.
    Pieces beyond `decoding.max_source`, on either side, are not read and have no links.
    """
    settings = with_changes(translator.settings, changes or {}, GIVEN)
    subwords, limit = translator.subwords, settings.max_source
    sources = [[] if is_blank(source) else subwords.source.encode(source) for source, _ in pairs]
    targets = [[] if is_blank(target) else subwords.target.encode(target) for _, target in pairs]
    found: dict[int, Aligned] = {}
    for batch in longest_first(range(len(pairs)), [len(target) for target in targets], settings.batch_size):
        read = [(sources[index][:limit], targets[index][:limit]) for index in batch]
        weights = translator.attention([source for source, _ in read], [target for _, target in read])
        for index, matrix, ids in zip(batch, weights, read, strict=True):
            source, target = map(_places, subwords, pairs[index], ids)
            cut = max(len(sources[index]), len(targets[index])) > limit
            found[index] = Aligned(*word_attention(matrix, *pairs[index], source, target, words), cut)
    return [found[index] for index in range(len(pairs))]


def _places(subword: Subword, text: str, ids: list[int]) -> list[Piece]:
    return subword.pieces(text, len(ids)) if ids else []
