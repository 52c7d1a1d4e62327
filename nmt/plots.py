"""Pictures: an attention matrix, and scores by the length of the source. Drawn by matplotlib, the extra `plot`."""

import functools
import io
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.errors import ConfigError, DataError, extra
from nmt.files import write_atomic
from nmt.inference.alignment import AttentionMatrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nmt.evaluation.evaluate import Group

Warn = Callable[[str], None]

FORMATS = (".svg", ".png", ".pdf")
MANY_CELLS = 200  # in a larger matrix the numbers are left out
SHORT = 5  # characters of a word that fit above a column
SHEET = 60  # sentence pairs of a contact sheet
MOST_ACROSS = 3  # pictures beside each other
# Those that are installed, in this order: matplotlib's own has no Korean. After them comes any other Noto Sans.
FONTS = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR", "NanumGothic", "Malgun Gothic",
    "Apple SD Gothic Neo", "Noto Sans Arabic", "Noto Naskh Arabic", "Noto Sans Hebrew",
)  # fmt: skip
NEEDED = "install a font that has them, such as Noto (Debian: fonts-noto-core, and fonts-noto-cjk for CJK)"


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


def attention_picture(matrix: AttentionMatrix, path: Path, warn: Warn = lambda _: None) -> None:
    """Draw source words above, target words on the left; the darker, the more the target word looked at the source
    word. Warn of characters that no installed font has. Raise DataError if a side has no word."""
    rows, columns = len(matrix.target), len(matrix.source)
    if not matrix.weights.size:
        raise DataError(f"{path}: nothing to draw: a side of this sentence pair is empty; name another with --line")
    _warn_of_boxes([matrix], path, warn)
    with picture(path, 0.45 * columns + 2, 0.45 * rows + 1.5) as figure:
        axes = figure.add_subplot()
        image = _draw_attention(axes, matrix)
        axes.set_xlabel("source")
        axes.set_ylabel("target")
        figure.colorbar(image, ax=axes, label="attention weight", shrink=0.8)


def contact_sheet(matrices: Sequence[AttentionMatrix], first: int, path: Path, warn: Warn = lambda _: None) -> None:
    """Draw the attention of many sentence pairs into one picture, `first` being the number of the first."""
    _warn_of_boxes(matrices, path, warn)
    across = min(MOST_ACROSS, len(matrices))
    down = -(-len(matrices) // across)
    width = sum(max(len(each.source) for each in matrices[column::across]) for column in range(across))
    heights = [max(len(each.target) for each in matrices[row * across : (row + 1) * across]) for row in range(down)]
    with picture(path, 0.3 * width + 1.6 * across, 0.3 * sum(heights) + 1.5 * down) as figure:
        grid = figure.subplots(
            down, across, squeeze=False, gridspec_kw={"height_ratios": [each + 3 for each in heights]}
        )
        for number, axes in enumerate(grid.flat):
            if number >= len(matrices) or not matrices[number].weights.size:
                axes.set_axis_off()
                continue
            _draw_attention(axes, matrices[number])
            axes.set_title(f"{first + number}", loc="left", fontsize=9)
            axes.tick_params(labelsize=8)


def _draw_attention(axes: Any, matrix: AttentionMatrix) -> Any:
    image = axes.imshow(matrix.weights, cmap="Greys", vmin=0, vmax=1)
    upright = max(map(len, matrix.source), default=0) <= SHORT
    axes.set_xticks(range(len(matrix.source)), matrix.source, rotation=0 if upright else 90)
    axes.set_yticks(range(len(matrix.target)), matrix.target)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.xaxis.set_label_position("top")
    if matrix.weights.size <= MANY_CELLS:
        for row, weights in enumerate(matrix.weights):
            for column, weight in enumerate(weights):
                if weight >= 0.005:
                    colour = "white" if weight > 0.5 else "black"
                    axes.text(column, row, f"{weight:.2f}", ha="center", va="center", fontsize=7, color=colour)
    return image


def _warn_of_boxes(matrices: Sequence[AttentionMatrix], path: Path, warn: Warn) -> None:
    """Warn if there are characters for which the picture would show boxes."""
    if missing := missing_characters("".join(word for each in matrices for word in (*each.source, *each.target))):
        shown = ", ".join(f"{character} (U+{ord(character):04X})" for character in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        warn(f"{path}: boxes stand for {shown}{more}, which no installed font has; {NEEDED}")


def missing_characters(text: str) -> list[str]:
    """Return the characters of a text that no font of the pictures has. Fonts that were installed after matplotlib made
    its list are found too."""
    left = _not_in_fonts({each for each in text if not each.isspace() and unicodedata.category(each)[0] != "C"})
    if left and _find_new_fonts():
        left = _not_in_fonts(left)
    return sorted(left)


def _not_in_fonts(left: set[str]) -> set[str]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    for name in _fonts():
        if not left:
            break
        known = get_font(findfont(FontProperties(family=[name]))).get_charmap()
        left = {character for character in left if ord(character) not in known}
    return left


@functools.cache
def _find_new_fonts() -> bool:
    """Tell matplotlib of fonts that are not in its list. Return whether there are any."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    new = [path for path in findSystemFonts() if path not in known]
    for path in new:
        with suppress(Exception):  # a font that cannot be read is not one
            fontManager.addfont(path)
    _fonts.cache_clear()
    return bool(new)


@functools.cache
def _fonts() -> tuple[str, ...]:
    """Return the fonts of the pictures: each is asked for the characters that those before it lack."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    chosen = [font for font in FONTS if font in installed]
    return (*chosen, *sorted(name for name in installed if name.startswith("Noto Sans ") and name not in chosen))


def length_picture(sets: Mapping[str, Mapping[str, Sequence["Group"]]], path: Path) -> None:
    """Scores by source length: {test set: {run: its groups}}. A row for each test set, a column for each metric."""
    metrics = list(dict.fromkeys(m for lines in sets.values() for groups in lines.values() for m in groups[0].scores))
    most = max(len(groups) for lines in sets.values() for groups in lines.values())
    with picture(path, max(4.5, 0.6 * most) * len(metrics), 3.5 * len(sets)) as figure:
        grid = figure.subplots(len(sets), len(metrics), squeeze=False)
        cells = ((name, metric) for name in sets for metric in metrics)
        for axes, (name, metric) in zip(grid.flat, cells, strict=True):
            lines = sets[name]
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
            axes.set_title(name)


@contextmanager
def picture(path: Path, width: float | int, height: float | int) -> Iterator["Figure"]:
    """Yield a figure of `width` x `height` inches, written when it is complete; equal figures give equal bytes.

    Raise DataError if it cannot be written; a picture that was there before is then left as it was.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "nmt", "font.family": list(_fonts())}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        content, kind = io.BytesIO(), path.suffix.lower().removeprefix(".")
        dates: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # said before, in one line
            figure.savefig(content, format=kind, dpi=150, metadata=dates.get(kind))
    try:
        if path.exists() and not path.is_file():  # a pipe is written to, not replaced
            path.write_bytes(content.getvalue())
        else:
            write_atomic(path.resolve(), content.getvalue())  # a link stays a link
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror}") from None
