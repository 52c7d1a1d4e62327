"""Run batches in parallel: on a CPU, one thread per batch wastes less than all threads for each product."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from nmt.kernels.choice import carried, uses

Item = TypeVar("Item")
Result = TypeVar("Result")

# torch has a number of threads for each thread that computes, and one for those that are yet to come. Setting the first
# sets the second as well, so that it has to be put back.
_changing = threading.Lock()
_forked = False


def parallel_map(work: Callable[[Item], Result], items: Sequence[Item], device: torch.device) -> Iterator[Result]:
    """Yield what `work` returns for each item, in order. After an error no further item is started.

    As many items at a time as torch has threads, each with one thread; all threads for one item where there are fewer
    items than threads. Computes without gradients. Several threads of a program may call this at once.
    """
    work = torch.inference_mode()(work)  # threads do not know the caller's mode
    threads = own_threads()
    if device.type != "cpu" or threads == 1 or len(items) < threads or not uses("parallel"):
        yield from map(work, items)
        return
    with _unchanged_for_others():
        pool = ThreadPoolExecutor(threads, initializer=_set_own, initargs=(1,))
        started = threading.Barrier(threads + 1)  # all workers start here, each to compute with one thread
        try:
            for _ in range(threads):
                pool.submit(started.wait)
            started.wait()
        except BaseException:
            started.abort()
            pool.shutdown()
            raise
    try:
        yield from pool.map(carried(work), items)
    finally:
        pool.shutdown(cancel_futures=True)


def even_size(count: int, most: int, device: torch.device) -> int:
    """Return the size of the batches into which `count` items are divided for `parallel_map`, at most `most`. Where
    every thread has a batch, all have equally many, of equal sizes, so that none waits for the others at the end."""
    threads, batches = own_threads(), -(-count // most)
    if device.type != "cpu" or threads == 1 or batches < threads or not uses("parallel"):
        return most
    return -(-count // (-(-batches // threads) * threads))


def own_threads() -> int:
    """Return the number of threads that this thread computes with."""
    with _changing:
        return torch.get_num_threads()


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Let this thread compute with `threads` threads within this context; 0: no change.

    Other threads keep their number. In a process that was forked there is one thread, whatever is asked for.
    """
    before = own_threads()
    wanted = 1 if _forked else threads or before
    if wanted == before:
        yield
        return
    with _unchanged_for_others():
        _set_own(wanted)
    try:
        yield
    finally:
        with _unchanged_for_others():
            _set_own(before)


@contextmanager
def _unchanged_for_others() -> Iterator[None]:
    """Put back the number that new threads get: a new thread knows it, and sets it."""
    with _changing:
        with ThreadPoolExecutor(1) as new:
            number = new.submit(torch.get_num_threads).result()
        try:
            yield
        finally:
            with ThreadPoolExecutor(1) as new:
                new.submit(torch.set_num_threads, number).result()


def _set_own(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.get_num_threads()  # a new thread takes the common number when it is first asked, and then keeps its own


def _after_fork() -> None:
    """Use one thread in a forked child: the threads of GNU OpenMP do not survive a fork, and waiting for them never
    ends."""
    global _changing, _forked
    _changing, _forked = threading.Lock(), True
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
