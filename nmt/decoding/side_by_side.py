"""Batches beside each other: on a CPU, a thread for each wastes less than all threads for each product."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], device: torch.device) -> Iterator[Result]:
    """What `work` gives for each item, in their order. An error ends it when the items at hand are done.

    As many items at a time as torch has threads, each with one thread; all threads for one item where there are fewer
    items than threads. Computes without gradients.
    """
    work = torch.inference_mode()(work)  # threads do not know the caller's mode
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(items) < threads:
        yield from map(work, items)
        return
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
