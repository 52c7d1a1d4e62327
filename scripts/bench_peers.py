"""How fast nmt trains and decodes beside other toolkits, on this machine, with the same model and the same sentences.

    python scripts/bench_peers.py                               # installs the peers, measures, prints the table
    python scripts/bench_peers.py --page docs/lab/benchmarks.md     # and writes it there
    make bench-check                                            # installs nothing; fails if nmt has become slower

Every toolkit has a process of its own. They take turns, round by round, so that a slow minute of the machine strikes
all alike; a figure is the median over the rounds. docs/lab/benchmarks.md tells what is counted, and how each is set up.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from peers import ours
from peers.environment import environment
from peers.results import Rounds, falls, keep_record, ratios, search_title, table, write_page
from peers.toolkits import ENVIRONMENTS, EXPORTED, OWN, SAME_ALONE, SAME_WEIGHTS, TOOLKITS, Process
from peers.work import BOS, EOS, PAD, UNK, Sizes, Work, write
from safetensors.torch import save_file

from nmt import benchmark
from nmt.calibration import cpu
from nmt.cpu_quota import usable_cpus
from nmt.precision import cpu_features

CAN_TRAIN = ("nmt", "nmt float32", "plain", "OpenNMT-py", "Eole", "JoeyNMT")
CAN_DECODE = ("nmt", *EXPORTED, "OpenNMT-py", "Eole", "JoeyNMT")
SEARCHES = {  # name -> what a worker is ordered to decode
    f"batch_{batch}_beam_{beam}": {"sentences": sentences, "batch": batch, "beam": beam}
    for sentences, batch in ((128, 32), (32, 1)) for beam in (1, 5)
}  # fmt: skip

# The weights that are decoded with, drawn at random, are changed so that the end follows as soon as it may, what nmt
# never makes is never made, and no two hypotheses are so close that the order of a sum could decide between them.
BIASES = {EOS: 20.0, PAD: -1e4, UNK: -1e4, BOS: -1e4}
SHARPER = 40.0


def main() -> None:
    options = _options()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    pythons = {
        name: Path(sys.executable) if name in OWN else environment(folder, ENVIRONMENTS[name])
        for name in options.toolkits
    }
    threads = options.threads or usable_cpus()
    torch.set_num_threads(threads)
    work = new_work(threads, options.batches)
    write(work, folder)
    save_file(new_weights(work.sizes), folder / "weights.safetensors")
    workers = {name: Process(name, pythons[name], folder, threads) for name in options.toolkits}
    if len({worker.about["torch"] for worker in workers.values()}) > 1:
        sys.exit(f"error: the toolkits have different versions of torch; remove {folder} and start again")
    training, decoding = ([name for name in options.toolkits if name in able] for able in (CAN_TRAIN, CAN_DECODE))
    equal = check_equal({name: workers[name] for name in SAME_WEIGHTS if name in workers})
    alone = {key: search for key, search in SEARCHES.items() if search["batch"] == 1}
    equal_alone = check_equal({name: workers[name] for name in SAME_ALONE if name in workers}, alone)
    rounds = measure(workers, training, decoding, options.rounds, options.searches)
    for worker in workers.values():
        worker.end()
    about = {
        "versions": {name: worker.about["version"] for name, worker in workers.items()},
        "parameters": {name: worker.about["parameters"] for name, worker in workers.items()},
        "precisions": {name: worker.about["precision"] for name, worker in workers.items()},
        "cpu_features": list(cpu_features()),
        "torch": torch.__version__.partition("+")[0],
        "threads": threads,
        "batches": len(work.batches),
        "searches": options.searches,
        "equal_translations": equal,
        "equal_alone": equal_alone,
        "length": work.length,
        "flops_per_token": flops_per_token(work),
    }
    (folder / "rounds.json").write_text(json.dumps(about | rounds._asdict(), indent=1), encoding="utf-8")
    text = "\n".join(table(rounds, about))
    print(text)
    if options.page:
        write_page(Path(options.page), text)
        keep_record(Path(options.page).with_suffix(".json"), machine(), ratios(rounds))
    if options.record:
        keep_record(Path(options.record), machine(), ratios(rounds))
    if options.check:
        known = json.loads(Path(options.check).read_text(encoding="utf-8")).get(machine())
        if known is None:
            sys.exit(f"error: {options.check}: has no record of {machine()}; make one with --record {options.check}")
        sys.exit("\n".join(falls(known, ratios(rounds))) or 0)


def machine() -> str:
    """Return what a record is kept under: the CPU with the features that matter. Ratios of one are not another's."""
    return f"{cpu()}: {', '.join(cpu_features()) or 'none of the features that matter here'}"


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
    total = sum(benchmark.training_flops(model, batch) * batch.target_tokens for batch in batches)
    return total / sum(batch.target_tokens for batch in batches)


def check_equal(workers: dict[str, Process], searches: Mapping[str, dict[str, int]] = SEARCHES) -> int:
    """How many translations were compared, over all searches; ends the program where two toolkits differ."""
    compared = 0
    for key, search in searches.items() if len(workers) > 1 else ():
        outputs = [worker(do="decode", **search)["outputs"] for worker in workers.values()]
        differing = sum(one != other for one, other in zip(*outputs, strict=True))
        if differing:
            names = " and ".join(workers)
            sys.exit(f"error: {names} differ in {differing} translations ({search_title(key)}); nothing was timed")
        compared += len(outputs[0])
    return compared


def measure(
    workers: dict[str, Process], training: list[str], decoding: list[str], count: int, repetitions: int
) -> Rounds:
    """Rounds in which all toolkits take turns, and take turns `repetitions` times at each search. A first round, which
    warms up, does not count."""
    precisions = {workers[name].about["precision"] for name in training}
    rounds = Rounds(
        {name: [] for name in training},
        {key: {name: [] for name in decoding} for key in SEARCHES},
        {precision: [] for precision in sorted({"float32", *precisions})},
    )
    for index in range(count + 1):
        counted = set()
        for name in training:
            done = workers[name](do="train")
            counted.add(done["tokens"])
            rounds.training[name].append(done["tokens"] / done["seconds"])
        if len(counted) > 1:
            sys.exit(f"error: the toolkits count different numbers of target tokens: {sorted(counted)}")
        for key, search in SEARCHES.items():
            for _ in range(repetitions if index else 1):
                for name in decoding:
                    done = workers[name](do="decode", **search)
                    rounds.decoding[key][name].append(len(done["outputs"]) / done["seconds"])
        for precision, rates in rounds.matmul.items():
            rates.append(benchmark._matmul_rate(torch.device("cpu"), precision))
        if index:
            print(f"round {index} of {count}", file=sys.stderr)
    for by in (rounds.training, *rounds.decoding.values(), rounds.matmul):  # drop the warm-up
        for values in by.values():
            del values[0]
    return rounds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="build/peers", help="for the peers' environment, the work and all rounds")
    parser.add_argument("--toolkits", nargs="+", default=list(TOOLKITS), choices=TOOLKITS, help="which to measure")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median is taken")
    parser.add_argument("--searches", type=int, default=3, help="how often each search is measured in a round")
    parser.add_argument("--batches", type=int, default=12, help="batches of a round")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: one per usable CPU")
    parser.add_argument("--page", help="Markdown page to write the table into; the ratios go into a .json beside it")
    parser.add_argument("--record", help="such a .json, into which to write the ratios of this machine alone")
    parser.add_argument(
        "--check", help="such a .json; ends with status 1 if a ratio of this CPU has fallen by more than a tenth"
    )
    options = parser.parse_args()
    if min(options.rounds, options.searches) < 1:
        parser.error("--rounds and --searches must be at least 1")
    return options


if __name__ == "__main__":
    main()
