"""Test sets of WMT and IWSLT: `.sgm`, which is not well-formed XML, and `.xml`, with segments in documents."""

import html
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from nmt.data.corpus import Pair, read_lines
from nmt.data.encodings import AUTO
from nmt.data.formats.codes import language_index
from nmt.data.formats.markup import elements, segment_text
from nmt.data.formats.text import one_line
from nmt.errors import DataError
from nmt.shown import amount

_TAG = re.compile(r"<(/?)(seg|doc|srcset|refset|tstset)\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")


class Segment(NamedTuple):
    """Hold a segment of a test set and where it belongs."""

    line: int
    document: str
    id: str
    text: str


def read_sgm(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read two files with the same documents and segments, numbered as segments. Raises DataError where they differ.

    If the second file has several translations of the documents, the first is taken.
    """
    sources, targets = (sgm_segments(path, encoding) for path in files)
    for number, (source, target) in enumerate(itertools.zip_longest(sources, targets), start=1):
        if source is None or target is None:
            path, longer = (files[0], files[1]) if source is None else (files[1], files[0])
            raise DataError(
                f"{path}: has {amount(number - 1, 'segment')}, and {longer} has more; segment N must translate "
                "segment N"
            )
        if (source.document, source.id) != (target.document, target.id):
            raise DataError(
                f"{files[0]}:{source.line}: segment {source.id} of document {source.document} meets segment "
                f"{target.id} of document {target.document} in {files[1]}:{target.line}; put both into the same order"
            )
        yield Pair(number, source.text, target.text)


def sgm_segments(path: Path, encoding: str = AUTO) -> Iterator[Segment]:
    """Yield the segments of an .sgm file, of its first system or translator only. Entities are read as in HTML."""
    document, system, first = "", "", None
    segment: Segment | None = None
    for number, line in enumerate(read_lines(path, encoding=encoding), start=1):
        place = 0
        for tag in _TAG.finditer(line):
            if segment:
                segment = segment._replace(text=f"{segment.text}{line[place : tag.start()]}")
            place = tag.end()
            name, attributes = tag[2].lower(), _attributes(tag[3])
            if segment and (name == "seg" or tag[1]):  # </seg> may be missing
                if first is None or system == first:
                    first = system
                    yield segment._replace(text=one_line(html.unescape(segment.text)).strip())
                segment = None
            if name == "doc" and not tag[1]:
                document = attributes.get("docid", "")
                system = attributes.get("sysid", system)
            elif name == "refset" and not tag[1]:
                system = attributes.get("refid", "")
            elif name == "seg" and not tag[1]:
                segment = Segment(number, document, attributes.get("id", ""), "")
        if segment:
            segment = segment._replace(text=f"{segment.text}{line[place:]}\n")
    if segment:
        raise DataError(f"{path}:{segment.line}: segment {segment.id} does not end; was the file cut short?")


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(text)}


def sgm_language(path: Path) -> str:
    """Return the language that an .sgm file says it is in, or an empty string."""
    for line in itertools.islice(read_lines(path, encoding="latin-1"), 50):
        for tag in _TAG.finditer(line):
            attributes = _attributes(tag[3])
            if tag[2].lower() == "srcset":
                return attributes.get("srclang", "")
            if tag[2].lower() in {"refset", "tstset"}:
                return attributes.get("trglang", "")
    return ""


def read_wmt_xml(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read one file with source and references of each document. The first reference is taken; segments are
    numbered."""
    number = 0
    for line, document in elements(files[0], {"doc"}):
        sources = [part for part in document if part.tag == "src"]
        references = [part for part in document if part.tag == "ref"]
        parts = [*sources, *references]
        codes = [part.get("lang", "") for part in parts]
        source, target = (language_index(language, codes) for language in languages)
        if source is None or target is None:
            if all(codes) and codes:
                listed = " and ".join(dict.fromkeys(codes))
                raise DataError(
                    f"{files[0]}:{line}: document {document.get('id', '?')} is in {listed}, "
                    f"not in {languages[0]} and {languages[1]}; set data.source and data.target to its languages"
                )
            source, target = 0, len(sources)
        if not sources or not references:
            raise DataError(f"{files[0]}:{line}: document {document.get('id', '?')} has no source or no reference")
        texts, found = _by_id(parts[source]), _by_id(parts[target])
        for identity, text in texts.items():
            number += 1
            if identity not in found:
                raise DataError(f"{files[0]}:{line}: the reference has no segment {identity}; add or remove it")
            yield Pair(number, text, found[identity])


def _by_id(part: Element) -> dict[str, str]:
    return {segment.get("id", str(place)): segment_text(segment) for place, segment in enumerate(part.iter("seg"))}


def wmt_xml_languages(path: Path) -> tuple[str, str] | None:
    """Return the languages that a WMT XML file names; None if it names none."""
    for _, document in elements(path, {"doc"}):
        codes = [part.get("lang", "") for name in ("src", "ref") for part in document.findall(name)[:1]]
        return (codes[0], codes[1]) if len(codes) == 2 and all(codes) else None
    return None
