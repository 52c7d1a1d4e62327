"""Text of one language, or of two files, as it stands: what is scored or aligned keeps its lines."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nmt.data.corpus import Pair, ParallelFiles, read_lines, read_pairs
from nmt.data.encodings import AUTO
from nmt.data.formats import FORMATS
from nmt.data.formats.recognise import format_of_pair, plain_suffix, root_format
from nmt.data.formats.wmt import read_sgm, sgm_segments
from nmt.errors import DataError

_BOTH = {ending: name for name, kind in FORMATS.items() if kind.files == 1 for ending in kind.endings}


def read_side(path: Path, encoding: str = AUTO) -> Iterator[str]:
    """Return what a file in one language has: its lines, or the segments of an .sgm file.

    Raises DataError for a file that holds both languages.
    """
    _check_one_language(path)
    if path.is_file() and root_format(path) == "sgm":
        return (segment.text for segment in sgm_segments(path, encoding))
    return read_lines(path, encoding=encoding)


def read_two(source: Path, target: Path, encoding: str = AUTO) -> Iterator[Pair]:
    """Read two files: line N of each, or segment N where both are .sgm files. No pair is left out.

    Raises DataError for a file that holds both languages, and for files of two kinds.
    """
    for path in (source, target):
        _check_one_language(path)
    if format_of_pair(source, target) == "sgm":
        return read_sgm((source, target), ("", ""), (), Counter(), encoding)
    return read_pairs(ParallelFiles(source, target), encoding=encoding)


def _check_one_language(path: Path) -> None:
    if not path.is_file():  # a pipe, whose first lines can be read only once
        return
    suffix = plain_suffix(path)
    name = _BOTH.get(suffix) if suffix not in {".xml", ".json"} else None
    root = root_format(path)
    if name or (root and FORMATS[root].files == 1):
        raise DataError(
            f"{path}: holds both languages ({name or root}); give one file per language, or nmt eval --test"
        )
