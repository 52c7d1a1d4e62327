"""gettext PO files, the texts of a program: entries with `msgid` and `msgstr`.

Read here and not by a library, because `nmt translate` fills in translations without changing any other byte, and for
that has to know where each string stands.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nmt.config.values import is_text_encoding
from nmt.data.corpus import Pair, read_lines
from nmt.data.encodings import AUTO
from nmt.data.formats.codes import same_language
from nmt.data.formats.text import checked, one_line
from nmt.data.opening import open_binary
from nmt.errors import DataError

_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s*(".*")\s*$')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*$')
_CHARSET = re.compile(rb"Content-Type:[^\n]*?charset=([\w.:-]+)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]+|.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class Entry:
    """Hold one entry. `places` gives the lines, from 0 and without the end, of each keyword with its strings."""

    first: int = -1  # line, from 0, of its first comment or keyword
    strings: dict[str, str] = field(default_factory=dict)  # msgctxt, msgid, msgid_plural, msgstr or msgstr[0] ...
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    flag_line: int = -1

    @property
    def is_header(self) -> bool:
        """Return whether this is the header: its source text is empty."""
        return self.strings.get("msgid") == "" and "msgctxt" not in self.strings

    def translations(self) -> dict[str, str]:
        """Return the translations, one for each plural form."""
        return {name: text for name, text in self.strings.items() if name.startswith("msgstr")}


def read_po(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read translated entries, numbered as they come; fuzzy, obsolete and empty ones are left out, counted.

    An entry with a plural gives two pairs: msgid with msgstr[0], and msgid_plural with the last msgstr if there are
    several. If the header's language is the source language and not the target language, sides are swapped.
    """
    swapped, number = False, 0
    for entry in entries(files[0], notes, encoding):
        if entry.is_header:
            language = header_language(entry)
            swapped = same_language(languages[0], language) and not same_language(languages[1], language)
            continue
        if "fuzzy" in entry.flags:
            notes["fuzzy entries left out"] += 1
        source, plural = entry.strings["msgid"], entry.strings.get("msgid_plural")
        forms = list(entry.translations().values())
        pairs = []
        if plural is None or len(forms) > 1:  # else the language has one form for all numbers
            pairs.append((source, forms[0]))
        if plural is not None:
            pairs.append((plural, forms[-1]))
        for source, target in pairs:
            number += 1
            if "fuzzy" in entry.flags:
                continue
            if not target:
                notes["entries without a translation left out"] += 1
                continue
            source, target = one_line(source), one_line(target)
            yield Pair(number, target, source) if swapped else Pair(number, source, target)


def header_language(entry: Entry) -> str:
    """Return the language that the header of a PO file names; "" if none."""
    for line in entry.strings.get("msgstr", "").split("\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "language":
            return value.strip()
    return ""


def po_languages(path: Path) -> tuple[str, str] | None:
    """Return English and the language of the header: messages in programs are English unless their authors say
    otherwise."""
    first = next(entries(path, Counter()), None)
    language = header_language(first) if first and first.is_header else ""
    return ("en", language) if language and not same_language("en", language) else None


def entries(path: Path, notes: Counter[str], encoding: str = AUTO) -> Iterator[Entry]:
    """Return the entries of a file, without obsolete ones, which are counted. The charset of the header wins."""
    with open_binary(path) as file:
        encoding = po_charset(file.read(1 << 14)) or encoding
    return parse(read_lines(path, notes, encoding), path, notes)


def po_charset(raw: bytes) -> str:
    """Return the encoding that the header names, in lower case; empty if that is UTF-8, not known or not said."""
    found = _CHARSET.search(raw)
    name = found[1].decode().lower() if found else ""
    if not is_text_encoding(name):  # in templates, it is `CHARSET`
        return ""
    return "" if codecs.lookup(name).name in {"utf-8", "ascii"} else name


def parse(lines: Iterator[str], path: Path, notes: Counter[str]) -> Iterator[Entry]:
    """Parse lines into entries. Raises DataError with file and line for what is not PO."""
    entry, keyword = Entry(), ""
    for number, line in enumerate(lines):
        text = line.strip()
        starts_new = text.startswith(("#", "msgctxt")) or (text.startswith("msgid") and text[5:6] in {" ", "\t", '"'})
        if starts_new and "msgid" in entry.strings and (entry.translations() or text.startswith("#")):
            yield _complete(entry, path)
            entry, keyword = Entry(), ""
        if text.startswith("#~"):
            notes["obsolete entries left out"] += text[2:].lstrip().startswith("msgid ")
        elif text.startswith("#,"):
            entry.flags += [flag.strip() for flag in text[2:].split(",")]
            entry.flag_line = number
            entry.first = number if entry.first < 0 else entry.first
        elif text.startswith("#"):
            entry.first = number if entry.first < 0 else entry.first
        elif found := _KEYWORD.match(text):
            keyword = found[1] + (f"[{found[2]}]" if found[2] else "")
            if keyword in entry.strings:
                raise DataError(f"{path}:{number + 1}: a second {keyword} in one entry; repair the entry")
            entry.strings[keyword] = _unquoted(found[3], path, number)
            entry.places[keyword] = (number, number + 1)
            entry.first = number if entry.first < 0 else entry.first
        elif text.startswith('"') and keyword:
            entry.strings[keyword] += _unquoted(text, path, number)
            entry.places[keyword] = (entry.places[keyword][0], number + 1)
        elif text:
            raise DataError(f"{path}:{number + 1}: not a line of a PO file: {text[:30]!r}; repair or remove it")
    if entry.strings:
        yield _complete(entry, path)


def _complete(entry: Entry, path: Path) -> Entry:
    if "msgid" not in entry.strings or not entry.translations():
        raise DataError(f"{path}:{entry.first + 1}: an entry without msgid or msgstr; complete or remove it")
    return entry


def _unquoted(text: str, path: Path, number: int) -> str:
    found = _STRING.match(text)
    if not found:
        raise DataError(f'{path}:{number + 1}: quotation marks do not close; write \\" inside a string')
    return checked(_ESCAPE.sub(_unescaped, found[1]), f"{path}:{number + 1}")


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[-2:].removeprefix("x"), 16))  # as in C, the last byte of it
    return _ESCAPES.get(code, code)


def quoted(text: str) -> str:
    """Quote a text as a PO file does."""
    for code, character in (("\\", "\\"), ('"', '"'), *_ESCAPES.items()):
        text = text.replace(character, f"\\{code}")
    return f'"{text}"'
