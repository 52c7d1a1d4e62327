"""LSTM and GRU remember what a tanh RNN forgets: recall of a sequence's first word, and the gradient that gets there.

    python scripts/lab/remember.py                                      # table, remember.json, remember.svg; 3 minutes
    python scripts/lab/remember.py --cells rnn --steps 2400 --out FOLDER   # four times the training for the tanh RNN

A sequence is a marked word (one of 32), then d words drawn from the same 32 without a mark. After the last of them a
linear layer names the marked one. It must be held against d inputs of its own kind: the latch of Bengio et al. 1994,
"Learning long-term dependencies with gradient descent is difficult". One model per cell, first weights and seed trains
on all distances mixed, so the short ones teach the long ones; budget, size and learning rate are equal for all.

The gradient: ||dL/ds_1|| / ||dL/dh_T||, geometric mean over sequences, where s_1 is the cell's whole state after the
marked word, and h_T what the linear layer reads. Being relative, it does not fall merely because a model has learned
and its loss is small. It is measured in float64, which does not underflow where float32 would.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pictures import PICTURES, need_matplotlib
from torch import Tensor, nn

from nmt.model.init import initialise
from nmt.model.recurrent import Recurrent, State, state_parts
from nmt.plots import picture

WORDS = 32
DISTANCES = (1, 2, 5, 10, 20, 50, 100, 200)


class Variant(NamedTuple):
    """A cell of nmt, whether nmt draws its first weights, and its line (colours of Okabe & Ito 2008)."""

    cell: str
    initialised: bool
    colour: str
    marker: str


# nmt: recurrences orthogonal, inputs Xavier, the LSTM's forget bias 1. PyTorch: all uniform within 1 / sqrt(hidden).
VARIANTS = {
    "tanh RNN, orthogonal (nmt)": Variant("rnn", True, "#D55E00", "o"),
    "tanh RNN, uniform (PyTorch)": Variant("rnn", False, "#E69F00", "s"),
    "GRU, orthogonal (nmt)": Variant("gru", True, "#009E73", "^"),
    "LSTM, orthogonal, forget bias 1 (nmt)": Variant("lstm", True, "#0072B2", "D"),
    "LSTM, uniform, forget bias 0 (PyTorch)": Variant("lstm", False, "#56B4E9", "v"),
}


class Recall(nn.Module):
    """A recurrent layer that reads one-hot words, and a linear layer that names the first of them."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.cell = cell
        self.recurrent = Recurrent(cell, WORDS + 1, hidden, layers=1)
        self.readout = nn.Linear(hidden, WORDS)

    def start(self, like: Float[Tensor, "batch time input"]) -> State:
        return tuple(like.new_zeros(1, len(like), self.recurrent.hidden) for _ in range(state_parts(self.cell)))

    def forward(self, inputs: Float[Tensor, "batch time input"]) -> Float[Tensor, "batch words"]:
        outputs, _ = self.recurrent(inputs, self.start(inputs))
        logits: Tensor = self.readout(outputs[:, -1])
        return logits


def sequences(
    count: int, distance: int, generator: torch.Generator
) -> tuple[Float[Tensor, "batch time input"], Int[Tensor, "batch"]]:
    """One-hot words, the first of them marked in a column of its own; and that word."""
    words = torch.randint(WORDS, (count, distance + 1), generator=generator)
    inputs = F.one_hot(words, WORDS + 1).float()
    inputs[:, 0, WORDS] = 1.0
    return inputs, words[:, 0]


def train(model: Recall, steps: int, learning_rate: float, distances: tuple[int, ...], seed: int) -> None:
    """Adam, 32 sequences a step, all of one distance, which is drawn; gradients clipped to norm 1."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    for _ in range(steps):
        distance = distances[int(torch.randint(len(distances), (), generator=generator))]
        inputs, first = sequences(32, distance, generator)
        loss = F.cross_entropy(model(inputs), first)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def accuracy(model: Recall, distance: int, count: int = 512) -> float:
    """Share of new sequences whose first word is named, from 0 to 1."""
    inputs, first = sequences(count, distance, torch.Generator().manual_seed(distance))
    return float((model(inputs).argmax(dim=-1) == first).float().mean())


def gradient(model: Recall, distance: int, count: int = 64) -> float:
    """||dL/ds_1|| / ||dL/dh_T||, geometric mean over sequences."""
    model = copy.deepcopy(model).double()
    inputs, first = sequences(count, distance, torch.Generator().manual_seed(1000 + distance))
    inputs = inputs.double()
    _, state = model.recurrent(inputs[:, :1], model.start(inputs))
    state = tuple(part.detach().requires_grad_() for part in state)
    outputs, _ = model.recurrent(inputs[:, 1:], state)
    last = outputs[:, -1]
    loss = F.cross_entropy(model.readout(last), first, reduction="sum")  # the gradient of each is its own
    *early, late = torch.autograd.grad(loss, (*state, last))
    arrived = torch.cat(early, dim=-1).norm(dim=-1).squeeze(0)
    ratio = arrived / late.norm(dim=-1)
    return float(ratio.clamp(min=1e-300).log().mean().exp())


def measure(
    variant: Variant, seed: int, hidden: int, steps: int, learning_rate: float, distances: tuple[int, ...]
) -> dict[str, Any]:
    """One model, by distance: its accuracy, and its gradient before and after training."""
    torch.manual_seed(seed)
    model = Recall(variant.cell, hidden)
    if variant.initialised:
        initialise(model)
    before = [gradient(model, distance) for distance in distances]
    begun = time.process_time()
    train(model, steps, learning_rate, distances, seed)
    return {
        "seed": seed,
        "seconds": round(time.process_time() - begun, 1),
        "accuracy": [accuracy(model, distance) for distance in distances],
        "gradient_before": before,
        "gradient_after": [gradient(model, distance) for distance in distances],
    }


def mean(runs: list[dict[str, Any]], key: str) -> list[float]:
    """Over the seeds, by distance: arithmetic for the accuracy, geometric for gradients."""
    average = statistics.mean if key == "accuracy" else statistics.geometric_mean
    return [average(values) for values in zip(*(run[key] for run in runs), strict=True)]


def table(result: dict[str, Any]) -> list[str]:
    """Markdown: three rows per variant, a column per distance."""
    distances = result["settings"]["distances"]
    lines = [
        "| first weights and cell | measure | " + " | ".join(f"d = {distance}" for distance in distances) + " |",
        "|---|---|" + "---:|" * len(distances),
    ]
    rows = (
        ("accuracy", "accuracy", ".0%"),
        ("gradient before", "gradient_before", ".0e"),
        ("gradient after", "gradient_after", ".0e"),
    )
    for name, runs in result["variants"].items():
        for words, key, form in rows:
            lines.append(f"| {name} | {words} | " + " | ".join(f"{value:{form}}" for value in mean(runs, key)) + " |")
    return lines


def draw(result: dict[str, Any], path: Path) -> None:
    """Accuracy by distance; gradient by distance, before training dashed and after it solid."""
    with picture(path, 12, 5.6) as figure:
        distances = result["settings"]["distances"]
        left, right = figure.subplots(1, 2)
        for name, runs in result["variants"].items():
            look: dict[str, Any] = {"color": VARIANTS[name].colour, "marker": VARIANTS[name].marker, "markersize": 6}
            shares = [[100 * value for value in run["accuracy"]] for run in runs]
            left.fill_between(distances, [*map(min, zip(*shares, strict=True))], [*map(max, zip(*shares, strict=True))],
                              color=look["color"], alpha=0.15, linewidth=0)  # fmt: skip
            left.plot(distances, [100 * value for value in mean(runs, "accuracy")], label=name, **look)
            right.plot(distances, mean(runs, "gradient_before"), linestyle="--", linewidth=1, fillstyle="none", **look)
            right.plot(distances, mean(runs, "gradient_after"), linewidth=2, **look)
        left.axhline(100 / WORDS, color="black", linestyle=":")
        left.annotate("chance", (distances[0], 100 / WORDS), xytext=(0, 3), textcoords="offset points")
        left.set(ylim=(0, 103), ylabel=f"first word recalled (% of sequences; band: {len(runs)} seeds)")
        right.set(yscale="log", ylim=(1e-12, 1e2), ylabel="‖∂loss / ∂first state‖ / ‖∂loss / ∂last output‖ (ratio)")
        right.plot([], [], "k--", linewidth=1, label="before training")
        right.plot([], [], "k-", linewidth=2, label="after training")
        right.legend(loc="lower left", frameon=False)
        left.set_title("What is remembered")
        right.set_title("How much of the gradient gets back to the first word")
        for axes in (left, right):
            axes.set(xscale="log", xlabel="distance d (words between the first word and the question)")
            axes.set_xticks(distances, [str(distance) for distance in distances])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    need_matplotlib()
    torch.set_num_threads(1)
    out, distances = Path(options.out), tuple(options.distances)
    settings = {
        "words": WORDS,
        "hidden": options.hidden,
        "steps": options.steps,
        "learning_rate": options.learning_rate,
        "distances": list(distances),
        "torch": torch.__version__,
    }
    variants = {name: variant for name, variant in VARIANTS.items() if variant.cell in options.cells}
    result: dict[str, Any] = {"settings": settings, "variants": {name: [] for name in variants}}
    for seed in options.seeds:
        for name, variant in variants.items():
            run = measure(variant, seed, options.hidden, options.steps, options.learning_rate, distances)
            result["variants"][name].append(run)
            print(f"seed {seed}, {name}: {run['seconds']} s", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    (out / "remember.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(result, out / "remember.svg")
    print("\n".join(table(result)))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", default=str(PICTURES), metavar="FOLDER", help="for remember.json and remember.svg")
    cells = list(dict.fromkeys(variant.cell for variant in VARIANTS.values()))
    parser.add_argument("--cells", nargs="+", choices=cells, default=cells, help="only these")
    parser.add_argument("--steps", type=int, default=600, help="updates of each model")
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="of Adam")
    parser.add_argument("--hidden", type=int, default=64, help="size of the state, in units")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a model for each")
    parser.add_argument("--distances", type=int, nargs="+", default=list(DISTANCES), help="in words")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
