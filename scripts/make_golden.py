"""Trains a tiny model and keeps it, with translations of its own, as what every later version must load and repeat.

    python scripts/make_golden.py FOLDER      # a new folder below tests/golden, when the format of runs has changed

A golden run is never made again: it stands for the runs that people have.
"""

import sys
import tempfile
from pathlib import Path

import nmt
from nmt import config
from nmt.training.train import train

PROJECT = Path(__file__).parent.parent
KEPT = ("config.yaml", "subword.model", "model.safetensors", "provenance.json")
SETTINGS = [
    "subword.vocab_size=400", "model.embedding=24", "model.hidden=32", "training.max_steps=1500", "threads=1",
    "training.max_time=0", "training.validate_every=500", "training.samples=0", "decoding.beam_size=4",
]  # fmt: skip
LINES = ["We see the house.", "I love you.", "", "She reads a book.", "They do not eat apples.", "<s> \u2581 |||"]


def main() -> None:
    folder = Path(sys.argv[1])
    if folder.exists():
        sys.exit(f"{folder} exists, and a golden run is never made again")
    with tempfile.TemporaryDirectory() as place:
        words = [*SETTINGS, f"run={place}/run"]
        train(config.load(PROJECT / "configs" / "en-fr.yaml", words), ["nmt", "train"])
        folder.mkdir(parents=True)
        for name in KEPT:
            content = (Path(place) / "run" / name).read_bytes()
            (folder / name).write_bytes(content.replace(f"{PROJECT}/".encode(), b""))
    translations = nmt.load(folder, device="cpu", threads=1).translate(LINES)
    (folder / "source.txt").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    found = "".join(f"{each.log_prob:.4f}\t{each.text}\n" for each in translations)
    (folder / "translations.txt").write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
