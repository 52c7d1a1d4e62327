"""Every system of the literature on one corpus, at an equal budget: one table of quality, alignment, speed and size.

    python scripts/ablation.py run --out results/bundled                  # trains what has no result yet
    python scripts/ablation.py run --out results/bundled --shard 2/3      # a third of it, on another machine
    python scripts/ablation.py table --out results/bundled                # the table, from all results in the folder

The budget is a number of updates, the same for all, so that the table does not depend on the machine; the speed columns
do. A result is a JSON file of its own; a run that was stopped goes on where it was.
"""

import argparse
import json
import math
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).parent.parent
NMT = [sys.executable, "-m", "nmt"]


class Study(NamedTuple):
    """A config with what all its systems share, and the gold alignments of its test set."""

    config: str
    shared: str
    test: str
    gold: str | None


STUDIES = {
    "bundled": Study(
        "configs/en-fr.yaml",
        "training.max_time=0 training.max_steps=600 training.validate_every=600 training.warmup=100 "
        "training.log_every=50 training.samples=0 training.average=false",
        "test",
        "data/en-fr/test.align",
    ),
}

# System -> what differs from the config (conditional LSTM decoder with multihead attention).
SYSTEMS = {
    "none": "model.attention=none",
    "location": "model.attention=location",
    "dot": "model.attention=dot",
    "scaled dot": "model.attention=scaled_dot",
    "cosine": "model.attention=cosine",
    "general": "model.attention=general",
    "additive": "model.attention=additive",
    "coverage": "model.attention=coverage",
    "local": "model.attention=local",
    "hard": "model.attention=hard",
    "query-key-value": "model.attention=qkv",
    "multihead": "",
    "multihead, GRU": "model.cell=gru",
    "multihead, tanh RNN": "model.cell=rnn",
    "multihead, dot self-attention": "model.self_attention=dot",
    "multihead, query-key-value self-attention": "model.self_attention=qkv",
    "general, luong": "model.attention=general model.decoder=luong model.input_feeding=false",
    "general, luong, input feeding": "model.attention=general model.decoder=luong",
    "additive, bahdanau": "model.attention=additive model.decoder=bahdanau",
    "transformer": "model.architecture=transformer model.hidden=192 training.learning_rate=1e-3",
}
SEEDS = (1, 2, 3)


def main() -> None:
    arguments = _arguments()
    out = Path(arguments.out)
    if arguments.action == "table":
        print("\n".join(table(results(out))))
        return
    mine, shards = (int(part) for part in arguments.shard.split("/"))
    names = arguments.systems or list(SYSTEMS)
    jobs = [(name, seed) for seed in arguments.seeds for name in names]
    for name, seed in jobs[mine - 1 :: shards]:
        file = out / f"{_slug(name)}-{seed}.json"
        if not file.exists():
            result = measure(STUDIES[arguments.study], name, seed, out, shlex.split(arguments.set))
            file.write_text(json.dumps(result, indent=1), encoding="utf-8")
        print(f"{name}, seed {seed}: {json.loads(file.read_text(encoding='utf-8'))}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--out", required=True, help="folder of runs and results")
    parser.add_argument("--study", choices=sorted(STUDIES), default="bundled")
    parser.add_argument("--shard", default="1/1", help="this machine's part, I/N")
    parser.add_argument("--systems", nargs="*", choices=list(SYSTEMS), metavar="SYSTEM", help="only these")
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--set", default="", help="more settings for all systems, such as 'threads=1'")
    return parser.parse_args()


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "_")


def measure(study: Study, name: str, seed: int, out: Path, more: list[str]) -> dict[str, Any]:
    """Trains one system, translates the test set, aligns it; what the table needs."""
    run = out / "runs" / f"{_slug(name)}-{seed}"
    words = [*study.shared.split(), *SYSTEMS[name].split(), *more, f"training.seed={seed}", f"run={run}"]
    _call("train", str(PROJECT / study.config), *words)
    threads = [word.replace("threads=", "--threads=") for word in more if word.startswith("threads=")]
    metrics = ["bleu", "chrf", *(["aer"] if study.gold and "attention=none" not in SYSTEMS[name] else [])]
    scores = json.loads(_call("eval", str(run), "--json", *threads, "--metric", *metrics))["sets"][study.test]
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").split("\n") if line]
    speeds = [line["target_tokens_per_second"] for line in log if line["kind"] == "train"]
    return {
        "system": name,
        "seed": seed,
        "bleu": scores["bleu"],
        "chrf": scores["chrf"],
        "aer": scores.get("aer"),
        "training_tokens_per_second": statistics.median(speeds[1:] or speeds),
        "sentences_per_second": scores["sentences_per_second"],
        "parameters": _parameters(run),
    }


def _call(*words: str) -> str:
    done = subprocess.run([*NMT, *words], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _parameters(run: Path) -> int:
    lines = _call("info", str(run)).split("\n")
    [total] = [line.split()[-1] for line in lines if line.strip().startswith("total")]
    return int(total.replace(",", ""))


def results(out: Path) -> dict[str, list[dict[str, Any]]]:
    """{system: its results, a seed each}, in the order of SYSTEMS."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.json"))]
    grouped = {name: [result for result in found if result["system"] == name] for name in SYSTEMS}
    return {name: group for name, group in grouped.items() if group}


def table(grouped: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    yield "| system | seeds | BLEU | chrF2++ | AER | training tokens/s | sentences/s | parameters |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, group in grouped.items():
        columns = [
            name,
            str(len(group)),
            _interval([result["bleu"] for result in group]),
            _interval([result["chrf"] for result in group]),
            "" if group[0]["aer"] is None else _interval([result["aer"] for result in group]),
            f"{statistics.median(result['training_tokens_per_second'] for result in group):,.0f}",
            f"{statistics.median(result['sentences_per_second'] for result in group):.0f}",
            f"{group[0]['parameters'] / 1e6:.2f} M",
        ]
        yield f"| {' | '.join(columns)} |"


# Student's t, two-sided 95 %, by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78}


def _interval(values: list[float]) -> str:
    """Mean and half of the 95 % confidence interval over seeds."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    half = STUDENT[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.1f} ± {half:.1f}"


if __name__ == "__main__":
    main()
