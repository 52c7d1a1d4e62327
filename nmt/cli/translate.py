"""`nmt translate`."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmt.cli.documents import check_document_options, chosen_format, read_document, translate_document
from nmt.cli.options import (
    BatchSize,
    BeamSize,
    Device,
    LengthPenalty,
    RunsArgument,
    TextEncoding,
    Threads,
    changes_of,
    check_alone,
    option,
    translator_of,
)
from nmt.cli.streams import open_input, open_output, windows_of
from nmt.errors import ConfigError
from nmt.shown import json_line, shown

if TYPE_CHECKING:
    from nmt.decoding.sampling import Sampling
    from nmt.decoding.translator import Translation


def translate(
    runs: RunsArgument = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", "-i", help="Text to translate, a line each [default: standard input]")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the translations go [default: standard output]")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int, typer.Option(min=1, max=1000, help="Translations of each line, best first; samples as drawn")
    ] = 1,
    sample: Annotated[bool, typer.Option("--sample", help="Draw from the model's distribution; no beam")] = False,
    mbr: Annotated[
        int | None,
        typer.Option(
            min=2, max=1000, metavar="N", help="Draw N samples; take the one with the highest mean chrF to the others"
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000,
            help="Samples: below 1 likelier words, above 1 bolder ones [default: 1]",
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=0, max=1_000_000, help="Samples: from the K likeliest words [default: from all]")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Samples: from the likeliest words that have probability P [default: from all]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**64 - 1, help="Samples: the same ones each time [default: others]")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Put the score and a tab before each translation")] = False,
    as_json: Annotated[bool, typer.Option("--jsonl", help="One JSON object per line, with everything")] = False,
    attention: Annotated[bool, typer.Option("--attention", help="Draw the attention between words")] = False,
    pieces: Annotated[bool, typer.Option("--pieces", help="Draw it between subword pieces")] = False,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Add a tab and the word alignment (Pharaoh: source-target, from 0)")
    ] = False,
    flags: Annotated[
        bool, typer.Option("--flags", help="Add a tab and what looks wrong: repetition, length, copied, ...")
    ] = False,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="text, po, xliff, tmx, tsv, csv, jsonl, srt, sgm [default: by the ending of the input]"
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", "--field", help="Column (number, name) or key to translate; a second one: where it goes"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Files with translations: make those anew that are there")
    ] = False,
    batch_size: BatchSize = None,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Translate raw text: a line in, a line out, in order. An empty line stays an empty line.

    Files of translators and programs (.po, .xliff, .tmx, .tsv, .csv, .jsonl, .srt) keep their form: what has no
    translation yet gets one, marked for review.
    """
    changes = changes_of(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
    drawn = changes_of(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    _check_together(sample, mbr, drawn, changes, n_best)
    if as_json:
        check_alone(scores=scores, attention=attention, pieces=pieces, alignments=alignments, flags=flags)
    kind = chosen_format(input_file, file_format)
    text_only = {
        "--n-best": n_best > 1,
        "--scores": scores,
        "--jsonl": as_json,
        "--attention": attention,
        "--pieces": pieces,
        "--alignments": alignments,
        "--flags": flags,
    }
    check_document_options(kind, {"--column": column, "--overwrite": overwrite, **text_only})
    document = read_document(input_file, kind, runs, column, overwrite, encoding) if kind and input_file else None
    sampling = _sampling(drawn) if sample or mbr else None
    translator = translator_of(runs, device, threads)
    if not sampling and n_best > int(changes.get("beam_size", translator.settings.beam_size)):
        changes["beam_size"] = n_best
    if document and input_file:

        def translated(texts: list[str], first: int) -> "list[Translation]":
            return translator.translate(
                texts, attention=False, sampling=sampling, mbr=mbr or 0, first_line=first, changes=changes
            )

        translate_document(document, translated, translator.settings.window, input_file, output_file)
        return
    draw = attention or pieces
    if (draw or alignments) and not translator.attends:
        raise ConfigError("--attention, --pieces and --alignments: this model has no attention")
    notes: Counter[str] = Counter()
    lines = 0
    with open_input(input_file, encoding) as source, open_output(output_file) as target:
        for window in windows_of(source, translator, notes):
            translations = translator.translate(
                window,
                n_best=n_best,
                attention=draw or alignments or flags or as_json,
                sampling=sampling,
                mbr=mbr or 0,
                first_line=lines + 1,
                changes=changes,
            )
            lines += len(window)
            for translation in translations:
                notes["lines with words that the vocabulary lacks, copied from the source"] += translation.unknown > 0
                notes["lines cut to decoding.max_source pieces"] += translation.cut
                split = "lines longer than those in training, translated in parts split at sentence ends"
                notes[split] += translation.parts > 1
                for line in _render(translation, scores, as_json, draw, pieces, alignments, flags):
                    target.write(line.encode() + b"\n")
            target.flush()
    for note, count in notes.items():
        if count:
            print(shown(f"warning: {note}: {count:,}"), file=sys.stderr)


def _check_together(
    sample: bool, mbr: int | None, drawn: dict[str, int | float], changes: dict[str, int | float], n_best: int
) -> None:
    """Raises ConfigError if an option could have no effect beside the others."""
    if not (sample or mbr):
        problems = [f"{option(name)}: needs --sample or --mbr" for name in drawn]
        if n_best > changes.get("beam_size", n_best):
            problems.append(f"--n-best {n_best}: needs a --beam-size of at least {n_best}")
    else:
        which = "--mbr" if mbr else "--sample"
        beam = [name for name in changes if name in {"beam_size", "length_penalty"}]
        problems = [
            f"{option(name)}: has no effect with {which}, which draws without a beam; remove it" for name in beam
        ]
        if mbr and n_best > mbr:
            problems.append(f"--n-best {n_best}: needs --mbr of at least {n_best}")
    if problems:
        raise ConfigError(*problems)


def _sampling(drawn: dict[str, Any]) -> "Sampling":
    from nmt.decoding.sampling import Sampling

    try:
        return Sampling(**drawn)
    except ConfigError as error:
        raise ConfigError(*(f"--{problem.replace('_', '-', 1)}" for problem in error.problems)) from None


def _render(
    translation: "Translation",
    scores: bool,
    as_json: bool,
    draw: bool,
    pieces: bool,
    alignments: bool,
    flags: bool,
) -> Iterator[str]:
    """The output for one line: one text line (per candidate), and the drawing if asked for."""
    from nmt.decoding.alignment import pharaoh
    from nmt.decoding.drawing import draw as draw_matrix

    if as_json:
        yield json_line(_as_json(translation))
        return
    for rank, candidate in enumerate(translation.candidates) if translation.candidates else [(0, translation)]:
        score = f"{candidate.score:.4f}\t" if scores else ""
        links = f"\t{pharaoh(translation.alignment)}" if alignments and rank == 0 else ""
        doubts = f"\t{','.join(_flags(translation))}" if flags and rank == 0 else ""
        yield f"{score}{candidate.text}{links}{doubts}"
    matrix = translation.piece_attention if pieces else translation.attention
    if draw and matrix is not None:
        yield draw_matrix(matrix, shutil.get_terminal_size().columns)
        yield ""


def _flags(translation: "Translation") -> list[str]:
    from nmt.decoding.flags import flags

    return flags(translation.source, translation.text, translation.log_prob, translation.attention)


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
        "flags": _flags(translation),
    }
