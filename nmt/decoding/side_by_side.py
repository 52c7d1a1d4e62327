"""Batches beside each other: on a CPU, a thread for each wastes less than all threads for each product."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_changing = threading.Lock()  # torch has one number for threads that are yet to come, and one for each that computes


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], device: torch.device) -> Iterator[Result]:
    """What `work` gives for each item, in their order. An error ends it when the items at hand are done.

    As many items at a time as torch has threads, each with one thread; all threads for one item where there are fewer
    items than threads. Computes without gradients. Several threads of a program may call this at once.
    """
    work = torch.inference_mode()(work)  # threads do not know the caller's mode
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(items) < threads:
        yield from map(work, items)
        return
    pool = _single_threaded_pool(threads)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _single_threaded_pool(workers: int) -> ThreadPoolExecutor:
    """Workers that compute with one thread each, all started; the caller's number of threads stays what it is."""
    with _changing:
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(workers, initializer=_with_one_thread)
        started = threading.Barrier(workers + 1)
        try:
            for _ in range(workers):
                pool.submit(started.wait)
            started.wait()
        except BaseException:
            started.abort()
            pool.shutdown()
            raise
        finally:
            torch.set_num_threads(before)
    return pool


def _with_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a new thread takes torch's number when it is first asked, and keeps it


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Let this thread compute with so many threads of its own within this context; 0: as many as it does anyway."""
    before = torch.get_num_threads()
    if not threads or threads == before:
        yield
        return
    with _changing:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        with _changing:
            torch.set_num_threads(before)


def _after_fork() -> None:
    """The threads of GNU OpenMP do not survive a fork: the child would wait for them for ever."""
    global _changing  # noqa: PLW0603
    _changing = threading.Lock()
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
