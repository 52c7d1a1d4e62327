"""What grows with what: an update's time with the length of sentences, memory with the size of a batch, the time of
preparing with the size of the corpus.

    python scripts/lab/growth.py --quick                    # a look
    python scripts/lab/growth.py                      # table; docs/lab/pictures/growth.json and growth.svg; 10 minutes
    python scripts/lab/growth.py --pairs 10000 10000000     # 1.6 GB of text, 10 minutes more

Every case has a process of its own, which says how much memory it needed at most. Sentences are random: for updates
ids, as many target tokens at every length; for preparing, words as frequent as words are (Zipf 1935), 12 a line.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import PICTURES, need_matplotlib

from nmt import config
from nmt.benchmark import reference
from nmt.config import Settings
from nmt.data.batch import Batch, pad_sources, pad_targets
from nmt.data.batching import epoch_batches
from nmt.data.prepare import prepare
from nmt.model import make_model
from nmt.plots import picture
from nmt.runs.weights import named_weights
from nmt.training.checkpoint import save_checkpoint
from nmt.training.optimizer import optimizer_tensors
from nmt.training.state import Progress, TrainState
from nmt.training.step import TrainStep

PROJECT = Path(__file__).parent.parent.parent
CONFIG = PROJECT / "configs" / "multi30k-en-fr.yaml"
LENGTHS = (25, 50, 100, 200, 500, 1000, 2000)
PAIRS = (10_000, 100_000, 1_000_000)
TOKENS = 4_000  # of a batch, on each side
BATCHES = (1_024, 2_048, 4_096)  # tokens, likewise
BATCH_LENGTH = 25  # pieces of each of their sentences
UPDATES = 5
WORDS, PER_LINE = 30_000, 12


def update(length: int) -> dict[str, float]:
    """Seconds per target token, of sentences of so many pieces; the model of Multi30k, one thread."""
    torch.set_num_threads(1)
    _, seconds = run_updates(config.load(CONFIG), TOKENS, length)
    return {"seconds_per_token": seconds}


def batch(tokens: int) -> dict[str, float]:
    """Of the reference model (`nmt bench --reference`) with batches of so many tokens, on all threads: seconds of an
    update, and of saving a checkpoint."""
    train_step, seconds = run_updates(reference(), tokens, BATCH_LENGTH)
    taken = []
    for step in range(UPDATES):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            tensors = optimizer_tensors(train_step.optimizer)
            save_checkpoint(Path(folder), TrainState(Progress(step), named_weights(train_step.model), {}, tensors))
            taken.append(time.perf_counter() - begun)
    return {"update_seconds": seconds * tokens, "save_seconds": statistics.median(taken)}


def run_updates(settings: Settings, tokens: int, length: int) -> tuple[TrainStep, float]:
    """An train_step that has been used, and the median of seconds per target token."""
    torch.manual_seed(1)
    vocab = settings.subword.vocab_size
    train_step = TrainStep(make_model(settings.model, vocab, vocab), settings.training, torch.device("cpu"))
    ids = torch.randint(4, vocab, (tokens // length, length - 1)).tolist()
    batch = Batch(pad_sources(ids), *pad_targets(ids), len(ids) * length)
    taken = []
    for step in range(1 + UPDATES):  # the first is a warm-up and not counted
        begun = time.perf_counter()
        train_step([batch], step, 1e-4)
        taken.append(time.perf_counter() - begun)
    return train_step, statistics.median(taken[1:]) / batch.target_tokens


def preparing(pairs: int) -> dict[str, float]:
    """Seconds of reading, learning subwords and encoding; then of putting an epoch in order."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NMT_CACHE"] = str(folder / "cache")
        for stem, count in (("train", pairs), ("val", 100)):
            for seed, side in enumerate(("en", "fr")):
                write_text(folder / f"{stem}.{side}", count, seed)
        settings = config.load(CONFIG, [f"data.folder={folder}"])
        begun = time.perf_counter()
        data = prepare(settings).train
        prepared = time.perf_counter()
        epoch_batches(data.source_lengths(), data.target_lengths(), settings.training, 0)
        order_seconds = time.perf_counter() - prepared
        return {"seconds_per_pair": (prepared - begun) / pairs, "order_seconds": order_seconds}


def write_text(path: Path, lines: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    words = np.array(["".join(chance.choice(list("abcdefghijklmnopqrstuvwxyz"), chance.integers(2, 10)))
                      for _ in range(WORDS)])  # fmt: skip
    frequency = 1 / np.arange(1, WORDS + 1)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, lines, 10_000):
            chosen = chance.choice(WORDS, (min(10_000, lines - start), PER_LINE), p=frequency / frequency.sum())
            file.writelines(f"{' '.join(row)}\n" for row in words[chosen])


STUDIES = {"update": update, "batch": batch, "preparing": preparing}


def measure(study: str, size: int) -> dict[str, float]:
    """In a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", study, str(size)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def table(result: dict[str, Any]) -> Iterator[str]:
    """Markdown."""
    yield "| length of sentences (pieces) | update, microseconds per target token | peak memory (MB) |"
    yield "|---:|---:|---:|"
    for length, found in result["update"].items():
        yield f"| {int(length):,} | {1e6 * found['seconds_per_token']:,.0f} | {found['peak_mb']:,.0f} |"
    yield ""
    yield "| tokens of a batch | update (s) | saving a checkpoint (s) | peak memory (MB) |"
    yield "|---:|---:|---:|---:|"
    for tokens, found in result["batch"].items():
        times = f"{found['update_seconds']:.2f} | {found['save_seconds']:.2f}"
        yield f"| {int(tokens):,} | {times} | {found['peak_mb']:,.0f} |"
    yield ""
    yield "| pairs | preparing (s) | microseconds per pair | an epoch's order (s) | peak memory (MB) |"
    yield "|---:|---:|---:|---:|---:|"
    for pairs, found in result["preparing"].items():
        each = found["seconds_per_pair"]
        yield (
            f"| {int(pairs):,} | {int(pairs) * each:,.1f} | {1e6 * each:,.0f} | "
            f"{found['order_seconds']:.2f} | {found['peak_mb']:,.0f} |"
        )


def draw(result: dict[str, Any], path: Path) -> None:
    studies = (
        ("update", "seconds_per_token", 1e6, "length of sentences (pieces)", "update per target token (microseconds)"),
        ("preparing", "seconds_per_pair", 1e6, "pairs of sentences", "preparing a pair (microseconds)"),
    )
    with picture(path, 11, 4.5) as figure:
        for axes, (study, key, factor, across, up) in zip(figure.subplots(1, 2), studies, strict=True):
            sizes = [int(size) for size in result[study]]
            times = [factor * found[key] for found in result[study].values()]
            axes.plot(sizes, times, color="#0072B2", marker="o")
            axes.set(xlabel=across, ylabel=up, xscale="log", ylim=(0, 1.2 * max(times)))
            memory = axes.twinx()
            peaks = [found["peak_mb"] for found in result[study].values()]
            memory.plot(sizes, peaks, color="#D55E00", marker="s", linestyle="--")
            memory.set(ylabel="peak memory (MB, dashed)", ylim=(0, 1.2 * max(peaks)))
            axes.grid(alpha=0.3)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    if options.one:
        study, size = options.one
        found = STUDIES[study](int(size))
        print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    need_matplotlib()
    lengths, batches, pairs = options.lengths, BATCHES, options.pairs
    if options.quick:
        lengths, batches, pairs = lengths[:2], batches[:1], [5_000, 10_000]
    result = {
        "update": {str(length): measure("update", length) for length in lengths},
        "batch": {str(tokens): measure("batch", tokens) for tokens in batches},
        "preparing": {str(count): measure("preparing", count) for count in pairs},
    }
    print("\n".join(table(result)))
    if not options.quick or options.out != PICTURES:
        (options.out / "growth.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        draw(result, options.out / "growth.svg")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and small cases; writes nothing into docs")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--pairs", type=int, nargs="+", default=list(PAIRS))
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="FOLDER")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
