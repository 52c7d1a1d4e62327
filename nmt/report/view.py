"""The contents of a report as the template shows them: numbers as text, charts as drawings, differences as marks."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from nmt import __version__, config
from nmt.bootstrap import CONFIDENCE_SAMPLES
from nmt.data.words import split_words
from nmt.languages import name_of
from nmt.metrics import LOSS, better, statistics
from nmt.report import analysis
from nmt.report.charts import Line, Point, line_chart, reliability_diagram, short
from nmt.report.contents import VALIDATION, Contents, Told, from_each_other, metric_name
from nmt.report.records import points, samples, thinned
from nmt.training.log import clock

LONGEST = 400  # characters of a line that is shown
EXAMPLES = 8  # best lines, and worst
MOST_ROWS = 60  # of the table behind a chart
MOST_STEPS = 12  # of a sentence whose translation is followed
MOST_WORDS = 40  # rows and columns of an attention table

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Chart(NamedTuple):
    """Hold a chart as the template shows it."""

    title: str
    note: str
    drawing: Markup
    head: list[str]
    rows: list[list[str]]


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


def percent(share: float | None) -> str:
    """Format a share in percent; "" if there is none."""
    return "" if share is None else f"{100 * share:.1f}"


def values(contents: Contents) -> dict[str, Any]:
    """Return what the template asks for."""
    run, other = contents.run, contents.other
    data = run.settings.data
    source, target = data.source_language or data.source, data.target_language or data.target
    return {
        "version": __version__,
        "made": contents.made,
        "name": run.name,
        "other": other.name if other else "",
        "languages": " → ".join(
            map(name_of, (data.source_language or data.source, data.target_language or data.target))
        ),
        "timed": bool(run.settings.training.max_time),
        "source": source,
        "target": target,
        "facts": _facts(run),
        "tables": _score_tables(contents),
        "earlier": _earlier(run),
        "resamples": CONFIDENCE_SAMPLES,
        "charts": _charts(run, other),
        "lengths": _lengths(contents),
        "frequencies": _frequencies(contents),
        "calibration": run.calibration,
        "diagrams": _diagrams(run),
        "followed": _followed(run),
        "examples": _examples(contents),
        "ngrams": _ngrams(contents),
        "attention": [_heat(matrix, _text_of(matrix, run)) for matrix in contents.attention],
        "counts": _counts(run),
        "changed": [_setting((key, *values)) for key, values in config.from_defaults(run.settings).items()],
        "differing": [_setting(row) for row in from_each_other(run.settings, other.settings)] if other else [],
        "config": config.dump(run.settings),
        "provenance": _provenance(run),
        "cost": _cost(run, other),
        "command": _command(run),
        "notes": contents.notes,
    }


def _facts(run: Told) -> list[tuple[str, str]]:
    """Return what stands at the top, as (value, what it is)."""
    found = []
    if scores := run.scores.get(VALIDATION):
        score = next(iter(scores.scores.values()))
        found.append((f"{score.value:.1f} ± {score.interval:.1f}", f"{score.name}, {VALIDATION}, greedy"))
    for name, each in run.scores.items():
        if name != VALIDATION and "/" not in name:
            score = next(iter(each.scores.values()))
            found.append((f"{score.value:.1f} ± {score.interval:.1f}", f"{score.name}, {name}, {each.decoding}"))
    if run.best and isinstance(run.best.get("perplexity"), float):
        found.append((f"{run.best['perplexity']:.2f}", "perplexity per token, validation text"))
    found.append((f"{run.parameters:,}", "parameters"))
    if run.statistics:
        found.append((f"{run.statistics.pairs:,}", "training pairs"))
    if run.seconds:
        found.append((clock(run.seconds), "of training"))
    return found


def _score_tables(contents: Contents) -> list[dict[str, Any]]:
    tables = []
    for name, scores in contents.run.scores.items():
        theirs = contents.other.scores.get(name) if contents.other else None
        rows = []
        for metric, score in scores.scores.items():
            row: dict[str, Any] = {
                "name": score.name,
                "value": _score(score),
                "signature": score.signature,
                "theirs": "",
                "difference": None,
            }
            if theirs and metric in theirs.scores:
                row |= {"theirs": _score(theirs.scores[metric]), "difference": contents.differences[name][metric]}
            rows.append(row)
        tables.append({"name": name, "lines": scores.sentences, "decoding": scores.decoding, "rows": rows})
    return tables


def _score(score: Any) -> str:
    return f"{score.value:.1f} ± {score.interval:.1f}"


def _earlier(run: Told) -> list[dict[str, Any]]:
    """Return the scores that `nmt eval` kept, unless they have just been measured; none if the file is damaged."""
    found = []
    try:
        for name, scores in run.earlier.get("sets", {}).items():
            if name not in run.scores:
                rows = [
                    (
                        metric_name(metric),
                        f"{float(scores[metric]):.1f} ± {float(scores['confidence'][metric]):.1f}",
                        str(signature),
                    )
                    for metric, signature in scores["signatures"].items()
                ]
                found.append(
                    {
                        "name": str(name),
                        "lines": int(scores["sentences"]),
                        "decoding": str(scores["decoding"]),
                        "rows": rows,
                    }
                )
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
    return found


def _charts(run: Told, other: Told | None) -> list[Chart]:
    records, best = run.records, run.best
    both = [(run, ""), *([(other, f", {other.name}")] if other else [])]

    def lines(name: str, label: str, kind: str, *, marked: bool = False) -> list[Line]:
        return [Line(f"{label}{end}", points(getattr(told.records, kind), name), marked) for told, end in both]

    def place(name: str) -> Point | None:
        return (float(best["step"]), float(best[name])) if best and name in best else None

    training, validation = lines("loss", "training", "train"), lines("loss", "validation", "validations", marked=True)
    more = [name for name, value in _parts_of_loss(run) if value]
    smoothed = f" Training loss includes {' and '.join(more)}; validation loss does not." if more else ""
    nats = "Nats per target token, on a logarithmic scale."
    if other:
        found = [
            _chart("Training loss", f"{nats}{smoothed}", training, run, log=True),
            _chart("Validation loss", nats, validation, run, "", place("loss"), log=True),
        ]
    else:
        found = [_chart("Loss", f"{nats}{smoothed}", [*training, *validation], run, "", place("loss"), log=True)]
    for metric in dict.fromkeys([*([run.metric] if run.metric != LOSS else []), *records.metrics]):
        name = metric_name(metric)
        way = "Higher is better" if better(metric, 1.0) > 0 else "Lower is better"
        chosen = " It chose the model." if metric == run.metric else ""
        found.append(
            _chart(
                f"{name} on the validation text",
                f"Greedy search. {way}.{chosen}",
                lines(metric, name, "validations", marked=True),
                run,
                "",
                place(metric),
            )
        )
    found.append(_chart("Learning rate", "", lines("learning_rate", "learning rate", "train"), run))
    found.append(
        _chart(
            "Speed",
            "Target tokens per second, between two log lines.",
            lines("target_tokens_per_second", "tokens/s", "train"),
            run,
        )
    )
    found.append(
        _chart(
            "Gradient norm",
            "Before clipping, at the step of each log line.",
            lines("gradient_norm", "norm", "train"),
            run,
            log=True,
        )
    )
    return [chart for chart in found if chart.drawing]


def _chart(
    title: str, note: str, lines: Sequence[Line], run: Told, unit: str = "", best: Any = None, *, log: bool = False
) -> Chart:
    lines = [line for line in lines if line.points]
    drawing = line_chart(title, lines, unit=unit, restarts=run.records.resumed, best=best, log=log)
    columns = [dict(line.points) for line in lines]
    steps = thinned(sorted({step for column in columns for step in column}), MOST_ROWS)
    rows = [[f"{step:,.0f}", *(short(column[step]) if step in column else "" for column in columns)] for step in steps]
    return Chart(title, note, drawing, ["step", *(line.name for line in lines)], rows)


def _lengths(contents: Contents) -> list[dict[str, Any]]:
    """Return a table of scores by source length for each test set that has one."""
    tables = []
    for name, scores in contents.run.scores.items():
        if len(scores.by_length) < 2:
            continue
        theirs = contents.other.scores.get(name) if contents.other else None
        metrics = [score.name for score in scores.scores.values()]
        head = metrics + (
            [f"{metric}, {contents.other.name}" for metric in metrics] if contents.other and theirs else []
        )
        rows = []
        for place, group in enumerate(scores.by_length):
            cells = [_score(score) for score in group.scores.values()]
            if theirs and place < len(theirs.by_length):
                cells += [_score(score) for score in theirs.by_length[place].scores.values()]
            bar = next(iter(group.scores.values())).value
            rows.append(
                {
                    "label": f"{group.shortest}–{group.longest}",
                    "count": group.sentences,
                    "cells": cells,
                    "bar": max(0.0, min(bar, 100.0)),
                }
            )
        tables.append({"name": name, "head": head, "rows": rows})
    return tables


def _frequencies(contents: Contents) -> dict[str, Any]:
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


def _diagrams(run: Told) -> list[dict[str, Any]]:
    if run.calibration is None:
        return []
    fits = (("Words", run.calibration.words), ("Sentences", run.calibration.sentences))
    return [
        {
            "name": name,
            "before": fit.error_before,
            "after": fit.error_after,
            "raw": reliability_diagram(
                f"{name}: the model's own probability", fit.before, "the model's own probability"
            ),
            "calibrated": reliability_diagram(f"{name}: calibrated confidence", fit.after, "confidence"),
            "bins": [("the model's own", fit.before), ("confidence", fit.after)],
        }
        for name, fit in fits
    ]


def _followed(run: Told) -> list[dict[str, Any]]:
    """Return the sample sentences with their translations at each step at which they changed."""
    found = []
    for source, reference, steps in samples(run.records):
        changes = [(step, text) for place, (step, text) in enumerate(steps) if not place or text != steps[place - 1][1]]
        rows = [(step, analysis.marked(visible(text), reference)) for step, text in thinned(changes, MOST_STEPS)]
        found.append({"source": source, "reference": reference, "rows": rows, "last": steps[-1][0] if steps else 0})
    return found


def _examples(contents: Contents) -> list[dict[str, Any]]:
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


def _ngrams(contents: Contents) -> list[tuple[str, list[tuple[str, int]]]]:
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


def _text_of(matrix: Any, run: Told) -> str:
    """Return the source line that the words of an attention matrix are from."""
    lines = run.outputs.sources if run.outputs else []
    return next((line for line in lines if [word.text for word in split_words(line)] == matrix.source), "")


def _heat(matrix: Any, text: str) -> dict[str, Any]:
    source, target = matrix.source[:MOST_WORDS], matrix.target[:MOST_WORDS]
    rows = [
        (word, [(float(weight), round(100 * float(weight))) for weight in weights[: len(source)]])
        for word, weights in zip(target, matrix.weights, strict=False)
    ]
    return {"source": source, "rows": rows, "text": text or " ".join(matrix.source)}


def _counts(run: Told) -> list[tuple[str, str]]:
    """Return what is known of the data, as (what, value)."""
    found = []
    left_out = run.provenance.get("left_out", {})
    if known := run.statistics:
        low, median, high = known.word_ratio
        found += [
            ("training pairs", f"{known.pairs:,}"),
            ("longest source, in subwords", f"{known.longest_source:,} (99.9 % have at most {known.usual_source:,})"),
            ("sentences in a source line", f"95 % have at most {known.usual_sentences:,}"),
            (
                "target words for a source word",
                f"median {median:.2f}; {low:.2f} to {high:.2f} in 99.8 % of the pairs",
            ),
        ]
    if run.outputs:
        words = [len(split_words(line)) for line in run.outputs.sources]
        found += [
            ("validation lines", f"{run.outputs.lines:,}"),
            ("source words in a validation line", f"{min(words)} to {max(words)}, mean {sum(words) / len(words):.1f}"),
        ]
        if run.outputs.counted:
            wanted = [word.text for line in run.outputs.references for word in split_words(line)]
            unseen = sum(word not in run.outputs.words for word in wanted)
            found.append(("words of validation references that training never saw", f"{unseen:,} of {len(wanted):,}"))
    for text, notes in left_out.items() if isinstance(left_out, dict) else ():
        for note, count in notes.items() if isinstance(notes, dict) else ():
            found.append((f"{text}: {note}", f"{count:,}" if isinstance(count, int) else str(count)))
    sizes = run.settings.subword
    found.append(
        (
            "vocabulary",
            f"{sizes.vocab_size:,} {sizes.model_type} subwords, {'joint' if sizes.joint else 'a model for each side'}",
        )
    )
    return found


def _parts_of_loss(run: Told) -> list[tuple[str, float]]:
    """Return what the training loss has besides cross-entropy, by settings."""
    training = run.settings.training
    names = ("label_smoothing", "guided_attention", "coverage_loss")
    return [(name.replace("_", " "), float(getattr(training, name, 0))) for name in names]


def _setting(row: tuple[str, Any, Any]) -> tuple[str, str, str]:
    key, one, other = row
    return key, _written(one), _written(other)


def _written(value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _provenance(run: Told) -> list[tuple[str, str]]:
    known = run.provenance
    found = []
    if isinstance(parent := known.get("parent"), dict):
        found.append(("fine-tuned from", f"{parent.get('run')}, sha256 {parent.get('sha256')}"))
    single = ("export_of", "machine", "device")
    found += [(name.replace("_", " "), str(known[name])) for name in single if name in known]
    for group in ("versions", "data"):
        values = known.get(group)
        named = values.items() if isinstance(values, dict) else ()
        found += [(name if group == "versions" else f"sha256 of {name}", str(value)) for name, value in named]
    return found


def _command(run: Told) -> str:
    command = run.provenance.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    return " ".join(["nmt", *words[1:]]) if words and Path(words[0]).name in {"nmt", "__main__.py"} else " ".join(words)


def _cost(run: Told, other: Told | None) -> list[tuple[str, list[str]]]:
    rows: dict[str, list[str]] = {}
    for told in (run, *([other] if other else [])):
        records = told.records
        last = max([*records.train, *records.validations], key=lambda each: each["step"], default={})
        speeds = sorted(value for _, value in points(records.train, "target_tokens_per_second"))
        values = {
            "training time, with validation": clock(told.seconds) if told.seconds else "unknown",
            "steps": f"{last['step']:,}" if last else "unknown",
            "epochs": f"{last['epoch']:.1f}" if isinstance(last.get("epoch"), float) else "unknown",
            "target tokens per second, median": f"{speeds[len(speeds) // 2]:,.0f}" if speeds else "unknown",
            "peak memory": _mega(records.peak_memory),
            **({"peak memory of the GPU": _mega(records.peak_device_memory)} if records.peak_device_memory else {}),
            "parameters": f"{told.parameters:,}",
            "machine": ", ".join(
                str(told.provenance[name]) for name in ("machine", "device") if name in told.provenance
            )
            or "unknown",
        }
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    return list(rows.items())


def _mega(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "unknown"
