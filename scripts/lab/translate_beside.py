"""How fast the models of `time_to_quality.py` translate, and how well.

    python scripts/lab/translate_beside.py --data FOLDER --trained build/time

Whole commands, start included, on all cores, in turns, with a beam of 5 and greedily: OpenNMT-py with its last model R,
nmt with the recipe's first seed, and with that in 8 bits and a shortlist. The text is the source of every set but the
training set; for OpenNMT-py it is cut into pieces before the clock starts. BLEU is that of the validation set.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sacrebleu import corpus_bleu
from sentencepiece import SentencePieceProcessor
from time_to_quality import ENVIRONMENT, SOURCE, TARGET, in_pieces, read_lines, whole, write_lines

sys.path.insert(0, str(Path(__file__).parent.parent))  # where the peers are

from peers.environment import environment

PEER, OURS, SMALL = "OpenNMT-py, model R", "nmt", "nmt, 8 bits and shortlist"
NMT = [sys.executable, "-m", "nmt"]
THREADS = os.cpu_count() or 1
BEAMS = (5, 1)
Commands = dict[tuple[str, int], list[str | Path]]  # by model and beam; the file of the translations comes last


def main() -> None:
    options = _options()
    trained: Path = options.trained
    subwords = SentencePieceProcessor(model_file=str(trained / "subwords.model"))
    text = source_text(options.data)
    write_lines(trained / "text", text)
    write_lines(trained / "text.pieces", in_pieces(text, subwords))
    make_small(trained)
    commands = all_commands(trained, environment(Path(options.peers)).parent)
    speeds = measure(commands, trained, len(text), options.rounds)
    references = read_lines(options.data / f"val.{TARGET}")
    scores = {}
    for name, beam in commands:
        found = read_lines(trained / _file(name, beam))[: len(references)]
        found = whole(found, subwords) if name == PEER else found
        scores[name, beam] = corpus_bleu(found, [references]).score
    print("\n".join(table(speeds, scores)))


def source_text(data: Path) -> list[str]:
    """Of the validation set first, then of the test sets."""
    others = sorted(file for file in data.glob(f"*.{SOURCE}") if file.stem not in {"train", "val"})
    return [line for file in (data / f"val.{SOURCE}", *others) for line in read_lines(file)]


def make_small(trained: Path) -> None:
    if not (trained / "nmt-1-small").exists():
        command = ["export", trained / "nmt-1", "-o", trained / "nmt-1-small", "--int8", "--shortlist", "20"]
        subprocess.run([*NMT, *command], check=True, stdout=sys.stderr)


def all_commands(trained: Path, peers: Path) -> Commands:
    newest = max(trained.glob("model_step_*.pt"), key=lambda file: int(file.stem.rpartition("_")[2]))
    run, small = trained / "nmt-1", trained / "nmt-1-small"
    ours = ["--threads", str(THREADS), "-i", trained / "text", "-o"]
    peer = ["-batch_size", "32", "-src", trained / "text.pieces", "-output"]
    return {
        way: command
        for beam in BEAMS
        for way, command in {
            (PEER, beam): [peers / "onmt_translate", "-model", newest, "-beam_size", str(beam), *peer],
            (OURS, beam): [*NMT, "translate", run, "--beam-size", str(beam), *ours],
            (SMALL, beam): [*NMT, "translate", small, "--beam-size", str(beam), *ours],
        }.items()
    }


def measure(commands: Commands, trained: Path, lines: int, rounds: int) -> dict[tuple[str, int], list[float]]:
    """Lines per second of each round."""
    speeds: dict[tuple[str, int], list[float]] = {way: [] for way in commands}
    threads = ENVIRONMENT | {"OMP_NUM_THREADS": str(THREADS)}
    for _ in range(rounds):
        for way, command in commands.items():
            begun = time.perf_counter()
            subprocess.run([*command, trained / _file(*way)], env=threads, check=True, capture_output=True)
            speeds[way].append(lines / (time.perf_counter() - begun))
    return speeds


def table(speeds: dict[tuple[str, int], list[float]], scores: dict[tuple[str, int], float]) -> Iterator[str]:
    """Markdown: medians over the rounds, of the ratios too."""
    yield "| model | beam | BLEU of the validation set | lines per second | beside OpenNMT-py with a beam of 5 |"
    yield "|---|---|---|---|---|"
    peers = speeds[PEER, BEAMS[0]]
    for (name, beam), rates in speeds.items():
        ratio = statistics.median(own / peer for own, peer in zip(rates, peers, strict=True))
        yield f"| {name} | {beam} | {scores[name, beam]:.1f} | {statistics.median(rates):.0f} | {ratio:.1f}x |"


def _file(name: str, beam: int) -> str:
    return f"{name.replace(', ', '-').replace(' ', '_')}-{beam}.txt"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpus, as for time_to_quality.py")
    parser.add_argument("--trained", type=Path, default=Path("build/time"), help="its --out")
    parser.add_argument("--peers", default="build/peers", help="folder of the environment of scripts/bench_peers.py")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
