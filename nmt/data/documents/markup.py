"""Where the elements of an XML file stand in its bytes, so that some can be replaced and all else stays as it is."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from nmt.data.formats.markup import NATIVE_CODE, check_depth, forbid_entities, local
from nmt.data.formats.text import one_line
from nmt.errors import DataError


@dataclass
class Element:
    """Hold an element: its name with prefix, its attributes, and its place in the UTF-8 bytes of the file."""

    name: str
    attributes: dict[str, str]
    line: int
    start: int  # of its start tag
    inner: int = 0  # end of its start tag
    inner_end: int = 0  # start of its end tag
    end: int = 0
    text: str = ""  # its own, before any child
    tail: str = ""
    children: list["Element"] = field(default_factory=list)

    @property
    def local(self) -> str:
        """Return the name without its namespace."""
        return local(self.name)

    def child(self, name: str) -> "Element | None":
        """Return the first child of this name; None if there is none."""
        return next((each for each in self.children if each.local == name), None)

    def walk(self) -> list["Element"]:
        """Return the element and all below it, in the order of the file."""
        return [self, *(each for child in self.children for each in child.walk())]

    def segment(self) -> str:
        """Return the text in one line, without inline tags and their native code."""
        return one_line(self._texts()).strip(" \t")

    def _texts(self) -> str:
        if self.local in NATIVE_CODE:
            return ""
        return self.text + "".join(child._texts() + child.tail for child in self.children)


def parse(path: Path, content: bytes) -> Element:
    """Parse UTF-8 bytes to the root element, whatever the XML declaration says. Raises DataError with file and line."""
    parser: Any = expat.ParserCreate("utf-8")
    open_elements: list[Element] = []
    roots: list[Element] = []

    def started(name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes, parser.CurrentLineNumber, parser.CurrentByteIndex)
        element.inner = _tag_end(content, element.start)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)
        check_depth(path, len(open_elements), element.line)

    def ended(name: str) -> None:
        element = open_elements.pop()
        if content[element.inner - 2 : element.inner] == b"/>":
            element.inner_end = element.end = element.inner
        else:
            element.inner_end = parser.CurrentByteIndex
            element.end = _tag_end(content, element.inner_end)

    def text(data: str) -> None:
        if open_elements and open_elements[-1].children:
            open_elements[-1].children[-1].tail += data
        elif open_elements:
            open_elements[-1].text += data

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.CharacterDataHandler = text
    forbid_entities(parser, path)
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        problem = expat.errors.messages[error.code]
        raise DataError(f"{path}:{error.lineno}: not well-formed XML ({problem}); repair the file") from None
    return roots[0]


def _tag_end(content: bytes, start: int) -> int:
    """Return the place after the tag that starts at a place; `>` may stand in its attributes."""
    quote = 0
    for place in range(start, len(content)):
        byte = content[place]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return place + 1
    return len(content)


def tag_with(tag: bytes, name: str, value: str) -> bytes:
    """Return a start tag in which an attribute has a value, whether it was there or not."""
    text = tag.decode()
    attribute = f'{name}="{escape(value, {chr(34): "&quot;"})}"'
    replaced, count = re.subn(rf"""(?<=\s){re.escape(name)}\s*=\s*("[^"]*"|'[^']*')""", lambda _: attribute, text)
    if not count:
        end = re.search(r"\s*/?>$", text)
        place = end.start() if end else len(text)
        replaced = f"{text[:place]} {attribute}{text[place:]}"
    return replaced.encode()


def space_before(content: bytes, start: int) -> bytes:
    """Return the line break and indentation before a place, empty if something else stands before it in its line."""
    begin = start
    while begin and content[begin - 1 : begin] in {b" ", b"\t"}:
        begin -= 1
    if begin and content[begin - 1 : begin] == b"\n":
        return (b"\r\n" if content[begin - 2 : begin - 1] == b"\r" else b"\n") + content[begin:start]
    return b""


def escaped(text: str) -> bytes:
    """Return a text as XML writes it."""
    return escape(text).encode()
