"""Train one config with every combination of some settings, and print a table, best first.

    python scripts/lab/sweep.py configs/en-fr.yaml --out sweep \\
        training.learning_rate=1e-3,2e-3,4e-3 model.dropout=0.1,0.2 --seeds 1 2     # one after the other
    ... --cluster local --at-once 4                                                 # four beside each other
    ... --cluster slurm --at-once 16 --gpus 1 --hours 2 --slurm partition=gpu       # jobs of a Slurm cluster

A setting with one value is the same for all. A sweep that was stopped, or that gets more values, trains what has no
result yet and resumes what was begun. The table shows the best validation of each run by its `training.metric`: choose
by it, and score the choice alone with `nmt eval`, once.
"""

import argparse
import itertools
import json
import shlex
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jobs import CLUSTERS, run_jobs

from nmt import config
from nmt.errors import ConfigError, DataError
from nmt.metrics import LOSS, METRICS
from nmt.runs.store import load_settings


class Point(NamedTuple):
    """One combination of the values that differ."""

    values: dict[str, str]

    def name(self, seed: int) -> str:
        """Return the folder of its run."""
        parts = [f"{key.rpartition('.')[2]}={value.replace('/', '_')}" for key, value in self.values.items()]
        return "_".join([*parts, f"seed={seed}"])


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    try:
        sweep(options)
    except (ConfigError, DataError) as error:
        sys.exit(f"error: {error}")


def sweep(options: argparse.Namespace) -> None:
    """Train what is missing, then print the table."""
    shared, points = split(options.settings)
    out = Path(options.out)
    commands = []
    for point, seed in itertools.product(points, options.seeds):
        words = [*shared, *(f"{key}={value}" for key, value in point.values.items())]
        words += [f"training.seed={seed}", f"run={out / point.name(seed)}"]
        config.load(Path(options.config), words)  # a mistake is found before the first training
        commands.append([sys.executable, "-m", "nmt", "train", options.config, *words])
    statuses = run_jobs(
        commands, out / "jobs", options.cluster, at_once=options.at_once, hours=options.hours, gpus=options.gpus,
        more=options.slurm,
    )  # fmt: skip
    for words, status in zip(commands, statuses, strict=True):
        if status:
            print(f"warning: exit status {status}, log in {out / 'jobs'}: {shlex.join(words)}", file=sys.stderr)
    print("\n".join(table(points, options.seeds, out)))


def split(words: Sequence[str]) -> tuple[list[str], list[Point]]:
    """Split `key=a,b` into the settings that all runs share and the combinations of the others. A list in brackets is
    one value."""
    shared, varied = [], {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"{word}: a setting is written KEY=VALUE, or KEY=VALUE,VALUE to compare")
        values = [text] if text.startswith("[") else text.split(",")
        if len(values) == 1:
            shared.append(word)
        else:
            varied[key] = values
    return shared, [Point(dict(zip(varied, chosen, strict=True))) for chosen in itertools.product(*varied.values())]


def best_score(run: Path) -> float | None:
    """Return the best validation score of a run; None if it has none."""
    file = run / "metrics.jsonl"
    if not file.exists():
        return None
    metric = load_settings(run).training.metric
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    scores = [each[metric] for each in records if each["kind"] == "validation" and metric in each]
    return (max if metric != LOSS and METRICS[metric].higher_is_better else min)(scores, default=None)


def table(points: Sequence[Point], seeds: Sequence[int], out: Path) -> Iterator[str]:
    """Yield a Markdown table, the best mean first; a run without a result is left out and counted."""
    metric, rows = "", []
    for point in points:
        runs = [out / point.name(seed) for seed in seeds]
        scores = [score for score in map(best_score, runs) if score is not None]
        if scores:
            metric = load_settings(next(run for run in runs if best_score(run) is not None)).training.metric
            rows.append((statistics.mean(scores), point, scores))
    rows.sort(key=lambda row: row[0], reverse=metric != LOSS and bool(metric) and METRICS[metric].higher_is_better)
    keys = list(points[0].values)
    yield f"| {' | '.join([*keys, f'validation {metric}, mean', 'range', 'seeds'])} |"
    yield "|---" * (len(keys) + 3) + "|"
    for mean, point, scores in rows:
        cells = [*point.values.values(), f"{mean:.2f}", f"{min(scores):.2f} to {max(scores):.2f}", str(len(scores))]
        yield f"| {' | '.join(cells)} |"
    if missing := len(points) * len(seeds) - sum(len(scores) for _, _, scores in rows):
        yield f"{missing} runs have no validation yet"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="YAML config file")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE[,VALUE...]", help="settings, and what to compare")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--cluster", choices=CLUSTERS, default="local")
    parser.add_argument("--at-once", type=int, default=1, help="jobs beside each other")
    parser.add_argument("--hours", type=float, default=4, help="time limit of a job")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of a job")
    parser.add_argument("--slurm", nargs="+", default=[], metavar="KEY=VALUE", help="options of sbatch")
    return parser.parse_intermixed_args(arguments)


if __name__ == "__main__":
    main()
