"""The virtual environment that the other toolkits live in."""

import os
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
INSTALLED = ("OpenNMT-py==3.5.1", "joeynmt==2.3.0")


def environment(folder: Path) -> Path:
    """The Python of a virtual environment in `folder` with the peers, made if it is not there."""
    needed = PROJECT / "scripts" / "peers" / "requirements.txt"
    stamp, home = folder / "installed.txt", folder / "environment"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    content = "\n".join([*INSTALLED, needed.read_text(encoding="utf-8")])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == content:
        return python
    print(f"installing {' and '.join(INSTALLED)} into {home} (a few minutes)", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    limits = ("-c", str(PROJECT / "constraints.txt"))
    _pip(python, *limits, "torch", "numpy", "safetensors", "sacrebleu", "sentencepiece", "pyyaml", "packaging")
    _pip(python, *limits, "-r", str(needed))
    _pip(python, "--no-deps", *INSTALLED)  # they want an older torch, and run with this one
    stamp.write_text(content, encoding="utf-8")
    return python


def _pip(python: Path, *words: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        sys.exit(f"error: the peers cannot be installed: {reason}; --toolkits nmt plain needs none of them")
