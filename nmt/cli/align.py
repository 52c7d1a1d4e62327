"""`nmt align`."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from nmt.shown import json_line, shown

if TYPE_CHECKING:
    from nmt.evaluation.gold import Gold
    from nmt.inference.align import Aligned
    from nmt.inference.alignment import AttentionMatrix
    from nmt.inference.translator import Translator


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
    from nmt.evaluation.gold import Agreement, agreement
    from nmt.inference.alignment import pharaoh

    pairs = _pairs(source, target, encoding, line if plot is not None else 0)
    known = None
    if gold is not None:
        pairs = list(pairs)  # all at once, to say what does not fit before anything is written; gold texts are short
        known = _known_links(gold, pairs, word_kind)
    translator = translator_of(runs, device, threads)
    if not translator.attends:
        raise ConfigError("align: this model has no attention")
    total, cut, lines = Agreement(0, 0, 0, 0), 0, 0
    drawn: list[AttentionMatrix] = []
    with open_output(output_file) as file:
        for pair, found in _aligned(translator, pairs, word_kind, changes):
            lines += 1
            text = _as_json(lines, pair, found) if as_json else pharaoh(found.links)
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
            f"({lines:,} lines, {total.found:,} links, {total.sure:,} sure gold links)",
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
    return f"--line {line}: {source} has {count:,} lines"


def _known_links(gold: Path, pairs: list[tuple[str, str]], word_kind: str) -> "list[Gold]":
    """Read gold links. Warn if they seem to count other words."""
    from nmt.evaluation.gold import BETWEEN_SPACES, counts_between_spaces, read_gold

    known = read_gold(gold, pairs, word_kind)
    if word_kind == "scripts" and counts_between_spaces(known, pairs):
        _warn(f"{gold}: {BETWEEN_SPACES}")
    return known


def _warn(line: str) -> None:
    print(shown(f"warning: {line}"), file=sys.stderr)


def _as_json(line: int, pair: tuple[str, str], found: "Aligned") -> str:
    values = {
        "line": line,
        "source": pair[0],
        "target": pair[1],
        "source_words": found.words.source,
        "target_words": found.words.target,
        "attention": [[round(float(weight), 4) for weight in row] for row in found.words.weights],
        "alignment": found.links,
    }
    return json_line(values)


def _aligned(
    translator: "Translator", pairs: Iterable[tuple[str, str]], words: str, changes: dict[str, Any]
) -> Iterator[tuple[tuple[str, str], "Aligned"]]:
    """Yield each pair with its alignment; only one window of pairs is in memory."""
    from nmt.data.batching import chunked
    from nmt.inference.align import align as align_pairs

    for window in chunked(pairs, changes.get("window", translator.settings.window)):
        yield from zip(window, align_pairs(translator, window, words=words, changes=changes), strict=True)
