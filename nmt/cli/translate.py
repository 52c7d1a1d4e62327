"""`nmt translate`."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.options import BatchSize, BeamSize, Device, LengthPenalty, RunArgument, Threads, changes_of, translator_of
from nmt.cli.streams import open_input, open_output, windows_of
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.decoding.translator import Translation


def translate(
    run: RunArgument = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", "-i", help="Text to translate, a line each [default: standard input]")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the translations go [default: standard output]")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[int, typer.Option(min=1, help="Translations of each line, best first")] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a tab before each translation")] = False,
    as_json: Annotated[bool, typer.Option("--jsonl", help="One JSON object per line, with everything")] = False,
    attention: Annotated[bool, typer.Option("--attention", help="Draw the attention between words")] = False,
    pieces: Annotated[bool, typer.Option("--pieces", help="Draw it between subword pieces")] = False,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Add a tab and the word alignment (Pharaoh: source-target, from 0)")
    ] = False,
    batch_size: BatchSize = None,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Translate raw text: a line in, a line out, in order. An empty line stays an empty line."""
    changes = changes_of(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
    if n_best > (beam_size or n_best):
        raise ConfigError(f"--n-best {n_best}: needs a --beam-size of at least {n_best}")
    translator = translator_of(run, device, threads)
    if n_best > int(changes.get("beam_size", translator.settings.beam_size)):
        changes["beam_size"] = n_best
    draw = attention or pieces
    if (draw or alignments) and translator.model.settings.attention == "none":
        raise ConfigError("--attention, --pieces and --alignments: this model has no attention")
    notes: Counter[str] = Counter()
    with open_input(input_file) as source, open_output(output_file) as target:
        for window in windows_of(source, translator, notes):
            translations = translator.translate(
                window, n_best=n_best, attention=draw or alignments or as_json, changes=changes
            )
            for translation in translations:
                notes["lines cut to decoding.max_source pieces"] += translation.cut
                for line in _render(translation, scores, as_json, draw, pieces, alignments):
                    target.write(line.encode() + b"\n")
            target.flush()
    for note, count in notes.items():
        if count:
            print(f"warning: {note}: {count:,}", file=sys.stderr)


def _render(
    translation: "Translation", scores: bool, as_json: bool, draw: bool, pieces: bool, alignments: bool
) -> Iterator[str]:
    """The output for one line: one text line (per candidate), and the drawing if asked for."""
    from nmt.decoding.alignment import draw as draw_matrix
    from nmt.decoding.alignment import pharaoh

    if as_json:
        yield json.dumps(_as_json(translation), ensure_ascii=False)
        return
    for rank, candidate in enumerate(translation.candidates) if translation.candidates else [(0, translation)]:
        score = f"{candidate.score:.4f}\t" if scores else ""
        links = f"\t{pharaoh(translation.alignment)}" if alignments and rank == 0 else ""
        yield f"{score}{candidate.text}{links}"
    matrix = translation.piece_attention if pieces else translation.attention
    if draw and matrix is not None:
        yield draw_matrix(matrix, shutil.get_terminal_size().columns)
        yield ""


def _as_json(translation: "Translation") -> dict[str, object]:
    matrix = translation.attention
    return {
        "source": translation.source,
        "text": translation.text,
        "score": translation.score,
        "log_prob": translation.log_prob,
        "candidates": [vars(candidate) for candidate in translation.candidates],
        "source_words": matrix.source if matrix else [],
        "target_words": matrix.target if matrix else [],
        "attention": [[round(float(weight), 4) for weight in row] for row in matrix.weights] if matrix else [],
        "alignment": translation.alignment,
    }
