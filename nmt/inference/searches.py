"""The ways to find translations, by name. Each takes any searchable model, be it an ensemble or one with a prefix."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.inference.constraints import Constraints
from nmt.inference.mbr import rank_by_chrf
from nmt.inference.request import Sampling, TranslateOptions
from nmt.inference.sampling import Place, sample
from nmt.inference.search import Hypothesis, Searchable, search
from nmt.inference.trace import Trace

Found = list[list[Hypothesis]]  # of each sentence, best first; samples as they were drawn


@dataclass(frozen=True)
class Wanted:
    """Hold a batch of sentences and everything that may be asked about its search."""

    source: Int[Tensor, "batch src"]
    settings: DecodingSettings
    options: TranslateOptions
    places: Sequence[Place]  # of each sentence, on which its samples depend
    constraints: Constraints
    decode: Callable[[list[int]], str]
    trace: Trace | None = None


def by_beam(model: Searchable, wanted: Wanted) -> Found:
    """Search with a beam; with one of a single hypothesis, greedily."""
    return search(
        model, wanted.source, wanted.settings, wanted.options.n_best, wanted.constraints, wanted.trace
    )  # fmt: skip


def by_sampling(model: Searchable, wanted: Wanted) -> Found:
    """Draw `n_best` translations, or as many as minimum Bayes risk needs."""
    sampling = wanted.options.sampling or Sampling()
    copies = wanted.options.copies
    return sample(
        model, wanted.source, wanted.settings, sampling, copies, wanted.places, wanted.constraints, wanted.trace
    )  # fmt: skip


def by_mbr(model: Searchable, wanted: Wanted) -> Found:
    """Draw samples, and rank them by their mean chrF to the others."""
    drawn = by_sampling(model, wanted)
    return [rank_by_chrf(samples, wanted.decode)[: wanted.options.n_best] for samples in drawn]


def name_of(options: TranslateOptions) -> str:
    """Return which of SEARCHES a request asks for."""
    return "mbr" if options.mbr else "sample" if options.drawn else "beam"


SEARCHES: dict[str, Callable[[Searchable, Wanted], Found]] = {
    "beam": by_beam,
    "sample": by_sampling,
    "mbr": by_mbr,
}
