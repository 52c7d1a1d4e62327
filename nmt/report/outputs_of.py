"""The translations that a report is about: those that training kept, or new ones where there are none."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from nmt.data.corpora import find_valid
from nmt.data.corpus import is_blank
from nmt.errors import DataError, UserError
from nmt.evaluation.outputs import MOST_LINES, Outputs, load_outputs
from nmt.inference.translator import Translator
from nmt.languages import find_language
from nmt.runs import store
from nmt.shown import amount

GREEDY = {"beam_size": 1}
MOST_READ = 100_000  # validation lines

Say = Callable[[str], None]


def outputs_of(run: Path, say: Say, load: Callable[[Path], Translator]) -> Outputs | None:
    """Return the validation lines of a run with its translations. A run that is older than the file which keeps them
    translates now; None if its validation text is not there, or if its model is not."""
    if found := load_outputs(run):
        return found
    settings = store.load_settings(run)
    try:
        pairs = list(islice(find_valid(settings.data, run).pairs(), MOST_READ))
    except UserError as error:
        say(f"note: {run}: no translations in the report, since the validation text cannot be read: {error}")
        return None
    pairs = [pair for pair in pairs if not (is_blank(pair.source) or is_blank(pair.target))]
    if not pairs:
        return None
    language = find_language(settings.data.target_language, settings.data.target, (pair.target for pair in pairs))
    empty = Outputs.of(0, language, [p.source for p in pairs], [p.target for p in pairs], [""] * len(pairs))
    return translated(empty, run, say, load)


def translated(outputs: Outputs, run: Path, say: Say, load: Callable[[Path], Translator]) -> Outputs:
    """Return the same lines with the translations of a run, by greedy search as in validation."""
    say(f"{run}: translating {amount(len(outputs.sources), 'validation line')}")
    translator = load(run)
    visible = translator.subwords.target.normalizer.visible
    found = translator.translate(outputs.sources, attention=False, changes=GREEDY)
    return replace(
        outputs,
        references=[visible(line) for line in outputs.references],
        hypotheses=[each.text for each in found],
        words={},
        counted=0,
    )


def comparable(first: Outputs | None, other: Path, say: Say, load: Callable[[Path], Translator]) -> Outputs | None:
    """Return the translations of another run, of the lines that the first has; None if there are none to compare."""
    if first is None:
        return None
    try:
        own = load_outputs(other)
    except DataError as error:
        say(f"note: {error}")
        own = None
    if own is not None and (own.sources, own.references) == (first.sources, first.references):
        return own
    return translated(first, other, say, load)


def readable_lines(outputs: Outputs, shortest: int, longest: int) -> Sequence[int]:
    """Return the lines whose sources have a number of words within bounds."""
    return [
        index
        for index, (source, hypothesis) in enumerate(zip(outputs.sources, outputs.hypotheses, strict=True))
        if shortest <= len(source.split()) <= longest and hypothesis
    ][:MOST_LINES]
