"""What was measured, as ratios and as a table in a page."""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from peers.toolkits import EXPORTED, OURS, PEER, SAME_ALONE, SAME_WEIGHTS, TOOLKITS

from nmt.model.int8 import multiplies_int8

TOLERANCE = 0.9  # share of a recorded ratio that is still as fast as before
MARKS = ("<!-- written by `python scripts/bench_peers.py --page docs/lab/benchmarks.md` -->", "<!-- end -->")


class Rounds(NamedTuple):
    """What was measured: {toolkit: values}. Values at the same index were measured in turns, one after another."""

    training: dict[str, list[float]]  # target tokens per second
    decoding: dict[str, dict[str, list[float]]]  # `batch_32_beam_5` -> sentences per second, several in a round
    matmul: dict[str, list[float]]  # precision -> floating-point operations per second in large products


def ratios(rounds: Rounds) -> dict[str, dict[str, float]]:
    """{training or a search: {`ours / other`: by how many times ours is faster}}"""
    works = {"training": rounds.training, **rounds.decoding}
    peers = [name for name in TOOLKITS if name not in OURS]
    pairs = [("nmt", other) for other in ("nmt float32", *peers)]
    pairs += [(own, other) for own in EXPORTED for other in ("nmt", *peers)]
    return {
        work: {
            f"{our} / {other}": _faster(rates, our, other) for our, other in pairs if our in rates and other in rates
        }
        for work, rates in works.items()
    }


def falls(before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield a line for every ratio that has fallen by more than a tenth. Without VNNI, int8 computes in float32."""
    for work, found in now.items():
        for pair, ratio in found.items():
            if "int8" in pair and not multiplies_int8():
                continue
            old = before.get(work, {}).get(pair)
            if old and ratio / old < TOLERANCE:
                yield f"{work}: {pair} was {old:.2f}, and is {ratio:.2f}"


def keep_record(path: Path, machine: str, found: dict[str, dict[str, float]]) -> None:
    """Write the ratios of a machine into {machine: ratios}; those of other machines, and of other pairs, stay."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    before = known.get(machine, {})
    known[machine] = {work: {**before.get(work, {}), **found.get(work, {})} for work in {**before, **found}}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def table(rounds: Rounds, about: dict[str, Any]) -> Iterator[str]:
    """Markdown: medians, and ratios, which are medians over the rounds as well."""
    products = ", ".join(
        f"{statistics.median(rates) / 1e9:,.0f} GFLOP/s in {precision}"
        for precision, rates in sorted(rounds.matmul.items(), reverse=True)
    )
    yield (
        f"Threads: {about['threads']}; torch {about['torch']}; {len(rounds.matmul['float32'])} rounds, each "
        f"with {about['batches']} training batches and {about['searches']} runs of every search; large products: "
        f"{products}; this CPU has {', '.join(about['cpu_features']) or 'none of the features that matter here'}."
    )
    yield ""
    yield "| training | precision | parameters | target tokens/s | lowest and highest round | MFU | nmt is faster |"
    yield "|---|---|---|---|---|---|---|"
    for name, rates in rounds.training.items():
        precision = about["precisions"].get(name, "float32")
        limits = rounds.matmul[precision]
        shares = [rate * about["flops_per_token"] / limit for rate, limit in zip(rates, limits, strict=True)]
        yield (
            f"| {_title(name, about)} | {precision} | "
            f"{about['parameters'][name] / 1e6:.1f} M | {statistics.median(rates):,.0f} | "
            f"{min(rates):,.0f} to {max(rates):,.0f} | {100 * statistics.median(shares):.0f} % | "
            f"{_times(rounds.training, name)} |"
        )
    toolkits = list(next(iter(rounds.decoding.values())))
    if not toolkits:
        return
    yield ""
    yield f"| decoding, sentences/s | {' | '.join(search_title(key) for key in rounds.decoding)} |"
    yield f"|---|{'---|' * len(rounds.decoding)}"
    for name in toolkits:
        cells = (_rate(rates, name) for rates in rounds.decoding.values())
        yield f"| {_title(name, about)} | {' | '.join(cells)} |"
    yield ""
    same = [
        f" {' and '.join(names)} made the same {about[count]} translations{how} with the same weights."
        for names, count, how in (
            (SAME_WEIGHTS, "equal_translations", ""),
            (SAME_ALONE, "equal_alone", " of sentences one by one"),
        )
        if about.get(count)
    ]
    compared = "".join(same) or " No translations were compared."
    yield f"A translation has {about['length']} pieces and its end.{compared}"


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


def search_title(key: str) -> str:
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
