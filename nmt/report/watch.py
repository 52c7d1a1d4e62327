"""`nmt watch`: the curves of a run in the terminal, while it trains, in plain characters that any terminal shows."""

from collections.abc import Iterator, Sequence

from nmt.metrics import LOSS
from nmt.report.charts import Point, short
from nmt.report.contents import metric_name
from nmt.report.records import Records, points

NARROWEST, LABEL = 30, 9
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"


def screen(records: Records, metric: str, width: int, height: int, *, unicode: bool) -> Iterator[str]:
    """Return the lines of a screen: loss, the validation metric, and where training is. `unicode` says whether the
    terminal shows more than ASCII."""
    if not records.train and not records.validations:
        yield "nothing is recorded yet; training writes a line every training.log_every steps"
        return
    width, rows = max(NARROWEST, width), max(3, (height - 12) // 2)
    loss = [("training", points(records.train, "loss")), ("validation", points(records.validations, "loss"))]
    lines = [("loss", loss)]
    if metric != LOSS:
        lines.append((metric_name(metric), [(metric_name(metric), points(records.validations, metric))]))
    for title, series in lines:
        series = [(name, values) for name, values in series if values]
        if series:
            yield from plot(title, series, width, rows, unicode=unicode)
            yield ""
    if records.train:
        last = records.train[-1]
        speeds = [speed for _, speed in points(records.train, "target_tokens_per_second")]
        rate = short(last.get("learning_rate", 0.0))
        yield f"step {last['step']:,}, loss {short(last['loss'])}, learning rate {rate}"
        if speeds:
            yield f"{speeds[-1]:,.0f} target tokens/s  {sparkline(speeds, width // 2, unicode=unicode)}"


MARKS = {True: "•◆", False: "*o"}


def plot(
    title: str, series: Sequence[tuple[str, Sequence[Point]]], width: int, height: int, *, unicode: bool
) -> Iterator[str]:
    """Draw series into a field of characters, each with a mark of its own; the last drawn covers the others."""
    marks = MARKS[unicode]
    every = [point for _, values in series for point in values]
    last = max(step for step, _ in every)
    low, high = min(value for _, value in every), max(value for _, value in every)
    spread = (high - low) or abs(high) * 0.1 or 1.0
    columns = width - LABEL - 1
    field = [[" "] * columns for _ in range(height)]
    for mark, (_, values) in zip(marks, series, strict=False):
        for step, value in values:
            column = min(columns - 1, round(step / (last or 1) * (columns - 1)))
            field[height - 1 - round((value - low) / spread * (height - 1))][column] = mark
    legend = "   ".join(f"{mark} {name}" for mark, (name, _) in zip(marks, series, strict=False))
    yield f"{title:<{LABEL}} {legend}"
    bar = "│" if unicode else "|"
    for number, row in enumerate(field):
        value = high - (high - low) * number / (height - 1)
        label = short(float(f"{value:.4g}")) if number in {0, height // 2, height - 1} else ""
        yield f"{label:>{LABEL - 1}} {bar}{''.join(row)}".rstrip()
    yield f"{'':>{LABEL}}{'└' if unicode else '+'}{('─' if unicode else '-') * columns}"
    yield f"{'':>{LABEL + 1}}{'step 0':<{columns // 2}}{f'{last:,.0f}':>{columns - columns // 2}}"


def sparkline(values: Sequence[float], width: int, *, unicode: bool) -> str:
    """Return the newest values as a row of characters of rising height."""
    blocks, shown = BLOCKS if unicode else ASCII, values[-width:]
    if not shown or max(shown) <= 0:
        return ""
    return "".join(blocks[max(1, round(value / max(shown) * (len(blocks) - 1)))] for value in shown)
