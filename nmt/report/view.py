"""The contents of a report as the template shows them: numbers as text, charts as drawings, differences as marks."""

from typing import Any

from nmt import __version__, config
from nmt.bootstrap import CONFIDENCE_SAMPLES
from nmt.languages import name_of
from nmt.report.about import command, cost, data_counts, provenance, written_setting
from nmt.report.contents import Contents, from_each_other
from nmt.report.course import training_charts
from nmt.report.examples import attention_table, example_lines, followed_samples, ngram_tables, word_frequencies
from nmt.report.tables import calibration_diagrams, earlier_scores, headline, length_tables, score_tables


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
        "languages": " → ".join(map(name_of, (source, target))),
        "timed": bool(run.settings.training.max_time),
        "source": source,
        "target": target,
        "facts": headline(run),
        "tables": score_tables(contents),
        "earlier": earlier_scores(run),
        "resamples": CONFIDENCE_SAMPLES,
        "charts": training_charts(run, other),
        "lengths": length_tables(contents),
        "frequencies": word_frequencies(contents),
        "calibration": run.calibration,
        "diagrams": calibration_diagrams(run),
        "followed": followed_samples(run),
        "examples": example_lines(contents),
        "ngrams": ngram_tables(contents),
        "attention": [attention_table(matrix, run) for matrix in contents.attention],
        "counts": data_counts(run),
        "changed": [written_setting((key, *values)) for key, values in config.from_defaults(run.settings).items()],
        "differing": [written_setting(row) for row in from_each_other(run.settings, other.settings)] if other else [],
        "config": config.dump(run.settings),
        "provenance": provenance(run),
        "cost": cost(run, other),
        "command": command(run),
        "notes": contents.notes,
    }
