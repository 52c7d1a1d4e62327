"""Exact match, character error rate and word error rate, in percent, from counts per sentence.

Leading and trailing spaces do not count. With several references, the one that the hypothesis is closest to counts.
"""

from collections.abc import Callable, Sequence

Row = tuple[float, float]  # what is counted of a sentence, and what it is divided by
Tokens = Callable[[str], Sequence[str]]


def exact_match(hypothesis: str, references: Sequence[str]) -> Row:
    """Return (1 if the hypothesis is one of the references, 1)."""
    return float(hypothesis.strip() in [reference.strip() for reference in references]), 1.0


def errors(hypothesis: str, references: Sequence[str], tokens: Tokens) -> Row:
    """Return (edits, tokens of the reference), for the reference with the lowest rate."""
    own = tokens(hypothesis.strip())
    rows = [(float(edit_distance(own, other)), float(len(other))) for other in map(tokens, map(str.strip, references))]
    return min(rows, key=lambda row: (row[0] / max(row[1], 1.0), row[0]))


def percent(counted: float, of: float) -> float:
    """Return the rate, in percent; an empty reference counts as one token."""
    return 100.0 * counted / max(of, 1.0)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Count the insertions, deletions and substitutions that turn `first` into `second` (Levenshtein 1966).

    Myers' algorithm (1999) in Hyyrö's form (2003): a column of the table of distances is two integers, whose bit n
    tells whether the distance rises or falls from row n to row n + 1.
    """
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for index, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << index
    everywhere, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    rises, falls, distance = everywhere, 0, len(first)  # first column: one deletion more in each row
    for token in second:
        equal = places.get(token, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        grows, shrinks = falls | ~(diagonal | rises), rises & diagonal
        distance += bool(grows & last) - bool(shrinks & last)
        grows, shrinks = grows << 1 | 1, shrinks << 1
        rises, falls = (shrinks | ~(diagonal | grows)) & everywhere, grows & diagonal & everywhere
    return distance
