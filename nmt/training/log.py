"""The training log: lines for people (terminal and train.log) and records for programs (metrics.jsonl)."""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from nmt.files import MEGA, open_to_append, read_run_file, run_file_exists, write_atomic
from nmt.runs.store import LOG, METRICS
from nmt.shown import shown
from nmt.training.track import Tracking

LARGEST_METRICS = 256 * MEGA  # bytes of metrics.jsonl; a million entries have as many
QUIET_SECONDS = 20.0  # without a terminal, the shortest interval between two progress lines


class Log:
    """Write the log: a progress bar on a terminal, occasional plain lines in a pipe."""

    def __init__(self) -> None:
        self.file: TextIO | None = None
        self.early: list[str] = []  # lines from before there was a file
        self.bar: tqdm[Any] | None = None
        self.terminal = sys.stderr is not None and sys.stderr.isatty()
        self.last_line = time.monotonic()
        self.failed = False  # a log could not be written
        self.tracking: Tracking | None = None  # who else gets the records

    def open(self, run: Path, check: Callable[[], None] = lambda: None) -> None:
        """Start writing to the run's log files, beginning with the lines logged so far.

        `check` is called before each record and may raise.
        """
        run.mkdir(parents=True, exist_ok=True)
        self.check = check
        self.run = run
        self.file = io.TextIOWrapper(open_to_append(run, LOG), encoding="utf-8", errors="backslashreplace")
        for line in self.early:
            self._write(line)

    def say(self, line: str = "") -> None:
        """Log a line, on the terminal and in train.log."""
        if self.bar is not None:
            self.bar.clear()
        self._print(line)
        if self.bar is not None:
            self.bar.refresh()
        self._write(line)

    def _print(self, line: str) -> None:
        """Print a line. No problem of the terminal stops training.

        A character that it cannot show is escaped; a closed pipe (as of `head`), a full disk or a closed stream silence
        it.
        """
        try:
            print(shown(line), flush=True)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding or "ascii"
            self._print(line.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._write(f"warning: standard output: cannot write: {error.strerror}; training continues")
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)

    def _write(self, line: str) -> None:
        if self.file is None:
            self.early.append(line)
            return
        with self._forgiving(LOG):
            self.file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {shown(line)}\n")
            self.file.flush()

    @contextmanager
    def _forgiving(self, name: str) -> Iterator[None]:
        """Report once that a log cannot be written, as on a full disk, and let training continue."""
        try:
            yield
        except OSError as error:
            if not self.failed:
                self._print(f"warning: {name}: cannot write: {error.strerror}; training continues")
            self.failed = True

    def warn(self, line: str) -> None:
        """Log a warning."""
        self.say(f"warning: {line}")

    def record(self, kind: str, **values: Any) -> None:
        """Append a line to metrics.jsonl."""
        self.check()
        with self._forgiving(METRICS), open_to_append(self.run, METRICS) as file:
            file.write(json.dumps({"kind": kind, **values}).encode() + b"\n")
        if self.tracking is not None:
            self.tracking.send(kind, values)

    def forget_after(self, step: int, validations: int) -> None:
        """Delete what was recorded after the checkpoint that is resumed: later steps and validations."""
        if not run_file_exists(self.run, METRICS):
            return
        content = read_run_file(self.run, METRICS, LARGEST_METRICS)
        lines = content.decode("utf-8", errors="replace").split("\n")
        kept = [line for line in lines if line and _step(line) <= step]
        late = set([line for line in kept if json.loads(line).get("kind") == "validation"][validations:])
        write_atomic(self.run / METRICS, "".join(f"{line}\n" for line in kept if line not in late).encode())

    def progress(self, step: int, share: float, values: str) -> None:
        """Move the progress bar to `step`, at which the fraction `share` of the budget is used."""
        if self.terminal:
            if self.bar is None:
                self.bar = tqdm(initial=step, unit="step", dynamic_ncols=True, smoothing=0.05, leave=False)
            self.bar.total = max(step, round(step / share)) if share else None
            self.bar.set_postfix_str(values, refresh=False)
            self.bar.update(step - self.bar.n)

    def entry(self, line: str) -> None:
        """Log a progress line: always to train.log, and to the terminal if no progress bar shows it."""
        if not self.terminal and time.monotonic() - self.last_line >= QUIET_SECONDS:
            self.last_line = time.monotonic()
            self._print(line)
        self._write(line)

    def close(self) -> None:
        """Close the progress bar and the log file."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.file is not None:
            with self._forgiving(LOG):
                self.file.flush()
                os.fsync(self.file.fileno())
                self.file.close()


class NoLog(Log):
    """Log nothing: of several processes that train together, one logs."""

    def __init__(self) -> None:
        super().__init__()
        self.terminal = False

    def say(self, line: str = "") -> None:
        """Ignore a line."""

    entry = say

    def record(self, kind: str, **values: Any) -> None:
        """Ignore a record."""

    def forget_after(self, step: int, validations: int) -> None:
        """Leave the records to the process that writes them."""


def _step(line: str) -> int:
    """Return the step of a recorded line; a truncated or foreign line counts as too late."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return sys.maxsize


def clock(seconds: float) -> str:
    """Format seconds as `1:02:03` or `4:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
