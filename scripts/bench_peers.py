"""How fast nmt trains and decodes beside other toolkits, on this machine, with the same model and the same sentences.

    python scripts/bench_peers.py                               # installs the peers, measures, prints the table
    python scripts/bench_peers.py --page docs/benchmarks.md     # and writes it there
    make bench-check                                            # installs nothing; fails if nmt has become slower

Every toolkit has a process of its own. They take turns, round by round, so that a slow minute of the machine strikes
all alike; a figure is the median over the rounds. docs/benchmarks.md tells what is counted, and how each is set up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peers import ours
from peers.work import BOS, EOS, PAD, UNK, Sizes, Work, write
from safetensors.torch import save_file

from nmt import benchmark

PROJECT = Path(__file__).parent.parent
TOOLKITS = {  # name -> module of peers
    "nmt": "ours", "nmt int8": "ours_int8", "nmt int8 shortlist": "ours_shortlist", "plain": "plain",
    "OpenNMT-py": "opennmt", "JoeyNMT": "joey",
}  # fmt: skip
EXPORTED = ("nmt int8", "nmt int8 shortlist")  # what `nmt export` makes
OURS = ("nmt", *EXPORTED)
OWN = {*OURS, "plain"}  # what needs no environment of its own
INSTALLED = ("OpenNMT-py==3.5.1", "joeynmt==2.3.0")
PEER = "OpenNMT-py"  # what decoding is compared with
SAME_WEIGHTS = ("nmt", PEER)  # whose translations must be equal before anything is timed
CAN_TRAIN = ("nmt", "plain", "OpenNMT-py", "JoeyNMT")
CAN_DECODE = (*OURS, "OpenNMT-py", "JoeyNMT")
TOLERANCE = 0.9  # share of a recorded ratio that is still as fast as before
SEARCHES = {  # name -> what a worker is ordered to decode
    f"batch_{batch}_beam_{beam}": {"sentences": sentences, "batch": batch, "beam": beam}
    for sentences, batch in ((128, 32), (32, 1)) for beam in (1, 5)
}  # fmt: skip
MARKS = ("<!-- written by `python scripts/bench_peers.py --page docs/benchmarks.md` -->", "<!-- end -->")

# The weights that are decoded with, drawn at random, are changed so that the end follows as soon as it may, what nmt
# never makes is never made, and no two hypotheses are so close that the order of a sum could decide between them.
BIASES = {EOS: 20.0, PAD: -1e4, UNK: -1e4, BOS: -1e4}
SHARPER = 40.0


class Rounds(NamedTuple):
    """What was measured: {toolkit: one value for each round}, those of one round at the same index."""

    training: dict[str, list[float]]  # target tokens per second
    decoding: dict[str, dict[str, list[float]]]  # `batch_32_beam_5` -> sentences per second
    matmul: list[float]  # floating-point operations per second in large products


def main() -> None:
    options = _options()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    python = environment(folder) if set(options.toolkits) - OWN else Path(sys.executable)
    threads = options.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    work = new_work(threads, options.batches)
    write(work, folder)
    save_file(new_weights(work.sizes), folder / "weights.safetensors")
    workers = {name: Process(name, _python(name, python), folder, threads) for name in options.toolkits}
    if len({worker.about["torch"] for worker in workers.values()}) > 1:
        sys.exit(f"error: the toolkits have different versions of torch; remove {folder} and start again")
    training, decoding = ([name for name in options.toolkits if name in able] for able in (CAN_TRAIN, CAN_DECODE))
    equal = check_equal({name: workers[name] for name in SAME_WEIGHTS if name in workers})
    rounds = measure(workers, training, decoding, options.rounds)
    for worker in workers.values():
        worker.end()
    about = {
        "versions": {name: worker.about["version"] for name, worker in workers.items()},
        "parameters": {name: worker.about["parameters"] for name, worker in workers.items()},
        "torch": torch.__version__.partition("+")[0],
        "threads": threads,
        "batches": len(work.batches),
        "equal_translations": equal,
        "length": work.length,
        "flops_per_token": flops_per_token(work),
    }
    (folder / "rounds.json").write_text(json.dumps(about | rounds._asdict(), indent=1), encoding="utf-8")
    text = "\n".join(table(rounds, about))
    print(text)
    if options.page:
        write_page(Path(options.page), text)
        Path(options.page).with_suffix(".json").write_text(
            json.dumps(ratios(rounds), indent=1) + "\n", encoding="utf-8"
        )
    if options.check:
        slower = list(falls(json.loads(Path(options.check).read_text(encoding="utf-8")), ratios(rounds)))
        sys.exit("\n".join(slower) or 0)


def ratios(rounds: Rounds) -> dict[str, dict[str, float]]:
    """{training or a search: {`ours / other`: by how many times ours is faster}}"""
    works = {"training": rounds.training, **rounds.decoding}
    peers = [name for name in TOOLKITS if name not in OURS]
    pairs = [("nmt", peer) for peer in peers] + [(own, other) for own in EXPORTED for other in ("nmt", *peers)]
    return {
        work: {
            f"{our} / {other}": _faster(rates, our, other) for our, other in pairs if our in rates and other in rates
        }
        for work, rates in works.items()
    }


def falls(before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> Iterator[str]:
    """A line for every ratio that has fallen by more than a tenth."""
    for work, found in now.items():
        for pair, ratio in found.items():
            old = before.get(work, {}).get(pair)
            if old and ratio / old < TOLERANCE:
                yield f"{work}: {pair} was {old:.2f}, and is {ratio:.2f}"


def new_work(threads: int, count: int) -> Work:
    """The sentences of `nmt bench --reference`."""
    settings = benchmark.reference()
    made = benchmark.reference_work(settings, count)
    model, training = settings.model, settings.training
    sizes = Sizes(made.vocab[1], model.embedding, model.hidden, model.encoder_layers, model.dropout)
    batches = [
        ([made.sentences.source(index).tolist() for index in indices.tolist()],
         [made.sentences.target(index).tolist() for index in indices.tolist()])
        for indices in made.batches
    ]  # fmt: skip
    decoded = batches[len(batches) // 2 :]
    most = max(search["sentences"] for search in SEARCHES.values())
    sources, targets = ([ids for batch in decoded for ids in batch[side]][:most] for side in (0, 1))
    length = sum(len(ids) + 1 for ids in targets) // len(targets) - 1
    return Work(sizes, threads, 1e-4, training.clip_norm, batches, sources, length)


def new_weights(sizes: Sizes) -> dict[str, torch.Tensor]:
    """nmt's own first weights, made fit for comparing translations."""
    torch.manual_seed(1)
    weights = {name: tensor.clone() for name, tensor in ours.new_model(sizes).state_dict().items()}
    weights["generator.output.weight"] *= SHARPER
    for id, bias in BIASES.items():
        weights["generator.output.bias"][id] = bias
    return weights


def flops_per_token(work: Work) -> float:
    """Of nmt's model R, forwards and backwards, per target token: taken for all toolkits alike."""
    model, batches = ours.new_model(work.sizes), ours.training_batches(work)
    total = sum(benchmark._training_flops(model, batch) * batch.target_tokens for batch in batches)
    return total / sum(batch.target_tokens for batch in batches)


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


def _python(name: str, peers: Path) -> Path:
    return Path(sys.executable) if name in OWN else peers


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


def check_equal(workers: dict[str, Process]) -> int:
    """How many translations were compared, over all searches; ends the program where two toolkits differ."""
    compared = 0
    for key, search in SEARCHES.items() if len(workers) > 1 else ():
        outputs = [worker(do="decode", **search)["outputs"] for worker in workers.values()]
        differing = sum(one != other for one, other in zip(*outputs, strict=True))
        if differing:
            names = " and ".join(workers)
            sys.exit(f"error: {names} differ in {differing} translations ({_search(key)}); nothing was timed")
        compared += len(outputs[0])
    return compared


def measure(workers: dict[str, Process], training: list[str], decoding: list[str], count: int) -> Rounds:
    """Rounds in which all toolkits take turns; a first one, which warms up, does not count."""
    rounds = Rounds({name: [] for name in training}, {key: {name: [] for name in decoding} for key in SEARCHES}, [])
    for index in range(count + 1):
        counted = set()
        for name in training:
            done = workers[name](do="train")
            counted.add(done["tokens"])
            rounds.training[name].append(done["tokens"] / done["seconds"])
        if len(counted) > 1:
            sys.exit(f"error: the toolkits count different numbers of target tokens: {sorted(counted)}")
        for key, search in SEARCHES.items():
            for name in decoding:
                done = workers[name](do="decode", **search)
                rounds.decoding[key][name].append(len(done["outputs"]) / done["seconds"])
        rounds.matmul.append(benchmark._matmul_rate(torch.device("cpu")))
        if index:
            print(f"round {index} of {count}", file=sys.stderr)
    for values in (*rounds.training.values(), *(each for by in rounds.decoding.values() for each in by.values())):
        del values[0]
    del rounds.matmul[0]
    return rounds


def table(rounds: Rounds, about: dict[str, Any]) -> Iterator[str]:
    """Markdown: medians, and ratios, which are medians over the rounds as well."""
    products = statistics.median(rounds.matmul)
    yield (
        f"Threads: {about['threads']}; torch {about['torch']}, float32; {len(rounds.matmul)} rounds of "
        f"{about['batches']} batches; large products: {products / 1e9:,.0f} GFLOP/s."
    )
    yield ""
    yield "| training | parameters | target tokens/s | lowest and highest round | MFU | nmt is faster |"
    yield "|---|---|---|---|---|---|"
    for name, rates in rounds.training.items():
        shares = [rate * about["flops_per_token"] / product for rate, product in zip(rates, rounds.matmul, strict=True)]
        yield (
            f"| {_title(name, about)} | {about['parameters'][name] / 1e6:.1f} M | {statistics.median(rates):,.0f} | "
            f"{min(rates):,.0f} to {max(rates):,.0f} | {100 * statistics.median(shares):.0f} % | "
            f"{_times(rounds.training, name)} |"
        )
    toolkits = list(next(iter(rounds.decoding.values())))
    if not toolkits:
        return
    yield ""
    yield f"| decoding, sentences/s | {' | '.join(_search(key) for key in rounds.decoding)} |"
    yield f"|---|{'---|' * len(rounds.decoding)}"
    for name in toolkits:
        cells = (_rate(rates, name) for rates in rounds.decoding.values())
        yield f"| {_title(name, about)} | {' | '.join(cells)} |"
    yield ""
    yield f"A translation has {about['length']} pieces and its end. " + (
        f"{' and '.join(SAME_WEIGHTS)} made the same {about['equal_translations']} translations with the same weights."
        if about["equal_translations"]
        else "No translations were compared."
    )


def _title(name: str, about: dict[str, Any]) -> str:
    """A toolkit with its version."""
    return "plain PyTorch" if name == "plain" else f"{name} {about['versions'][name]}"


def _times(rates: dict[str, list[float]], name: str) -> str:
    """By how many times nmt is faster than `name`, each round by itself."""
    return f"{_faster(rates, 'nmt', name):.2f}x" if "nmt" in rates else "-"


def _rate(rates: dict[str, list[float]], name: str) -> str:
    """With how many times as fast it is as the peer, if that was measured."""
    return f"{statistics.median(rates[name]):,.1f}" + (f" ({_faster(rates, name, PEER):.2f}x)" if PEER in rates else "")


def _faster(rates: dict[str, list[float]], ours: str, other: str) -> float:
    return statistics.median(our / their for our, their in zip(rates[ours], rates[other], strict=True))


def _search(key: str) -> str:
    _, batch, _, beam = key.split("_")
    return f"batch {batch}, beam {beam}"


def write_page(page: Path, text: str) -> None:
    """Puts the table between the marks of the page."""
    begin, end = MARKS
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    _, other, after = rest.partition(end)
    if not (mark and other):
        sys.exit(f"error: {page}: lacks the line {begin} or {end}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="build/peers", help="for the peers' environment, the work and all rounds")
    parser.add_argument("--toolkits", nargs="+", default=list(TOOLKITS), choices=TOOLKITS, help="which to measure")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median is taken")
    parser.add_argument("--batches", type=int, default=12, help="batches of a round")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: one per core")
    parser.add_argument("--page", help="Markdown page to write the table into; the ratios go into a .json beside it")
    parser.add_argument("--check", help="such a .json; ends with status 1 if a ratio has fallen by more than a tenth")
    return parser.parse_args()


if __name__ == "__main__":
    main()
