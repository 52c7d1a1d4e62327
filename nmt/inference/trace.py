"""The trace of a beam search: every hypothesis of every step, and what became of it."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.data.subword import BOS_ID

LIVED, ENDED, PRUNED = "lived", "ended", "pruned"


class Node(NamedTuple):
    """Hold a hypothesis: that of `parent`, another node of the list, and one more token."""

    parent: int  # -1 for the first node, which is empty
    token: int
    log_prob: float  # natural log, of the whole hypothesis
    fate: str  # LIVED into the next step, ENDED within the beam, or PRUNED


class Trace:
    """Hold what a search notes of each sentence. The candidates of a step are twice the beam, as the search ranks
    them."""

    def __init__(self, sentences: int, beam: int) -> None:
        self.nodes = [[Node(-1, BOS_ID, 0.0, LIVED)] for _ in range(sentences)]
        self._live = [[0] * beam for _ in range(sentences)]  # the node of each live hypothesis

    def add(
        self,
        sentence: Int[Tensor, "batch"],
        parent: Int[Tensor, "batch candidates"],
        token: Int[Tensor, "batch candidates"],
        log_prob: Float[Tensor, "batch candidates"],
        ends: Bool[Tensor, "batch beam"],
        lived: Int[Tensor, "batch beam"],
    ) -> None:
        """Note the candidates of a step, best first; `lived` are the places of those that go on."""
        steps = zip(
            sentence.tolist(), parent.tolist(), token.tolist(), log_prob.tolist(), ends.tolist(), lived.tolist(),
            strict=True,
        )  # fmt: skip
        for row, parents, tokens, log_probs, ended, places in steps:
            nodes, before = self.nodes[row], self._live[row]
            first, kept = len(nodes), set(places)
            numbers = []
            for rank, (slot, one, value) in enumerate(zip(parents, tokens, log_probs, strict=True)):
                numbers.append(len(nodes))
                if value == float("-inf"):
                    continue
                fate = ENDED if rank < len(ended) and ended[rank] else LIVED if rank in kept else PRUNED
                nodes.append(Node(before[slot], one, value, fate))
            self._live[row] = [min(numbers[place], max(first, len(nodes) - 1)) for place in places]
