"""XML in constant memory: one element at a time, with its line. No entity is ever defined or fetched."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from nmt.config.values import is_text_encoding
from nmt.data.formats.text import one_line
from nmt.data.opening import open_binary
from nmt.errors import DataError

_DECLARATION = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
DEEPEST = 200  # elements within each other
BLOCK = 1 << 16
NATIVE_CODE = {"bpt", "ept", "it", "ph", "ut"}  # what stands in them is code of the original format, not text
Found = tuple[int, ET.Element]
Opened = Callable[[str, dict[str, str]], None]


def local(name: str) -> str:
    """Return a name without its namespace prefix."""
    return name.rpartition(":")[2]


def elements(path: Path, whole: set[str], opened: Opened | None = None) -> Iterator[Found]:
    """Yield complete elements with one of the local names in `whole`, each with its line; nothing else is kept.

    `opened` is called with the local name and the attributes of every element outside them as it begins. Names and
    attributes come without namespace prefixes, but `xml:lang` as it is. Raises DataError with file and line for XML
    that is not well-formed, and for entities of its own.
    """
    collector = _Collector(path, whole, opened)
    parser = collector.parser
    with open_binary(path) as file:
        while True:
            block = file.read(BLOCK)
            try:
                parser.Parse(block, not block)
            except expat.ExpatError as error:
                problem = expat.errors.messages[error.code]
                raise DataError(f"{path}:{error.lineno}: not well-formed XML ({problem}); repair the file") from None
            except (LookupError, ValueError) as error:
                raise DataError(f"{path}:1: encoding cannot be read ({error}); convert the file to UTF-8") from None
            yield from collector.complete
            collector.complete.clear()
            if not block:
                return


class _Collector:
    """Builds the elements that are asked for."""

    def __init__(self, path: Path, whole: set[str], opened: Opened | None) -> None:
        self.path, self.whole, self.opened = path, whole, opened
        self.complete: list[Found] = []
        self._builder: ET.TreeBuilder | None = None
        self._depth, self._line = 0, 0
        self.parser: Any = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        forbid_entities(self.parser, path)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        plain = {key if key == "xml:lang" else local(key): value for key, value in attributes.items()}
        if self._builder is None and local(name) in self.whole:
            self._builder, self._depth, self._line = ET.TreeBuilder(), 0, self.parser.CurrentLineNumber
        if self._builder is not None:
            self._depth += 1
            check_depth(self.path, self._depth, self.parser.CurrentLineNumber)
            self._builder.start(local(name), plain)
        elif self.opened:
            self.opened(local(name), plain)

    def _end(self, name: str) -> None:
        if self._builder is None:
            return
        self._builder.end(local(name))
        self._depth -= 1
        if not self._depth:
            self.complete.append((self._line, self._builder.close()))
            self._builder = None

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)


def xml_encoding(raw: bytes) -> str:
    """Return the encoding that an XML file says it has, in lower case; "" if that is UTF-8, unknown or not said."""
    found = _DECLARATION.match(raw.removeprefix(b"\xef\xbb\xbf").lstrip())
    name = found[1].decode().lower() if found else ""
    return "" if name in {"utf-8", "utf8"} or not is_text_encoding(name) else name


def check_depth(path: Path, depth: int, line: int) -> None:
    """Raise DataError if elements are nested deeper than any real file has them."""
    if depth > DEEPEST:
        raise DataError(f"{path}:{line}: elements are nested more than {DEEPEST} deep; is the file damaged?")


def forbid_entities(parser: Any, path: Path) -> None:
    """Makes a parser raise DataError where a file defines an entity, which could grow beyond all memory."""

    def declared(name: str, *_: object) -> None:
        line = parser.CurrentLineNumber
        raise DataError(f"{path}:{line}: defines the entity {name}; entities are not supported; write out their text")

    parser.EntityDeclHandler = declared


def segment_text(element: ET.Element | None) -> str:
    """Return the text of a segment in one line, without the native code of inline tags."""
    return "" if element is None else one_line("".join(_texts(element))).strip(" \t")


def _texts(element: ET.Element) -> Iterator[str]:
    if element.tag == "cp":  # XLIFF 2: a character that XML cannot hold
        return
    if element.text and element.tag not in NATIVE_CODE:
        yield element.text
    for child in element:
        yield from _texts(child)
        if child.tail and element.tag not in NATIVE_CODE:
            yield child.tail


def language_of(attributes: dict[str, str]) -> str:
    """Return the language code in the attributes of an element; "" if there is none."""
    return attributes.get("xml:lang") or attributes.get("lang", "")
