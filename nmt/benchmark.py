"""`nmt bench`: how fast this machine trains and decodes with a model, beside what its arithmetic allows.

Every figure is the median of several rounds over the same work. The rate of large matrix products is measured between
the rounds, so that a machine which is slower for a while is slower in both.
"""

import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nmt.calibration_cache import for_long_work
from nmt.config import DecodingSettings, ModelSettings, Settings, TrainingSettings, load
from nmt.data.batch import Batch, Sentences, make_batch
from nmt.data.batching import epoch_batches
from nmt.data.dataset import Ids
from nmt.data.prepare import prepare
from nmt.data.subword import EOS_ID
from nmt.device import choose_device, describe
from nmt.errors import ConfigError
from nmt.inference.search import search
from nmt.kernels import using
from nmt.kernels.packed import PackedWeights, cached_packing
from nmt.model import Seq2Seq, make_model
from nmt.precision import PRECISIONS, choose_precision, cpu_features
from nmt.training.batch_size import with_batch_tokens
from nmt.training.initialization import load_origins
from nmt.training.loss import batch_loss
from nmt.training.step import TrainStep, settle

MATRIX = 2048  # rows and columns of the product that stands for the machine's own rate
WARM_UP = 3  # updates before the first that counts
REFERENCE = Path(__file__).with_name("reference.yaml")


class Work(NamedTuple):
    """Hold what is trained and decoded."""

    name: str
    model: ModelSettings
    training: TrainingSettings
    vocab: tuple[int, int]  # source, target
    sentences: Sentences
    batches: list[np.ndarray]


class Synthetic:
    """Generate random pieces in sentences as long as those of Multi30k: log-normal, 15 pieces a side, few beyond 30."""

    def __init__(self, count: int, vocab: int) -> None:
        random = np.random.default_rng(1)
        lengths = np.exp(random.normal(2.6, 0.32, count)).round().astype(int).clip(4, 45)
        others = (lengths * random.normal(1.08, 0.12, count)).round().astype(int).clip(4, 50)
        self.sources: list[Ids] = [random.integers(EOS_ID + 1, vocab, length, np.int32) for length in lengths]
        self.targets: list[Ids] = [random.integers(EOS_ID + 1, vocab, length, np.int32) for length in others]

    def source(self, index: int) -> Ids:
        """Return the source token ids of a pair."""
        return self.sources[index]

    def target(self, index: int) -> Ids:
        """Return the target token ids of a pair."""
        return self.targets[index]


def reference(changes: list[str] | None = None) -> Settings:
    """Return the settings of the model that toolkits are compared with. Raises ConfigError if a change,
    `key.sub=value`, is impossible."""
    settings = load(REFERENCE, changes)
    if not (settings.training.batch_tokens or settings.training.batch_sentences):
        raise ConfigError("training.batch_tokens=auto: bench --reference needs a number, so that results compare")
    return settings


def reference_work(settings: Settings, batches: int) -> Work:
    """Prepare a model on random sentences."""
    training, vocab = settings.training, settings.subword.vocab_size
    sentences = Synthetic(4 * batches * max(64, training.batch_sentences), vocab)
    sources, targets = (np.array([len(each) for each in side]) for side in (sentences.sources, sentences.targets))
    order = epoch_batches(sources, targets, training, 0)
    return Work("reference", settings.model, training, (vocab, vocab), sentences, order[:batches])


def work_of(settings: Settings, batches: int, say: Callable[[str], None]) -> Work:
    """A config's own model on its own corpus."""
    device = choose_device(settings)
    data = prepare(load_origins(settings, device).with_subwords(settings), say)
    settings = with_batch_tokens(settings, data, device, say)
    order = epoch_batches(data.train.source_lengths(), data.train.target_lengths(), settings.training, 0)
    vocab = (len(data.subwords.source), len(data.subwords.target))
    return Work(settings.run, settings.model, settings.training, vocab, data.train, order[:batches])


def bench(work: Work, settings: Settings, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure figures by name; see `lines` for what they are."""
    device = choose_device(settings)
    with using(for_long_work(torch.get_num_threads(), say) if device.type == "cpu" else None):
        choice = choose_precision(work.training.precision, device, work.model)
        work = work._replace(training=work.training.model_copy(update={"precision": choice.precision}))
        torch.manual_seed(1)
        model = make_model(work.model, *work.vocab).to(device)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        say(f"{work.name}: {parameters:,} parameters, {describe(device)}")
        training = _training(model, work, device, rounds)
        decoding = measure_decoding(model, work, device, rounds)
        seconds = []  # wall-clock time of whole commands
        for _ in range(rounds):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "nmt", "--help"], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - begun)
        matmul_rate = statistics.median(_matmul_rate(device, choice.precision) for _ in range(rounds))
    return {
        "work": work.name,
        "device": describe(device),
        "torch": torch.__version__,
        "parameters": parameters,
        "training": training,
        "decoding": decoding,
        "start_up_seconds": {"help": round(statistics.median(seconds), 3)},
        "precision": choice.precision,
        "precision_reason": choice.reason,
        "cpu_features": list(cpu_features()),
        "matmul_gflops": round(matmul_rate / 1e9, 1),
        "peak_memory_mb": _peak_memory(),
    }


def _training(model: Seq2Seq, work: Work, device: torch.device, rounds: int) -> dict[str, Any]:
    """Whole updates: forward, backward, clipping, optimizer. Real target tokens, ends included, no padding."""
    train_step = TrainStep(model, work.training, device)
    batches = [make_batch(work.sentences, indices) for indices in work.batches]
    tokens = sum(batch.target_tokens for batch in batches)
    for batch in batches[:WARM_UP]:
        train_step([batch], 0, 1e-4)
    rates, shares = [], []
    flops = training_flops(model, batches[len(batches) // 2].to(device))
    for _ in range(rounds):
        begun = time.perf_counter()
        settle([train_step.start([batch], step, 1e-4) for step, batch in enumerate(batches)])
        rates.append(tokens / (time.perf_counter() - begun))
        shares.append(rates[-1] * flops / _matmul_rate(device, work.training.precision))
    return {
        "target_tokens_per_second": round(statistics.median(rates), 1),
        "mfu": round(statistics.median(shares), 4),
        "mflop_per_target_token": round(flops / 1e6, 2),
        "padding": round(1 - tokens / sum(batch.target_output.numel() for batch in batches), 4),
        "rounds": [round(rate, 1) for rate in rates],
    }


def training_flops(model: Seq2Seq, batch: Batch) -> float:
    """Count the operations of a forward and a backward pass, per real target token: products only, those within
    kernels included."""
    counter = FlopCounterMode(display=False)
    quiet = warnings.catch_warnings(action="ignore")  # that Intel's GPUs are not there
    with quiet, torch.backends.mkldnn.flags(enabled=False), counter:
        batch_loss(model, batch).backward()
    model.zero_grad()
    return float(counter.get_total_flops()) / batch.target_tokens


def measure_decoding(model: Seq2Seq, work: Work, device: torch.device, rounds: int) -> dict[str, Any]:
    """Measure sentences and tokens per second, by batch and beam. Weights are random and would not end sentences, so
    each translation is made as long as the reference of its batch is on average."""
    model.eval()
    found = {}
    packed = PackedWeights()
    for size, beam in ((32, 1), (32, 5), (1, 1), (1, 5)):
        indices = work.batches[len(work.batches) // 2][:32]
        batches = [
            make_batch(work.sentences, indices[start : start + size]).to(device)
            for start in range(0, len(indices), size)
        ]
        length = max(1, batches[0].target_tokens // batches[0].source.size(0) - 1)
        settings = DecodingSettings(beam_size=beam, min_length=length, max_length=length)
        rates = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            with cached_packing(packed):  # as in a `Translator`
                for batch in batches:
                    search(model, batch.source, settings)
            _wait(device)
            rates.append(sum(batch.source.size(0) for batch in batches) / (time.perf_counter() - begun))
        median = statistics.median(rates[1:])
        found[f"batch_{size}_beam_{beam}"] = {
            "sentences_per_second": round(median, 2),
            "tokens_per_second": round(median * (length + 1), 1),
        }
    return found


def _matmul_rate(device: torch.device, precision: str = "float32") -> float:
    """Measure floating-point operations per second in products of two large matrices."""
    one = torch.randn(MATRIX, MATRIX, device=device, dtype=PRECISIONS[precision])
    one @ one
    _wait(device)
    begun, times = time.perf_counter(), 4
    for _ in range(times):
        one @ one
    _wait(device)
    return 2.0 * MATRIX**3 * times / (time.perf_counter() - begun)


def _peak_memory() -> int:
    """Return the peak memory in MB. macOS counts bytes, Linux kilobytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Format the figures for people."""
    training = found["training"]
    reason = f" ({found['precision_reason']})" if found["precision_reason"] else ""
    yield f"large matrix products, {found['precision']}{reason}: {found['matmul_gflops']:,.0f} GFLOP/s"
    yield f"this CPU has {', '.join(found['cpu_features']) or 'none of the features that matter here'}"
    yield (
        f"training: {training['target_tokens_per_second']:,.0f} target tokens/s, {100 * training['mfu']:.0f} % of what "
        f"the products alone would allow ({training['mflop_per_target_token']:.1f} MFLOP a token); "
        f"{100 * training['padding']:.1f} % padding"
    )
    yield "decoding, sentences/s (tokens/s):"
    for name, rates in found["decoding"].items():
        _, size, _, beam = name.split("_")
        what = f"batch {size}, beam {beam}"
        yield f"  {what:<18}{rates['sentences_per_second']:>8,.1f} ({rates['tokens_per_second']:,.0f})"
    yield f"start-up: nmt --help {found['start_up_seconds']['help']:.2f} s; peak memory {found['peak_memory_mb']:,} MB"
