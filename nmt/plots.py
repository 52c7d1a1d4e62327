"""Pictures: an attention matrix, and scores by the length of the source. Drawn by matplotlib, the extra `plot`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.decoding.alignment import AttentionMatrix
from nmt.errors import ConfigError, DataError, extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nmt.evaluation import Group

FORMATS = (".svg", ".png", ".pdf")
MANY_CELLS = 200  # in a larger matrix the numbers are left out
SHORT = 5  # characters of a word that fit above a column
# The first that are installed: matplotlib's own has no Chinese, Japanese and Korean.
FONTS = ("DejaVu Sans", "Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")


def check_picture(path: Path) -> None:
    """Raises ConfigError or DataError if no picture could be written there; to be asked before a long computation."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError(f"--plot: needs matplotlib, which is not installed: {extra('plot')}") from None
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--plot {path}: the name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: cannot write: there is no folder {path.parent}")


def attention_picture(matrix: AttentionMatrix, path: Path) -> None:
    """Draw source words above, target words on the left; the darker, the more the target word looked at the source
    word."""
    rows, columns = len(matrix.target), len(matrix.source)
    with picture(path, 0.45 * columns + 2, 0.45 * rows + 1.5) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(matrix.weights, cmap="Greys", vmin=0, vmax=1)
        upright = max(map(len, matrix.source), default=0) <= SHORT
        axes.set_xticks(range(columns), matrix.source, rotation=0 if upright else 90)
        axes.set_yticks(range(rows), matrix.target)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.xaxis.set_label_position("top")
        axes.set_xlabel("source")
        axes.set_ylabel("target")
        if rows * columns <= MANY_CELLS:
            _write_weights(axes, matrix)
        figure.colorbar(image, ax=axes, label="attention weight", shrink=0.8)


def _write_weights(axes: Any, matrix: AttentionMatrix) -> None:
    for row, weights in enumerate(matrix.weights):
        for column, weight in enumerate(weights):
            if weight >= 0.005:
                colour = "white" if weight > 0.5 else "black"
                axes.text(column, row, f"{weight:.2f}", ha="center", va="center", fontsize=7, color=colour)


def length_picture(sets: Mapping[str, Mapping[str, Sequence["Group"]]], path: Path) -> None:
    """Scores by source length: {test set: {run: its groups}}. A row for each test set, a column for each metric."""
    metrics = list(dict.fromkeys(m for lines in sets.values() for groups in lines.values() for m in groups[0].scores))
    most = max(len(groups) for lines in sets.values() for groups in lines.values())
    with picture(path, max(4.5, 0.6 * most) * len(metrics), 3.5 * len(sets)) as figure:
        grid = figure.subplots(len(sets), len(metrics), squeeze=False)
        for row, (name, lines) in zip(grid, sets.items(), strict=True):
            for axes, metric in zip(row, metrics, strict=True):
                _draw_lengths(axes, metric, lines)
                axes.set_title(name)


def _draw_lengths(axes: Any, metric: str, lines: Mapping[str, Sequence["Group"]]) -> None:
    for place, (run, groups) in enumerate(lines.items()):
        scores = [group.scores[metric] for group in groups if metric in group.scores]
        where = [number + 0.08 * (place - (len(lines) - 1) / 2) for number in range(len(scores))]
        values, intervals = [score.value for score in scores], [score.interval for score in scores]
        axes.errorbar(where, values, intervals, marker="o", markersize=4, capsize=3, linewidth=1, label=run)
        axes.set_ylabel(scores[0].name if scores else metric)
    groups = next(iter(lines.values()))
    labels = [f"{group.shortest}-{group.longest}\n({group.sentences:,})" for group in groups]
    axes.set_xticks(range(len(groups)), labels, fontsize=8)
    axes.set_xlabel("length of the source in words (lines)")
    axes.grid(axis="y", linewidth=0.3)
    if len(lines) > 1:
        axes.legend(fontsize=8)


@contextmanager
def picture(path: Path, width: float | int, height: float | int) -> Iterator["Figure"]:
    """Yield a figure of `width` x `height` inches, written when it is complete; equal figures give equal bytes."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    fonts = [font for font in FONTS if font in installed]
    with matplotlib.rc_context({"svg.hashsalt": "nmt", "font.family": fonts}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        content, kind = io.BytesIO(), path.suffix.lower().removeprefix(".")
        dates: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(content, format=kind, dpi=150, metadata=dates.get(kind))
    try:
        path.write_bytes(content.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror}") from None
