"""Unknown words in the output, for vocabularies that cannot spell every word: copied from the source.

Where a hypothesis has an unknown token, the source token that its attention rests on most is copied (Luong et al. 2015,
"Addressing the Rare Word Problem", without their annotations). Names come out as they went in.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmt.data.subword import SPACE_MARK, UNK_ID, Piece, Subword

UNKNOWN_WORD = "<unk>"  # what stands where there is nothing to copy from


def copy_unknown(
    target: Subword,
    ids: Sequence[int],
    source: str,
    source_pieces: Sequence[Piece],
    weights: npt.NDArray[np.floating] | None,
) -> tuple[str, list[Piece]]:
    """Return the text of a hypothesis with its unknown tokens replaced, and the places of its tokens in that text.

    `weights` (target tokens + end, source tokens + end) is the attention with which each token was chosen; None for a
    model without attention.
    """
    decoded, known = target.decoded_pieces(list(ids)), target.processor.decode(list(ids))
    text, pieces = "", []
    for position, (piece, index) in enumerate(zip(decoded, ids, strict=True)):
        part = known[piece.start : piece.end]
        if index == UNK_ID:
            part = _attended(position, source, source_pieces, weights)
            part = f" {part}" if text and target.is_words else part
        pieces.append(Piece(piece.text, len(text), len(text) + len(part)))
        text += part
    return target.printable(text), pieces


def _attended(position: int, source: str, pieces: Sequence[Piece], weights: npt.NDArray[np.floating] | None) -> str:
    """Return the source token that gets the most attention; the end and spaces cannot be copied."""
    if weights is None or not weights[position].any():
        return UNKNOWN_WORD
    row = weights[position][: len(pieces)].copy()
    for place, piece in enumerate(pieces):
        if piece.text == SPACE_MARK:
            row[place] = -1.0
    if not row.size or row.max() <= 0:
        return UNKNOWN_WORD
    found = pieces[int(row.argmax())]
    return source[found.start : found.end].strip() or UNKNOWN_WORD
