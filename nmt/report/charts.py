"""Line charts and diagrams as inline SVG, which needs no script: shapes tell the series apart, not colour alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from nmt.report.records import thinned

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 42
MOST_POINTS = 300  # of a line
MOST_MARKS = 40  # points of a line that show their value when pointed at

Number = int | float
Point = tuple[Number, Number]


@dataclass(frozen=True)
class Line:
    """Hold a series. `marked` draws a mark at each point, as for validations."""

    name: str
    points: Sequence[Point]
    marked: bool = False


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    unit: str = "",
    restarts: Sequence[int] = (),
    best: Point | None = None,
    log: bool = False,
) -> Markup:
    """Return a chart of values over steps. `restarts` are marked by dashed lines, `best` by a diamond. `log` draws
    powers of ten at equal distances, if all values are positive."""
    lines = [line for line in lines if line.points]
    if not lines:
        return Markup()
    values = [value for line in lines for _, value in line.points]
    log = log and min(values) > 0
    across = Scale.of([step for line in lines for step, _ in line.points], LEFT, WIDTH - RIGHT, from_zero=True)
    up = Scale.of(values, HEIGHT - BOTTOM, TOP, log=log)
    parts = [_grid(across, up, unit)]
    for step in thinned(list(restarts), 30):
        x = across(step)
        parts.append(
            Markup('<line class="restart" x1="{0}" x2="{0}" y1="{1}" y2="{2}"><title>{3}</title></line>').format(
                _n(x), TOP, HEIGHT - BOTTOM, f"resumed at step {step:,}"
            )
        )
    for number, line in enumerate(lines):
        parts.append(_line(line, number % 3, across, up))
    if best is not None:
        x, y = across(best[0]), up(best[1])
        place = f"M{_n(x)} {_n(y - 8)}L{_n(x + 8)} {_n(y)}L{_n(x)} {_n(y + 8)}L{_n(x - 8)} {_n(y)}Z"
        parts.append(
            Markup('<path class="best" d="{}"><title>{}</title></path>').format(
                place, f"kept: step {best[0]:,.0f}, {short(best[1])}"
            )
        )
    parts.append(_legend(lines, restarts=bool(restarts), best=best is not None))
    said = "; ".join(f"{line.name}: from {short(line.points[0][1])} to {short(line.points[-1][1])}" for line in lines)
    return _svg(f"{title}. {said}.", Markup("").join(parts))


def reliability_diagram(name: str, bins: Sequence[tuple[Number, Number, int]], label: str) -> Markup:
    """Return a diagram of (mean probability, share that is right, count) against the diagonal."""
    size = 260
    left, bottom = 46, size - 40

    def place(share: Number) -> tuple[Number, Number]:
        return left + share * (size - left - 14), bottom - share * (bottom - 14)

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(tick)
        parts.append(
            Markup(
                '<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
                '<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
                '<text class="tick" x="{x}" y="{below}" text-anchor="middle">{said}</text>'
                '<text class="tick" x="{before}" y="{lower}" text-anchor="end">{said}</text>'
            ).format(
                x=_n(x), y=_n(y), top=14, bottom=bottom, left=left, right=size - 14, below=bottom + 15,
                before=left - 6, lower=_n(y + 4), said=f"{tick * 100:.0f}",
            )
        )  # fmt: skip
    (x0, y0), (x1, y1) = place(0), place(1)
    parts.append(Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(_n(x0), _n(y0), _n(x1), _n(y1)))
    most = max((count for *_, count in bins), default=1)
    way = "".join(
        f"{'L' if number else 'M'}{_n(place(sure)[0])} {_n(place(right)[1])}"
        for number, (sure, right, _) in enumerate(bins)
    )
    parts.append(Markup('<path class="line s0" d="{}"/>').format(way))
    for sure, right, count in bins:
        parts.append(
            Markup('<circle class="mark s0" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
                _n(place(sure)[0]), _n(place(right)[1]), _n(2.5 + 6 * math.sqrt(count / most)),
                f"{sure:.0%} sure, {right:.0%} right ({count:,})",
            )
        )  # fmt: skip
    parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        (left + size) / 2, size - 6, f"{label}, %"
    ))  # fmt: skip
    parts.append(
        Markup(
            '<text class="tick" x="12" y="{0}" text-anchor="middle" transform="rotate(-90 12 {0})">right, %</text>'
        ).format(bottom / 2)
    )
    said = "; ".join(f"{sure:.0%} sure, {right:.0%} right" for sure, right, _ in bins)
    return _svg(f"{name}. {said}.", Markup("").join(parts), size, size)


@dataclass(frozen=True)
class Scale:
    """Map values to places in the drawing."""

    low: Number
    high: Number
    start: Number
    end: Number
    log: bool
    ticks: tuple[Number, ...]

    @classmethod
    def of(
        cls, values: Sequence[Number], start: Number, end: Number, *, from_zero: bool = False, log: bool = False
    ) -> "Scale":
        """Return a scale on which all values lie between `start` and `end`, with round ticks."""
        low, high = min(values), max(values)
        if log:  # 1, 2 and 5 times powers of ten around the values, or powers of ten alone where those would be many
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 2)
            for factors in ((1, 2, 5), (1,)):
                every = [factor * 10.0**power for power in powers for factor in factors]
                first = max(place for place, tick in enumerate(every) if tick <= low * (1 + 1e-9))
                last = next(place for place, tick in enumerate(every) if tick >= high * (1 - 1e-9) and place > first)
                if last - first <= 6:
                    break
            ticks = tuple(float(f"{tick:.6g}") for tick in every[first : last + 1])
            return cls(math.log10(ticks[0]), math.log10(ticks[-1]), start, end, True, ticks)
        low = 0.0 if from_zero else low
        if high <= low:
            spread = abs(low) * 0.1 or 1.0
            low, high = (low, low + spread) if from_zero else (low - spread, high + spread)
        wanted = (high - low) / 5
        size = 10.0 ** math.floor(math.log10(wanted))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= wanted * 0.999)
        bottom = math.floor(low / step + 1e-9) * step
        count = math.ceil((high - bottom) / step - 1e-9)
        top = high if from_zero else bottom + count * step
        places = (bottom + place * step for place in range(count + 1))
        ticks = tuple(round(place, 12) for place in places if place <= top * (1 + 1e-9))
        return cls(bottom, top, start, end, False, ticks)

    def __call__(self, value: Number) -> float:
        value = math.log10(value) if self.log else value
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _grid(across: Scale, up: Scale, unit: str) -> Markup:
    parts = []
    # All labels have the same number of decimals, if none is tiny.
    decimals = max(len(f"{tick:.3f}".rstrip("0").partition(".")[2]) for tick in up.ticks)
    as_short = up.log or any(0 < abs(tick) < 0.01 for tick in up.ticks)
    for tick in up.ticks:
        y, said = up(tick), short(tick) if as_short else f"{tick:,.{decimals}f}"
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(LEFT, WIDTH - RIGHT, y=_n(y))
        )
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 8, _n(y + 4), said)
        )
    step = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>')
    below = HEIGHT - BOTTOM + 16
    parts += [
        step.format(_n(across(tick)), below, f"{tick:,.0f}" if tick < 1e6 else short(tick)) for tick in across.ticks
    ]
    parts.append(
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">step</text>').format(
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6
        )
    )
    if unit:
        parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 8, 14, unit))
    return Markup("").join(parts)


def _line(line: Line, number: int, across: Scale, up: Scale) -> Markup:
    drawn = thinned(line.points, MOST_POINTS)
    way = "".join(f"{'L' if place else 'M'}{_n(across(x))} {_n(up(y))}" for place, (x, y) in enumerate(drawn))
    parts = [Markup('<path class="line s{}" d="{}"/>').format(number, way)]
    for x, y in thinned(line.points, MOST_MARKS):
        kind = f"mark s{number}" if line.marked or len(line.points) == 1 else "hit"
        said = f"{line.name}, step {x:,.0f}: {short(y)}"
        parts.append(_mark(kind, number, across(x), up(y), said))
    return Markup("").join(parts)


def _mark(kind: str, number: int, x: Number, y: Number, said: str = "") -> Markup:
    title = Markup("<title>{}</title>").format(said) if said else Markup()
    if number == 1 and kind != "hit":
        return Markup('<rect class="{}" x="{}" y="{}" width="7" height="7">{}</rect>').format(
            kind, _n(x - 3.5), _n(y - 3.5), title
        )
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>').format(
        kind, _n(x), _n(y), 6 if kind == "hit" else 3.5, title
    )


def _legend(lines: Sequence[Line], *, restarts: bool, best: bool) -> Markup:
    parts, x = [], float(LEFT)
    for number, line in enumerate(lines):
        parts.append(
            Markup('<line class="line s{}" x1="{}" x2="{}" y1="16" y2="16"/>').format(number % 3, _n(x), _n(x + 24))
        )
        if line.marked:
            parts.append(_mark(f"mark s{number % 3}", number % 3, x + 12, 16))
        x = _said(parts, line.name, x + 30)
    if best:
        parts.append(
            Markup('<path class="best" d="M{} 9L{} 16L{} 23L{} 16Z"/>').format(_n(x + 7), _n(x + 14), _n(x + 7), _n(x))
        )
        x = _said(parts, "kept model", x + 20)
    if restarts:
        parts.append(Markup('<line class="restart" x1="{0}" x2="{0}" y1="8" y2="24"/>').format(_n(x + 4)))
        _said(parts, "resumed", x + 12)
    return Markup("").join(parts)


def _said(parts: list[Markup], text: str, x: Number) -> float:
    """Write a word of the legend, and return where the next may begin."""
    parts.append(Markup('<text class="legend" x="{}" y="20">{}</text>').format(_n(x), text))
    return x + 7 * len(text) + 16


def _svg(label: str, content: Markup, width: int = WIDTH, height: int = HEIGHT) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(width, height, label, content)


def short(value: Number) -> str:
    """Return a number as people write it: 12,300, 0.35, 2.1e-05."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
    if abs(value) >= 0.01:
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.3g}" if value == round(value) else f"{value:.2f}"
    return f"{value:.1e}"


def _n(value: Number) -> str:
    """Return a coordinate in few characters."""
    return f"{value:.1f}".removesuffix(".0")


def escaped(text: str) -> Markup:
    """Return text of the run, which may come from anybody, as text in HTML."""
    return escape(text)
