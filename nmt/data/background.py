"""Work in a process of its own, beside this one: its lines, its result, its errors, and its end.

The process ends with the one that started it, however that ends: a kill leaves nothing behind. It is killed rather than
asked to stop, so its work must bear that. Messages travel as JSON.
"""

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any

from nmt.errors import OutOfMemory, UserError

Say = Callable[[str], None]
Work = Callable[..., Any]  # called with a Say and the arguments; a function of a module, whose result JSON can hold


class BackgroundFailed(UserError):
    """Signal that the work beside this process has failed, with these lines and this exit status."""

    def __init__(self, status: int, *problems: str) -> None:
        super().__init__(*problems)
        self.status = status


class Background:
    """Run a function in another process. `result` is what it returned, once `done`."""

    def __init__(self, say: Say, ended: str, work: Work, *arguments: Any) -> None:
        """Start. `say` gets the lines of the work; `ended` is the error if the process ends without a word."""
        self._say, self._ended = say, ended
        self.done = False
        self.result: Any = None
        context = get_context("spawn")
        self._messages, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(sender, work, arguments), name=work.__name__)
        self._process.start()
        sender.close()

    def check(self) -> bool:
        """Say what the work has said since the last call, and return whether it is done.

        Raise BackgroundFailed if it failed.
        """
        if self.done:
            return True
        lives = self._process.is_alive()  # asked first: what it says at its end is not missed
        try:
            while self._messages.poll():
                self._take(json.loads(self._messages.recv_bytes()))
        except (EOFError, OSError):
            lives = False
        if not (lives or self.done):
            raise BackgroundFailed(OutOfMemory.status, self._ended)
        return self.done

    def _take(self, message: dict[str, Any]) -> None:
        if "line" in message:
            self._say(message["line"])
        elif "result" in message:
            self.done, self.result = True, message["result"]
        elif "problems" in message:
            raise BackgroundFailed(message["status"], *message["problems"])
        else:
            raise RuntimeError(f"in the process {self._process.name}:\n{message['traceback']}")

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()


def _run(messages: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # are for the process that started this one
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()

    def tell(**message: Any) -> None:
        messages.send_bytes(json.dumps(message).encode())

    try:
        tell(result=work(lambda line: tell(line=line), *arguments))
    except UserError as error:
        tell(problems=error.problems, status=error.status)
    except Exception:
        tell(traceback=traceback.format_exc())


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()
