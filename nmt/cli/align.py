"""`nmt align`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.options import (
    BatchSize,
    Device,
    RunAndSettings,
    TextEncoding,
    Threads,
    WordKind,
    changes_of,
    check_words,
    runs_and_settings,
    translator_of,
)
from nmt.cli.streams import check_output, open_output
from nmt.config import decoding_changes
from nmt.errors import ConfigError, DataError
from nmt.shown import amount, json_line, shown

if TYPE_CHECKING:
    from nmt.inference.alignment import AttentionMatrix


def align(
    source: Annotated[Path, typer.Option(help="Source text, one sentence per line")],
    target: Annotated[Path, typer.Option(help="Translation of the source text, line by line")],
    words: RunAndSettings = None,
    gold: Annotated[
        Path | None,
        typer.Option(help="Gold alignments; reports alignment error rate, precision and recall on standard error"),
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file [default: standard output]")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the attention matrix of one sentence pair into this file (.svg, .png, .pdf)"),
    ] = None,
    line: Annotated[
        int, typer.Option(min=1, max=1_000_000_000, help="Number of the sentence pair to draw with --plot")
    ] = 1,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Draw the sentence pairs from --line on, up to 60, beside each other")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object per pair: words, alignment links, attention weights")
    ] = False,
    word_kind: WordKind = "scripts",
    batch_size: BatchSize = None,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Align the words of given translations by the model's attention: one line of links per pair (Pharaoh format)."""
    runs, settings = runs_and_settings(words, most=1)
    changes = decoding_changes(settings, changes_of(batch_size=batch_size))
    check_words(word_kind)
    check_output(output_file, source, target, gold)
    if plot is not None:
        from nmt.plots import SHEET, attention_picture, check_picture, contact_sheet

        check_picture(plot)
    elif sheet:
        raise ConfigError("--sheet: needs --plot FILE")
    from nmt.evaluation.gold import Agreement, agreement, read_gold
    from nmt.inference.alignment import pharaoh

    pairs = _pairs(source, target, encoding, line if plot is not None else 0)
    known = None
    if gold is not None:
        pairs = list(pairs)  # all at once, to say what does not fit before anything is written; gold texts are short
        known = read_gold(gold, pairs, word_kind, _warn)
    translator = translator_of(runs, device, threads)
    if not translator.attends:
        raise ConfigError("align: this model has no attention")
    from nmt.data.batching import chunked
    from nmt.inference.align import align as align_pairs

    aligned = (  # only one window of pairs is in memory
        found
        for window in chunked(pairs, changes.get("window", translator.settings.window))
        for found in zip(window, align_pairs(translator, window, words=word_kind, changes=changes), strict=True)
    )
    total, cut, lines = Agreement(0, 0, 0, 0), 0, 0
    drawn: list[AttentionMatrix] = []
    with open_output(output_file) as file:
        for (source_line, target_line), found in aligned:
            lines += 1
            text = (
                json_line({"line": lines, "source": source_line, "target": target_line, **found.to_dict()})
                if as_json
                else pharaoh(found.links)
            )
            file.write(f"{text}\n".encode())
            cut += found.cut
            if plot is not None and line <= lines < line + (SHEET if sheet else 1):
                drawn.append(found.words)
            if known is not None:
                total = Agreement(*map(sum, zip(total, agreement(found.links, known[lines - 1]), strict=True)))
    if plot is not None and not drawn:
        raise DataError(_too_few(line, source, lines))
    if plot is not None and sheet:
        contact_sheet(drawn, line, plot, _warn)
    elif plot is not None:
        attention_picture(drawn[0], plot, _warn)
    if cut:
        print(f"warning: lines cut to decoding.max_source tokens: {cut:,}", file=sys.stderr)
    if known is not None:
        print(
            f"alignment error rate {total.error_rate:.1%}, precision {total.precision:.1%}, recall {total.recall:.1%} "
            f"({amount(lines, 'line')}, {amount(total.found, 'link')}, {amount(total.sure, 'sure gold link')})",
            file=sys.stderr,
        )


def _pairs(source: Path, target: Path, encoding: str, drawn: int) -> Iterable[tuple[str, str]]:
    """Return the pairs, to be read once. Files, unlike pipes, are read before too: what is wrong with the text, or with
    the number of the line to draw, is found before hours of work."""
    from nmt.data.formats.sides import read_two

    if source.is_file() and target.is_file():
        count = sum(1 for _ in read_two(source, target, encoding))
        if drawn > count:
            raise DataError(_too_few(drawn, source, count))
    return ((pair.source, pair.target) for pair in read_two(source, target, encoding))


def _too_few(line: int, source: Path, count: int) -> str:
    return f"--line {line}: {source} has {amount(count, 'line')}"


def _warn(line: str) -> None:
    print(shown(f"warning: {line}"), file=sys.stderr)
