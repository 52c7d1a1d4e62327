"""The work of scripts/gpu_check.sh: one section after another, each with what went wrong in it, if anything did.

A section that fails leaves its reason in the report, and the next one runs.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

if site := os.environ.get("NMT_GPU_CHECK_SITE"):
    sys.path.append(site)  # behind the machine's own packages

import torch
from peers.plain import PlainModel
from peers.work import BOS, EOS, Sizes, Work, padded_sources

from nmt import __version__, benchmark
from nmt.device import describe
from nmt.errors import ConfigError
from nmt.model import make_model
from nmt.precision import choose_precision, cpu_features
from nmt.training.step import TrainStep, settle

PROJECT = Path(__file__).parent.parent.parent
# Modules that OpenNMT-py imports and that a training on ids does not use
UNUSED = (
    "ahocorasick", "fasttext", "flask", "pyonmttok", "rapidfuzz", "rapidfuzz.fuzz", "sacrebleu", "sentencepiece", "six",
    "spacy", "subword_nmt", "subword_nmt.apply_bpe", "tensorboard", "waitress",
)  # fmt: skip
SECTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {}
TESTS = ("tests/test_no_waiting.py", "tests/test_precision.py", "tests/test_padding.py", "tests/test_search.py")


def main() -> None:
    options = _options()
    out = Path(options.out)
    report: dict[str, Any] = {"nmt": __version__, "torch": torch.__version__, "quick": options.quick}
    begun = time.monotonic()
    for name, section in SECTIONS.items():
        started = time.monotonic()
        try:
            found = section(options)
        except (Exception, SystemExit) as error:  # whatever it is, the other sections are worth having
            traceback.print_exc()
            found = {"failed": f"{type(error).__name__}: {error}"[:500]}
        report[name] = {"seconds": round(time.monotonic() - started, 1), "found": found}
        print(f"{name}: {report[name]['seconds']} s", flush=True)
        report["seconds"] = round(time.monotonic() - begun, 1)
        (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(table(report))
    (out / "report.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if failed := [name for name in SECTIONS if "failed" in (report[name]["found"] or {})]:
        sys.exit(f"error: failed: {', '.join(failed)}; {out / 'report.json'} tells why")


def section(name: str) -> Callable[[Callable[[argparse.Namespace], Any]], None]:
    def add(function: Callable[[argparse.Namespace], Any]) -> None:
        SECTIONS[name] = function

    return add


@section("machine")
def _machine(options: argparse.Namespace) -> dict[str, Any]:
    device = torch.device(options.device)
    found: dict[str, Any] = {"device": describe(device), "cpu": list(cpu_features()), "python": sys.version.split()[0]}
    if device.type == "cuda":
        found |= {"capability": torch.cuda.get_device_capability(), "cuda": torch.version.cuda}
        found["memory_gb"] = round(torch.cuda.get_device_properties(0).total_memory / 1e9)
    found["precision"] = list(choose_precision("auto", device, benchmark.reference().model))
    for precision in ("float32", "bf16"):
        found[f"products_{precision}_tflops"] = round(benchmark._matmul_rate(device, precision) / 1e12, 2)
    return found


@section("tests")
def _tests(options: argparse.Namespace) -> dict[str, Any]:
    """The tests that need a GPU, or on a CPU those of the same files, as far as there is time."""
    words = ["-m", "gpu"] if options.device == "cuda" else ["-k", "rarely or remedy or recent"]
    code = (
        "import os, sys; sys.path.append(os.environ.get('NMT_GPU_CHECK_SITE') or '.'); import pytest; "
        f"sys.exit(pytest.main({['-n0', '-p', 'no:cacheprovider', *words, *TESTS]!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.strip().splitlines() or [done.stderr[-300:]]
    passed = done.returncode in {0, 5}
    return {"result": lines[-1]} if passed else {"failed": lines[-1], "lines": lines[-8:]}


@section("training")
def _training(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Model R by nmt and by plain PyTorch, target tokens a second: medians of rounds."""
    found = []
    for feeding in (True, False):
        for precision in ("float32", "bf16"):
            work = _work(options, feeding, precision)
            for name, rate in (("nmt", _our_rate), ("plain PyTorch", _plain_rate)):
                if name == "plain PyTorch" and (not feeding or precision == "bf16"):
                    continue
                _reset(options)
                tokens = rate(work, options)
                found.append({"program": name, "feeding": feeding, "precision": precision,
                              "tokens_per_second": round(tokens), "peak_mb": _peak(options)})  # fmt: skip
    try:
        found.append({"program": "OpenNMT-py", "feeding": True, "precision": "float32",
                      "tokens_per_second": round(_opennmt_rate(_work(options, True, "float32"), options)),
                      "peak_mb": _peak(options)})  # fmt: skip
    except (Exception, SystemExit) as error:  # it needs packages that not every machine has
        found.append({"program": "OpenNMT-py", "not_run": f"{type(error).__name__}: {error}"[:200]})
    return found


def _work(options: argparse.Namespace, feeding: bool, precision: str) -> benchmark.Work:
    words = [f"model.input_feeding={str(feeding).lower()}", f"training.precision={precision}"]
    words += [f"training.batch_sentences={options.sentences}"]
    if options.quick:
        words += ["model.hidden=128", "model.embedding=64", "subword.vocab_size=500"]
    return benchmark.reference_work(benchmark.reference(words), options.batches)


def _our_rate(work: benchmark.Work, options: argparse.Namespace) -> float:
    device = torch.device(options.device)
    torch.manual_seed(1)
    step = TrainStep(make_model(work.model, *work.vocab).to(device), work.training, device)
    batches = [benchmark.make_batch(work.sentences, indices) for indices in work.batches]
    settle([step.start([batch], 0, 1e-4) for batch in batches])

    def one_round() -> int:
        settle([step.start([batch], number, 1e-4) for number, batch in enumerate(batches)])
        return sum(batch.target_tokens for batch in batches)

    return _rate(one_round, options)


def _plain_rate(work: benchmark.Work, options: argparse.Namespace) -> float:
    device, model, batches = torch.device(options.device), work.model, _peers_batches(work)
    sizes = Sizes(work.vocab[0], model.embedding, model.hidden, model.encoder_layers, model.dropout)
    plain = PlainModel(sizes).to(device)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-4)

    def one_round() -> int:
        for batch in batches:
            moved = batch._replace(source=batch.source.to(device), target=batch.target.to(device))
            optimizer.zero_grad()
            truth = moved.target[:, 1:].flatten()
            loss = torch.nn.functional.cross_entropy(plain(moved).flatten(0, 1), truth, ignore_index=0)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            optimizer.step()
        return sum(batch.tokens for batch in batches)

    one_round()
    return _rate(one_round, options)


def _opennmt_rate(work: benchmark.Work, options: argparse.Namespace) -> float:
    """Its own model and its own Trainer, as in scripts/peers/opennmt.py, on this device. What it imports for reading
    text, which is not used here, is replaced by nothing where it is missing."""
    missing = [name for name in UNUSED if importlib.util.find_spec(name.partition(".")[0]) is None]
    sys.modules |= {name: MagicMock() for name in missing}
    from onmt.model_builder import build_model
    from onmt.trainer import build_trainer
    from onmt.utils.optimizers import Optimizer
    from peers import opennmt

    model, device = work.model, torch.device(options.device)
    sizes = Sizes(work.vocab[0], model.embedding, model.hidden, model.encoder_layers, model.dropout)
    own = opennmt.training_options(Work(sizes, 1, 1e-4, 1.0, [], [], 0))
    own.gpu_ranks, own.world_size = ([0], 1) if device.type == "cuda" else ([], 1)
    tokens = ["<blank>", "<unk>", "<s>", "</s>", *(f"piece{id}" for id in range(4, sizes.vocab))]
    words = Words({token: id for id, token in enumerate(tokens)})
    vocabs = {"src": words, "tgt": words, "data_task": "seq2seq", "decoder_start_token": "<s>"}
    theirs = build_model(own, own, vocabs, None, 0 if device.type == "cuda" else -1).to(device)
    trainer = build_trainer(own, 0 if device.type == "cuda" else -1, theirs, vocabs, Optimizer.from_opt(theirs, own))
    batches = [
        {"src": batch.source.unsqueeze(-1).to(device), "srclen": batch.lengths.to(device),
         "tgt": batch.target.unsqueeze(-1).to(device)}
        for batch in _peers_batches(work)
    ]  # fmt: skip

    def one_round() -> int:
        return int(trainer.train(((batch, 0) for batch in batches), 0, save_checkpoint_steps=0).n_words)

    one_round()
    return _rate(one_round, options)


class Words(dict[str, int]):
    """What OpenNMT-py asks of a vocabulary, without the package that its own is from."""

    @property
    def ids_to_tokens(self) -> list[str]:
        return list(self)

    def lookup_token(self, token: str) -> int:
        return self[token]

    def lookup_index(self, index: int) -> str:
        return list(self)[index]


def _peers_batches(work: benchmark.Work) -> list[Any]:
    from peers.work import Batch

    found = []
    for indices in work.batches:
        sources = [work.sentences.source(int(index)).tolist() for index in indices]
        targets = [[BOS, *work.sentences.target(int(index)).tolist(), EOS] for index in indices]
        width = max(map(len, targets))
        padded = torch.tensor([row + [0] * (width - len(row)) for row in targets])
        found.append(Batch(*padded_sources(sources), padded))
    return found


def _rate(one_round: Callable[[], int], options: argparse.Namespace) -> float:
    rates = []
    for _ in range(options.rounds):
        begun = time.perf_counter()
        tokens = one_round()
        benchmark._wait(torch.device(options.device))
        rates.append(tokens / (time.perf_counter() - begun))
    return statistics.median(rates)


def _reset(options: argparse.Namespace) -> None:
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(options: argparse.Namespace) -> int:
    return round(torch.cuda.max_memory_allocated() / 1e6) if options.device == "cuda" else benchmark._peak_memory()


@section("decoding")
def _decoding(options: argparse.Namespace) -> dict[str, Any]:
    work, device = _work(options, True, "float32"), torch.device(options.device)
    torch.manual_seed(1)
    return benchmark.measure_decoding(
        make_model(work.model, *work.vocab).to(device), work, device, 1 if options.quick else 3
    )


@section("recipe")
def _recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe of configs/ for a minute: BLEU of the validation set, on Multi30k if it is there."""
    data = os.environ.get("DATA", "")
    config = "configs/multi30k-en-fr.yaml" if data else "configs/en-fr.yaml"
    run = Path(options.out).absolute() / "recipe"
    subprocess.run(["rm", "-rf", str(run)], check=True)
    words = [config, f"run={run}", f"device={options.device}", "training.max_epochs=0", "training.samples=0"]
    words += [f"data.folder={data}"] if data else []
    words += ["training.max_steps=6", "training.validate_every=6", "training.save_every=6", "training.max_time=0"] if (
        options.quick
    ) else ["training.max_time=60s", "training.validate_every=1e"]  # fmt: skip
    code = (
        "import os, sys; sys.path.append(os.environ.get('NMT_GPU_CHECK_SITE') or '.'); from nmt.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", *words], check=False, capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    scores = [record for record in records if record["kind"] == "validation"]
    best = max((record.get("bleu", record.get("scores", {}).get("bleu", 0.0)) for record in scores), default=0.0)
    return {"config": config, "validations": len(scores), "best_bleu": best, "steps": records[-1].get("step")}


@section("profile")
def _profile(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The 15 operations that take most time, with input feeding in the precision of `auto`."""
    from torch.profiler import ProfilerActivity, profile

    device = torch.device(options.device)
    precision = choose_precision("auto", device, benchmark.reference().model).precision
    work = _work(options, True, precision)
    step = TrainStep(make_model(work.model, *work.vocab).to(device), work.training, device)
    batch = benchmark.make_batch(work.sentences, work.batches[0])
    settle([step.start([batch], number, 1e-4) for number in range(2)])
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=kinds) as profiler:
        settle([step.start([batch], number, 1e-4) for number in range(2)])
    own = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: -getattr(event, own))[:15]
    return [
        {"operation": event.key, "calls": event.count, "ms": round(getattr(event, own) / 1e3, 2)} for event in events
    ]


def table(report: dict[str, Any]) -> Iterator[str]:
    """The report as Markdown, for docs/lab/gpu.md."""
    machine = report["machine"]["found"]
    yield f"{machine.get('device', 'unknown')}, torch {report['torch']}, nmt {report['nmt']}; {report['seconds']:.0f} s"
    yield ""
    if report["quick"]:
        yield "A rehearsal with a tiny model: these figures mean nothing."
        yield ""
    yield "| training, model R | input feeding | precision | target tokens/s | peak memory (MB) |"
    yield "|---|---|---|---:|---:|"
    rows = report["training"]["found"]
    for row in rows if isinstance(rows, list) else []:
        if "not_run" in row:
            yield f"| {row['program']} | | | not run: {row['not_run'].replace('|', '/')} | |"
            continue
        feeding = "yes" if row["feeding"] else "no"
        speed, peak = f"{row['tokens_per_second']:,}", f"{row['peak_mb']:,}"
        yield f"| {row['program']} | {feeding} | {row['precision']} | {speed} | {peak} |"
    yield ""
    for name in ("tests", "decoding", "recipe"):
        yield f"{name}: `{json.dumps(report[name]['found'])}`"
        yield ""
    yield "| operation | calls | ms |"
    yield "|---|---:|---:|"
    for event in report["profile"]["found"] if isinstance(report["profile"]["found"], list) else []:
        yield f"| `{event['operation']}` | {event['calls']} | {event['ms']} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="a tiny model and few steps, to rehearse the script")
    parser.add_argument("--out", default="build/gpu_check", help="folder of report.json and report.md")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("error: no CUDA device here; rehearse with: scripts/gpu_check.sh --device cpu --quick")
    if options.quick:
        benchmark.MATRIX = 128  # products in bf16 take minutes on a CPU that has none
    options.sentences, options.batches, options.rounds = (16, 4, 1) if options.quick else (512, 12, 3)
    return options


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.exit(f"error: {error}")
