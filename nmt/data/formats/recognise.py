"""What format a file has: by its ending, and by its first lines where the ending does not say."""

import itertools
import re
from pathlib import Path

from nmt.data.corpus import read_lines
from nmt.data.formats import FORMATS
from nmt.data.formats.tables import BARS
from nmt.data.formats.text import IWSLT_TAG
from nmt.data.opening import open_binary
from nmt.data.zipped import zip_member
from nmt.errors import DataError

LINES = 20  # looked at
_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")
_ROOTS = {
    "tmx": "tmx",
    "xliff": "xliff",
    "srcset": "sgm",
    "refset": "sgm",
    "tstset": "sgm",
    "mteval": "sgm",
    "dataset": "wmt",
}
ANY = "latin-1"  # in which all bytes are characters: marks of formats are ASCII


def plain_suffix(path: Path) -> str:
    """Return the ending of a name, in lower case and without that of a compression: `a.tsv.gz` -> `.tsv`."""
    name = path.with_suffix("") if path.suffix in {".gz", ".bz2", ".xz", ".zst"} else path
    return name.suffix.lower()


def format_of_file(path: Path) -> str | None:
    """Return the format of a file that holds both sides; None if it is text in one language, or of a format with two
    files."""
    suffix = plain_suffix(path)
    if suffix not in {".xml", ".json"}:
        for name, kind in FORMATS.items():
            if suffix in kind.endings:
                return name
    if root := root_format(path):
        return root if FORMATS[root].files == 1 else None
    lines = [line for line in itertools.islice(read_lines(path, encoding=ANY), LINES) if line.strip()]
    if not lines:
        return None
    if suffix == ".json" or all(line.startswith("{") and line.rstrip().endswith("}") for line in lines):
        return "jsonl"
    if all(BARS in f" {line} " for line in lines):
        return "bars"
    return "tsv" if all("\t" in line.strip() for line in lines) else None


def format_of_pair(source: Path, target: Path) -> str:
    """Return the format of two files; pipes are text. Raises DataError if they differ or are of a format with one
    file."""
    found = []
    for path in (source, target):
        if not path.is_file() and not zip_member(path):  # what is read from a pipe is gone
            found.append("text")
            continue
        root = root_format(path)
        first = itertools.islice(read_lines(path, encoding=ANY), LINES) if not root else ()
        tagged = any(IWSLT_TAG.match(line) for line in first)
        found.append(root or ("iwslt" if tagged else "text"))
    if set(found) == {"iwslt", "text"}:
        return "iwslt"
    for path, name in zip((source, target), found, strict=True):
        if FORMATS[name].files == 1:
            raise DataError(f"{path}: holds both languages ({name}); name this file alone")
    if found[0] != found[1]:
        raise DataError(f"{source} is {found[0]} and {target} is {found[1]}; give two files of the same kind")
    return found[0]


def root_format(path: Path) -> str | None:
    """Return the format that the first element of a file stands for. Raises DataError for XML of another kind."""
    with open_binary(path) as file:
        head = file.read(1 << 14)
    encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    text = head.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        return None
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = _ROOT.search(text)
    name = _ROOTS.get(found[1].lower()) if found else None
    if name is None and text.startswith("<?xml"):
        root = f"<{found[1]}>" if found else "nothing"
        raise DataError(f"{path}: XML that begins with {root} is not supported; use TMX, XLIFF or the XML of WMT")
    return name
