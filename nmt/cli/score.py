"""`nmt score`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.options import (
    BatchSize,
    Device,
    RunsAndSettings,
    TextEncoding,
    Threads,
    changes_of,
    check_alone,
    runs_and_settings,
    translator_of,
)
from nmt.cli.streams import check_output, open_output
from nmt.config import decoding_changes
from nmt.shown import amount, json_line, shown

if TYPE_CHECKING:
    from nmt.inference.scoring import Scored


def score(
    source: Annotated[Path, typer.Option(help="Source text, one sentence per line")],
    target: Annotated[Path, typer.Option(help="Translation of the source text, line by line")],
    words: RunsAndSettings = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file [default: standard output]")
    ] = None,
    per_token: Annotated[
        bool,
        typer.Option(
            "--per-token", help="Add a tab-separated column for each token: the token, a space, its log-probability"
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line with all results")] = False,
    batch_size: BatchSize = None,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Score given translations: one natural log-probability per line, perplexity on standard error."""
    runs, settings = runs_and_settings(words)
    changes = decoding_changes(settings, changes_of(batch_size=batch_size))
    if as_json:
        check_alone(per_token=per_token)
    check_output(output_file, source, target)
    from nmt.data.batching import chunked
    from nmt.data.formats.sides import read_two
    from nmt.inference.scoring import perplexity

    translator = translator_of(runs, device, threads)
    translator.score([], changes=changes)  # refuses what has no effect before anything is written
    pairs = read_two(source, target, encoding)
    lines = tokens = cut = 0
    log_prob = 0.0
    with open_output(output_file) as file:
        for window in chunked(pairs, changes.get("window", translator.settings.window)):
            for scored in translator.score(((pair.source, pair.target) for pair in window), changes=changes):
                file.write(_render(lines + 1, scored, per_token, as_json).encode() + b"\n")
                lines, tokens, cut = lines + 1, tokens + len(scored.tokens), cut + scored.cut
                log_prob += scored.log_prob
            file.flush()
    if cut:
        print(f"warning: lines cut to decoding.max_source tokens: {cut:,}", file=sys.stderr)
    print(
        f"{amount(lines, 'line')}, {amount(tokens, 'token')} (eos included): log-probability {log_prob:.4f}, "
        f"perplexity {perplexity(log_prob, tokens):.4f} per token",
        file=sys.stderr,
    )


def _render(line: int, scored: "Scored", per_token: bool, as_json: bool) -> str:
    if as_json:
        values = {
            "line": line,
            "source": scored.source,
            "target": scored.target,
            "log_prob": scored.log_prob,
            "perplexity": scored.perplexity,
            "tokens": scored.tokens,
            "log_probs": scored.log_probs,
        }
        return json_line(values)
    parts = zip(scored.tokens, scored.log_probs, strict=True) if per_token else ()
    return "\t".join([f"{scored.log_prob:.4f}", *(f"{shown(token)} {log_prob:.4f}" for token, log_prob in parts)])
