"""Count what one decoding step costs: operations of torch and calls of functions, however busy the machine is.

    python scripts/lab/steps.py [--beams 1 5] [--batch 1] [--hidden 512] [--operations]

Model R (`nmt bench --reference`) with random weights, with the constraints that a translation has. Counts are the
difference between searches of two lengths, so that the encoder and the start do not count.
"""

import argparse
import sys
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nmt.benchmark import reference
from nmt.config import DecodingSettings
from nmt.data.batch import pad_sources
from nmt.inference.constraints import Constraints
from nmt.inference.search import search
from nmt.kernels.packed import PackedWeights, cached_packing
from nmt.model import Seq2Seq, make_model

VOCAB = 8000
SHORT, LONG = 8, 24  # tokens of a translation


class Operations(TorchDispatchMode):
    """Count operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, _: Any, args: Any = (), options: Any = None) -> Any:
        self.counts[str(function)] += 1
        return function(*args, **(options or {}))


def translate(model: Seq2Seq, batch: int, beam: int, length: int) -> None:
    """Search for translations of this length."""
    settings = DecodingSettings(beam_size=beam, min_length=length, max_length=length)
    constraints = Constraints(blank=torch.zeros(VOCAB, dtype=torch.bool))
    with cached_packing(PackedWeights()):
        search(model, pad_sources([[5 + row, 6, 7, 8, 9, 10, 11] for row in range(batch)]), settings, 1, constraints)


def operations(model: Seq2Seq, batch: int, beam: int, length: int) -> Counter[str]:
    """Return the operations of a search."""
    with Operations() as counted:
        translate(model, batch, beam, length)
    return counted.counts


def calls(model: Seq2Seq, batch: int, beam: int, length: int) -> int:
    """Return the number of calls of Python and C functions in a search."""
    count = 0

    def see(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(see)
    try:
        translate(model, batch, beam, length)
    finally:
        sys.setprofile(None)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--operations", action="store_true", help="list the operations of a step")
    options = parser.parse_args()
    torch.manual_seed(1)
    sizes = {"embedding": options.hidden, "hidden": options.hidden}
    model = make_model(reference().model.model_copy(update=sizes), VOCAB, VOCAB).eval()
    for beam in options.beams:
        translate(model, options.batch, beam, SHORT)
        found = [operations(model, options.batch, beam, length) for length in (SHORT, LONG)]
        each = {name: (count - found[0][name]) / (LONG - SHORT) for name, count in found[1].items()}
        python = (calls(model, options.batch, beam, LONG) - calls(model, options.batch, beam, SHORT)) / (LONG - SHORT)
        print(f"beam {beam}: {sum(each.values()):.0f} operations and {python:.0f} calls of functions a step")
        if options.operations:
            for name, count in sorted(each.items(), key=lambda item: -item[1]):
                if count:
                    print(f"  {count:5.2f} {name}")


if __name__ == "__main__":
    main()
