"""The .sgm test sets of WMT and IWSLT with their segments translated."""

import html
import re
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from nmt.data.documents.segments import Document, spliced
from nmt.data.formats.text import one_line
from nmt.errors import DataError

_SEGMENT = re.compile(rb"<seg\b[^<>]*>(.*?)(?=</seg>|<seg\b|</?(?:p|hl|doc|srcset|refset|tstset)\b)", re.I | re.S)


def open_sgm(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open an SGM file: every segment is translated in its place."""
    content = text.encode()
    found = list(_SEGMENT.finditer(content))
    if not found and content.strip():
        raise DataError(f"{path}: has no <seg>; --format text translates its lines")
    texts = [one_line(html.unescape(segment[1].decode())).strip() for segment in found]

    def write(translations: Sequence[str]) -> bytes:
        places = [segment.span(1) for segment in found]
        return spliced(
            content, [(*place, escape(new).encode()) for place, new in zip(places, translations, strict=True)]
        )

    return Document(texts, write)
