"""`nmt translate`."""

import math
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.documents import check_document_options, chosen_format, prefixes_of, read_document, translate_document
from nmt.cli.in_parts import check_files, recipe_of, translate_in_parts
from nmt.cli.options import (
    BatchSize,
    BeamSize,
    Device,
    LengthPenalty,
    RunsAndSettings,
    TextEncoding,
    Threads,
    WordKind,
    as_typed,
    calibrate_for,
    changes_of,
    check_alone,
    joined_ranks,
    option,
    runs_and_settings,
    say_precision,
    translator_of,
)
from nmt.cli.streams import check_output, open_input, open_output, open_prefixes, windows_of
from nmt.config import decoding_changes
from nmt.errors import ConfigError, DataError
from nmt.shown import counted, json_line, shown

MANY = 1000  # lines of a text for which it pays to measure what is fast here, if it is not known

if TYPE_CHECKING:
    from nmt.data.corpus import Text
    from nmt.inference.translation import Translation


def translate(  # noqa: PLR0915
    words: RunsAndSettings = None,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="Text to translate, one sentence per line [default: standard input]"),
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file [default: standard output]")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Number of translations per line, best first (samples: in the order drawn)"),
    ] = 1,
    prefix_file: Annotated[
        Path | None,
        typer.Option(
            "--prefix-file", help="File with a forced prefix for each translation, line by line; empty lines for none"
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Sample from the model's distribution instead of beam search")
    ] = False,
    mbr: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=1000,
            metavar="N",
            help="Minimum Bayes risk decoding: draw N samples, return the one with the highest mean chrF to the others",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000,
            help="Sampling temperature: below 1 more conservative, above 1 more diverse [default: 1]",
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=0, max=1_000_000, help="Sample from the K most probable tokens [default: all]")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Nucleus sampling: only the most probable tokens that together have probability P [default: all]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**64 - 1, help="Random seed for sampling, for reproducible samples [default: random]"),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Print the score and a tab before each translation")] = False,
    as_json: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line with all results")] = False,
    attention: Annotated[bool, typer.Option("--attention", help="Draw the attention matrix between words")] = False,
    pieces: Annotated[bool, typer.Option("--pieces", help="Draw the attention matrix between subwords")] = False,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Add a tab and the word alignment (Pharaoh: source-target, from 0)")
    ] = False,
    flags: Annotated[
        bool, typer.Option("--flags", help="Add a tab and quality flags: repetition, length, copied, ...")
    ] = False,
    line_numbers: Annotated[
        bool, typer.Option("--line-numbers", help="Print the input line number (from 1) and a tab first")
    ] = False,
    word_kind: WordKind = "scripts",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="File format: text, po, xliff, tmx, tsv, csv, jsonl, srt, sgm [default: by the input file's ending]",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "--field",
            help="Column number, column name or JSON key to translate; give a second one for the output",
        ),
    ] = None,
    prefix_field: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Key of a JSONL file whose text the translation of its row begins with"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace translations that the file already has")
    ] = False,
    batch_size: BatchSize = None,
    encoding: TextEncoding = "auto",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Translate raw text: one output line per input line, in order. Empty lines stay empty.

    Translation and data files (.po, .xliff, .tmx, .tsv, .csv, .jsonl, .srt) keep their format: entries without a
    translation get one, marked for review.
    """
    runs, settings = runs_and_settings(words)
    named = changes_of(beam_size=beam_size, length_penalty=length_penalty, batch_size=batch_size)
    changes = decoding_changes(settings, named)
    drawn = changes_of(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    if drawn and not (sample or mbr):
        raise ConfigError(*(f"{option(name)}: needs --sample or --mbr" for name in drawn))
    from nmt.inference.request import TranslateOptions

    with as_typed(*named, *drawn, "n_best", "mbr"):
        options = TranslateOptions.of(
            sample=sample or bool(mbr), n_best=n_best, mbr=mbr, words=word_kind, changes=changes, **drawn,
            attention=attention or pieces or alignments or flags or as_json,
        )  # fmt: skip
    if as_json:
        check_alone(scores=scores, attention=attention, pieces=pieces, alignments=alignments, flags=flags)
        check_alone(line_numbers=line_numbers)
    kind = chosen_format(input_file, file_format)
    text_only = {
        "--n-best": n_best > 1,
        "--prefix-file": prefix_file is not None,
        "--scores": scores,
        "--jsonl": as_json,
        "--attention": attention,
        "--pieces": pieces,
        "--alignments": alignments,
        "--flags": flags,
        "--line-numbers": line_numbers,
    }
    check_document_options(kind, {"--column": column, "--overwrite": overwrite, **text_only})
    keeps_source = kind not in {None, "sgm", "srt"}  # so that the file can be filled in place
    check_output(output_file, prefix_file, None if keeps_source else input_file)
    with joined_ranks() as ranks:
        files = check_files(input_file, output_file, kind) if ranks else None
        document = read_document(input_file, kind, runs, column, overwrite, encoding) if kind and input_file else None
        begun = prefixes_of(document, prefix_field)
        translator = translator_of(runs, device, threads)
        from nmt.inference.quality_flags import flags_of
        from nmt.inference.render import draw as draw_matrix
        from nmt.inference.translation import warnings_of
        from nmt.runs.store import WEIGHTS, newest

        translator.translate([], options=options)
        window_size = int(changes.get("window", translator.settings.window))
        if document and input_file:
            say_precision(translator, changes)

            def translated(texts: list[str], first: int) -> "list[Translation]":
                own = begun[first - 1 : first - 1 + len(texts)] if begun else None
                found = translator.translate(texts, first_line=first, prefixes=own, options=options)
                document.notes.update(warnings_of(found))
                return found

            translate_document(document, translated, window_size, input_file, output_file)
            return
        draw = attention or pieces
        if (draw or alignments) and not translator.attends:
            raise ConfigError("--attention, --pieces and --alignments: this model has no attention")

        def rendered(window: list[str], first: int, begun: list[str] | None, notes: Counter[str]) -> Iterator[bytes]:
            """Yield the output of a window of lines, of which `first` is the number of the first one."""
            translations = translator.translate(window, first_line=first, prefixes=begun, options=options)
            notes.update(warnings_of(translations, n_best))
            for number, translation in enumerate(translations, first):
                doubts = flags_of(translation, translator, word_kind) if flags or as_json else None
                if as_json:
                    record = {"line": number, **translation.to_dict(), "flags": doubts or []}
                    yield json_line(record).encode() + b"\n"
                    continue
                before = f"{number}\t" if line_numbers else ""
                for line in _render(translation, n_best, before, scores, alignments, doubts):
                    yield line.encode() + b"\n"
                matrix = translation.piece_attention if pieces else translation.attention
                if draw and matrix is not None:
                    yield f"{draw_matrix(matrix, shutil.get_terminal_size().columns)}\n\n".encode()

        notes: Counter[str] = Counter()
        lines = 0

        def windows(source: "Text") -> "Iterator[tuple[list[str], int, list[str] | None]]":
            """Yield each window of lines, the number of its first line, and the prefixes of its translations."""
            nonlocal lines
            for window in windows_of(source, window_size, notes):
                if lines == 0 and len(window) >= MANY and ranks is None:
                    calibrate_for(translator)
                if lines == 0 and (ranks is None or ranks.leads):
                    say_precision(translator, changes)
                begun = [next(prefixes, "") for _ in window] if prefix_file else None
                lines += len(window)
                yield window, lines - len(window) + 1, begun

        with (
            open_input(input_file, encoding) as source,
            open_prefixes(prefix_file, input_file, encoding, notes) as prefixes,
        ):
            if ranks and files:
                tasks = (
                    (len(window), partial(rendered, window, first, begun)) for window, first, begun in windows(source)
                )
                models = [run / WEIGHTS for run in runs or [newest()]]
                columns = [line_numbers, scores, as_json, draw, pieces, alignments, flags, word_kind, prefix_file]
                recipe = recipe_of(files[0], models, [options, window_size, *columns])
                read_by_all, notes = notes, translate_in_parts(tasks, recipe, files[1], ranks)
                notes.update(read_by_all)
            else:
                with open_output(output_file) as target:
                    for window, first, begun in windows(source):
                        for line in rendered(window, first, begun, notes):
                            target.write(line)
                        target.flush()
            if next(prefixes, None) is not None:
                raise DataError(
                    f"--prefix-file {prefix_file}: has more lines than the text, {lines:,}; give one for each line"
                )
        for note, count in notes.items() if ranks is None or ranks.leads else ():
            if count:
                print(shown(f"warning: {counted(note, count)}"), file=sys.stderr)


def _render(
    translation: "Translation",
    n_best: int,
    first: str,
    scores: bool,
    alignments: bool,
    doubts: list[str] | None,
) -> Iterator[str]:
    """Yield exactly `n_best` output lines for one input line. Missing candidates are empty, with a score of -inf."""
    from nmt.inference.alignment import pharaoh

    found = [(candidate.text, candidate.score) for candidate in translation.candidates[:n_best]]
    found = found or [(translation.text, translation.score)]
    found += [("", 0.0 if not translation.candidates else -math.inf)] * (n_best - len(found))
    columns = bool(first or scores or alignments or doubts is not None)
    for rank, (text, score) in enumerate(found):
        text = text.replace("\t", " ") if columns else text  # a model that keeps tabs must not break the columns
        links = f"\t{pharaoh(translation.alignment)}" if alignments and rank == 0 else ""
        marks = f"\t{','.join(doubts)}" if doubts is not None and rank == 0 else ""
        before = f"{score:.4f}\t" if scores else ""
        yield f"{first}{before}{text}{links}{marks}"
