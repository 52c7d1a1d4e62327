"""Scores as the page shows them: the headline, tables by test set and by source length, calibration."""

from typing import Any

from nmt.report.charts import reliability_diagram
from nmt.report.contents import VALIDATION, Contents, Told, metric_name
from nmt.training.log import clock


def headline(run: Told) -> list[tuple[str, str]]:
    """Return what stands at the top, as (value, what it is)."""
    found = []
    if scores := run.scores.get(VALIDATION):
        score = next(iter(scores.scores.values()))
        found.append((_score(score), f"{score.name}, {VALIDATION}, greedy"))
    for name, each in run.scores.items():
        if name != VALIDATION and "/" not in name:
            score = next(iter(each.scores.values()))
            found.append((_score(score), f"{score.name}, {name}, {each.decoding}"))
    if run.best and isinstance(run.best.get("perplexity"), float):
        found.append((f"{run.best['perplexity']:.2f}", "perplexity per token, validation text"))
    found.append((f"{run.parameters:,}", "parameters"))
    if run.statistics:
        found.append((f"{run.statistics.pairs:,}", "training pairs"))
    if run.seconds:
        found.append((clock(run.seconds), "of training"))
    return found


def score_tables(contents: Contents) -> list[dict[str, Any]]:
    """Return a table of scores for each test set, beside those of the other run and the differences."""
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


def earlier_scores(run: Told) -> list[dict[str, Any]]:
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


def length_tables(contents: Contents) -> list[dict[str, Any]]:
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


def calibration_diagrams(run: Told) -> list[dict[str, Any]]:
    """Return the reliability diagrams of words and of sentences, before and after calibration."""
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
