"""The public Python API: `nmt.load(...)` makes a translator out of run directories."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from nmt import config
from nmt.calibration_cache import for_short_work
from nmt.data.statistics import together
from nmt.device import check_threads, find_device
from nmt.environment import FOR_SEARCH, bound_primitives
from nmt.errors import ConfigError
from nmt.inference.parallel import own_threads
from nmt.inference.translator import Translator
from nmt.model import int8
from nmt.runs.store import (
    check_same_subwords,
    is_in_8_bits,
    load_calibration,
    load_run,
    load_settings,
    load_shortlist,
    load_snapshot,
    load_statistics,
)


def load_translator(
    paths: Path | str | Sequence[Path | str],
    device: str | None = None,
    threads: int | None = None,
    *,
    snapshot: int = 0,
) -> Translator:
    """Load a translator from a run directory, or an ensemble from several.

    Device and decoding settings are those of the first run where none are given; threads are not, as the machine that
    trained it had others: the translator computes with as many as torch has, or with `threads`, and leaves torch's
    own number as it is. `snapshot` is a step of which the run has a snapshot, to load that instead of its best model.
    Raises DataError if a run is damaged, or if the runs do not share their subwords.
    """
    bound_primitives(FOR_SEARCH)
    # GNU OpenMP keeps a thread pool for every thread that has run a parallel region. While the pools have more threads
    # than there are cores, idle threads sleep instead of spinning, and must be woken for each product: a server that
    # loads in one thread and translates in another is a third slower. The pool of a thread that has ended is freed.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(_load, paths, device, threads, snapshot).result()


def _load(
    paths: Path | str | Sequence[Path | str], device: str | None, threads: int | None, snapshot: int
) -> Translator:
    folders = [Path(path) for path in ([paths] if isinstance(paths, Path | str) else paths)]
    first_settings = settings = load_settings(folders[0])
    where = settings.device if device is None else device
    settings = config.changed(settings, device=where, threads=0 if threads is None else threads)
    check_threads(settings.threads)
    chosen = find_device(settings)
    if any(in_8_bits := [is_in_8_bits(path) for path in folders]):
        if where == "auto":
            chosen = device_for_8_bits(chosen)
        elif chosen.type != "cpu":
            raise ConfigError(
                f"{folders[in_8_bits.index(True)]}: has 8-bit weights, which need a CPU, and device={chosen.type}; set "
                "device=cpu (--device cpu) or device=auto, or use the run that it was exported from"
            )
    read = [first_settings, *(load_settings(path) for path in folders[1:])]
    loaded = [
        load_snapshot(path, snapshot, chosen, own) if snapshot else load_run(path, chosen, own)
        for path, own in zip(folders, read, strict=True)
    ]
    check_same_subwords(loaded)
    for run in loaded:
        if run.eight_bits and chosen.type == "cpu" and int8.multiplies_int8():
            int8.quantize(run.model)
    first = loaded[0].settings
    statistics = [known for folder in folders if (known := load_statistics(folder)) is not None]
    calibration = load_calibration(folders[0]) if len(folders) == 1 and not snapshot else None
    return Translator(
        [run.model for run in loaded],
        loaded[0].subwords,
        first.decoding,
        chosen,
        first.data.max_length,
        load_shortlist(loaded[0]) if len(loaded) == 1 and chosen.type == "cpu" else None,
        together(statistics[0], statistics[1:]) if len(statistics) == len(folders) else None,  # the narrowest of all
        settings.threads,
        (calibration.words.curve, calibration.sentences.curve) if calibration else None,
        for_short_work(settings.threads or own_threads()) if chosen.type == "cpu" else None,
    )


def device_for_8_bits(found: torch.device) -> torch.device:
    """Return where `auto` computes with 8-bit weights: on a CPU that multiplies 8-bit integers natively, else on the
    device that was found, where they are rounded float32 weights."""
    return torch.device("cpu") if int8.multiplies_int8() else found
