"""Attention cures long sentences: BLEU by the length of the source, with attention and without.

    python scripts/lab/ablation.py run --out results --systems none general additive     # once: trains and scores them
    python scripts/lab/long_sentences.py results/*.jsonl --out lengths.svg               # the picture, and a table

Whatever the systems that are shown, they are those of scripts/lab/ablation.py, trained at an equal budget; of several
seeds the mean is drawn, with a band from the worst to the best.
"""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation import results
from pictures import PICTURES, need_matplotlib

from nmt.plots import picture

# Okabe & Ito's colours, safe for the colour-blind.
LOOKS = {"none": ("#000000", "o"), "general": ("#56B4E9", "v"), "additive": ("#D55E00", "s"), "local": ("#009E73", "D")}
OTHER = ("#CC79A7", "^")


def by_length(results: list[dict[str, Any]], system: str) -> dict[tuple[int, int], list[float]]:
    """{(shortest, longest) in words: BLEU of each seed}."""
    groups: dict[tuple[int, int], list[float]] = {}
    for result in results:
        if result["system"] == system and "by_length" in result:
            for group in result["by_length"]:
                groups.setdefault(tuple(group["words"]), []).append(group["bleu"])
    return groups


def table(results: list[dict[str, Any]], systems: list[str]) -> Iterator[str]:
    """Markdown: a row per system, a column per group of lengths."""
    columns = list(by_length(results, systems[0]))
    yield "| system | " + " | ".join(f"{shortest}-{longest}" for shortest, longest in columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for system in systems:
        means = (statistics.mean(scores) for scores in by_length(results, system).values())
        yield f"| {system} | " + " | ".join(f"{mean:.1f}" for mean in means) + " |"


def draw(results: list[dict[str, Any]], systems: list[str], path: Path) -> None:
    """BLEU over length; the mean of the seeds, and a band from the worst to the best."""
    with picture(path, 8, 5) as figure:
        axes = figure.subplots()
        for system in systems:
            colour, marker = LOOKS.get(system, OTHER)
            groups = by_length(results, system)
            places = range(len(groups))
            means = [statistics.mean(scores) for scores in groups.values()]
            low, high = [min(scores) for scores in groups.values()], [max(scores) for scores in groups.values()]
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(places, means, color=colour, marker=marker, label=system)
        axes.set_xticks(places, [f"{shortest}-{longest}" for shortest, longest in groups])
        axes.set(xlabel="length of the source (words)", ylabel="BLEU on the test set", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(title="attention", frameon=False)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    need_matplotlib()
    found = results(options.files)
    draw(found, options.systems, options.out)
    print("\n".join(table(found, options.systems)))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="results of scripts/lab/ablation.py")
    parser.add_argument("--systems", nargs="+", default=["none", "general", "additive"], metavar="SYSTEM")
    parser.add_argument("--out", type=Path, default=PICTURES / "long_sentences.svg", metavar="FILE", help="the picture")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
