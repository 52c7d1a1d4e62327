"""HTML and XML: the texts are translated, and the tags are put back by the word alignment, never inside a word."""

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from nmt.data.words import split_words

# Elements whose boundaries end a sentence. All others are inline: their tags move with the words that they hold.
BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center", "dd", "details", "dialog",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "option", "p", "section", "select",
    "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul",
}  # fmt: skip
KEPT = ("script", "style", "pre", "code", "textarea", "svg", "math", "template")  # whose content stays as it is
VOID = {"area", "base", "col", "embed", "img", "input", "link", "meta", "source", "track", "wbr"}
_NAME = re.compile(r"<(/?)([A-Za-z][\w:.-]*)")


class Markup:
    """Say which elements end a sentence, which have no content, and which keep their content as it is."""

    def __init__(self, blocks: Collection[str], void: Collection[str], kept: Collection[str]) -> None:
        """Take lower-case names."""
        self.blocks, self.void, self.kept = frozenset(blocks), frozenset(void), frozenset(kept)
        names = "|".join(map(re.escape, sorted(kept)))
        whole = rf"<({names})\b[^>]*>.*?</\1\s*>|" if names else ""
        self.part = re.compile(
            r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|" + whole + r"<[/!?]?[A-Za-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
            re.DOTALL | re.IGNORECASE,
        )

    def is_inline(self, part: str) -> bool:
        """Return whether a tag moves with the words around it."""
        name = _NAME.match(part)
        return name is not None and name[2].lower() not in self.blocks

    def is_point(self, part: str, name: str) -> bool:
        """Return whether an inline part stands at one place of the text, and around no words of it."""
        return name in self.void or name in self.kept or part.endswith("/>")


HTML = Markup(BLOCKS, VOID, KEPT)


@dataclass
class Tag:
    """Hold an inline element of a segment: its tags, and the words of the source that it is around."""

    opening: str
    closing: str  # "" for an element without content
    first: int  # source words from here
    last: int  # up to here, excluded
    spaced: tuple[bool, bool] = (False, False)  # of an element without text: whether white space is before and after it

    def at(self, before: str, after: str) -> str:
        """Return an element without text as it stands between two texts, with its white space."""
        left = " " if self.spaced[0] and before and not before[-1].isspace() else ""
        right = " " if self.spaced[1] and after and not after[0].isspace() else ""
        return f"{left}{self.opening}{self.closing}{right}"


@dataclass
class Segment:
    """Hold a text between two blocks, with white space around it, and its inline elements, outer ones first."""

    before: str
    text: str
    after: str
    tags: list[Tag] = field(default_factory=list)


def segments_of(source: str, markup: Markup = HTML) -> list[str | Segment]:
    """Split a text with tags into markup that stays as it is, and segments to translate."""
    found: list[str | Segment] = []
    run: list[str] = []  # text and inline tags since the last block
    place = 0
    for match in markup.part.finditer(source):
        run.append(source[place : match.start()])
        place = match.end()
        if markup.is_inline(match[0]):
            run.append(match[0])
            continue
        found += _segments(run, markup)
        found.append(match[0])
        run = []
    run.append(source[place:])
    return [*found, *_segments(run, markup)]


def _segments(run: Sequence[str], markup: Markup) -> list[str | Segment]:
    """Return a run of text and inline tags as a segment; as it is, if there is no text in it."""
    if not any(html.unescape(part).strip() for part in run[::2]):
        return ["".join(run)]
    text = ""
    spans: list[tuple[str, str, int, int]] = []  # opening, closing, start, end in the text
    open_tags: list[tuple[str, str, int]] = []  # name, tag, start
    for index, part in enumerate(run):
        if index % 2 == 0:
            text += re.sub(r"\s+", " ", html.unescape(part))
            continue
        name = _NAME.match(part)
        assert name is not None
        if name[1]:
            known = next((each for each in reversed(open_tags) if each[0] == name[2].lower()), None)
            if known:
                open_tags.remove(known)
                spans.append((known[1], part, known[2], len(text)))
            else:  # opened in another segment
                spans.append((part, "", len(text), len(text)))
        elif markup.is_point(part, name[2].lower()):
            spans.append((part, "", len(text), len(text)))
        else:
            open_tags.append((name[2].lower(), part, len(text)))
    spans += [(tag, "", start, start) for _, tag, start in open_tags]  # never closed here
    core = text.strip()
    shift = len(text) - len(text.lstrip())
    words = split_words(core)
    ends, starts = [word.end + shift for word in words], [word.start + shift for word in words]
    tags = [
        Tag(opening, closing, bisect_right(ends, start), bisect_left(starts, end), _spaces(text, start, end))
        for opening, closing, start, end in spans
    ]
    tags.sort(key=lambda tag: (tag.first, -tag.last))
    points = {start for _, _, start, end in spans if start == end}  # they have the white space beside them
    lead = "" if 0 in points else text[:shift]
    return [Segment(lead, core, "" if len(text) in points else text[shift + len(core) :], tags)]


def _spaces(text: str, start: int, end: int) -> tuple[bool, bool]:
    """Return whether white space is before and after an element that has no text."""
    return (False, False) if end > start else (text[:start][-1:].isspace(), text[end : end + 1].isspace())


def filled(segment: Segment, translation: str, alignment: Sequence[tuple[int, int]]) -> str:
    """Return a translated segment with its tags: each around the words that those inside it are aligned to. Tags stay
    nested; one whose words are aligned to nothing is empty, at the place of the next word."""
    words = split_words(translation)
    before: list[list[str]] = [[] for _ in range(len(words) + 1)]
    after: list[list[str]] = [[] for _ in range(len(words) + 1)]
    stack: list[tuple[Tag, int, int]] = []
    reached = 0
    for tag in segment.tags:
        while stack and not (
            stack[-1][0].first <= tag.first and tag.last <= stack[-1][0].last and stack[-1][0].closing
        ):
            reached = max(reached, stack.pop()[2])
        low, high = (stack[-1][1], stack[-1][2]) if stack else (0, len(words))
        low = max(low, min(reached, high))
        inside = [target for source, target in alignment if tag.first <= source < tag.last and low <= target < high]
        if tag.closing and inside:
            start, end = min(inside), max(inside) + 1
            before[start].append(tag.opening)
            after[end - 1].insert(0, tag.closing)
            stack.append((tag, start, end))
            continue
        following = [target for source, target in alignment if source >= tag.first and low <= target < high]
        place = min(following, default=high)
        if stack and place == high:  # inside the element that ends here
            closed = [index for index, each in enumerate(after[high - 1]) if each.startswith("</")]
            after[high - 1].insert(min(closed), tag.at(translation[: words[high - 1].end], ""))
            continue
        split = words[place].start if place < len(words) else len(translation)
        before[place].append(tag.at(translation[:split], translation[split:]))
    parts, place = [segment.before], 0
    for index, word in enumerate(words):
        parts += [html.escape(translation[place : word.start], quote=False), *before[index]]
        parts += [html.escape(word.text, quote=False), *after[index]]
        place = word.end
    return "".join([*parts, html.escape(translation[place:], quote=False), *before[len(words)], segment.after])
