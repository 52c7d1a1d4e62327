"""Runs the commands of docs/tutorial.md and keeps the pictures that they draw in docs/pictures: `make pictures`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "tutorial.md"


def main() -> None:
    """Work in the project's folder; a run that is there already is resumed. Exits if a command fails."""
    text = PAGE.read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.split("\n")]
    pictures = PROJECT / "docs" / "pictures"
    pictures.mkdir(exist_ok=True)
    for command in commands:
        if not command or command.startswith("pip "):
            continue
        print(f"$ {command}", flush=True)
        if subprocess.run(["sh", "-c", command], cwd=PROJECT, check=False).returncode:
            sys.exit(f"failed: {command}")
    for name in re.findall(r"\(pictures/(\S+\.svg)\)", text):
        shutil.move(PROJECT / name, pictures / name)
    for name in ("love.en", "love.fr", "links.txt"):
        (PROJECT / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
