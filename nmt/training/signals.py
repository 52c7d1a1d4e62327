"""Signals: Ctrl-C, SIGTERM and a closed terminal stop training after the current step, so that it can save first.

A process that was suspended (SIGSTOP, Ctrl-Z) and resumed did not train meanwhile, although clocks kept running.
"""

import signal
import threading
from types import FrameType, TracebackType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Signal that training or validation was interrupted."""


class Signals:
    """Record SIGINT, SIGTERM and, unless `nohup` ignores it, SIGHUP in `received` while this context is open.

    A second SIGINT raises KeyboardInterrupt at once. `continued` records SIGCONT.
    """

    def __init__(self) -> None:
        self.received = 0
        self.continued = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
            return self
        hangup = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else set()
        for number in {signal.SIGINT, signal.SIGTERM, signal.SIGCONT, *hangup}:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGCONT:
            self.continued = True
            return
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number

    def paused(self) -> bool:
        """Return whether the process was suspended and resumed since the last call."""
        found, self.continued = self.continued, False
        return found

    def check(self) -> None:
        """Raise Interrupted if a signal was received."""
        if self.received:
            raise Interrupted
