"""Copy words outside the vocabulary from the source, where the output cannot spell every word.

Where a hypothesis has an unknown token, the source token that its attention rests on is copied (Luong et al. 2015,
"Addressing the Rare Word Problem", in its form for models with attention). So names come out as they went in.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmt.data.subword import UNK_ID, UNKNOWN, Piece

PREFERRED = 4.0  # how much more a source token counts that is unknown as well: it needs a quarter of the attention


def copied_words(
    line: str,
    source: Sequence[int],
    pieces: Sequence[Piece],
    target: Sequence[int],
    weights: npt.NDArray[np.floating],
) -> list[str]:
    """Return what is copied for each unknown token of `target`, in order; `<unk>` where there is nothing to copy.

    `pieces` are the places of the `source` tokens in `line`; `weights` (target tokens + end, source tokens + end) is
    the attention with which each target token was chosen.
    """
    texts = [line[piece.start : piece.end].strip() for piece in pieces]
    factors = np.array(
        [0.0 if not text else PREFERRED if token == UNK_ID else 1.0 for token, text in zip(source, texts, strict=True)]
    )
    found = []
    for position, token in enumerate(target):
        if token == UNK_ID:
            row = weights[position][: len(texts)] * factors  # without the end, which cannot be copied
            found.append(texts[int(row.argmax())] if row.size and row.max() > 0 else UNKNOWN)
    return found
