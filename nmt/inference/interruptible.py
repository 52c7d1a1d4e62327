"""A search that can be ended while it runs: a request that is out of time, or a training that got a signal."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from nmt.inference.search import Encoded, Searchable
from nmt.model import State

Check = Callable[[], None]  # raises to end a search


class Interruptible:
    """Hold a model whose searches call `check` before each step."""

    def __init__(self, model: Searchable, check: Check) -> None:
        self.model = model
        self.check = check

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Encoded, State]:
        """Encode the source."""
        self.check()
        return self.model.encode(source)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Any
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        """Return the next log-probabilities."""
        self.check()
        return self.model.step(tokens, state, memory)
