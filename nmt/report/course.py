"""The course of training, as charts with the numbers behind them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from nmt.metrics import LOSS, better
from nmt.report.charts import Line, Point, line_chart, short
from nmt.report.contents import Told, metric_name
from nmt.report.records import points, thinned

MOST_ROWS = 60  # of the table behind a chart


class Chart(NamedTuple):
    """Hold a chart as the template shows it."""

    title: str
    note: str
    drawing: Markup
    head: list[str]
    rows: list[list[str]]


def training_charts(run: Told, other: Told | None) -> list[Chart]:
    """Return the charts of loss, validation metrics, learning rate, speed and gradient norm."""
    records, best = run.records, run.best
    both = [(run, ""), *([(other, f", {other.name}")] if other else [])]

    def lines(name: str, label: str, kind: str, *, marked: bool = False) -> list[Line]:
        return [Line(f"{label}{end}", points(getattr(told.records, kind), name), marked) for told, end in both]

    def place(name: str) -> Point | None:
        return (float(best["step"]), float(best[name])) if best and name in best else None

    training, validation = lines("loss", "training", "train"), lines("loss", "validation", "validations", marked=True)
    # What the training loss has besides cross-entropy, by settings.
    parts = ("label_smoothing", "guided_attention", "coverage_loss")
    more = [name.replace("_", " ") for name in parts if getattr(run.settings.training, name, 0)]
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
