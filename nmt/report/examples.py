"""What a run translates well and badly: lines, words and n-grams, and what attention looked at."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from nmt.data.words import split_words
from nmt.inference.alignment import AttentionMatrix
from nmt.metrics import statistics
from nmt.report import analysis
from nmt.report.contents import VALIDATION, Contents, Told, metric_name
from nmt.report.records import samples, thinned

LONGEST = 400  # characters of a line that is shown
EXAMPLES = 8  # best lines, and worst
MOST_STEPS = 12  # of a sentence whose translation is followed
MOST_WORDS = 40  # rows and columns of an attention table

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Example(NamedTuple):
    """Hold a line with its translations, in parts that are marked where they differ from the reference."""

    number: int
    score: str
    source: str
    reference: list[analysis.Span]  # marked where the first translation lacks it
    hypotheses: list[tuple[str, list[analysis.Span]]]  # (name of the run, parts)


def visible(text: str, longest: int = LONGEST) -> str:
    """Return text of the run as one that can be shown: control characters as what they are, a long one cut."""
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def followed_samples(run: Told) -> list[dict[str, Any]]:
    """Return the sample sentences with their translations at each step at which they changed."""
    found = []
    for source, reference, steps in samples(run.records):
        changes = [(step, text) for place, (step, text) in enumerate(steps) if not place or text != steps[place - 1][1]]
        rows = [(step, analysis.marked(visible(text), reference)) for step, text in thinned(changes, MOST_STEPS)]
        found.append({"source": source, "reference": reference, "rows": rows, "last": steps[-1][0] if steps else 0})
    return found


def example_lines(contents: Contents) -> list[dict[str, Any]]:
    """Return groups of lines: the best, the worst, and those in which two runs differ most."""
    outputs = contents.run.outputs
    if outputs is None:
        return []
    metric = "chrf2" if "chrf2" in contents.run.scores[VALIDATION].scores else "chrf"
    known = contents.run.scores[VALIDATION].statistics.get(metric) or statistics(
        metric, outputs.hypotheses, outputs.references, language=outputs.language
    )
    own = [known.value(row) for row in known.rows]
    lengths = [len(source) for source in outputs.sources]
    best, worst = analysis.extremes(own, lengths, EXAMPLES)
    texts = [(contents.run.name, outputs.hypotheses)]
    groups = [("Worst lines", worst), ("Best lines", best)]
    scores = [own]
    if contents.other and contents.other.outputs:
        others = contents.other.outputs.hypotheses
        texts.append((contents.other.name, others))
        theirs = statistics(metric, others, outputs.references, language=outputs.language)
        scores.append([theirs.value(row) for row in theirs.rows])
        gain = [one - two for one, two in zip(*scores, strict=True)]
        better_lines, worse_lines = analysis.extremes(gain, lengths, EXAMPLES)
        groups = [
            (
                f"Where {contents.run.name} is better than {contents.other.name}",
                [index for index in better_lines if gain[index] > 0],
            ),
            (
                f"Where {contents.other.name} is better than {contents.run.name}",
                [index for index in worse_lines if gain[index] < 0],
            ),
            *groups,
        ]
    return [
        {
            "title": title,
            "metric": metric_name(metric),
            "examples": [_example(index, outputs, texts, scores) for index in lines],
        }
        for title, lines in groups
        if lines
    ]


def _example(
    index: int, outputs: Any, texts: Sequence[tuple[str, Sequence[str]]], scores: Sequence[Sequence[float]]
) -> Example:
    reference = outputs.references[index]
    said = " and ".join(f"{each[index]:.0f}" for each in scores)
    hypotheses = [(name, analysis.marked(visible(lines[index]), reference)) for name, lines in texts]
    missed = analysis.marked(visible(reference), texts[0][1][index])
    return Example(index + 1, said, outputs.sources[index], missed, hypotheses)


def ngram_tables(contents: Contents) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the n-grams that only one of two runs gets right, or those that one run misses and adds."""
    run, other = contents.run, contents.other
    if run.outputs is None:
        return []
    if other and other.outputs:
        first, second = analysis.only_one_right(run.outputs, other.outputs)
        tables = [(f"Only {run.name} gets right", first), (f"Only {other.name} gets right", second)]
    else:
        missed, added = analysis.missed_and_added(run.outputs)
        tables = [("In references, missing in translations", missed), ("In translations, not in references", added)]
    return [(title, rows) for title, rows in tables if rows]


def word_frequencies(contents: Contents) -> dict[str, Any]:
    """Return the F1 of words by training frequency; {} if the frequencies are unknown."""
    outputs = contents.run.outputs
    if outputs is None or not outputs.counted:
        return {}
    pairs = contents.run.statistics.pairs if contents.run.statistics else outputs.counted
    other = contents.other.outputs if contents.other else None
    theirs: dict[str, analysis.Group] = {}
    if other:
        known = other if other.counted else None
        theirs = {group.label: group for group in analysis.by_frequency(known)} if known else {}
    groups = [group for group in analysis.by_frequency(outputs) if group.wanted]
    return {"groups": groups, "counted": outputs.counted, "pairs": pairs, "theirs": theirs}


def attention_table(matrix: AttentionMatrix, run: Told) -> dict[str, Any]:
    """Return the attention of a translation, with the source line that its words are from."""
    source, target = matrix.source[:MOST_WORDS], matrix.target[:MOST_WORDS]
    lines = run.outputs.sources if run.outputs else []
    text = next((line for line in lines if [word.text for word in split_words(line)] == matrix.source), "")
    rows = [
        (word, [(float(weight), round(100 * float(weight))) for weight in weights[: len(source)]])
        for word, weights in zip(target, matrix.weights, strict=False)
    ]
    return {"source": source, "rows": rows, "text": text or " ".join(matrix.source)}
