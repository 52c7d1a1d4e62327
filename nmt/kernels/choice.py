"""When each fast path applies, and how to turn it off: `with reference():` computes everything plainly.

A fast path changes no result beyond the order of sums (8 bits: beyond rounding). Whether a packed product is faster
depends on the processor, so its limits are numbers that can be measured (`nmt/calibration.py`). They belong to a scope
of the thread, never to the process: a run keeps those that it began with, whatever else is done beside it.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

NEVER = 2**62  # more multiplications than any product has


class Thresholds(NamedTuple):
    """Hold the multiplications (rows x inputs x outputs) from which on a packed product in float32 is faster, the
    precision in which a search is fastest, and the number of rows that a packed product in float32 is padded to."""

    one_row: int = NEVER  # with a single row: on some processors memory bandwidth limits both
    rows: int = 2_000_000  # with several
    precision: str = ""  # float32, bf16 or int8; "": not measured
    min_rows: int = 1  # inputs with fewer rows are padded: oneDNN may read weights more slowly for a single row


class FastPath(NamedTuple):
    """Say where a fast path is, what it replaces, and when it applies."""

    module: str
    plain: str
    applies: str


FAST_PATHS: dict[str, FastPath] = {
    "packed": FastPath(
        "nmt.kernels.packed",
        "torch.nn.functional.linear, torch.lstm_cell and torch.lstm",
        "on a CPU with oneDNN. Within a loop over positions: float32 weights in float32 products from `Thresholds` on, "
        "and in bf16 products of 250,000 multiplications and more. For sequences of an LSTM: without gradients, in a "
        "translator or a validation",
    ),
    "deferred": FastPath(
        "nmt.kernels.deferred_gradients",
        "the gradients of autograd, formed at each position",
        "in training, within a loop over positions, for weights, keys and values that have a gradient",
    ),
    "padded_lstm": FastPath(
        "nmt.model.padding",
        "packed sequences of torch",
        "on a CPU, for an LSTM that reads sentences of unequal lengths",
    ),
    "cross_entropy": FastPath(
        "nmt.kernels.cross_entropy",
        "log_softmax of all logits",
        "in training, in float32 and bf16",
    ),
    "topk": FastPath(
        "nmt.kernels.topk",
        "torch.topk",
        "on a CPU, for more than 64 times as many values as are wanted",
    ),
    "int8": FastPath(
        "nmt.model.int8",
        "float32 products with the same rounded weights",
        "on a CPU with VNNI, for runs and settings in 8 bits",
    ),
    "parallel": FastPath(
        "nmt.inference.parallel",
        "all threads for one batch after the other",
        "on a CPU with several threads, for at least as many batches as threads",
    ),
}


class _Scope(threading.local):
    """Hold the choices of a thread."""

    thresholds: Mapping[int, Thresholds] = {}  # by number of threads; none: the defaults
    off: frozenset[str] = frozenset()


_scope = _Scope()


def uses(name: str) -> bool:
    """Return whether a fast path out of FAST_PATHS is on in this thread."""
    return name not in _scope.off


def thresholds() -> Thresholds:
    """Return the thresholds for the number of threads that this thread computes with, or for the nearest number that
    was measured: a server computes with fewer threads while other programs use the cores."""
    known, threads = _scope.thresholds, torch.get_num_threads()
    if not known:
        return Thresholds()
    return known[min(known, key=lambda number: abs(number - threads))]


def in_use() -> Mapping[int, Thresholds]:
    """Return the thresholds of this thread, {number of threads: thresholds}; none where the defaults hold."""
    return _scope.thresholds


@contextmanager
def using(measured: Mapping[int, Thresholds] | None) -> Iterator[None]:
    """Use these thresholds, {number of threads: thresholds}, in this context and thread; None: no change."""
    before = _scope.thresholds
    _scope.thresholds = before if measured is None else measured
    try:
        yield
    finally:
        _scope.thresholds = before


@contextmanager
def reference(*names: str) -> Iterator[None]:
    """Turn fast paths off in this context and thread: those named, or all."""
    if unknown := set(names) - FAST_PATHS.keys():
        raise ValueError(f"no fast path {', '.join(sorted(unknown))}; there are {', '.join(FAST_PATHS)}")
    before = _scope.off
    _scope.off = before | frozenset(names or FAST_PATHS)
    try:
        yield
    finally:
        _scope.off = before


def carried(work: Callable[[Item], Result]) -> Callable[[Item], Result]:
    """Return a function for other threads that makes the same choices as this thread makes now."""
    known, off = _scope.thresholds, _scope.off

    @functools.wraps(work)
    def of_the_same_scope(item: Item) -> Result:
        before = _scope.thresholds, _scope.off
        _scope.thresholds, _scope.off = known, off
        try:
            return work(item)
        finally:
            _scope.thresholds, _scope.off = before

    return of_the_same_scope
