"""Runs that are made out of others: averages, exports."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from nmt.data.corpora import HELD_OUT, LARGEST_HELD_OUT
from nmt.errors import ConfigError, DataError
from nmt.files import read_json, read_run_file, run_file_exists, write_atomic
from nmt.inference.shortlist import Shortlist
from nmt.runs import store
from nmt.runs.store import LoadedRun


def check_new(out: Path) -> None:
    """Raise ConfigError if the directory of a new run exists already."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"{out}: already exists; name a new directory")


def save_derived(
    out: Path,
    first: LoadedRun,
    weights: Mapping[str, Tensor],
    notes: Mapping[str, Any],
    shortlist: Shortlist | None = None,
) -> None:
    """Save a run with the settings and subwords of `first` and other weights; `notes` are added to its provenance."""
    try:
        if shortlist:
            store.save_shortlist(out, shortlist, first)
        if statistics := store.load_statistics(first.path):
            store.save_statistics(out, statistics)
        if run_file_exists(first.path, store.PROVENANCE):
            provenance = {**read_json(first.path / store.PROVENANCE), **notes}
            write_atomic(out / store.PROVENANCE, json.dumps(provenance, indent=1).encode())
        for file in sorted((first.path / HELD_OUT).glob("*")):
            content = read_run_file(first.path, f"{HELD_OUT}/{file.name}", LARGEST_HELD_OUT)
            write_atomic(out / HELD_OUT / file.name, content)
        store.save_run(out, first.settings, first.subwords, weights)
    except (OSError, DataError) as error:
        shutil.rmtree(out, ignore_errors=True)  # it was new (see `check_new`), and half a run would block the next try
        if isinstance(error, DataError):
            raise
        raise DataError(f"{out}: cannot write: {error.strerror}") from None
