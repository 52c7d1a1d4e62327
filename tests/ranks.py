"""Several ranks of one command, each in a process of its own, that meet in a store like torchrun's."""

import functools
import itertools
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from reliability.job import ended, fork
from torch.distributed import TCPStore

SECONDS = 600.0  # after which a process counts as hanging, on any machine
_numbers = itertools.count()


class Together:
    """The ranks of a command that were started together. What each prints is in `lines(rank)`."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *words: object,
        own: Mapping[int, tuple[object, ...]] | None = None,
        sizes: Mapping[int, int] | None = None,
        before: Callable[[], None] | None = None,
        only: Mapping[int, Callable[[], None]] | None = None,
        environment: Mapping[str, str] | None = None,
        start: tuple[int, ...] | None = None,
    ) -> None:
        """`own` are further words of some ranks, `sizes` what some take the number of ranks for; `before` is called
        in all processes, `only` in some. `start` are the ranks to be started, by default all."""
        self.store = TCPStore("localhost", 0, None, True, timedelta(seconds=SECONDS), wait_for_workers=False)
        self.outputs = {rank: folder / f"rank-{next(_numbers)}-{rank}.txt" for rank in start or range(count)}
        self.processes: dict[int, BaseProcess] = {}
        for rank, output in self.outputs.items():
            values = {
                "RANK": str(rank), "WORLD_SIZE": str((sizes or {}).get(rank, count)), "LOCAL_RANK": str(rank),
                "MASTER_ADDR": "localhost", "MASTER_PORT": str(self.store.port), "OMP_NUM_THREADS": "1",
                "TORCHELASTIC_USE_AGENT_STORE": "True", "NMT_RANK_TIMEOUT": "20", **(environment or {}),
            }  # fmt: skip
            calls = [call for call in (before, (only or {}).get(rank)) if call]
            first = functools.partial(_enter, str(Path.cwd()), values, calls)
            self.processes[rank] = fork(*words, *(own or {}).get(rank, ()), output=output, before=first)

    def ended(self, seconds: float = SECONDS) -> list[int]:
        """The exit statuses of all ranks, or minus the signals."""
        return [ended(process, seconds) for process in self.processes.values()]

    def lines(self, rank: int) -> list[str]:
        """What a rank has printed."""
        return self.outputs[rank].read_text(encoding="utf-8").splitlines()

    def errors(self) -> list[list[str]]:
        """The errors that each rank has printed."""
        return [[line for line in self.lines(rank) if line.startswith("error: ")] for rank in self.outputs]

    def kill(self, rank: int, number: int) -> None:
        os.kill(self.processes[rank].pid or 0, number)


def _enter(folder: str, values: Mapping[str, str], calls: list[Callable[[], Any]]) -> None:
    os.chdir(folder)
    os.environ.update(values)
    import torch

    torch.set_num_threads(1)
    for call in calls:
        call()


def together(folder: Path, count: int, *words: object, **options: Any) -> Together:
    """Run a command on several ranks to its end, which must be a good one."""
    ranks = Together(folder, count, *words, **options)
    statuses = ranks.ended()
    assert statuses == [0] * count, "\n".join(line for rank in ranks.outputs for line in ranks.lines(rank))
    return ranks
