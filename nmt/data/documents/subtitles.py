"""Subtitles (SubRip, WebVTT): the text of each title is translated; numbers, times and styles stay."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.data.corpus import is_blank
from nmt.data.documents.segments import Document

_TIMES = re.compile(r"\s*[\d:.,]+\s*-->\s*[\d:.,]+")
_PART = re.compile(r"<[^<>]*>|\{\\[^{}]*\}|\s+|[^\s<{]+|.", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


def open_subtitles(
    path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool
) -> Document:
    """Open subtitles. The lines of a title are translated together and broken again; lines that begin with a dash
    are speakers."""
    document = Document([], lambda _: b"")
    lines = text.split("\n")
    titles: list[tuple[int, int, Callable[[Sequence[str]], list[str]]]] = []
    number = 0
    while number < len(lines):
        number += 1
        if "-->" not in lines[number - 1]:
            continue
        start = number
        while number < len(lines) and not is_blank(lines[number]) and not _begins(lines, number):
            number += 1
        titles.append((start, number, _title(document, [line.rstrip("\r") for line in lines[start:number]])))
    ending = "\r" if "\r\n" in text else ""

    def write(translations: Sequence[str]) -> bytes:
        written, place = [], 0
        for start, end, filler in titles:
            written += [*lines[place:start], *(f"{line}{ending}" for line in filler(translations))]
            place = end
        return "\n".join([*written, *lines[place:]]).encode()

    document.write = write
    return document


def _begins(lines: list[str], number: int) -> bool:
    """Return whether a title begins here: with its times, or with its number and then its times. Files in which no
    blank line is between two titles exist."""
    numbered = lines[number].strip().isdecimal() and number + 1 < len(lines)
    return bool(_TIMES.match(lines[number + 1] if numbered else lines[number]))


def _title(document: Document, lines: list[str]) -> Callable[[Sequence[str]], list[str]]:
    """Adds the text of a title. Returns what makes its lines out of all translations."""
    if len(lines) > 1 and all(_TAG.sub("", line).lstrip().startswith(("-", "–")) for line in lines):
        speakers = [_title(document, [line]) for line in lines]
        return lambda translations: [line for speaker in speakers for line in speaker(translations)]
    # Split off the tags and the white space around the text.
    parts = _PART.findall(" ".join(lines))
    start, end = 0, len(parts)
    while start < end and (parts[start].isspace() or _TAG.fullmatch(parts[start])):
        start += 1
    while end > start and (parts[end - 1].isspace() or _TAG.fullmatch(parts[end - 1])):
        end -= 1
    before, core, after = "".join(parts[:start]), "".join(parts[start:end]), "".join(parts[end:])
    plain = " ".join(_TAG.sub("", core).split())
    if is_blank(plain):
        return lambda _: lines
    if _TAG.search(core):
        document.notes["subtitles with tags inside the text, translated without them"] += 1
    place = len(document.texts)
    document.texts.append(plain)
    return lambda translations: _broken(f"{before}{translations[place]}{after}", len(lines))


def _broken(text: str, count: int) -> list[str]:
    """Break a text into as many lines, about equally long, at spaces where there are any."""
    lines, start = [], 0
    while count > 1:
        ideal = start + (len(text) - start) // count
        nearest = (text.rfind(" ", start, ideal + 1), text.find(" ", ideal + 1))
        spaces = [place for place in nearest if place >= 0]
        if not spaces:
            break
        cut = min(spaces, key=lambda place: abs(place - ideal))
        lines.append(text[start:cut])
        start, count = cut + 1, count - 1
    return [*lines, text[start:]]
