"""Whether the demo's first picture is right: the attention of "I love you.", with and without guided attention.

    python scripts/lab/first_picture.py --seeds 1 2 3 4 5 --weights 0 0.2 --out FOLDER    # about five minutes each

Trains the config for a fixed number of updates, once for each seed and each weight of `training.guided_attention`.
Prints a row for each run: BLEU and alignment error rate of the test set, and for each word of the translation the
source word that it looks at most. The runs stay in FOLDER, so a second start resumes.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import nmt
from nmt import config
from nmt.inference.alignment import AttentionMatrix
from nmt.training.train import train

PROJECT = Path(__file__).parent.parent.parent
SENTENCE = "I love you."
RIGHT = [("Je", "I"), ("t'", "you"), ("aime", "love")]


def main() -> None:
    options = _options()
    print("| weight | seed | BLEU | AER | picture | looks at most |\n|---|---|---|---|---|---|", flush=True)
    for seed in options.seeds:
        for weight in options.weights:
            run = options.out / f"{options.config.stem}-{weight}-{seed}"
            words = [
                f"run={run}",
                f"training.guided_attention={weight}",
                f"training.seed={seed}",
                "training.max_time=0",
                f"training.max_steps={options.steps}",
                f"training.validate_every={options.steps}",
                f"training.save_every={options.steps}",
                "threads=1",
                *options.settings,
            ]
            if train(config.load(options.config, words), sys.argv).signal:
                sys.exit("stopped; the same command resumes")
            print(_row(weight, seed, run), flush=True)


def _row(weight: str, seed: int, run: Path) -> str:
    command = [sys.executable, "-m", "nmt", "eval", str(run), "--metric", "bleu", "aer", "--json", "--threads", "1"]
    scores = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["sets"]["test"]
    (translation,) = nmt.load(run).translate([SENTENCE])
    (matrix,) = translation.attention.parts
    looked = strongest(matrix)
    picture = "right" if all(link in [each[:2] for each in looked] for link in RIGHT) else "wrong"
    shown = ", ".join(f"{word}: {source} {share:.2f}" for word, source, share in looked)
    return f"| {weight} | {seed} | {scores['bleu']:.2f} | {scores['aer']:.2f} | {picture} | {shown} |"


def strongest(matrix: AttentionMatrix) -> list[tuple[str, str, float]]:
    """Return (target word, source word that it looks at most, its weight)."""
    places = matrix.weights.argmax(axis=1)
    return [
        (word, matrix.source[place], float(matrix.weights[row, place]))
        for row, (word, place) in enumerate(zip(matrix.target, places, strict=True))
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=PROJECT / "configs" / "en-fr.yaml")
    parser.add_argument("--steps", type=int, default=2500, help="updates of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--weights", nargs="+", default=["0", "0.2"], help="of training.guided_attention")
    parser.add_argument("--out", type=Path, default=Path("build/first-picture"))
    parser.add_argument("settings", nargs="*", help="other settings, after --")
    return parser.parse_args()


if __name__ == "__main__":
    main()
