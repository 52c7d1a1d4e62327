"""Every system of the literature on one corpus, at an equal budget: one table of quality, alignment, speed and size.

    python scripts/lab/ablation.py run --out results                    # trains what has no result yet
    python scripts/lab/ablation.py run --out results --shard 2/3   # a third of it, beside others or on another machine
    python scripts/lab/ablation.py speed --out results                  # what each costs, on a quiet machine
    python scripts/lab/ablation.py table results/*.jsonl                # the table, from all results

The budget is a number of updates, the same for all, so that scores do not depend on the machine; the speed columns do.
A shard adds its results to a file of its own, a line each; a run that was stopped goes on where it was. Speeds are the
medians of several rounds over all systems, so that a slow minute of the machine strikes all of them alike.
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

PROJECT = Path(__file__).parent.parent.parent
NMT = [sys.executable, "-m", "nmt"]


class Study(NamedTuple):
    """A config with what all its systems share, its test set, the gold alignments of that, and the systems."""

    config: str
    shared: str
    test: str
    gold: str | None
    systems: dict[str, str]  # what differs from the config


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
    "transformer": "model.architecture=transformer model.hidden=128 training.learning_rate=1e-3",
}

# What is changed of the recipe in configs/multi30k-en-fr.yaml -> how.
PARTS = {
    "the recipe": "",
    "no dropout": "model.dropout=0",
    "dropout 0.2": "model.dropout=0.2",
    "dropout anew at each position": "model.variational=false",
    "dropout on embeddings": "model.embedding_dropout=0.1",
    "dropout of words": "model.word_dropout=0.05",
    "dropout of all three": "model.embedding_dropout=0.1 model.word_dropout=0.05",
    "no layer normalisation": "model.layer_norm=false",
    "nothing tied": "model.tying=none",
    "no label smoothing": "training.label_smoothing=0",
    "no average of weights": "training.ema=0",
    "learning rate 1e-3": "training.learning_rate=1e-3",
    "8,000 pieces": "subword.vocab_size=8000",
    "2,000 pieces": "subword.vocab_size=2000",
    "two encoder layers": "model.encoder_layers=2",
    "additive attention": "model.attention=additive",
    "scaled dot attention": "model.attention=scaled_dot",
    "embedding 256, hidden 320": "model.embedding=256 model.hidden=320",
}

COMMON = (
    "threads=1 training.max_time=0 training.warmup=100 training.log_every=50 training.samples=0 training.average=false "
    "training.guided_attention=0"
)
STUDIES = {
    "bundled": Study(
        "configs/en-fr.yaml",
        f"{COMMON} training.max_steps=800 training.validate_every=800",
        "test",
        "data/en-fr/test.align",
        SYSTEMS,
    ),
    "multi30k": Study(
        "configs/multi30k-en-fr.yaml",
        f"{COMMON} training.max_steps=2400 training.validate_every=600",
        "test_2016_flickr",
        None,
        SYSTEMS,
    ),
    # What a recipe's parts give is for choosing, so the validation set is scored.
    "recipe": Study(
        "configs/multi30k-en-fr.yaml",
        f"{COMMON} training.max_steps=2400 training.validate_every=600 data.test=[val]",
        "val",
        None,
        PARTS,
    ),
}
SEEDS = (1, 2, 3)
COLUMNS = ("system", "seeds", "BLEU", "chrF2++", "AER", "training tokens/s", "sentences/s", "parameters")


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    if options.action == "table":
        print("\n".join(table(results(options.files))))
        return
    Path(options.out).mkdir(parents=True, exist_ok=True)
    if options.action == "speed":
        _all_speeds(options)
    else:
        _all_scores(options)


def _all_scores(options: argparse.Namespace) -> None:
    mine, shards = (int(part) for part in options.shard.split("/"))
    out = Path(options.out).resolve()
    study = STUDIES[options.study]
    jobs = [(name, seed) for seed in options.seeds for name in _systems(study, options.systems)]
    for name, seed in jobs[mine - 1 :: shards]:
        known = results(sorted(out.glob(f"{options.study}-*.jsonl")))
        done = {(result["system"], result.get("seed")) for result in known}
        if (name, seed) not in done:
            run = out / options.study / f"{_slug(name)}-{seed}"
            result = score(study, name, seed, run, shlex.split(options.set))
            _add(out / f"{options.study}-{mine}.jsonl", result)
            print(f"{name}, seed {seed}: BLEU {result['bleu']:.1f}", flush=True)


def _all_speeds(options: argparse.Namespace) -> None:
    study = STUDIES[options.study]
    for _ in range(options.rounds):
        for name in _systems(study, options.systems):
            result = speed(study, name, shlex.split(options.set))
            _add(Path(options.out) / f"{options.study}-speed.jsonl", result)
            print(f"{name}: {result['training_tokens_per_second']:,.0f} tokens/s", flush=True)


def _systems(study: Study, chosen: list[str]) -> list[str]:
    """All of the study's, if none is chosen."""
    if unknown := sorted(set(chosen) - set(study.systems)):
        sys.exit(f"error: --systems: {', '.join(unknown)}: not in this study, which has {', '.join(study.systems)}")
    return chosen or list(study.systems)


def _add(file: Path, result: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(result) + "\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="train, translate, score")
    run.add_argument("--shard", default="1/1", help="this one's part, I/N")
    run.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    fast = actions.add_parser("speed", help="measure training and decoding")
    fast.add_argument("--rounds", type=int, default=3)
    for action in (run, fast):
        action.add_argument("--out", required=True, help="folder of runs and results")
        action.add_argument("--study", choices=sorted(STUDIES), default="bundled")
        action.add_argument("--systems", nargs="+", default=[], metavar="SYSTEM", help="[default: all]")
        action.add_argument("--set", default="", help="more settings for all systems, such as 'data.folder=FOLDER'")
    actions.add_parser("table", help="print it").add_argument("files", nargs="+", type=Path, help="results")
    return parser.parse_args(arguments)


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "_")


def _words(study: Study, name: str, more: list[str]) -> list[str]:
    return [str(PROJECT / study.config), *study.shared.split(), *study.systems[name].split(), *more]


def score(study: Study, name: str, seed: int, run: Path, more: list[str]) -> dict[str, Any]:
    """Trains one system, translates the test set, aligns it."""
    _call("train", *_words(study, name, more), f"training.seed={seed}", f"run={run}")
    metrics = ["bleu", "chrf", *(["aer"] if study.gold and "attention=none" not in study.systems[name] else [])]
    sets = json.loads(_call("eval", str(run), "--json", "--by-length", "--threads", "1", "--metric", *metrics))["sets"]
    scores = sets[study.test]
    return {
        "system": name,
        "seed": seed,
        "bleu": scores["bleu"],
        "chrf": scores["chrf"],
        "aer": scores.get("aer"),
        "by_length": [{"words": group["words"], "bleu": group["bleu"]} for group in scores["by_length"]],
        "parameters": _parameters(run),
    }


def speed(study: Study, name: str, more: list[str]) -> dict[str, Any]:
    """Of whole updates, and of beam search with 5 hypotheses and 32 sentences at a time, on one thread."""
    found = json.loads(_call("bench", *_words(study, name, more), "--json", "--batches", "8", "--rounds", "1"))
    return {
        "system": name,
        "training_tokens_per_second": found["training"]["target_tokens_per_second"],
        "sentences_per_second": found["decoding"]["batch_32_beam_5"]["sentences_per_second"],
    }


def _call(*words: str) -> str:
    done = subprocess.run([*NMT, *words], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _parameters(run: Path) -> int:
    lines = _call("info", str(run)).split("\n")
    [total] = [line.split()[-1] for line in lines if line.strip().startswith("total")]
    return int(total.replace(",", ""))


def results(files: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Markdown, a row per system, in the order of its study; without columns of which nothing is known."""
    rows = [_row(name, found) for name in (*SYSTEMS, *PARTS)]
    rows = [row for row in rows if row]
    known = [title for title in COLUMNS if any(row[title] for row in rows)]
    yield f"| {' | '.join(known)} |"
    yield "|---" * len(known) + "|"
    for row in rows:
        yield f"| {' | '.join(row[title] for title in known)} |"


def _row(name: str, found: list[dict[str, Any]]) -> dict[str, str]:
    """Cells by column; none if there is no result."""
    group = [result for result in found if result["system"] == name and "seed" in result]
    speeds = [result for result in found if result["system"] == name and "seed" not in result]
    if not group:
        return {}
    cells = (
        name,
        str(len(group)),
        _interval([result["bleu"] for result in group]),
        _interval([result["chrf"] for result in group]),
        "" if group[0]["aer"] is None else _interval([result["aer"] for result in group]),
        _median("training_tokens_per_second", speeds),
        _median("sentences_per_second", speeds),
        f"{group[0]['parameters'] / 1e6:.2f} M",
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _median(key: str, speeds: list[dict[str, Any]]) -> str:
    return f"{statistics.median(result[key] for result in speeds):,.0f}" if speeds else ""


# Student's t, two-sided 95 %, by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}


def _interval(values: list[float]) -> str:
    """Mean and half of the 95 % confidence interval over seeds."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    half = STUDENT[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.1f} ± {half:.1f}"


if __name__ == "__main__":
    main()
