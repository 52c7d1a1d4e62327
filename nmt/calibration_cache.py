"""When to calibrate, and where to keep what was found: in the user's cache, by CPU, number of threads and version of
torch, and in a run, which resumes with the thresholds that it began with.

A machine is measured at the first long training or translation, or the first start of `nmt serve`
(`nmt/calibration.py`). What is kept is untrusted: a file that does not fit is ignored with one line.
`NMT_CALIBRATION=off` neither measures nor reads it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from nmt.calibration import calibrate, cpu
from nmt.data.cache import cache_folder
from nmt.errors import DataError
from nmt.files import open_run_file, parse_json, read_bounded, write_atomic
from nmt.kernels import Thresholds
from nmt.kernels.choice import NEVER
from nmt.kernels.packed import MOST_PADDED
from nmt.precision import cpu_features, precisions_of

FORMAT = 6  # raise it when the meaning of a number changes, or how it is measured
SWITCH = "NMT_CALIBRATION"
FOLDER = "calibration"
LARGEST = 10_000  # bytes of a file

Say = Callable[[str], None]


def for_long_work(threads: int, say: Say) -> Mapping[int, Thresholds]:
    """Return the thresholds of this machine for `threads` and for one thread, measured now if they are not known.

    What several threads measured while other programs needed their cores is neither used nor kept: the thresholds of
    one thread hold instead, as of the nearest number that is known.
    """
    found: dict[int, Thresholds] = {}
    for number in sorted({1, threads}):
        known = read(number, say)
        if known is None and os.environ.get(SWITCH) != "off":
            measured = calibrate(number)
            if measured.disturbance:
                say(f"note: {measured.disturbance}; it uses what it measured with one thread")
            else:
                known = measured.thresholds
                keep(number, known, say)
        if known is not None:
            found[number] = known
    return found


def for_short_work(threads: int, say: Say = lambda _: None) -> Mapping[int, Thresholds]:
    """Return the thresholds that are known of this machine for `threads` and for one thread. Measure nothing."""
    known = {number: read(number, say) for number in {1, threads}}
    return {number: found for number, found in known.items() if found is not None}


def machine(threads: int) -> dict[str, Any]:
    """Return what the thresholds depend on."""
    capability = torch.backends.cpu.get_cpu_capability()
    processor = {"cpu": cpu(), "features": list(cpu_features()), "capability": capability}
    return {"format": FORMAT, **processor, "threads": threads, "torch": torch.__version__}


def file_of(threads: int) -> Path:
    """Return the file of the cache. Raise DataError if there is no cache."""
    key = hashlib.sha256(json.dumps(machine(threads), sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / FOLDER / f"{key}.json"


def keep(threads: int, found: Thresholds, say: Say) -> None:
    """Write thresholds into the cache; say in one line why not if they cannot be written."""
    try:
        path = file_of(threads)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps({**machine(threads), **found._asdict()}, indent=1).encode())
    except (OSError, DataError) as error:
        say(f"note: the calibration cannot be kept: {error}; the next start measures again")


def read(threads: int, say: Say) -> Thresholds | None:
    """Return the thresholds in the cache; None if there are none. A file that does not fit is ignored with a line."""
    if os.environ.get(SWITCH) == "off":
        return None
    try:
        path = file_of(threads)
        with open_run_file(path.parent, path.name) as file:
            values = parse_json(read_bounded(file, path, LARGEST), path)
    except FileNotFoundError:
        return None
    except (OSError, DataError) as error:
        say(f"note: the calibration is ignored: {error}; measure again: nmt bench --calibrate")
        return None
    if {name: values.get(name) for name in machine(threads)} != machine(threads):
        say(f"note: {path}: is of another machine, and ignored; measure again: nmt bench --calibrate")
        return None
    found = parse(values)
    if found is None:
        say(f"note: {path}: damaged, and ignored; measure again: nmt bench --calibrate")
    return found


def parse(values: Mapping[str, Any]) -> Thresholds | None:
    """Return the thresholds among untrusted values; None if they are not thresholds."""
    one_row, rows, precision = values.get("one_row"), values.get("rows"), values.get("precision", "")
    min_rows = values.get("min_rows", 1)  # older runs have none
    if not all(type(number) is int and 0 < number <= NEVER for number in (one_row, rows)):
        return None
    if not isinstance(precision, str) or precision not in {"", "float32", *precisions_of(torch.device("cpu"))}:
        return None
    if type(min_rows) is not int or not 1 <= min_rows <= MOST_PADDED:
        return None
    return Thresholds(one_row, rows, precision, min_rows)  # type: ignore[arg-type]


def to_record(chosen: Mapping[int, Thresholds]) -> dict[str, Any]:
    """Return thresholds as a run records them: those that its training depends on."""
    parts = ("one_row", "rows", "min_rows")
    return {str(threads): {part: getattr(found, part) for part in parts} for threads, found in chosen.items()}


def from_record(record: Any) -> Mapping[int, Thresholds]:
    """Return the thresholds that a run has recorded. Raise ValueError if it is no such record."""
    chosen = {}
    for threads, values in record.items() if isinstance(record, dict) else [("", None)]:
        found = parse(values) if isinstance(values, dict) else None
        if found is None or not threads.isascii() or not threads.isdigit() or len(threads) > 6:
            raise ValueError("not a record of thresholds")
        chosen[int(threads)] = found
    return chosen
