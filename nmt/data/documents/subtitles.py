"""Subtitles (SubRip, WebVTT): the text of each title is translated; numbers, times and styles stay."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.data.corpus import is_blank
from nmt.data.documents.segments import Document
from nmt.errors import DataError

_TIMES = re.compile(r"\s*[\d:.,;][\d:.,;\s]*-->")
_TIME = r"\d+\s*:\s*\d+(?:\s*[:.,;]\s*\d+)+"
_MALFORMED = re.compile(rf"\s*{_TIME}\s*(?:\D{{0,8}}{_TIME}|[-–—=]*[>→])|\s*{_TIME}(?<=[.,]\d\d\d)\s*$")
_FRACTION = re.compile(r"[.,]\d")  # of a second
_NOT_TITLES = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b")  # first words of the other blocks of WebVTT
LONGEST_TIMES = 100  # characters; what follows is not looked at
EXAMPLE = "00:00:01,000 --> 00:00:02,000"
_PART = re.compile(r"<[^<>]*>|\{\\[^{}]*\}|\s+|[^\s<{]+|.", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


def open_subtitles(
    path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool
) -> Document:
    """Open subtitles. The lines of a title are translated together and broken again; lines that begin with a dash
    are speakers.

    Raise DataError with file and line for times that are malformed. Text without times stays, and is counted in the
    notes.
    """
    document = Document([], lambda _: b"")
    lines = text.split("\n")
    is_vtt = text.removeprefix("\ufeff").startswith("WEBVTT")
    titles: list[tuple[int, int, Callable[[Sequence[str]], list[str]]]] = []
    outside: list[int] = []  # numbers of the lines with text that belongs to no title
    other_block = False
    number = 0
    while number < len(lines):
        number += 1
        line = lines[number - 1].removeprefix("\ufeff")
        if "-->" not in line:
            if number == 1 or is_blank(lines[number - 2]):
                other_block = bool(is_vtt and _NOT_TITLES.match(line))
            if not other_block and not is_blank(line) and not line.strip().isdecimal():
                _check_times(path, number, line)
                outside.append(number)
            continue
        if outside[-1:] == [number - 1]:
            outside.pop()  # the name of this title
        start = number
        while number < len(lines) and not is_blank(lines[number]) and not _begins(lines, number):
            if lines[number - 1].strip().isdecimal() or _FRACTION.search(lines[number][:LONGEST_TIMES]):
                _check_times(path, number + 1, lines[number])  # otherwise it may be text, as in 12:30:00 - 13:30:00
            number += 1
        titles.append((start, number, _title(document, [line.rstrip("\r") for line in lines[start:number]])))
    if outside:
        document.notes[
            f"lines that belong to no title, left as they are, the first in {path}:{outside[0]}; write the times of "
            f"the title before them, as in {EXAMPLE}, and remove empty lines inside a title"
        ] += len(outside)
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
    times = lines[number + 1] if numbered else lines[number]
    return bool(_TIMES.match(times[:LONGEST_TIMES])) or (numbered and "-->" in times)


def _check_times(path: Path, number: int, line: str) -> None:
    """Raise DataError if a line was meant to be the times of a title: its text would not be translated."""
    if _MALFORMED.match(line[:LONGEST_TIMES]):
        raise DataError(
            f"{path}:{number}: malformed times of a title: {line.strip()[:40]!r}; write them as in {EXAMPLE}"
        )


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
