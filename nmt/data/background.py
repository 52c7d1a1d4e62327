"""Run a function in a child process, and receive its log messages, its result and its errors.

The child process ends when its parent does, even if the parent is killed. It is always killed, never asked to stop, so
the function must be safe to kill at any moment. Messages are sent through a pipe as JSON.
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
Work = Callable[..., Any]  # a function of a module: (Say, arguments) -> a result that JSON can hold


class BackgroundFailed(UserError):
    """Signal that the function in the child process has failed, with these messages and this exit status."""

    def __init__(self, status: int, *problems: str) -> None:
        super().__init__(*problems)
        self.status = status


class Background:
    """Run a function in a child process. `result` is its return value, once `done`."""

    def __init__(self, say: Say, ended: str, work: Work, *arguments: Any) -> None:
        """Start the child process. `say` gets its log messages; `ended` is the error if it ends without a result."""
        self._say, self._ended = say, ended
        self.done = False
        self.result: Any = None
        context = get_context("spawn")
        self._messages, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(sender, work, arguments), name=work.__name__)
        self._process.start()
        sender.close()

    def check(self) -> bool:
        """Log the messages that came since the last call, and return whether the function has returned.

        Raise BackgroundFailed if it failed.
        """
        if self.done:
            return True
        lives = self._process.is_alive()  # before the messages are read, so that the last ones are not missed
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
        """Kill the child process."""
        self._process.kill()
        self._process.join()


def _run(messages: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent handles them
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
    """End this process as soon as its parent has ended."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()
