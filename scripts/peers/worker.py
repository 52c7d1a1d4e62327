"""A process that measures one toolkit: it reads orders from its standard input and answers each with a line of JSON.

`{"do": "train"}` is a pass over the batches; `{"do": "decode", "sentences": 128, "batch": 32, "beam": 5}` translates
the first 128 sources, 32 at a time. What toolkits print goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from peers.work import Ids, Work, read


class About(NamedTuple):
    version: str
    parameters: int
    precision: str = "float32"  # of matrix products in training


class Toolkit(Protocol):
    def about(self) -> About: ...

    def train(self) -> int:
        """One update for each batch; the target tokens that were counted."""
        ...

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        """Translations of the sources, so many at a time, without begin and end."""
        ...


def serve(make: Callable[[Work, Path], Toolkit]) -> None:
    """`make` gets the work and the folder that it came from, which has the weights as well."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    folder = Path(sys.argv[1])
    work = read(folder)
    torch.set_num_threads(work.threads)
    torch.manual_seed(1)
    toolkit = make(work, folder)
    say(answers, toolkit.about()._asdict() | {"torch": torch.__version__})
    for line in sys.stdin:
        say(answers, obey(toolkit, work, json.loads(line)))


def obey(toolkit: Toolkit, work: Work, order: dict[str, Any]) -> dict[str, Any]:
    begun = time.perf_counter()
    if order["do"] == "train":
        done: dict[str, Any] = {"tokens": toolkit.train()}
    else:
        done = {"outputs": toolkit.decode(work.sources[: order["sentences"]], order["batch"], order["beam"])}
    return {"seconds": time.perf_counter() - begun} | done


def say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def portions(sources: list[Ids], size: int) -> list[list[Ids]]:
    return [sources[start : start + size] for start in range(0, len(sources), size)]
