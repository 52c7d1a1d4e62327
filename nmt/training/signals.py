"""Ctrl-C, SIGTERM and a closed terminal end training after the step at hand, so that it can save first.

A process that was stopped (SIGSTOP, Ctrl-Z) and continues did not train meanwhile, though clocks went on.
"""

import signal
import threading
from types import FrameType, TracebackType


class Interrupted(Exception):
    """A signal came while something longer than a step, such as a validation, was going on."""


class Signals:
    """While this context is open, SIGINT, SIGTERM and, unless `nohup` ignores it, SIGHUP are noted in `received`. A
    second SIGINT leaves at once. `continued` notes SIGCONT."""

    def __init__(self) -> None:
        self.received = 0
        self.continued = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
            return self
        hangup = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else set()
        for number in {signal.SIGINT, signal.SIGTERM, *hangup}:
            self._before[number] = signal.signal(number, self._note)
        self._before[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._note_pause)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number

    def _note_pause(self, number: int, frame: FrameType | None) -> None:
        self.continued = True

    def paused(self) -> bool:
        """Return whether the process was stopped, and continued, since the last call."""
        found, self.continued = self.continued, False
        return found

    def check(self) -> None:
        if self.received:
            raise Interrupted
