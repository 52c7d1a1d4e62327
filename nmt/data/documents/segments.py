"""Texts of a document and the places that their translations go to."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nmt.data.corpus import is_blank

PLACEHOLDER = re.compile(
    r"%\(\w+\)[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]|"
    r"%(?:\d+\$)?[-+#0]*\d*(?:\.\d+)?l{0,2}[sdifgeuxXc@]|%%|\$?\{[\w.:!]*\}|&\w+;|<[^<>]+>"
)


@dataclass
class Document:
    """Hold the texts of a file to be translated, each in one line, and the writer that puts the translations in.

    `write` takes as many translations as there are texts, and returns the bytes of the file.
    """

    texts: list[str]
    write: Callable[[Sequence[str]], bytes]
    notes: Counter[str] = field(default_factory=Counter)  # what was left out or is to be looked at, and how often
    prefixes: Callable[[str], list[str]] | None = None  # by a key of the file: what each translation begins with

    def filled(self, translations: Sequence[str]) -> bytes:
        """Return the file with its translations. Counts in `notes` those that lost a placeholder such as `%d` or
        `{name}`."""
        for text, translation in zip(self.texts, translations, strict=True):
            if Counter(PLACEHOLDER.findall(text)) != Counter(PLACEHOLDER.findall(translation)):
                self.notes["translations with other placeholders than the source; repair them"] += 1
        return self.write(translations)


class Lines:
    """Split texts into lines that are translated one by one, and join them again with the white space around them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> Callable[[Sequence[str]], str]:
        """Adds the lines of a text. Returns what makes its translation out of the translations of all lines."""
        parts: list[str | int] = []  # white space, or the place of a line in `texts`
        for part in re.split(r"(\r?\n)", text):
            core = part.strip()
            if is_blank(core):
                parts.append(part)
                continue
            start = part.index(core)
            parts += [part[:start], len(self.texts), part[start + len(core) :]]
            self.texts.append(core)
        return lambda translations: "".join(part if isinstance(part, str) else translations[part] for part in parts)


def spliced(content: bytes, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Return content in which some byte ranges (start, end, new bytes) are replaced; they do not overlap."""
    parts, place = [], 0
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        parts += [content[place:start], new]
        place = end
    return b"".join([*parts, content[place:]])
