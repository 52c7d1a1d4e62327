"""Which files of the package one training step runs through, and which one translated line does.

    python scripts/lab/passed.py CONFIG RUN     # trains two steps into RUN, then translates a line with it

Of training, the files are those of functions called within the second step; of translation, those of functions called
by `nmt translate RUN --attention`, run for the second time in one process, so that nothing of an import counts.
`PYTHONPATH` names the checkout that is looked at.
"""

import contextlib
import io
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import nmt
from nmt.cli import main as command

PACKAGE = Path(nmt.__file__).parent
LOOPS = ("training/trainer.py", "training/loop.py")  # the second is what the first was called


class Watch:
    """Collect the files of the package whose functions are called, while it is on."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Note a call, as sys.setprofile reports it."""
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            self.files.add(str(Path(frame.f_code.co_filename).relative_to(PACKAGE)))


def run(*words: str, text: str = "") -> None:
    """Run a command with this standard input; what it prints is dropped."""
    sys.argv = ["nmt", *words]
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        command()


def files_of_step(config: str, folder: str) -> set[str]:
    """Train two steps, and return the files that the second runs through."""
    watch, steps = Watch(), 0

    def look(frame: FrameType, event: str, value: Any) -> None:
        nonlocal steps
        code = frame.f_code
        if code.co_name == "_step" and code.co_filename.endswith(LOOPS) and event in {"call", "return"}:
            steps += event == "call"
            if event == "call" and steps == 2:
                watch(frame, event, value)
                looking.append(True)
            elif steps == 2:
                looking.clear()
        elif looking:
            watch(frame, event, value)

    looking: list[bool] = []
    sys.setprofile(look)
    run("train", config, f"run={folder}", "training.max_steps=2")
    sys.setprofile(None)
    return watch.files


def files_of_line(folder: str, place: Path) -> set[str]:
    """Translate a line twice, and return the files that the second time runs through."""
    place.write_text("I love you.\n", encoding="utf-8")
    words = ("translate", folder, "--attention", "-i", str(place), "-o", str(place.with_suffix(".out")))
    run(*words)
    watch = Watch()
    threading.setprofile(watch)
    sys.setprofile(watch)
    run(*words)
    sys.setprofile(None)
    threading.setprofile(None)
    return watch.files


def main() -> None:
    """Print both lists."""
    config, folder = sys.argv[1:]
    step = files_of_step(config, folder)
    line = files_of_line(folder, Path(folder).parent / "line.txt")
    for what, files in (("a training step", step), ("a translated line", line)):
        print(f"{what} runs through {len(files)} files: {', '.join(sorted(files))}")


if __name__ == "__main__":
    main()
