"""The virtual environments that the other toolkits live in. Eole has its own: it needs newer packages."""

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent.parent
NEEDED = ("torch", "numpy", "safetensors", "sacrebleu", "sentencepiece", "pyyaml", "packaging")


class Environment(NamedTuple):
    """What is installed where."""

    home: str  # below the folder
    toolkits: tuple[str, ...]  # without their dependencies: they want another torch, and run with this one
    requirements: str  # what they import beside NEEDED, in this folder


PEERS = Environment("environment", ("OpenNMT-py==3.5.1", "joeynmt==2.3.0"), "requirements.txt")
EOLE = Environment("environment-eole", ("eole==0.6.4",), "requirements-eole.txt")


def environment(folder: Path, wanted: Environment = PEERS) -> Path:
    """The Python of a virtual environment in `folder` with the peers, made if it is not there."""
    needed = PROJECT / "scripts" / "peers" / wanted.requirements
    stamp, home = folder / f"{wanted.home}.txt", folder / wanted.home
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    content = "\n".join([*wanted.toolkits, needed.read_text(encoding="utf-8")])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == content:
        return python
    print(f"installing {' and '.join(wanted.toolkits)} into {home} (a few minutes)", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    limits = ("-c", str(PROJECT / "constraints.txt"))
    _pip(python, *limits, *NEEDED)
    _pip(python, *limits, "-r", str(needed))
    _pip(python, "--no-deps", *wanted.toolkits)
    stamp.write_text(content, encoding="utf-8")
    return python


def _pip(python: Path, *words: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        sys.exit(f"error: the peers cannot be installed: {reason}; --toolkits nmt plain needs none of them")
