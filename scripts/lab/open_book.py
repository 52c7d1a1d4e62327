"""The open book gets slow: time to decode a token, by the length of the source, for every attention of nmt.

    python scripts/lab/open_book.py --quick      # a look: two repetitions
    python scripts/lab/open_book.py              # table; docs/lab/pictures/open_book.json and open_book.svg; 3 minutes

One sentence, one thread, random weights, the model of configs/multi30k-en-fr.yaml. The source is encoded first, which
is not in the times; then 50 tokens are decoded. A time is that of such a pass divided by 50, median over repetitions.
In a repetition every attention has its turn at every length, so that whatever else the machine does hits all alike.

* step: given words go through `model.step`, one after the other; with `--beam 5` five hypotheses at once.
* attention: the attention's share of that, its module alone.
* search: a whole greedy search, for the two attentions that read nothing or a window: what search adds to `step` (its
  record of what has been attended to is as long as the source).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from pictures import PICTURES, need_matplotlib
from torch import Tensor

from nmt import config
from nmt.config import DecodingSettings, ModelSettings
from nmt.inference.search import greedy_search
from nmt.model import Seq2Seq
from nmt.model.attention import ATTENTIONS
from nmt.model.decoder import RecurrentDecoder
from nmt.model.memory import Memory
from nmt.model.recurrent import State
from nmt.plots import picture

PROJECT = Path(__file__).parent.parent.parent
CONFIG = PROJECT / "configs" / "multi30k-en-fr.yaml"
LENGTHS = (25, 50, 100, 200, 500, 1000, 2000)
FIRST_WORD = 4  # ids below are padding, unknown, begin, end
SEARCHED = ("none", "local")  # nothing to read, and a window: in both, what grows is not the reading
TITLES = {"step": "A decoding step as a whole", "attention": "The attention alone"}


class Look(NamedTuple):
    colour: str
    marker: str
    style: str


# Okabe & Ito's colours, safe for the colour-blind; the twelve differ in colour, marker and stroke.
LOOKS = {
    "none": Look("#000000", "", ":"),
    "dot": Look("#0072B2", "o", "-"),
    "scaled_dot": Look("#0072B2", "s", "--"),
    "cosine": Look("#56B4E9", "^", "-"),
    "general": Look("#56B4E9", "v", "--"),
    "additive": Look("#D55E00", "o", "-"),
    "qkv": Look("#CC79A7", "s", "-"),
    "multihead": Look("#CC79A7", "D", "--"),
    "hard": Look("#E69F00", "v", "-"),
    "location": Look("#999999", "P", "-"),
    "local": Look("#009E73", "D", "-"),
    "coverage": Look("#D55E00", "X", "--"),
}
OTHER = Look("#666666", "x", "-.")


class Encoded(NamedTuple):
    """A model that has read its source."""

    model: Seq2Seq
    source: Int[Tensor, "batch src"]
    memory: Memory
    state: State


class Read:
    """What search needs of a model, with the source already read: the encoder's time is not search's."""

    def __init__(self, encoded: Encoded) -> None:
        self.encoded = encoded

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        return self.encoded.memory, self.encoded.state

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        return self.encoded.model.step(tokens, state, memory)


def build(attention: str, changes: dict[str, Any]) -> Seq2Seq:
    """The config's model with random weights."""
    settings = config.load(CONFIG, [f"model.attention={attention}"])
    torch.manual_seed(1)
    model = ModelSettings(**{**settings.model.model_dump(), **changes})
    return Seq2Seq(model, settings.subword.vocab_size, settings.subword.vocab_size).eval()


def read(model: Seq2Seq, length: int) -> Encoded:
    """One source of so many pieces, encoded."""
    vocab = model.target_embedding.table.num_embeddings
    source = torch.randint(FIRST_WORD, vocab, (1, length), generator=torch.Generator().manual_seed(length))
    return Encoded(model, source, *model.encode(source))


def decode(encoded: Encoded, words: Int[Tensor, "steps rows"]) -> None:
    """The given words, one after the other, for as many hypotheses as there are rows."""
    state = tuple(part.repeat_interleave(words.size(1), dim=1) for part in encoded.state)
    for tokens in words:
        _, state, _ = encoded.model.step(tokens, state, encoded.memory)


def attend(encoded: Encoded, steps: int, rows: int) -> None:
    """What `decode` asks of the attention, and nothing else."""
    decoder, settings = encoded.model.decoder, encoded.model.settings
    assert isinstance(decoder, RecurrentDecoder)
    attention = decoder.attention
    query, word = torch.ones(rows, 1, settings.hidden), torch.ones(rows, 1, settings.embedding)
    past = tuple(part.repeat_interleave(rows, dim=1) for part in attention.initial_state(encoded.memory))
    for _ in range(steps):
        past = attention(query, encoded.memory, word, past).cache


def search(encoded: Encoded, steps: int) -> None:
    """A greedy search of `steps` words; it would end sooner, were it allowed to."""
    settings = DecodingSettings(beam_size=1, min_length=steps, max_length=steps, max_ratio=float(steps))
    greedy_search(Read(encoded), encoded.source, settings)


def timed(work: Callable[..., None], *arguments: Any) -> float:
    """Seconds."""
    begun = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun


@torch.inference_mode()
def measure(
    attentions: list[str], lengths: list[int], steps: int, rows: int, repetitions: int, changes: dict[str, Any]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """{"step", "attention" or "search": {attention: {length: seconds per token, of each repetition}}}."""
    models = {attention: build(attention, changes) for attention in attentions}
    encoded = {(name, length): read(models[name], length) for name in attentions for length in lengths}
    vocab = next(iter(models.values())).target_embedding.table.num_embeddings
    words = torch.randint(FIRST_WORD, vocab, (steps, rows), generator=torch.Generator().manual_seed(0))
    searched = [name for name in SEARCHED if name in attentions] if rows == 1 else []
    seconds: dict[str, dict[str, dict[str, list[float]]]] = {
        route: {name: {str(length): [] for length in lengths} for name in names}
        for route, names in (("step", attentions), ("attention", attentions), ("search", searched))
    }
    for repetition in range(-1, repetitions):  # the first is a warm-up and not counted
        for (name, length), at_hand in encoded.items():
            passes = {"step": timed(decode, at_hand, words), "attention": timed(attend, at_hand, steps, rows)}
            if name in searched:
                passes["search"] = timed(search, at_hand, steps)
            if repetition >= 0:
                for route, taken in passes.items():
                    seconds[route][name][str(length)].append(taken / steps)
        print(f"repetition {repetition + 1} of {repetitions}", file=sys.stderr)
    return seconds


def medians(times: dict[str, list[float]]) -> list[float]:
    """By length, in microseconds."""
    return [1e6 * statistics.median(repetitions) for repetitions in times.values()]


def table(result: dict[str, Any]) -> list[str]:
    """Markdown: microseconds per token, a row per attention, a column per length; last, longest over shortest."""
    lengths = result["settings"]["lengths"]
    lines = [
        "| time | attention | " + " | ".join(f"{m:,}" for m in lengths) + f" | {lengths[-1]:,} / {lengths[0]:,} |",
        "|---|---|" + "---:|" * (len(lengths) + 1),
    ]
    for route, rows in result["seconds_per_token"].items():
        for name, times in rows.items():
            values = medians(times)
            cells = " | ".join(f"{value:,.0f}" for value in values)
            lines.append(f"| {route} | {name} | {cells} | {values[-1] / values[0]:.1f} |")
    return lines


def draw(result: dict[str, Any], path: Path) -> None:
    """Time by length, both logarithmic: the whole step, and the attention alone."""
    settings = result["settings"]
    with picture(path, 13, 5.6) as figure:
        for axes, (route, title) in zip(figure.subplots(1, 2), TITLES.items(), strict=True):
            _draw_times(axes, settings["lengths"], result["seconds_per_token"][route])
            axes.set_title(title)
            axes.set_ylabel(f"time per decoded token (µs; median of {settings['repetitions']})")
        beam = "1 hypothesis" if settings["rows"] == 1 else f"{settings['rows']} hypotheses"
        names, labels = axes.get_legend_handles_labels()
        figure.legend(names, labels, loc="outside right center", frameon=False, title=f"attention\n({beam})")


def _draw_times(axes: Any, lengths: list[int], times: dict[str, dict[str, list[float]]]) -> None:
    """The lines, slowest at the longest source first, so that the legend has them from top to bottom."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    for name in sorted(times, key=lambda name: -medians(times[name])[-1]):
        look = LOOKS.get(name, OTHER)
        axes.plot(
            lengths, medians(times[name]), color=look.colour, marker=look.marker, linestyle=look.style, label=name
        )
    axes.set(xscale="log", yscale="log", xlabel="length of the source (pieces)")
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    labelled = "25" if high > 10 * low else "234568"  # within a decade there is room for more
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" * (f"{value:e}"[0] in labelled)))
    axes.grid(which="both", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    need_matplotlib()
    torch.set_num_threads(1)
    repetitions = 2 if options.quick else options.repetitions
    changes = {} if options.hidden is None else {"hidden": options.hidden}
    seconds = measure(options.attentions, options.lengths, options.steps, options.beam, repetitions, changes)
    settings = {
        "config": CONFIG.name,
        **changes,
        "lengths": options.lengths,
        "steps": options.steps,
        "rows": options.beam,
        "repetitions": repetitions,
        "torch": torch.__version__,
    }
    result = {"settings": settings, "seconds_per_token": seconds}
    out, name = Path(options.out), "open_book" if options.beam == 1 else f"open_book_beam{options.beam}"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(result, out / f"{name}.svg")
    print("\n".join(table(result)))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", default=str(PICTURES), metavar="FOLDER", help="for open_book.json and open_book.svg")
    parser.add_argument("--quick", action="store_true", help="two repetitions")
    parser.add_argument("--repetitions", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--beam", type=int, default=1, help="hypotheses decoded at once; 5: open_book_beam5.*")
    parser.add_argument("--steps", type=int, default=50, help="decoded words")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS), help="of the source, in pieces")
    parser.add_argument(
        "--attentions", nargs="+", choices=list(ATTENTIONS), default=list(ATTENTIONS), help="only these"
    )
    parser.add_argument("--hidden", type=int, help="size of the model's states in place of the config's")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
