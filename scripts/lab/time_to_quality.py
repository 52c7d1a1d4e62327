"""Time to quality: how long another toolkit trains model R until it translates as well as nmt's own recipe does.

    python scripts/lab/time_to_quality.py run --data FOLDER --minutes 60 --each 20      # FOLDER: Multi30k
    python scripts/lab/time_to_quality.py run --data FOLDER --peer Eole
    python scripts/lab/time_to_quality.py table build/time/times.json

Both train at the same time, each on one thread, so that what slows the machine slows both: OpenNMT-py or Eole by its
own command, beside it `configs/multi30k-en-fr.yaml`, one seed after another. BLEU is that of greedy translations of the
validation set. nmt's clock has everything from raw text to the validation's end; the other's begins with pieces ready,
and stands still while its checkpoints are translated, which happens afterwards.

`translate_beside.py` then asks how fast the two models translate.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece
import yaml
from sacrebleu import corpus_bleu

sys.path.insert(0, str(Path(__file__).parent.parent))  # where the peers are

from peers.environment import EOLE, PEERS, Environment, environment

PROJECT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}  # the peer's checkpoints are pickles
ONE_THREAD = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
VOCAB = 8000
SPECIALS = 3  # of SentencePiece: unknown, begin, end
SOURCE, TARGET = "en", "fr"
LEVELS = (30, 35, 40, 42.5, 45, 47.5, 50)
STILL_WRITTEN = 10  # seconds in which a checkpoint may be incomplete

Curve = list[tuple[float, float]]  # (minutes, BLEU of the validation set)


def main() -> None:
    options = _options()
    if options.action == "table":
        print("\n".join(table(json.loads(options.file.read_text(encoding="utf-8")))))
        return
    out: Path = options.out
    if out.exists():
        sys.exit(f"error: {out} is there already; remove it, or name another folder with --out")
    out.mkdir(parents=True)
    peer = TOOLKITS[options.peer]
    programs = environment(Path(options.peers), peer.environment).parent
    subwords = pieces(options.data, out)
    times, ours = race(options, out, peer, programs)
    found = {options.peer: list(peer_curve(times, subwords, options.data, out, peer, programs)), "nmt": ours}
    (out / "times.json").write_text(json.dumps(found), encoding="utf-8")
    print("\n".join(table(found)))


def pieces(data: Path, out: Path) -> sentencepiece.SentencePieceProcessor:
    """Writes training text and validation source in the pieces of one vocabulary for both languages."""
    prefix = out / "subwords"
    texts = [data / f"train.{language}" for language in (SOURCE, TARGET)]
    sentencepiece.SentencePieceTrainer.train(
        input=[str(text) for text in texts], model_prefix=str(prefix), vocab_size=VOCAB, character_coverage=1.0,
        minloglevel=2,
    )  # fmt: skip
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    for text in (*texts, data / f"val.{SOURCE}"):
        write_lines(out / text.name, in_pieces(read_lines(text), subwords))
    known = (subwords.id_to_piece(id) for id in range(SPECIALS, subwords.get_piece_size()))
    write_lines(out / "vocabulary", known)
    return subwords


def in_pieces(lines: Iterable[str], subwords: sentencepiece.SentencePieceProcessor) -> Iterator[str]:
    return (" ".join(subwords.encode(line, out_type=str)) for line in lines)


def whole(lines: Iterable[str], subwords: sentencepiece.SentencePieceProcessor) -> list[str]:
    """Text of lines in pieces."""
    return [subwords.decode(line.split()) for line in lines]


def read_lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split("\n")[:-1]


def write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def race(options: argparse.Namespace, out: Path, peer: "Peer", programs: Path) -> tuple[dict[Path, float], list[Curve]]:
    """Return the peer's checkpoints with the minutes at which they were there, and the curve of each of nmt's seeds."""
    config, log = out / "peer.yaml", out / "peer.log"
    config.write_text(yaml.safe_dump(peer.settings(out, options.every)), encoding="utf-8")
    begun = time.time()
    curves: list[Curve] = []
    with _running([programs / peer.train[0], *peer.train[1:], "-config", config], log) as process:
        while time.time() < begun + 60 * options.minutes:
            curves.append(own_curve(options, out, len(curves) + 1, begun + 60 * options.minutes))
            if process.poll() is not None:
                sys.exit(f"error: {options.peer} has ended; {log} tells why")
    written = {checkpoint: checkpoint.stat().st_mtime for checkpoint in out.glob(peer.checkpoints)}
    whole = time.time() - STILL_WRITTEN
    return {checkpoint: (at - begun) / 60 for checkpoint, at in written.items() if at < whole}, curves


def own_curve(options: argparse.Namespace, out: Path, seed: int, until: float) -> Curve:
    """nmt, by its own command, to its end or until that time."""
    run, log = out / f"nmt-{seed}", out / f"nmt-{seed}.log"
    changes = [
        f"data.folder={options.data}", "threads=1", f"training.seed={seed}", f"run={run}",
        "training.validate_every=300",  # often, so that the time of each level is known; it counts as nmt's
    ]  # fmt: skip
    config, limit = PROJECT / "configs" / "multi30k-en-fr.yaml", f"training.max_time={options.each:g}m"
    begun = time.time()
    curve: Curve = []
    with _running([sys.executable, "-m", "nmt", "train", config, *changes, limit], log) as own:
        goes_on = True
        while goes_on:
            time.sleep(0.5)
            goes_on = own.poll() is None and time.time() < until
            curve += [((time.time() - begun) / 60, bleu) for bleu in _validations(run)[len(curve) :]]
        if own.returncode:
            sys.exit(f"error: nmt has ended with status {own.returncode}; {log} tells why")
    return curve


@contextmanager
def _running(command: list[str | Path], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A program that ends with the context, whatever ends that."""
    with log.open("w", encoding="utf-8") as lines:
        process = subprocess.Popen(command, env=ONE_THREAD, stdout=lines, stderr=lines)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _validations(run: Path) -> list[float]:
    """BLEU of each validation so far."""
    file = run / "metrics.jsonl"
    lines = read_lines(file) if file.exists() else []
    return [entry["bleu"] for entry in map(json.loads, lines) if entry["kind"] == "validation"]


def opennmt_settings(out: Path, every: int) -> dict[str, Any]:
    """Model R with the optimizer and learning rate that OpenNMT-py recommends for it; 64 sentences a batch."""
    return {
        "data": {"multi30k": {"path_src": str(out / f"train.{SOURCE}"), "path_tgt": str(out / f"train.{TARGET}")}},
        "src_vocab": str(out / "vocabulary"), "tgt_vocab": str(out / "vocabulary"),
        "save_model": str(out / "model"), "save_checkpoint_steps": every, "train_steps": 10**9,
        "encoder_type": "brnn", "decoder_type": "rnn", "rnn_type": "LSTM", "global_attention": "general",
        "layers": 2, "word_vec_size": 512, "hidden_size": 512, "dropout": [0.3],
        "optim": "adam", "learning_rate": 0.001, "max_grad_norm": 5.0,
        "batch_type": "sents", "batch_size": 64, "bucket_size": 32768, "num_workers": 0, "seed": 1,
    }  # fmt: skip


def eole_settings(out: Path, every: int) -> dict[str, Any]:
    """The same for Eole. Its architecture `rnn` has no bidirectional encoder, whatever `encoder_type` says."""
    texts = {"path_src": str(out / f"train.{SOURCE}"), "path_tgt": str(out / f"train.{TARGET}"), "transforms": []}
    return {
        "data": {"multi30k": texts},
        "src_vocab": str(out / "vocabulary"), "tgt_vocab": str(out / "vocabulary"), "overwrite": True, "seed": 1,
        "model": {
            "architecture": "custom", "layers": 2, "hidden_size": 512, "input_feed": 1,
            "encoder": {"encoder_type": "brnn", "rnn_type": "LSTM"},
            "decoder": {"decoder_type": "rnn", "rnn_type": "LSTM", "global_attention": "general"},
            "embeddings": {"word_vec_size": 512, "position_encoding_type": None},
        },
        "training": {
            "model_path": str(out / "model"), "save_checkpoint_steps": every, "train_steps": 10**9,
            "valid_steps": 10**9, "optim": "adam", "learning_rate": 0.001, "max_grad_norm": 5.0, "dropout": [0.3],
            "batch_type": "sents", "batch_size": 64, "bucket_size": 32768, "num_workers": 0, "compute_dtype": "fp32",
            "world_size": 0, "gpu_ranks": [],
        },
    }  # fmt: skip


class Peer(NamedTuple):
    """Say how a toolkit is called."""

    environment: Environment
    settings: Callable[[Path, int], dict[str, Any]]  # of a training that writes into a folder, and saves so often
    train: tuple[str, ...]
    checkpoints: str  # a pattern
    translate: tuple[str, ...]  # the checkpoint follows


TOOLKITS = {
    "OpenNMT-py": Peer(
        PEERS, opennmt_settings, ("onmt_train",), "model_step_*.pt", ("onmt_translate", "-model")
    ),
    "Eole": Peer(
        EOLE, eole_settings, ("eole", "train"), "model/step_*",
        ("eole", "predict", "-world_size", "0", "-model_path"),
    ),
}  # fmt: skip


def peer_curve(
    times: dict[Path, float],
    subwords: sentencepiece.SentencePieceProcessor,
    data: Path,
    out: Path,
    peer: Peer,
    programs: Path,
) -> Iterator[tuple[float, float]]:
    """Yield (minutes, BLEU) of each checkpoint."""
    references = read_lines(data / f"val.{TARGET}")
    found = out / "translations"
    for checkpoint, minutes in sorted(times.items(), key=lambda each: each[1]):
        command = [programs / peer.translate[0], *peer.translate[1:], checkpoint, "-src", out / f"val.{SOURCE}"]
        subprocess.run([*command, "-output", found, "-beam_size", "1"], env=ONE_THREAD, check=True, capture_output=True)
        bleu = corpus_bleu(whole(read_lines(found), subwords), [references]).score
        print(f"{checkpoint.name}: {minutes:.1f} minutes, BLEU {bleu:.1f}", file=sys.stderr, flush=True)
        yield minutes, bleu


def reached(curve: Curve, level: float) -> float | None:
    """Minutes until the first validation of at least that BLEU."""
    return next((minutes for minutes, bleu in curve if bleu >= level), None)


def table(found: dict[str, Any]) -> Iterator[str]:
    """Markdown: the time to each level; nmt's is the mean of those seeds that had the time for it."""
    [peer] = set(found) - {"nmt"}
    yield f"| BLEU of the validation set | {peer}, model R (minutes) | nmt (minutes, each seed) | nmt is faster |"
    yield "|---|---|---|---|"
    limit = max(minutes for minutes, _ in found[peer])
    for level in LEVELS:
        ours = [minutes for curve in found["nmt"] if (minutes := reached(curve, level)) is not None]
        theirs = reached(found[peer], level)
        if not ours:
            continue
        mean = sum(ours) / len(ours)
        each = ", ".join(f"{minutes:.1f}" for minutes in ours)
        text = f"more than {limit:.0f}" if theirs is None else f"{theirs:.1f}"
        ratio = f"more than {limit / mean:.1f}x" if theirs is None else f"{theirs / mean:.1f}x"
        yield f"| {level} | {text} | {each} | {ratio} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="train both, then score them")
    run.add_argument("--data", type=Path, required=True, help="folder with train.en, train.fr, val.en and val.fr")
    run.add_argument("--peer", choices=list(TOOLKITS), default="OpenNMT-py")
    run.add_argument("--minutes", type=float, default=60, help="of the peer")
    run.add_argument("--each", type=float, default=20, help="minutes of each of nmt's seeds")
    run.add_argument("--every", type=int, default=150, help="updates between checkpoints of the peer; 450: an epoch")
    run.add_argument("--out", type=Path, default=Path("build/time"))
    run.add_argument("--peers", default="build/peers", help="folder of the environment of scripts/bench_peers.py")
    actions.add_parser("table", help="print it").add_argument("file", type=Path, help="times.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
