"""Word alignments as text, in the format of Pharaoh: `0-0 1-2`, source word and target word, counted from 0."""

import re
from typing import NamedTuple

from nmt.errors import DataError

_LINK = re.compile(r"([0-9]{1,9})([-p?])([0-9]{1,9})")


class GivenLink(NamedTuple):
    """Hold a link between a source and a target word; `0p0` and `0?0` are possible, not sure."""

    source: int
    target: int
    sure: bool


def parse_links(line: str, place: str, sizes: tuple[int, int], remedy: str) -> list[GivenLink]:
    """Return the links of a line, which lies at `place`.

    `sizes` are the numbers of words of its source and target. Raises DataError for anything that is not a link, and for
    a word that is not there, with the `remedy`.
    """
    links = []
    for text in line.split():
        match = _LINK.fullmatch(text)
        if not match:
            raise DataError(f"{place}: {text[:20]!r} is not a link; write 0-0 (0p0 if it is only possible), from 0")
        link = GivenLink(int(match[1]), int(match[3]), match[2] == "-")
        if link.source >= sizes[0] or link.target >= sizes[1]:
            raise DataError(f"{place}: {text} is outside the {sizes[0]} and {sizes[1]} words of this pair; {remedy}")
        links.append(link)
    return links
