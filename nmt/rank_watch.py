"""How a rank notices that another one has failed, and tells the others when it fails itself.

While a rank waits, it checks two things in the store of torchrun: a problem that another rank has reported, which then
ends every rank with the same line, and the heartbeat of each rank. A rank that is killed, stopped or unreachable is
named in one line.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch._C._distributed_c10d import Store  # typed there

from nmt.errors import UserError
from nmt.shown import shown

TICK = 0.25  # seconds between two looks at the store while waiting
BEAT = 1.0  # seconds between two heartbeats
REACTION = 10.0  # seconds that a busy rank has to react to another rank's problem
LEAVING = 15.0  # seconds that a failing rank waits until the others have said why they end

PROBLEM, LEFT = "problem", "left"  # keys in the store


class RankLost(UserError):
    """Signal that another rank was killed, stopped or cannot be reached."""


class OtherRankFailed(UserError):
    """Signal that another rank ended with an error, whose line and exit status these are."""

    def __init__(self, status: int, *problems: str) -> None:
        super().__init__(*problems)
        self.status = status


class OtherRankInterrupted(Exception):
    """Signal that the leader received a signal; `number` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class RankWatch:
    """Watch the other ranks through the store that all share, and report to them.

    `hosts` are those of all ranks, and `where` is the address of the store. A rank without a heartbeat for `timeout`
    seconds counts as lost.
    """

    def __init__(self, store: Store, where: str, rank: int, hosts: Sequence[str], timeout: float) -> None:
        self._store, self._where, self._rank, self._hosts, self._timeout = store, where, rank, hosts, timeout
        self._known_beats: dict[int, tuple[bytes, float]] = {}
        self._ended = threading.Event()
        self._noted = threading.Event()  # the main thread knows of the problem
        self._interrupted = False
        self._status = 1
        self._store.set(f"alive/{rank}", "0")
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()
        atexit.register(self._wait_for_lines)

    @property
    def failed(self) -> bool:
        """Return whether this rank ends with an error, its own or that of another rank."""
        return self._noted.is_set()

    def stop(self) -> None:
        """End the heartbeat."""
        self._ended.set()

    # Reporting --------------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Tell the other ranks why this one ends, unless another rank ended first."""
        if isinstance(error, OtherRankFailed | SystemExit):
            return
        problems = list(getattr(error, "problems", ())) or [f"{type(error).__name__}: {error}"]
        if not isinstance(error, UserError):
            problems = [f"{named_rank(self._rank, self._hosts)} ended: {problems[0]}"]
        lost = isinstance(error, RankLost)
        self._post({"status": getattr(error, "status", 1), "problems": problems, "lost": lost})
        self._status = getattr(error, "status", 1)
        self._noted.set()

    def interrupt(self, number: int) -> None:
        """Tell the other ranks, which may wait for this one, that training was interrupted by a signal."""
        self._interrupted = True
        self._post({"signal": number})

    def _post(self, problem: dict[str, Any]) -> None:
        """Report a problem; the first one counts."""
        with suppress(RuntimeError):
            self._store.compare_set(PROBLEM, "", json.dumps({"rank": self._rank, **problem}))

    def _problem(self) -> dict[str, Any] | None:
        """Return what another rank has reported."""
        if not self._store.check([PROBLEM]):
            return None
        found: dict[str, Any] = json.loads(self._store.get(PROBLEM))
        return found if found["rank"] != self._rank else None

    def _look_for_problem(self) -> None:
        """Raise what another rank has reported. Raise RankLost if the store is gone."""
        try:
            problem = self._problem()
        except RuntimeError:
            raise RankLost(f"{self._where} does not answer any more: torchrun on the first node has ended") from None
        if problem is None or (self._interrupted and "signal" in problem):
            return
        if "signal" in problem:
            raise OtherRankInterrupted(problem["signal"])
        self._status = problem["status"]
        self._noted.set()
        if problem["lost"]:
            raise RankLost(*problem["problems"])
        raise OtherRankFailed(problem["status"], *problem["problems"])

    def _wait_for_lines(self) -> None:
        """At the end of a process that fails, let the others print their line: torchrun ends all when one has ended."""
        if not self._noted.is_set():
            return
        with suppress(RuntimeError):
            self._store.add(LEFT, 1)
            end = time.monotonic() + LEAVING
            while time.monotonic() < end and self._store.add(LEFT, 0) < len(self._hosts) - len(self._silent(3 * BEAT)):
                time.sleep(0.05)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self._status)

    # Heartbeat --------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Show the others that this process lives, and end it if it is too busy to notice that another has failed."""
        beats, since = 0, 0.0
        while not self._ended.wait(BEAT):
            beats += 1
            try:
                self._store.set(f"alive/{self._rank}", str(beats))
                problem = self._problem()
            except RuntimeError:
                return
            if problem is None or "signal" in problem or self._noted.is_set():
                continue
            since = since or time.monotonic()
            if time.monotonic() - since > REACTION:
                end_process(problem["status"], *problem["problems"])

    def _silent(self, seconds: float) -> list[int]:
        """Return the ranks whose heartbeat has not changed for so long, as far as this process has looked."""
        now, keys = time.monotonic(), [f"alive/{rank}" for rank in range(len(self._hosts))]
        if self._store.check(keys):
            for rank, value in enumerate(self._store.multi_get(keys)):
                if self._known_beats.get(rank, (b"", 0.0))[0] != value:
                    self._known_beats[rank] = value, now
        return [rank for rank, (_, since) in self._known_beats.items() if now - since > seconds and rank != self._rank]

    # Waiting ----------------------------------------------------------------------------------------------------------

    def wait(self, work: dist.Work, *, polls: bool = False) -> None:
        """Wait for a collective. Raise OtherRankFailed, OtherRankInterrupted or RankLost if it cannot end."""
        last_beat, started = 0.0, time.monotonic()
        while not self._done(work, polls):
            self._look_for_problem()
            now = time.monotonic()
            if now - last_beat > BEAT and now - started > BEAT:
                last_beat = now
                if silent := self._silent(self._timeout):
                    self._lose(
                        f"{self._named(silent)} did not answer for {self._timeout:.0f} s (stopped or out of memory?)"
                    )

    def _done(self, work: dist.Work, polls: bool) -> bool:
        """Return whether a collective is complete, after at most a TICK. Raise RankLost if a connection broke."""
        try:
            if polls:  # with nccl `wait` only lets the stream wait
                end = time.monotonic() + TICK
                while not work.is_completed():
                    if time.monotonic() > end:
                        return False
                    time.sleep(2e-5)
            work.wait(timedelta(seconds=TICK))
        except RuntimeError:
            if not work.is_completed():
                return False
            # A connection broke: name the ranks without a heartbeat, unless one of them has said why it ends.
            end = time.monotonic() + 3 * BEAT
            self._known_beats.clear()
            while time.monotonic() < end:
                self._look_for_problem()
                self._silent(BEAT)
                time.sleep(TICK)
            silent = self._silent(2 * BEAT)
            gone = f"{self._named(silent)} is gone (killed or out of memory?)"
            who = gone if silent else "the connection to a rank broke"
            self._lose(f"{who}; torchrun --max-restarts=N resumes by itself")
        return True

    def _lose(self, problem: str) -> None:
        error = RankLost(problem)
        self.fail(error)
        raise error

    def _named(self, ranks: Sequence[int]) -> str:
        return " and ".join(named_rank(rank, self._hosts) for rank in ranks)


def named_rank(rank: int, hosts: Sequence[str]) -> str:
    """Name a rank in a message."""
    return f"rank {rank} on host {hosts[rank]}"


def end_process(status: int, *problems: str) -> None:
    """End this process at once with a line for each problem, whatever its threads do."""
    for problem in problems:
        print(f"error: {shown(problem)}", file=sys.stderr, flush=True)
    os._exit(status)
