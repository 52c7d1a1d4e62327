"""Several processes that work on one task, as torchrun starts them: ranks 0 to `size` - 1, of which rank 0 leads.

Without torchrun a process is alone, and everything here returns at once. Tensors are summed by gloo on CPUs and by nccl
on GPUs. Everything else (decisions, progress, messages) travels as JSON in byte tensors over a gloo group, so that
nothing is ever unpickled.

While a rank waits, it checks two things in the store of torchrun: a problem that another rank has reported, which then
ends every rank with the same line, and the heartbeat of each rank. A rank that is killed, stopped or unreachable is
named in one line.
"""

import atexit
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore  # typed there

from nmt.errors import ConfigError, UserError
from nmt.shown import shown
from nmt.torchrun import Place, place_of_environment

TICK = 0.25  # seconds between two looks at the store while waiting
BEAT = 1.0  # seconds between two heartbeats
REACTION = 10.0  # seconds that a busy rank has to react to another rank's problem
LEAVING = 15.0  # seconds that a failing rank waits until the others have said why they end
FOREVER = timedelta(days=30)  # the limit is the heartbeat, not the time that a rank computes

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


class Ranks:
    """Represent the processes that work together, and this one among them. Without a `place` it is alone."""

    dtype: torch.dtype | None = None  # of sums; None: as the tensors have it. Tests sum in float64

    def __init__(self, place: Place | None = None) -> None:
        self.launched = place is not None
        self.rank, self.size, self.local_rank = (place.rank, place.size, place.local_rank) if place else (0, 1, 0)
        self.host = platform.node()
        self.hosts = [self.host]
        self._sums: dist.ProcessGroup | None = None  # the group of the device, if it is not gloo
        self._ended = threading.Event()
        self._noted = threading.Event()  # the main thread knows of the problem
        self._interrupted = False
        self._status = 1
        if place:
            self._join(place)

    @property
    def leads(self) -> bool:
        """Return whether this is the rank that logs, validates, saves and reads the clock."""
        return self.rank == 0

    # Joining and leaving ----------------------------------------------------------------------------------------------

    def _join(self, place: Place) -> None:
        """Meet the other ranks. Raise ConfigError if some do not come, or were started for another number of ranks."""
        self._timeout, self._where = place.timeout, f"{place.address}:{place.port}"
        limit = timedelta(seconds=self._timeout)
        try:
            store = TCPStore(place.address, place.port, None, place.hosts_store, limit, wait_for_workers=False)
        except (RuntimeError, ValueError, OSError) as error:
            if "EADDRINUSE" in str(error) or "in use" in str(error):
                raise ConfigError(f"MASTER_PORT={place.port}: is in use on this host; choose another port") from None
            raise ConfigError(
                f"{self._where} (MASTER_ADDR:MASTER_PORT): cannot be reached within {self._timeout:.0f} s; start rank "
                "0 there first, and let the firewall pass this port"
            ) from None
        self._store: Store = PrefixStore(f"nmt/{place.attempt}", store)
        self._store.set(f"join/{self.rank}", json.dumps([self.size, self.host]))
        self.hosts = self._roll_call()
        self._known_beats: dict[int, tuple[bytes, float]] = {}
        self._store.set(f"alive/{self.rank}", "0")
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()
        atexit.register(self._wait_for_lines)
        remedy = "set GLOO_SOCKET_IFNAME to the network interface that all hosts share"
        late = f"the ranks cannot connect to each other within {self._timeout:.0f} s; {remedy}"
        # What cannot be interrupted ends the process if it takes too long.
        deadline = threading.Timer(self._timeout, _end, (ConfigError.status, late))
        deadline.daemon = True
        deadline.start()
        try:
            # A connection of its own: one that waits for an answer would hold up the heartbeat, which shares it.
            own = TCPStore(place.address, place.port, None, False, limit, wait_for_workers=False)
            meeting = PrefixStore(f"nmt/{place.attempt}", own)
            dist.init_process_group("gloo", store=meeting, rank=self.rank, world_size=self.size, timeout=FOREVER)
        except RuntimeError as error:
            if "connect" not in str(error):
                raise
            refused = ConfigError(f"the ranks cannot connect to each other; {remedy}")
            self.fail(refused)  # the others may wait for this connection
            raise refused from None
        finally:
            deadline.cancel()

    def _roll_call(self) -> list[str]:
        """Return the hosts of all ranks, when all have come."""
        end = time.monotonic() + self._timeout
        hosts: dict[int, str] = {}
        while len(hosts) < self.size:
            for rank in set(range(self.size)) - hosts.keys():
                if not self._store.check([f"join/{rank}"]):
                    continue
                size, host = json.loads(self._store.get(f"join/{rank}"))
                if size != self.size:
                    time.sleep(2 * BEAT)  # the others read this store too
                    raise ConfigError(
                        f"rank {rank} on host {host} was started as one of {size} processes, and rank {self.rank} on "
                        f"host {self.host} as one of {self.size}; start all with the same --nnodes and --nproc-per-node"
                    )
                hosts[rank] = host
            if time.monotonic() > end:
                missing = ", ".join(str(rank) for rank in range(self.size) if rank not in hosts)
                raise ConfigError(
                    f"rank {missing} of {self.size} did not start within {self._timeout:.0f} s; start torchrun on "
                    "every node, with the same --nnodes"
                )
            time.sleep(0.02)
        return [hosts[rank] for rank in range(self.size)]

    def use(self, device: torch.device) -> None:
        """Sum tensors on this device from now on."""
        if self.launched and device.type == "cuda":
            os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")  # the heartbeat decides, and says so
            self._sums = dist.new_group(backend="nccl", timeout=FOREVER)

    def leave(self) -> None:
        """Leave the group. Nothing is exchanged any more.

        After a failure the group stays as it is: a sum that never ends would keep this process for ever.
        """
        if self.launched and not self._noted.is_set():
            self._ended.set()
            with suppress(RuntimeError, AssertionError, ValueError):
                dist.destroy_process_group()

    # Failing together -------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Tell the other ranks why this one ends, unless another rank ended first."""
        if self.launched and not isinstance(error, OtherRankFailed | SystemExit):
            problems = list(getattr(error, "problems", ())) or [f"{type(error).__name__}: {error}"]
            if not isinstance(error, UserError):
                problems = [f"rank {self.rank} on host {self.host} ended: {problems[0]}"]
            lost = isinstance(error, RankLost)
            self._post({"status": getattr(error, "status", 1), "problems": problems, "lost": lost})
            self._status = getattr(error, "status", 1)
            self._noted.set()

    def interrupt(self, number: int) -> None:
        """Tell the other ranks, which may wait for this one, that training was interrupted by a signal."""
        if self.launched:
            self._interrupted = True
            self._post({"signal": number})

    def _post(self, problem: dict[str, Any]) -> None:
        """Report a problem; the first one counts."""
        with suppress(RuntimeError):
            self._store.compare_set(PROBLEM, "", json.dumps({"rank": self.rank, **problem}))

    def _problem(self) -> dict[str, Any] | None:
        """Return what another rank has reported."""
        if not self._store.check([PROBLEM]):
            return None
        found: dict[str, Any] = json.loads(self._store.get(PROBLEM))
        return found if found["rank"] != self.rank else None

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
            while time.monotonic() < end and self._store.add(LEFT, 0) < self.size - len(self._silent(3 * BEAT)):
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
                self._store.set(f"alive/{self.rank}", str(beats))
                problem = self._problem()
            except RuntimeError:
                return
            if problem is None or "signal" in problem or self._noted.is_set():
                continue
            since = since or time.monotonic()
            if time.monotonic() - since > REACTION:
                _end(problem["status"], *problem["problems"])

    def _silent(self, seconds: float) -> list[int]:
        """Return the ranks whose heartbeat has not changed for so long, as far as this process has looked."""
        now, keys = time.monotonic(), [f"alive/{rank}" for rank in range(self.size)]
        if self._store.check(keys):
            for rank, value in enumerate(self._store.multi_get(keys)):
                if self._known_beats.get(rank, (b"", 0.0))[0] != value:
                    self._known_beats[rank] = value, now
        return [rank for rank, (_, since) in self._known_beats.items() if now - since > seconds and rank != self.rank]

    def _named(self, ranks: Sequence[int]) -> str:
        return " and ".join(f"rank {rank} on host {self.hosts[rank]}" for rank in ranks)

    # Waiting ----------------------------------------------------------------------------------------------------------

    def _finish(self, work: dist.Work, *, polls: bool = False) -> None:
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

    # Exchanging -------------------------------------------------------------------------------------------------------

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks, equal to the last bit on each."""
        if not self.launched:
            return values
        summed = values if self.dtype is None else values.to(self.dtype)
        polls = summed.is_cuda and self._sums is not None
        self._finish(dist.all_reduce(summed, group=self._sums if polls else None, async_op=True), polls=polls)
        return summed

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        if self.launched:
            self._finish(dist.all_reduce(torch.zeros(1), async_op=True))

    def share(self, value: Any) -> Any:
        """Return the leader's value, as JSON has it, on every rank."""
        if not self.launched:
            return value
        content = json.dumps(value).encode() if self.leads else b""
        size = torch.tensor([len(content)])
        self._finish(dist.broadcast(size, 0, async_op=True))
        sent = torch.frombuffer(bytearray(content or bytes(int(size))), dtype=torch.uint8)
        self._finish(dist.broadcast(sent, 0, async_op=True))
        return json.loads(sent.numpy().tobytes())

    def share_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with the leader's."""
        if not self.launched:
            return
        for tensor in tensors:
            sent = tensor.detach().cpu().contiguous()
            self._finish(dist.broadcast(sent, 0, async_op=True))
            if not self.leads:
                tensor.detach().copy_(sent)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, as JSON has them, on every rank."""
        if not self.launched:
            return [value]
        content = json.dumps(value).encode()
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.rank] = len(content)
        self._finish(dist.all_reduce(sizes, async_op=True))
        own = torch.zeros(int(sizes.max()), dtype=torch.uint8)
        own[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        parts = [torch.empty_like(own) for _ in range(self.size)]
        self._finish(dist.all_gather(parts, own, async_op=True))
        return [json.loads(part[:size].numpy().tobytes()) for part, size in zip(parts, sizes.tolist(), strict=True)]

    def check_equal(self, what: dict[str, Any], remedy: str) -> None:
        """Raise ConfigError, on every rank with the same line, if a value differs between two ranks."""
        first, *others = self.gather(what)
        for rank, values in enumerate(others, 1):
            for key in dict.fromkeys([*first, *values]):
                if first.get(key) != values.get(key):
                    raise ConfigError(
                        f"{key}: {_short(values.get(key))} for {self._named([rank])}, but {_short(first.get(key))} for "
                        f"{self._named([0])}; {remedy}"
                    )

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the leader do something first, then a rank on each other host, then the rest: it is in the cache then."""
        turn = 0 if self.leads else 1 if self.local_rank == 0 else 2
        for _ in range(turn):
            self.barrier()
        yield
        for _ in range(turn, 2):
            self.barrier()


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started, within this context; without torchrun this one is alone.

    Whatever ends one rank with an error ends all of them. Raise ConfigError if the ranks cannot meet.
    """
    place = place_of_environment()
    if place is None:
        yield ALONE
        return
    ranks = Ranks(place)
    try:
        yield ranks
    except BaseException as error:
        ranks.fail(error)
        raise
    finally:
        ranks.leave()


def _end(status: int, *problems: str) -> None:
    for problem in problems:
        print(f"error: {shown(problem)}", file=sys.stderr, flush=True)
    os._exit(status)


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
