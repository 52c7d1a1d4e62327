"""What metrics.jsonl tells: the course of training, as numbers. A line that is damaged is left out."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt.files import MEGA, read_run_file, run_file_exists
from nmt.runs.store import METRICS

LARGEST = 256 * MEGA  # bytes
MOST_SAMPLES = 10  # sentences whose translations are followed
NOT_SCORES = {"step", "epoch", "loss", "perplexity", "seconds"}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """Hold the records of a run, each kind in the order of its steps."""

    train: list[Record] = field(default_factory=list)
    validations: list[Record] = field(default_factory=list)  # of models at their point of training
    others: list[Record] = field(default_factory=list)  # of the average of checkpoints, and of models scored again
    resumed: list[int] = field(default_factory=list)  # steps
    peak_memory: int = 0  # bytes; 0: unknown
    peak_device_memory: int = 0

    @property
    def metrics(self) -> list[str]:
        """Return the names of the validation metrics, as the newest validation has them."""
        last = [*self.validations, *self.others][-1:]
        return [name for each in last for name, value in each.items() if name not in NOT_SCORES and _is_number(value)]

    def best(self, metric: str, better: Callable[[str, float], float]) -> Record | None:
        """Return the validation whose model is kept; `better` turns the sign where less is better."""
        found = [each for each in (*self.validations, *self.others) if _is_number(each.get(metric))]
        return max(found, key=lambda each: (better(metric, each[metric]), -each.get("loss", 0.0)), default=None)


def read_records(run: Path) -> Records:
    """Read the records of a run; none if it has no such file, as one that was exported. Raises DataError if the file
    is not a regular one."""
    if not run_file_exists(run, METRICS):
        return Records()
    lines = read_run_file(run, METRICS, LARGEST).decode("utf-8", "replace").split("\n")
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        # Others are none that training wrote.
        if isinstance(record, dict) and isinstance(record.get("kind"), str) and _is_count(record.get("step")):
            found.append(record)
    of = {kind: [record for record in found if record["kind"] == kind] for kind in ("train", "validation")}
    validations = [record for record in of["validation"] if _is_number(record.get("loss"))]
    return Records(
        [record for record in of["train"] if _is_number(record.get("loss"))],
        [each for each in validations if not (each.get("averaged") or each.get("held"))],
        [each for each in validations if each.get("averaged") or each.get("held")],
        [record["step"] for record in found if record["kind"] == "resume"],
        *(_largest(found, name) for name in ("peak_memory", "peak_device_memory")),
    )


def _largest(records: Sequence[Record], name: str) -> int:
    return max((each[name] for each in records if _is_count(each.get(name))), default=0)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**18


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and abs(value) < 1e15


def points(records: Sequence[Record], name: str) -> list[tuple[float, float]]:
    """Return (step, value) of each record that has such a number."""
    return [(float(each["step"]), float(each[name])) for each in records if _is_number(each.get(name))]


def samples(records: Records) -> list[tuple[str, str, list[tuple[int, str]]]]:
    """Return (source, reference, [(step, hypothesis), ...]) of the sample sentences that validations recorded."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for record in records.validations:
        rows = record.get("samples")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, list) and len(row) == 3 and all(isinstance(text, str) for text in row):
                found.setdefault((row[0], row[1]), {})[record["step"]] = row[2]
    return [(*texts, sorted(steps.items())) for texts, steps in list(found.items())[:MOST_SAMPLES]]


def thinned(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` items from all over the sequence, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
