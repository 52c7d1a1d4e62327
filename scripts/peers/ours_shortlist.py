"""nmt in 8 bits with a shortlist, as `nmt export --int8 --shortlist 20` makes them. It only decodes.

The sentences are drawn at random, so a real lexicon has nothing to learn. The list is drawn as well, so that it leaves
of 8,000 pieces as many as it does with the text of Multi30k: 920 for 32 sentences together, 140 for one (medians of
`scripts/lab/shortlist_sizes.py`).
"""

from pathlib import Path

import torch
from peers.ours_int8 import EightBits
from peers.work import Ids, Work
from peers.worker import serve

from nmt.config import DecodingSettings
from nmt.data.batch import pad_sources
from nmt.inference.search import Hypothesis
from nmt.inference.shortlist import COMMON, SPECIAL, Shortlist

TRANSLATIONS = 20  # of each source piece
RARE = 3  # of them that are not among the commonest target pieces,
RARE_PIECES = 1200  # but among so many others


def drawn(vocab: int) -> Shortlist:
    """The commonest pieces are the first ones; each source piece has translations among these, and a few rare ones."""
    generator = torch.Generator().manual_seed(1)

    def some(count: int, first: int, end: int) -> torch.Tensor:
        return torch.randint(first, min(end, vocab), (vocab, count), generator=generator)

    common = len(SPECIAL) + COMMON
    table = [some(TRANSLATIONS - RARE, len(SPECIAL), common), some(RARE, common, common + RARE_PIECES)]
    return Shortlist(torch.cat(table, dim=1), torch.arange(len(SPECIAL), common))


class WithShortlist(EightBits):
    def __init__(self, work: Work, folder: Path) -> None:
        super().__init__(work, folder)
        self.shortlist = drawn(work.sizes.vocab)

    def search(self, sources: list[Ids], settings: DecodingSettings) -> list[list[Hypothesis]]:
        return self.shortlist.search(self.translator, pad_sources(sources), settings, 1)


if __name__ == "__main__":
    serve(WithShortlist)
