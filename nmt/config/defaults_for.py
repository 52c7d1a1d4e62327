"""Default settings for text given without a config, by its number of pairs.

Small corpora need a small vocabulary, much dropout and many epochs; large ones the opposite. The numbers come from
configs/, which were measured on corpora of these sizes, and are interpolated in between.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

HELD_OUT = 20  # one pair in 20 is held out for validation, and one for the test set
MOST_HELD_OUT = 500  # pairs of either
FEWEST = 10  # pairs that a training can begin with


class Row(NamedTuple):
    """Settings for texts of up to `pairs` pairs."""

    pairs: float
    vocab_size: int  # at most
    embedding: int
    hidden: int
    dropout: float
    batch_tokens: int
    warmup: int
    max_epochs: int


ROWS = (
    Row(2_000, 1_000, 128, 128, 0.3, 400, 100, 60),
    Row(20_000, 3_000, 192, 256, 0.2, 600, 150, 40),
    Row(100_000, 6_000, 256, 320, 0.2, 1_000, 300, 20),
    Row(1_000_000, 8_000, 256, 384, 0.1, 2_000, 1_000, 10),
    Row(float("inf"), 16_000, 384, 512, 0.1, 4_000, 2_000, 5),
)


def row_for(pairs: int) -> Row:
    """Return the first row whose limit covers this number of pairs."""
    return next(row for row in ROWS if pairs <= row.pairs)


def defaults_for(pairs: int) -> dict[str, Any]:
    """Return {full key: value} for a text of this many pairs."""
    row = row_for(pairs)
    held_out = min(MOST_HELD_OUT, max(1, pairs // HELD_OUT))
    return {
        "data.hold_out": held_out,
        "data.hold_out_test": held_out,
        "subword.vocab_size": row.vocab_size,
        "model.embedding": row.embedding,
        "model.hidden": row.hidden,
        "model.dropout": row.dropout,
        "model.embedding_dropout": row.dropout,
        "training.batch_tokens": row.batch_tokens,
        "training.learning_rate": 0.003,
        "training.warmup": row.warmup,
        "training.max_epochs": row.max_epochs,
    }


def describe_rule(pairs: int) -> Iterator[str]:
    """Show the rule as a table, with an arrow at the row that applies."""
    titles = [name.replace("_", " ") for name in Row._fields]
    yield "settings by the number of pairs:"
    yield "   " + "".join(f"{title:>14}" for title in titles)
    for before, row in zip((0, *(row.pairs for row in ROWS)), ROWS, strict=False):
        limit = f"over {before:,.0f}" if row.pairs == float("inf") else f"to {row.pairs:,.0f}"
        cells = [limit, *(f"{value:,}" for value in row[1:])]
        yield ("-> " if row == row_for(pairs) else "   ") + "".join(f"{cell:>14}" for cell in cells)
