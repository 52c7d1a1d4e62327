"""Batches beside each other: the same results in the same order, and torch left as it was."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from nmt.inference.parallel import computing_with, even_size, parallel_map

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 * (5 - item))
        return item

    assert list(parallel_map(work, range(6), CPU)) == list(range(6))


def test_items_are_worked_on_at_the_same_time_each_with_one_thread_and_without_gradients() -> None:
    meeting = threading.Barrier(3, timeout=120)

    def work(_: int) -> tuple[int, bool]:
        meeting.wait()  # nobody passes before three are here
        return torch.get_num_threads(), torch.is_inference_mode_enabled()

    assert list(parallel_map(work, range(6), CPU)) == [(1, True)] * 6
    assert torch.get_num_threads() == 3
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize(("count", "device"), [(2, "cpu"), (6, "meta")])
def test_few_items_or_another_device_get_all_threads(count: int, device: str) -> None:
    def work(_: int) -> tuple[int, bool]:
        return torch.get_num_threads(), torch.is_inference_mode_enabled()

    assert list(parallel_map(work, range(count), torch.device(device))) == [(3, True)] * count


def test_an_error_ends_it_and_nothing_that_waits_is_begun() -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise RuntimeError("broken")
        time.sleep(0.3)

    with pytest.raises(RuntimeError, match="broken"):
        list(parallel_map(work, range(30), CPU))
    assert len(begun) < 30
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(
    ("threads", "count", "size"),
    [
        (1, 65, 64),
        (2, 64, 64),
        (2, 65, 33),
        (2, 128, 64),
        (2, 129, 33),
        (2, 500, 63),
        (4, 129, 64),
        (4, 193, 49),
        (2, 0, 64),
    ],
)
def test_all_threads_have_equally_many_batches(threads: int, count: int, size: int) -> None:
    with computing_with(threads):
        assert even_size(count, 64, CPU) == size
        batches = -(-count // size)
        assert batches < threads or batches % threads == 0 or threads == 1
    assert even_size(count, 64, torch.device("meta")) == 64
