"""The runs that are served. A run whose best model changes while it trains is loaded again."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.api import load_translator
from nmt.data.corpus import is_blank
from nmt.errors import DataError, UserError
from nmt.evaluation.outputs import load_outputs
from nmt.inference.translator import Translator
from nmt.languages import language_of
from nmt.runs.store import CONFIG, WEIGHTS, load_settings, snapshot_steps


class Stamp(NamedTuple):
    """Tell one file from another under the same name; all are zero where there is none."""

    inode: int
    modified: int
    size: int


class Served:
    """Hold a run with its languages and its translator."""

    def __init__(self, path: Path, device: str | None, threads: int | None) -> None:
        """Load the run. Raises DataError if it is damaged or has no model yet."""
        settings = load_settings(path)
        self.path, self.name = path, path.resolve().name
        self.source = settings.data.source_language or language_of(settings.data.source) or settings.data.source
        self.target = settings.data.target_language or language_of(settings.data.target) or settings.data.target
        self._how = (device, threads)
        self._stamp = self._stamp_now()
        self.translator = load_translator(path, device, threads)
        self.example = _example(path)
        self.reloads = 0
        self.problem = ""  # why the newest model could not be loaded
        self._snapshots: dict[int, Translator] = {}

    def _stamp_now(self) -> tuple[Stamp, Stamp]:
        """Return what tells the weights and the settings from others."""
        return _stamp(self.path / WEIGHTS), _stamp(self.path / CONFIG)

    @property
    def snapshots(self) -> list[int]:
        """Return the steps of training of which there are snapshots."""
        return snapshot_steps(self.path)

    def snapshot(self, step: int) -> Translator:
        """Return the translator of a snapshot; those of the last request stay loaded. Raises DataError if it is
        damaged."""
        if step not in self._snapshots:
            self._snapshots = {known: each for known, each in self._snapshots.items() if known in self.snapshots}
            self._snapshots[step] = load_translator(self.path, *self._how, snapshot=step)
        return self._snapshots[step]

    def refresh(self) -> bool:
        """Load the run again if its weights or its settings have changed. A run that is damaged or gone leaves the old
        model in place, and `problem` says why."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.translator = load_translator(self.path, *self._how)
        except Exception as error:  # whatever it is, the thread that looks for models must not end
            self.problem = str(error) if isinstance(error, UserError) else repr(error)
            return False
        self.problem, self.reloads = "", self.reloads + 1
        return True


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return Stamp(0, 0, 0)
    return Stamp(found.st_ino, found.st_mtime_ns, found.st_size)


def _example(path: Path) -> str:
    """Return a line of the run's validation text for those who want to try it; "" if the run keeps none."""
    try:
        outputs = load_outputs(path)
    except DataError:
        return ""
    lines = [line for line in outputs.sources if not is_blank(line)] if outputs else []
    return next((line for line in lines if 12 <= len(line) <= 80), min(lines, key=len, default="")).strip()


class Models:
    """Hold all served runs, by name and by direction."""

    def __init__(self, paths: Sequence[Path], device: str | None = None, threads: int | None = None) -> None:
        """Load the runs. Raises DataError for a run that cannot be used, or for two runs of one name."""
        self.runs: dict[str, Served] = {}
        for path in paths:
            run = Served(path, device, threads)
            if run.name in self.runs:
                raise DataError(f"{path}: has the same name as {self.runs[run.name].path}; rename one of the folders")
            self.runs[run.name] = run
        self._stop = threading.Event()

    def watch(self, seconds: float = 2.0) -> None:
        """Look for better models from time to time, in a thread of its own, until `close`."""

        def look() -> None:
            while not self._stop.wait(seconds):
                for run in self.runs.values():
                    run.refresh()

        threading.Thread(target=look, name="nmt-reload", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    @property
    def first(self) -> Served:
        return next(iter(self.runs.values()))

    def find(self, source: str, target: str) -> Served | None:
        """Return the first run of a direction; None if there is none."""
        wanted = [language_of(code) or code.lower() for code in (source, target)]
        for run in self.runs.values():
            if [run.source, run.target] == wanted:
                return run
        return None

    @property
    def sources(self) -> dict[str, list[str]]:
        """Return the source languages, each with its target languages."""
        found: dict[str, list[str]] = {}
        for run in self.runs.values():
            if run.target not in found.setdefault(run.source, []):
                found[run.source].append(run.target)
        return found
