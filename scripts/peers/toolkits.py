"""The toolkits, and each one at work in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from peers.environment import EOLE, PEERS, PROJECT, Environment

TOOLKITS = {  # name -> module of peers
    "nmt": "ours", "nmt float32": "ours_float32", "nmt int8": "ours_int8", "nmt int8 shortlist": "ours_shortlist",
    "plain": "plain", "OpenNMT-py": "opennmt", "Eole": "eole_worker", "JoeyNMT": "joey",
}  # fmt: skip
EXPORTED = ("nmt int8", "nmt int8 shortlist")  # what `nmt export` makes
OURS = ("nmt", "nmt float32", *EXPORTED)
OWN = {*OURS, "plain"}  # what needs no environment of its own
ENVIRONMENTS: dict[str, Environment] = {"OpenNMT-py": PEERS, "JoeyNMT": PEERS, "Eole": EOLE}  # of all others
PEER = "OpenNMT-py"  # what decoding is compared with
SAME_WEIGHTS = ("nmt", PEER)  # whose translations must be equal before anything is timed
SAME_ALONE = ("nmt", "Eole")  # the same for sentences one by one: in a batch, Eole's encoder reads padding as words


class Process:
    """A worker that waits for orders, and what it said about itself."""

    def __init__(self, name: str, python: Path, folder: Path, threads: int) -> None:
        self.name = name
        self.errors = (folder / f"{TOOLKITS[name]}.log").open("w", encoding="utf-8")
        variables = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(PROJECT / "scripts")}
        command = [python, "-m", f"peers.{TOOLKITS[name]}", str(folder.resolve())]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen(command, text=True, env=variables, **pipes)
        self.about = self._answer()

    def __call__(self, **order: Any) -> dict[str, Any]:
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"error: {self.name} has ended; {self.errors.name} tells why")
        return json.loads(line)

    def end(self) -> None:
        self.process.communicate()
        self.errors.close()
