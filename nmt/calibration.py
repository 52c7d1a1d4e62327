"""Calibration: measure from which size on packed products are faster, and which precision is fastest in decoding.

It takes about a second for each number of threads. `nmt/calibration_cache.py` says when, and keeps what was found.
"""

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nmt.config import DecodingSettings, ModelSettings
from nmt.data.subword import EOS_ID
from nmt.inference.free_cores import FreeCores
from nmt.inference.parallel import computing_with
from nmt.inference.search import search
from nmt.kernels import Thresholds, using
from nmt.kernels.choice import NEVER
from nmt.kernels.packed import Packed, PackedWeights, Product, cached_packing
from nmt.model import make_model
from nmt.model.int8 import quantize
from nmt.precision import computing_in, precisions_of
from nmt.shown import amount

SHAPES = ((256, 256), (512, 512), (1024, 512), (2048, 512), (2048, 1024), (8000, 512))  # (outputs, inputs)
ROWS = (1, 5, 32)
PADDED = 5  # rows that a product with one row may be padded to
ROUNDS = 5
SEARCHED = ModelSettings()  # the model of the searches, and how much it is given
VOCABULARY, LENGTH, SEARCHES = 4000, 8, 2
LONGEST = 0.6  # seconds after which no further round begins
WORKING_SET, MOST_WEIGHTS = 32_000_000, 40  # bytes and number of the weights that a product is measured with
CLEARLY = 0.97  # share of the time of the defaults below which other thresholds are taken
SLACK = 1.1  # a choice counts as right if it takes at most this many times the time of the best
MOST_OTHERS = 0.25  # cores that others may take from several threads, on average, without spoiling what they measure


class Measured(NamedTuple):
    """Hold the times of one product, in seconds."""

    rows: int
    outputs: int
    inputs: int
    plain: float
    packed: float
    padded: float = math.inf  # packed, and padded to PADDED rows

    @property
    def work(self) -> int:
        """Return its multiplications."""
        return self.rows * self.outputs * self.inputs

    def excess(self, packs: bool) -> float:
        """Return how many times the time of the best choice a choice takes."""
        return (self.packed if packs else self.plain) / min(self.packed, self.plain)


class Calibration(NamedTuple):
    """Hold thresholds and what they follow from."""

    thresholds: Thresholds
    measured: Sequence[Measured] = ()
    searches: Mapping[str, float] = MappingProxyType({})  # seconds of one, by precision
    others: float = 0.0  # cores that other programs took from it, on average

    def packs(self, product: Measured) -> bool:
        """Return whether the thresholds choose the packed product."""
        return product.work >= (self.thresholds.one_row if product.rows == 1 else self.thresholds.rows)

    @property
    def disturbance(self) -> str:
        """Return why the times are not to be trusted: several threads wait for each other wherever another program has
        the core of one of them. "": they are."""
        if self.others <= MOST_OTHERS:
            return ""
        return f"other programs used {self.others:.1f} of the cores while nmt calibrated"


def calibrate(threads: int) -> Calibration:
    """Measure with this number of threads: every product, plain and packed in turns. A busy machine gets fewer rounds.

    Each product is measured over as many weights as do not stay in a cache: a model comes back to a weight only after
    all its others.
    """
    default = Thresholds()
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):  # nothing is packed
        same = [Measured(rows, *shape, plain=1.0, packed=1.0) for shape in SHAPES for rows in ROWS]
        return Calibration(default._replace(precision="float32"), same)
    # The time of a single thread does not count what other programs compute; several threads wait for each other.
    clock = time.thread_time if threads == 1 else time.perf_counter
    cores = FreeCores()
    with computing_with(threads):
        min_rows, measured = _choose_padding(_measure_products(clock))
        one = _threshold([product for product in measured if product.rows == 1], default.one_row)
        several = _threshold([product for product in measured if product.rows > 1], default.rows)
        found = Thresholds(one, several, min_rows=min_rows)
        with using({threads: found}):
            searches = _search_times(clock)
    others = cores.lacking(threads) if threads > 1 else 0.0
    precision = min(searches, key=lambda name: searches[name])
    return Calibration(found._replace(precision=precision), measured, searches, others)


@torch.inference_mode()
def _measure_products(clock: Callable[[], float]) -> list[Measured]:
    """Measure each product plain, packed, and packed and padded, in turns; return the best times of all rounds."""
    measured: list[Measured] = []
    begun = clock()
    for outputs, inputs in SHAPES:
        copies = max(2, min(MOST_WEIGHTS, WORKING_SET // (4 * outputs * inputs)))
        weights, bias = [torch.zeros(outputs, inputs) for _ in range(copies)], torch.zeros(outputs)
        packed = [Packed(weight, bias, weight.dtype) for weight in weights]
        # (rows, kind), the inputs, and a product for each weight
        products: list[tuple[tuple[int, str], Tensor, list[Product]]] = []
        for rows in ROWS:
            given = torch.zeros(rows, inputs)
            plain: list[Product] = [partial(F.linear, weight=weight, bias=bias) for weight in weights]
            products.append(((rows, "plain"), given, plain))
            products.append(((rows, "packed"), given, [one.for_rows(rows, 1) for one in packed]))
            if rows < PADDED:
                products.append(((rows, "padded"), given, [one.for_rows(rows, PADDED) for one in packed]))
        best = {key: math.inf for key, *_ in products}
        for index in range(ROUNDS + 1):  # the first one compiles
            if index > 1 and clock() - begun > LONGEST * (len(measured) + len(ROWS)) / (len(SHAPES) * len(ROWS)):
                break
            for key, given, each in products:
                best[key] = min(best[key], _mean_time(given, each, clock))
        kinds = ("plain", "packed", "padded")
        measured += [
            Measured(rows, outputs, inputs, *(best.get((rows, kind), math.inf) for kind in kinds)) for rows in ROWS
        ]
    return measured


def _choose_padding(measured: list[Measured]) -> tuple[int, list[Measured]]:
    """Return `Thresholds.min_rows`, and the products with the times that packed ones take then."""
    few = [product for product in measured if product.rows < PADDED]
    if sum(product.padded / product.packed for product in few) >= CLEARLY * len(few):
        return Thresholds().min_rows, measured
    return PADDED, [each._replace(packed=each.padded) if each.rows < PADDED else each for each in measured]


def _mean_time(given: Tensor, products: Sequence[Product], clock: Callable[[], float]) -> float:
    start = clock()
    for product in products:
        product(given)
    return (clock() - start) / len(products)


def _search_times(clock: Callable[[], float]) -> dict[str, float]:
    """Return the seconds of one beam search in each precision that this CPU multiplies natively."""
    device = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):  # who calibrates draws the same numbers as who does not
        model = make_model(SEARCHED, VOCABULARY, VOCABULARY).eval()
        source = torch.randint(EOS_ID + 1, VOCABULARY, (8, LENGTH))
    settings = DecodingSettings(beam_size=5, min_length=LENGTH, max_length=LENGTH)
    models = {precision: deepcopy(model) for precision in ("float32", *precisions_of(device))}
    if "int8" in models:
        quantize(models["int8"])
    kept = {precision: PackedWeights() for precision in models}
    best = dict.fromkeys(models, math.inf)
    for index in range(SEARCHES + 1):  # the first one compiles
        for precision, one in models.items():
            start = clock()
            with cached_packing(kept[precision]), computing_in(precision, device):
                search(one, source, settings)
            if index:
                best[precision] = min(best[precision], clock() - start)
    return best


def _threshold(measured: Sequence[Measured], default: int) -> int:
    """Return the number of multiplications from which on to pack, for which the measured products take least time in
    excess of their best; the highest one of equals, and the default unless another is clearly better."""
    limits = sorted({product.work for product in measured} | {NEVER}, reverse=True)

    def excess(limit: int) -> float:
        return sum(product.excess(product.work >= limit) for product in measured)

    best = min(limits, key=excess)
    return best if excess(best) < CLEARLY * excess(default) else default


def lines(calibration: Calibration, threads: int) -> list[str]:
    """Return a calibration as text, one product a line."""
    limits = [
        f"{name}: {'never' if limit >= NEVER else f'from {limit:,} multiplications on'}"
        for name, limit in (("one row", calibration.thresholds.one_row), ("several rows", calibration.thresholds.rows))
    ]
    number, least = amount(threads, "thread"), calibration.thresholds.min_rows
    padding = f"fewer than {least} rows padded to {least}" if least > 1 else "no padding of rows"
    shown = [
        f"packed products on {cpu()}, {number}, torch {torch.__version__}: {'; '.join(limits)}; {padding}; "
        f"decoding.precision=auto: {calibration.thresholds.precision}"
    ]
    times = (f"{name} {1e3 * seconds:.1f} ms" for name, seconds in calibration.searches.items())
    shown.append(f"a beam search: {', '.join(times)}")
    for product in calibration.measured:
        packs = calibration.packs(product)
        shown.append(
            f"{product.rows:>4} x {product.inputs:>4} -> {product.outputs:>4}: plain {1e6 * product.plain:8.1f} us, "
            f"packed {1e6 * product.packed:8.1f} us, chosen {'packed' if packs else 'plain'}"
            f"{'' if product.excess(packs) <= SLACK else f', {product.excess(packs):.2f}x the best'}"
        )
    return shown


def cpu() -> str:
    """Return the model of the CPU, as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
