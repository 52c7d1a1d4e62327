"""The access log of the server: a JSON object per request, without any text of it (`nmt serve --access-log FILE`)."""

import sys
import time
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError
from nmt.shown import json_line, shown


class AccessLog:
    """Append to a log file. A disk that is full costs log lines, with one warning, and no answer."""

    def __init__(self, path: Path | None) -> None:
        """Take the file, which is opened for each request, so that it may be moved away meanwhile; None logs nothing.
        Raises ConfigError if it cannot be opened."""
        self.path, self.failed = path, False
        try:
            if path:
                path.open("a").close()
        except OSError as error:
            raise ConfigError(f"--access-log {path}: cannot write: {error.strerror}; name another file") from None

    def write(self, **values: Any) -> None:
        """Log a request."""
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(json_line({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **values}) + "\n")
        except OSError as error:
            if not self.failed:
                print(shown(f"warning: {self.path}: cannot write: {error.strerror}; serving goes on"), file=sys.stderr)
            self.failed = True
