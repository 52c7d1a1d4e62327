"""Make N million synthetic pairs and measure how they are prepared: rate, peak memory and disk, with 1 and 2 processes.

    python scripts/lab/big_corpus.py --millions 10 --folder /tmp/big --workers 1 2 --train 200 --early

Each preparation runs in a process of its own with an empty cache. `--train N` then trains N steps on the pairs, and
resumes for one more; `--early` trains while an empty cache is filled (data.start_early). That a run resumes at 90 % of
an epoch without looking at what was before is proved by tests/reliability/test_long_epoch.py.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

CONFIG = """\
data: {{source: a, target: b, train: train, valid: valid}}
subword: {{vocab_size: 4000, sample: 200000}}
model: {{embedding: 32, hidden: 32}}
training: {{max_steps: {steps}, batch_tokens: 4000, shuffle_window: {window}, validate_every: 1000000, save_every: 100}}
threads: 1
"""
PREPARE = """\
import json, resource, sys, time
from nmt import config
from nmt.data.prepare import prepare
started = time.monotonic()
data = prepare(config.load(sys.argv[1], ["data.workers=" + sys.argv[2]]))
peaks = {who: resource.getrusage(getattr(resource, who)).ru_maxrss / 1024 for who in ("RUSAGE_SELF", "RUSAGE_CHILDREN")}
print(json.dumps({"pairs": len(data.train), "seconds": time.monotonic() - started, "megabytes": peaks}))
"""


def write_pairs(folder: Path, count: int, seed: int = 0) -> None:
    """Write pairs of 3 to 20 invented words, of a vocabulary with the usual long tail."""
    chance = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(50_000)]
    weights = [1 / (rank + 10) for rank in range(len(words))]
    pool = chance.choices(words, weights, k=1_000_000)
    with (folder / "train.a").open("w") as source, (folder / "train.b").open("w") as target:
        for _ in range(count):
            start, size = chance.randrange(len(pool) - 20), chance.randint(3, 20)
            chosen = pool[start : start + size]
            source.write(" ".join(chosen) + "\n")
            target.write(" ".join(reversed(chosen)) + "\n")
    for language in "ab":
        lines = (folder / f"train.{language}").open().readlines(20_000)
        (folder / f"valid.{language}").write_text("".join(lines[:100]))


def disk(folder: Path) -> float:
    """Return megabytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def prepared(folder: Path, workers: int) -> dict[str, object]:
    """Prepare in a new process with an empty cache, and return what it measured."""
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    command = [sys.executable, "-c", PREPARE, str(folder / "config.yaml"), str(workers)]
    output = subprocess.run(
        command, env={**os.environ, "NMT_CACHE": str(cache)}, check=True, capture_output=True, text=True
    )
    found = json.loads(output.stdout.splitlines()[-1])
    found["workers"], found["cache megabytes"] = workers, disk(cache)
    found["pairs per second"] = found["pairs"] / found["seconds"]
    return found


def watched(command: list[str], environment: dict[str, str], line: str) -> tuple[float, float, float]:
    """Run a command. Return the seconds until it printed a line with this text, those until its end, and the most
    memory in MB that was its own, without the pages of mapped files, which the kernel drops when others need them."""
    started, seen, peak = time.monotonic(), [0.0], 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for printed in process.stdout or ():
                if line in printed and not seen[0]:
                    seen[0] = time.monotonic() - started

        reader = threading.Thread(target=read)
        reader.start()
        while process.poll() is None:
            with suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                peak = max([peak, *(int(each.split()[1]) for each in status.splitlines() if "RssAnon" in each)])
            time.sleep(0.05)
        reader.join()
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seen[0], time.monotonic() - started, peak / 1024


def trained(folder: Path, steps: int) -> dict[str, object]:
    """Train, then resume for one more step, and measure. The checks of text and cache at each start are included."""
    environment = {**os.environ, "NMT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    shutil.rmtree(folder / "run", ignore_errors=True)
    base = [sys.executable, "-m", "nmt", "train", str(folder / "config.yaml"), f"run={folder / 'run'}"]
    first, whole, peak = watched([*base, "training.validate_first=false"], environment, "training and")
    again, _, resumed = watched([*base, f"training.max_steps={steps + 1}"], environment, "resuming from")
    return {
        "steps": steps, "seconds": round(whole, 1), "seconds until the corpus is open": round(first, 1),
        "peak megabytes": round(peak), "seconds until it has resumed": round(again, 1),
        "peak megabytes of the resumed run": round(resumed),
    }  # fmt: skip


def trained_early(folder: Path, window: int) -> dict[str, object]:
    """Train from an empty cache, which is filled meanwhile, until all is encoded and 200 steps are done."""
    cache = folder / "cache-early"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(folder / "run-early", ignore_errors=True)
    environment = {**os.environ, "NMT_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "nmt", "train", str(folder / "config.yaml"), f"run={folder / 'run-early'}"]
    early = ["data.start_early=true", f"training.shuffle_window={window}", "training.validate_first=false"]
    begun, whole, peak = watched([*command, *early, "training.max_steps=200"], environment, "training begins with")
    shutil.rmtree(cache)
    return {
        "window": window, "seconds until training begins": round(begun, 1),
        "seconds until 200 steps are done and all is encoded": round(whole, 1), "peak megabytes": round(peak),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millions", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--train", type=int, default=0, metavar="STEPS")
    parser.add_argument("--early", action="store_true", help="also train while the text is encoded")
    parser.add_argument("--window", type=int, default=1_000_000, help="training.shuffle_window")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    count = round(options.millions * 1e6)
    if not (options.folder / "train.b").exists():
        write_pairs(options.folder, count)
    (options.folder / "config.yaml").write_text(CONFIG.format(steps=max(options.train, 1), window=options.window))
    print(f"{count:,} pairs, {disk(options.folder):,.0f} MB of text and earlier results, {os.cpu_count()} cores")
    for workers in options.workers:
        print(json.dumps(prepared(options.folder, workers)), flush=True)
    if options.train:
        print(json.dumps(trained(options.folder, options.train)))
    if options.early:
        print(json.dumps(trained_early(options.folder, options.window)))


if __name__ == "__main__":
    main()
