"""Several processes that work on one task, as torchrun starts them: ranks 0 to `size` - 1, of which rank 0 leads.

Without torchrun a process is alone, and everything here returns at once. Tensors are summed by gloo on CPUs and by nccl
on GPUs. Everything else (decisions, progress, messages) travels as JSON in byte tensors over a gloo group, so that
nothing is ever unpickled. `rank_watch.py` notices ranks that fail meanwhile.
"""

import json
import os
import platform
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

from nmt.errors import ConfigError
from nmt.rank_watch import BEAT, RankWatch, end_process, named_rank
from nmt.torchrun import Place, place_of_environment

FOREVER = timedelta(days=30)  # the limit is the heartbeat, not the time that a rank computes


class Ranks:
    """Represent the processes that work together, and this one among them. Without a `place` it is alone."""

    dtype: torch.dtype | None = None  # of sums; None: as the tensors have it. Tests sum in float64

    def __init__(self, place: Place | None = None) -> None:
        self.launched = place is not None
        self.rank, self.size, self.local_rank = (place.rank, place.size, place.local_rank) if place else (0, 1, 0)
        self.host = platform.node()
        self.hosts = [self.host]
        self._sums: dist.ProcessGroup | None = None  # the group of the device, if it is not gloo
        self._watch: RankWatch | None = self._join(place) if place else None

    @property
    def leads(self) -> bool:
        """Return whether this is the rank that logs, validates, saves and reads the clock."""
        return self.rank == 0

    # Joining and leaving ----------------------------------------------------------------------------------------------

    def _join(self, place: Place) -> RankWatch:
        """Meet the other ranks. Raise ConfigError if some do not come, or were started for another number of ranks."""
        where, limit = f"{place.address}:{place.port}", timedelta(seconds=place.timeout)
        try:
            store = TCPStore(place.address, place.port, None, place.hosts_store, limit, wait_for_workers=False)
        except (RuntimeError, ValueError, OSError) as error:
            if "EADDRINUSE" in str(error) or "in use" in str(error):
                raise ConfigError(f"MASTER_PORT={place.port}: is in use on this host; choose another port") from None
            raise ConfigError(
                f"{where} (MASTER_ADDR:MASTER_PORT): cannot be reached within {place.timeout:.0f} s; start rank "
                "0 there first, and let the firewall pass this port"
            ) from None
        common: Store = PrefixStore(f"nmt/{place.attempt}", store)
        common.set(f"join/{self.rank}", json.dumps([self.size, self.host]))
        self.hosts = self._roll_call(common, place.timeout)
        watch = RankWatch(common, where, self.rank, self.hosts, place.timeout)
        remedy = "set GLOO_SOCKET_IFNAME to the network interface that all hosts share"
        late = f"the ranks cannot connect to each other within {place.timeout:.0f} s; {remedy}"
        # What cannot be interrupted ends the process if it takes too long.
        deadline = threading.Timer(place.timeout, end_process, (ConfigError.status, late))
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
            watch.fail(refused)  # the others may wait for this connection
            raise refused from None
        finally:
            deadline.cancel()
        return watch

    def _roll_call(self, store: Store, timeout: float) -> list[str]:
        """Return the hosts of all ranks, when all have come."""
        end = time.monotonic() + timeout
        hosts: dict[int, str] = {}
        while len(hosts) < self.size:
            for rank in set(range(self.size)) - hosts.keys():
                if not store.check([f"join/{rank}"]):
                    continue
                size, host = json.loads(store.get(f"join/{rank}"))
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
                    f"rank {missing} of {self.size} did not start within {timeout:.0f} s; start torchrun on "
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
        if self._watch and not self._watch.failed:
            self._watch.stop()
            with suppress(RuntimeError, AssertionError, ValueError):
                dist.destroy_process_group()

    def fail(self, error: BaseException) -> None:
        """Tell the other ranks why this one ends, unless another rank ended first."""
        if self._watch:
            self._watch.fail(error)

    def interrupt(self, number: int) -> None:
        """Tell the other ranks, which may wait for this one, that training was interrupted by a signal."""
        if self._watch:
            self._watch.interrupt(number)

    # Exchanging -------------------------------------------------------------------------------------------------------

    def _wait(self, work: dist.Work, *, polls: bool = False) -> None:
        """Wait for a collective. Raise OtherRankFailed, OtherRankInterrupted or RankLost if it cannot end."""
        if self._watch:
            self._watch.wait(work, polls=polls)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks, equal to the last bit on each."""
        if not self.launched:
            return values
        summed = values if self.dtype is None else values.to(self.dtype)
        polls = summed.is_cuda and self._sums is not None
        self._wait(dist.all_reduce(summed, group=self._sums if polls else None, async_op=True), polls=polls)
        return summed

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        if self.launched:
            self._wait(dist.all_reduce(torch.zeros(1), async_op=True))

    def share(self, value: Any) -> Any:
        """Return the leader's value, as JSON has it, on every rank."""
        if not self.launched:
            return value
        content = json.dumps(value).encode() if self.leads else b""
        size = torch.tensor([len(content)])
        self._wait(dist.broadcast(size, 0, async_op=True))
        sent = torch.frombuffer(bytearray(content or bytes(int(size))), dtype=torch.uint8)
        self._wait(dist.broadcast(sent, 0, async_op=True))
        return json.loads(sent.numpy().tobytes())

    def share_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with the leader's."""
        if not self.launched:
            return
        for tensor in tensors:
            sent = tensor.detach().cpu().contiguous()
            self._wait(dist.broadcast(sent, 0, async_op=True))
            if not self.leads:
                tensor.detach().copy_(sent)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, as JSON has them, on every rank."""
        if not self.launched:
            return [value]
        content = json.dumps(value).encode()
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.rank] = len(content)
        self._wait(dist.all_reduce(sizes, async_op=True))
        own = torch.zeros(int(sizes.max()), dtype=torch.uint8)
        own[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        parts = [torch.empty_like(own) for _ in range(self.size)]
        self._wait(dist.all_gather(parts, own, async_op=True))
        return [json.loads(part[:size].numpy().tobytes()) for part, size in zip(parts, sizes.tolist(), strict=True)]

    def check_equal(self, what: dict[str, Any], remedy: str) -> None:
        """Raise ConfigError, on every rank with the same line, if a value differs between two ranks."""
        first, *others = self.gather(what)
        for rank, values in enumerate(others, 1):
            for key in dict.fromkeys([*first, *values]):
                if first.get(key) != values.get(key):
                    own, leaders = _short(values.get(key)), _short(first.get(key))
                    raise ConfigError(
                        f"{key}: {own} for {named_rank(rank, self.hosts)}, but {leaders} for "
                        f"{named_rank(0, self.hosts)}; {remedy}"
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


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
