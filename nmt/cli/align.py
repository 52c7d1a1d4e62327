"""`nmt align`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.options import Device, RunArgument, TextEncoding, Threads, translator_of
from nmt.cli.streams import open_output
from nmt.errors import ConfigError, DataError

if TYPE_CHECKING:
    from nmt.decoding.align import Aligned
    from nmt.decoding.gold import Agreement
    from nmt.decoding.translator import Translator


def align(
    source: Annotated[Path, typer.Option(help="Source text")],
    target: Annotated[Path, typer.Option(help="Its translation, line by line")],
    run: RunArgument = None,
    gold: Annotated[
        Path | None, typer.Option(help="Gold alignments; tells error rate, precision and recall on standard error")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the alignments go [default: standard output]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the attention of one pair into this file (.svg, .png, .pdf)")
    ] = None,
    line: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="The pair that --plot draws")] = 1,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Align the words of given translations by the attention to them: per pair a line of links (Pharaoh, from 0)."""
    if plot is not None:
        from nmt.plots import attention_picture, check_picture

        check_picture(plot)
    from nmt.data.corpus import ParallelFiles, read_pairs
    from nmt.decoding.alignment import pharaoh
    from nmt.decoding.gold import Agreement, agreement, read_gold

    pairs = [(pair.source, pair.target) for pair in read_pairs(ParallelFiles(source, target), encoding=encoding)]
    if plot is not None and line > len(pairs):
        raise DataError(f"--line {line}: {source} has {len(pairs):,} lines")
    known = None if gold is None else read_gold(gold, pairs)
    translator = translator_of(run, device, threads)
    if not translator.attends:
        raise ConfigError("align: this model has no attention")
    total, cut = Agreement(0, 0, 0, 0), 0
    with open_output(output_file) as file:
        for index, found in enumerate(_aligned(translator, pairs)):
            file.write(f"{pharaoh(found.links)}\n".encode())
            cut += found.cut
            if plot is not None and index == line - 1:
                attention_picture(found.words, plot)
            if known is not None:
                total = Agreement(*map(sum, zip(total, agreement(found.links, known[index]), strict=True)))
    if cut:
        print(f"warning: lines cut to decoding.max_source pieces: {cut:,}", file=sys.stderr)
    if known is not None:
        print(_describe(total, len(pairs)), file=sys.stderr)


def _aligned(translator: "Translator", pairs: list[tuple[str, str]]) -> Iterator["Aligned"]:
    from nmt.data.batching import chunked
    from nmt.decoding.align import align as align_pairs

    for window in chunked(pairs, translator.settings.window):
        yield from align_pairs(translator, window)


def _describe(total: "Agreement", lines: int) -> str:
    return (
        f"alignment error rate {total.error_rate:.1%}, precision {total.precision:.1%}, recall {total.recall:.1%} "
        f"({lines:,} lines, {total.found:,} links, {total.sure:,} sure gold links)"
    )
