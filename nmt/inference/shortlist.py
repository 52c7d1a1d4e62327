"""A shortlist: the pieces that may come in the translation of some sentences, so that the generator has fewer to rank.

For each source piece its likeliest translations, and for all the commonest target pieces (Jean et al. 2015, section
3.3).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.lexicon import Lexicon
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from nmt.inference.constraints import NO_CONSTRAINTS, Constraints
from nmt.inference.interruptible import Check, Interruptible
from nmt.inference.search import Hypothesis, Searchable, search
from nmt.inference.trace import Trace
from nmt.model import Seq2Seq
from nmt.model.vocabulary_restriction import VocabularyRestriction

COMMON = 100  # commonest target pieces that are in every shortlist
SPECIAL = (PAD_ID, UNK_ID, BOS_ID, EOS_ID)  # the first pieces of every vocabulary, and so of every shortlist


@dataclass(frozen=True)
class Shortlist:
    """Hold the likely translations of each source subword in `table` (-1 where there are no more), and those of
    every sentence in `common`."""

    table: Int[Tensor, "source_vocab count"]
    common: Int[Tensor, " common"]

    @classmethod
    def of(cls, lexicon: Lexicon, count: int, source_vocab: int) -> "Shortlist":
        """Return the `count` likeliest target tokens of each source token."""
        common = np.argsort(-lexicon.frequency, kind="stable")[:COMMON]
        return cls(torch.from_numpy(lexicon.best(count, source_vocab)), torch.from_numpy(common))

    def pieces(self, source: Int[Tensor, "batch src"]) -> Int[Tensor, " pieces"] | None:
        """Return the sorted target tokens; None if a source token was never seen in training, since then any may
        come."""
        seen, special = source.unique(), torch.tensor(SPECIAL)
        found = self.table[seen[~torch.isin(seen, special)]]  # (source tokens, count)
        if (found[:, 0] < 0).any():
            return None
        allowed: Tensor = torch.cat([special, self.common, found[found >= 0]]).unique()
        return allowed

    def search(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "batch src"],
        settings: DecodingSettings,
        n_best: int,
        constraints: Constraints = NO_CONSTRAINTS,
        trace: Trace | None = None,
        check: Check | None = None,
    ) -> list[list[Hypothesis]]:
        """Search among the tokens of the shortlist; a trace with all candidates is of the whole vocabulary. `check` may
        end the search."""
        pieces = None if trace and trace.candidates else self.pieces(source)
        among: Searchable = model if pieces is None else VocabularyRestriction(model, pieces)
        if check:
            among = Interruptible(among, check)
        if pieces is None:
            return search(among, source, settings, n_best, constraints, trace)
        found = search(among, source, settings, n_best, constraints.among(pieces), trace)
        if trace:
            trace.rename(pieces)
        names = pieces.tolist()  # the search numbered the tokens by their places in the shortlist
        return [
            [hypothesis._replace(tokens=[names[token] for token in hypothesis.tokens]) for hypothesis in hypotheses]
            for hypotheses in found
        ]
