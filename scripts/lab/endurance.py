"""How much memory a training takes that sees thousands of shapes of batches, and whether it grows.

    python scripts/lab/endurance.py                     # 3,000 steps, the model of configs/multi30k-en-fr.yaml
    python scripts/lab/endurance.py --precision bf16 --steps 10000

The batches are drawn at random: nearly every one has a shape of its own. Growth counts from a tenth of the steps on.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

import nmt  # before torch: it bounds what oneDNN keeps


def main() -> None:
    options = _options()
    from nmt.allocation import bound_allocator

    if not options.unbounded:
        bound_allocator()
    import torch

    from nmt.config import ModelSettings, TrainingSettings
    from nmt.data.batch import Batch, pad_sources, pad_targets
    from nmt.model import make_model
    from nmt.training.step import TrainStep

    torch.set_num_threads(options.threads)
    model = ModelSettings(embedding=options.embedding, hidden=options.hidden, decoder=options.decoder)
    training = TrainingSettings(precision=options.precision, ema=0.999)
    torch.manual_seed(1)
    step = TrainStep(make_model(model, options.vocab, options.vocab), training, torch.device("cpu"))
    chance = np.random.default_rng(1)

    def batch() -> Batch:
        source, target = chance.integers(3, options.longest, 2)
        rows = max(1, int(chance.uniform(0.5, 1.0) * options.tokens / max(source, target)))
        sources, targets = (
            [chance.integers(4, options.vocab, max(1, int(length * chance.uniform(0.7, 1)))) for _ in range(rows)]
            for length in (source, target)
        )
        return Batch(pad_sources(sources), *pad_targets(targets), sum(len(ids) + 1 for ids in targets))

    shapes, first, begun = set(), 0.0, time.monotonic()
    for number in range(options.steps):
        made = batch()
        shapes.add((made.source.shape, made.target_input.shape))
        step([made], number, 1e-4)
        if number == options.steps // 10:
            first = resident()
        if number % max(1, options.steps // 10) == 0:
            print(f"step {number:,}: {resident():,.0f} MB, {len(shapes):,} shapes", flush=True)
    grown, peak = resident() - first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.steps:,} steps in {time.monotonic() - begun:.0f} s, {len(shapes):,} shapes: {resident():,.0f} MB")
    print(f"grown by {grown:,.0f} MB since step {options.steps // 10:,}; peak {peak:,.0f} MB")
    if options.most and grown > options.most:
        sys.exit(f"error: memory grew by more than {options.most} MB")


def resident() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--precision", default="float32", choices=["float32", "bf16"])
    parser.add_argument("--decoder", default="conditional", choices=["conditional", "luong", "bahdanau"])
    parser.add_argument("--embedding", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--vocab", type=int, default=6000)
    parser.add_argument("--tokens", type=int, default=1000, help="of a batch")
    parser.add_argument("--longest", type=int, default=80, help="tokens of a sentence")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=float, default=0, help="MB that memory may grow by; 0: any")
    parser.add_argument("--unbounded", action="store_true", help="leave the allocator of the system as it is")
    return parser.parse_args()


if __name__ == "__main__":
    assert nmt
    main()
