"""Measure how training scales over processes of one thread each, and model what a cluster would do.

    python scripts/lab/scaling.py --write docs/lab/scaling.md
    python scripts/lab/scaling.py --network              # two network namespaces as two nodes (needs root)

Strong scaling: the same step, shared by 1 and 2 processes. Weak scaling: twice the step for 2 processes. The all-reduce
is timed alone, with a bucket of the size of the model. Let nothing else run meanwhile.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
BEGIN, END = "<!-- written by scripts/lab/scaling.py -->", "<!-- end -->"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
NODES = ("nmt-a", "nmt-b")  # network namespaces
DEVICES = ("veth-a", "veth-b")  # their network interfaces
STEPS = 40
LENGTH = 20  # tokens of a sentence
LINES = 5000  # that are translated

# Assumptions about a cluster, on paper: nothing here was measured by this project.
BANDWIDTH, LATENCY = 25e9, 20e-6  # bytes/s and seconds per hop of an all-reduce between nodes (200 Gbit/s)
GPU_TOKENS = 100_000  # target tokens/s of one GPU at a full batch
GPU_STEP_TOKENS = 25_000  # target tokens of one GPU per step


def config(folder: Path, hidden: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"data: {{folder: {PROJECT / 'data' / 'en-fr'}, source: en, target: fr}}\n"
        f"subword: {{vocab_size: 1000}}\nmodel: {{embedding: {hidden}, hidden: {hidden}}}\n"
        f"training: {{max_steps: {STEPS}, validate_every: 100000, save_every: 100000, validate_first: false,"
        " log_every: 5, average: false, samples: 0}\nthreads: 1\n"
    )
    return path


def rate(folder: Path, count: int, tokens: int, parts: int, hidden: int, link: str = "") -> float:
    """Return target tokens per second: the median of log lines after the first ones. `link`: that of two nodes."""
    run = folder / f"run-{count}-{tokens}-{parts}-{link}"
    words = ["-m", "nmt", "train", str(config(folder, hidden)), f"run={run}", f"training.batch_tokens={tokens}"]
    words.append(f"training.parts={parts}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NMT_CACHE": str(folder / "cache"), "PYTHONPATH": str(PROJECT)}
    if link:
        common = [*TORCHRUN, "--nnodes=2", "--nproc-per-node=1", "--master-addr=10.77.0.1", "--master-port=29500"]
        # Both namespaces have the same host name, so each process must be told its network interface.
        commands = [
            ["ip", "netns", "exec", name, "env", f"GLOO_SOCKET_IFNAME={device}", *common, f"--node-rank={n}", *words]
            for n, (name, device) in enumerate(zip(NODES, DEVICES, strict=True))
        ]
    else:
        commands = [[*TORCHRUN, f"--nproc-per-node={count}", *words]]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for command in commands]
    statuses = [process.wait() for process in started]
    if any(statuses):
        raise SystemExit(f"failed: {' '.join(commands[0])}")
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rates = [each["target_tokens_per_second"] for each in records if each["kind"] == "train"]
    return statistics.median(rates[2:])


def parameters(folder: Path, hidden: int) -> int:
    from nmt import config as settings
    from nmt.model import model_shapes

    shapes = model_shapes(settings.load(config(folder, hidden), []).model, [1000, 1000])
    return sum(math.prod(shape) for shape in shapes.values())


def encoder_backward(folder: Path, hidden: int, tokens: int) -> float:
    """Return the seconds of the encoder's backward pass for half a step, on one thread.

    When the gradients of generator and decoder are there, this is all that is left to compute, so it is the most that a
    sum of gradients could overlap with.
    """
    import torch

    from nmt import config as settings
    from nmt.model import make_model

    torch.set_num_threads(1)
    model = make_model(settings.load(config(folder, hidden), []).model, 1000, 1000)
    source = torch.randint(4, 1000, (tokens // 2 // LENGTH, LENGTH))
    weights, times = list(model.encoder.parameters()), []
    for _ in range(9):
        encoded, _state = model.encoder(source, torch.ones_like(source, dtype=torch.bool), [LENGTH] * len(source))
        total = encoded.sum()
        started = time.perf_counter()
        torch.autograd.grad(total, weights)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def time_all_reduce(values: int) -> None:
    """Run in each rank: print the median time of a sum over a bucket of this size."""
    import torch

    from nmt.distributed import joined

    with joined() as ranks:
        bucket, times = torch.zeros(values), []
        for _ in range(30):
            ranks.barrier()
            started = time.perf_counter()
            ranks.sum(bucket)
            times.append(time.perf_counter() - started)
        if ranks.leads:
            print(statistics.median(times[5:]))


def translation(folder: Path, run: Path) -> list[str]:
    """Return a table: lines per second of `nmt translate` with 1 and 2 processes, start included."""
    lines = (PROJECT / "data" / "en-fr" / "train.en").read_text(encoding="utf-8").splitlines(keepends=True)
    text = folder / "text.en"
    text.write_text("".join(lines[:LINES]), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    seconds = {}
    for count in (1, 2):
        output = folder / f"translated-{count}"
        command = [*TORCHRUN, f"--nproc-per-node={count}", "-m", "nmt", "translate", str(run), "-i", str(text)]
        started = time.perf_counter()
        subprocess.run(
            [*command, "-o", str(output), "--threads", "1"], env=environment, check=True, capture_output=True
        )
        seconds[count] = time.perf_counter() - started
    if (folder / "translated-1").read_bytes() != (folder / "translated-2").read_bytes():
        raise SystemExit("1 and 2 processes translate differently")
    return [
        f"`nmt translate`, {LINES:,} lines, start included; the outputs are equal:",
        "",
        "| processes | lines/s | times |",
        "|---|---:|---:|",
        *(f"| {count} | {LINES / each:,.0f} | {seconds[1] / each:.2f} |" for count, each in seconds.items()),
    ]


def all_reduce(values: int, count: int) -> float:
    command = [*TORCHRUN, f"--nproc-per-node={count}", __file__, "--all-reduce", str(values)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return float(output.splitlines()[-1])


def network(bandwidth: str, delay: str) -> tuple[str, str]:
    """Make two network namespaces with a slow link between them; return what the link does, and why there is none."""
    if not shutil.which("ip") or not shutil.which("tc") or os.geteuid():
        return "", "needs root, ip and tc"
    first, second = NODES
    for words in (
        *(f"ip netns add {name}" for name in NODES),
        f"ip link add veth-a netns {first} type veth peer name veth-b netns {second}",
        *(f"ip -n {name} link set lo up" for name in NODES),
        f"ip -n {first} addr add 10.77.0.1/24 dev veth-a",
        f"ip -n {second} addr add 10.77.0.2/24 dev veth-b",
        f"ip -n {first} link set veth-a up",
        f"ip -n {second} link set veth-b up",
    ):
        result = subprocess.run(words.split(), check=False, capture_output=True, text=True)
        if result.returncode:
            return "", f"{words}: {result.stderr.strip()}"
    # A kernel without netem can limit the rate alone.
    for limit, does in (
        (f"netem rate {bandwidth} delay {delay}", f"{bandwidth}, {delay} of delay"),
        (f"tbf rate {bandwidth} burst 256k latency 200ms", f"{bandwidth}, no delay added (this kernel has no netem)"),
    ):
        results = [
            subprocess.run(
                ["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", device, "root", *limit.split()],
                check=False,
                capture_output=True,
                text=True,
            )
            for name, device in zip(NODES, DEVICES, strict=True)
        ]
        if not any(result.returncode for result in results):
            return does, ""
    return "", f"tc qdisc add: {results[0].stderr.strip()}"


def sent() -> int:
    """Return the bytes that the first of two nodes has sent to the other."""
    command = ["ip", "netns", "exec", NODES[0], "cat", "/sys/class/net/veth-a/statistics/tx_bytes"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def model(values: int, gpus: int) -> dict[str, float]:
    """Return the speed of a cluster under the assumptions above: compute, then an all-reduce in a ring."""
    compute = GPU_STEP_TOKENS / GPU_TOKENS
    volume = 2 * (gpus - 1) / gpus * 4 * values
    exchange = volume / BANDWIDTH + 2 * (gpus - 1) * LATENCY if gpus > 1 else 0.0
    return {
        "gpus": gpus, "compute": compute, "exchange": exchange, "efficiency": compute / (compute + exchange),
        "tokens": gpus * GPU_STEP_TOKENS / (compute + exchange),
    }  # fmt: skip


def tables(folder: Path, hidden: int, tokens: int, with_network: bool, run: Path | None) -> str:
    values = parameters(folder, hidden)
    alone = rate(folder, 1, tokens, 2, hidden)
    whole = rate(folder, 1, tokens, 1, hidden)
    strong, weak = rate(folder, 2, tokens, 2, hidden), rate(folder, 2, 2 * tokens, 2, hidden)
    sums = all_reduce(values, 2)
    step = tokens / strong
    lines = [
        f"{values:,} parameters; {tokens:,} tokens per step; one thread per process; {os.cpu_count()} cores.",
        "",
        "| processes | step | target tokens/s | times |",
        "|---|---|---:|---:|",
        f"| 1 | whole | {whole:,.0f} | {whole / alone:.2f} |",
        f"| 1 | two parts | {alone:,.0f} | 1.00 |",
        f"| 2 | two parts (strong) | {strong:,.0f} | {strong / alone:.2f} |",
        f"| 2 | twice the step (weak) | {weak:,.0f} | {weak / alone:.2f} |",
        "",
        f"Each rank sends {4 * values / 1e6:,.1f} MB per update (a ring of two: 2 (N - 1) / N of 4 bytes per "
        f"parameter). The sum alone takes {1000 * sums:.1f} ms, at most {100 * sums / step:.0f} % of a step. It starts "
        "when the backward pass has ended. If the gradients of generator and decoder were sent earlier, the sum could "
        "overlap with the backward pass of the encoder, which takes "
        f"{1000 * encoder_backward(folder, hidden, tokens):.0f} ms. This is the most that overlap can save, however "
        "slow the link.",
    ]
    if with_network:
        lines += [
            "",
            "Two network namespaces with a limited link stand in for two nodes. Expected: the step of two processes on "
            "one node, less the sum there, plus the bytes of an update at the rate of the link.",
            "",
            "| link | target tokens/s | seconds per step | expected | sent per update, MB |",
            "|---|---:|---:|---:|---:|",
        ]
        volume = 4 * values  # a ring of two: 2 (N - 1) / N
        for bandwidth, delay, bits in (("10gbit", "0.1ms", 1e10), ("1gbit", "0.2ms", 1e9), ("100mbit", "1ms", 1e8)):
            does, problem = network(bandwidth, delay)
            try:
                if problem:
                    lines.append(f"| {bandwidth} | not measured: {problem} | | | |")
                    continue
                slow = rate(folder, 2, tokens, 2, hidden, bandwidth)
                expected = step - sums + volume / (bits / 8)
                lines.append(
                    f"| {does} | {slow:,.0f} | {tokens / slow:.2f} | {expected:.2f} | {sent() / STEPS / 1e6:.1f} |"
                )
            finally:
                for name in NODES:
                    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    if run:
        lines += ["", *translation(folder, run)]
    lines += [
        "",
        f"Model (assumed, not measured: {GPU_TOKENS:,} tokens/s per GPU, {GPU_STEP_TOKENS:,} tokens per GPU and step, "
        f"{BANDWIDTH / 1e9:.0f} GB/s and {LATENCY * 1e6:.0f} us per hop; 60 M parameters in float32):",
        "",
        "| GPUs | compute, ms | all-reduce, ms | efficiency | tokens/s |",
        "|---:|---:|---:|---:|---:|",
    ]
    for gpus in (1, 8, 64, 512):
        found = model(60_000_000, gpus)
        lines.append(
            f"| {gpus} | {1000 * found['compute']:.0f} | {1000 * found['exchange']:.0f} | {found['efficiency']:.0%} | "
            f"{found['tokens']:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=8000, help="training.batch_tokens")
    parser.add_argument("--network", action="store_true", help="also two network namespaces with slow links (root)")
    parser.add_argument("--translate", type=Path, metavar="RUN", help="also the rate of translation with this run")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument("--all-reduce", type=int, metavar="VALUES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.all_reduce:
        time_all_reduce(options.all_reduce)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = tables(Path(folder), options.hidden, options.tokens, options.network, options.translate)
    print(found)
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.write.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
