"""Which training pairs are unusable: each filter says why it drops a pair, or None if it keeps it.

`data.filters` names those that apply besides `blank`, which always does. `nmt check` counts what each would drop.
A filter is made for one text, so that it can compare a pair with the others.
"""

import functools
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

import regex

from nmt.data.corpus import Pair, is_blank
from nmt.data.sources import TextSource

Check = Callable[[Pair], str | None]

SAMPLE = 10_000  # first pairs of a text, from which the filters learn what is usual in it
SURVEYED = 1_000_000  # first pairs of a text that are looked at for warnings: some checks remember every pair
RATIO = 4.0  # a target this many times longer or shorter than is usual for its source is an outlier
SLACK = 20  # characters by which it must differ as well
RARE_SCRIPT = 0.1  # a script in less than this share of the lines is unexpected

_MARKUP = regex.compile(r"</?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>|<!--|<\?xml")
_ENTITY = regex.compile(r"&(?:amp|quot|apos|lt|gt|nbsp|#\d{1,6}|#x[0-9A-Fa-f]{1,5});")
_SCRIPTS = """
    Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu
    Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Khmer Mongolian Han Hiragana
    Katakana Bopomofo Tifinagh Javanese
"""
_SCRIPT_PATTERNS = [(name, regex.compile(rf"\p{{Script={name}}}")) for name in _SCRIPTS.split()]
_JAPANESE = {"Hiragana", "Katakana"}


def blank(_: TextSource) -> Check:
    """Drop pairs with a side that shows nothing."""
    return lambda pair: "with a blank side" if is_blank(pair.source) or is_blank(pair.target) else None


def identical(_: TextSource) -> Check:
    """Drop pairs whose two sides are the same text, if it has a letter: lines that were never translated."""
    return lambda pair: "with identical sides" if is_copy(pair) else None


def is_copy(pair: Pair) -> bool:
    """Return whether the target repeats the source."""
    text = pair.source.strip()
    return text == pair.target.strip() and any(map(str.isalpha, text))


def duplicate(_: TextSource) -> Check:
    """Drop pairs that came before in the same text. Keeps a hash of each pair in memory."""
    seen: set[int] = set()

    def check(pair: Pair) -> str | None:
        found = pair_hash(pair)
        if found in seen:
            return "that repeat an earlier one"
        seen.add(found)
        return None

    return check


def pair_hash(pair: Pair) -> int:
    """Return 64 bits that stand for the two sides."""
    sides = f"{pair.source.strip()}\0{pair.target.strip()}".encode()
    return int.from_bytes(blake2b(sides, digest_size=8).digest())


def markup(_: TextSource) -> Check:
    """Drop pairs with tags of HTML or XML."""
    return lambda pair: "with markup" if _MARKUP.search(pair.source) or _MARKUP.search(pair.target) else None


def entities(_: TextSource) -> Check:
    """Drop pairs with escaped characters, such as &amp; and &quot;."""
    return lambda pair: "with escaped characters" if _ENTITY.search(pair.source + " " + pair.target) else None


def ratio(text: TextSource) -> Check:
    """Drop pairs whose target is much longer or shorter than is usual for such a source."""
    usual = statistics.median([(1 + len(pair.target)) / (1 + len(pair.source)) for pair in _sample(text)] or [1.0])

    def check(pair: Pair) -> str | None:
        expected, length = usual * len(pair.source), len(pair.target)
        outlier = not expected / RATIO <= length <= expected * RATIO and abs(length - expected) > SLACK
        return "with a side much longer than the other" if outlier else None

    return check


def script(text: TextSource) -> Check:
    """Drop pairs with a side in a script that is rare on this side."""
    usual = _usual_scripts(pair.source for pair in _sample(text)), _usual_scripts(pair.target for pair in _sample(text))

    def check(pair: Pair) -> str | None:
        for side, line, known in (("source", pair.source, usual[0]), ("target", pair.target, usual[1])):
            found = main_script(line)
            if found and known and found not in known:
                return f"with a {side} in another script"
        return None

    return check


def _usual_scripts(lines: Iterable[str]) -> set[str]:
    counts = Counter(filter(None, map(main_script, lines)))
    return {name for name, count in counts.items() if count >= RARE_SCRIPT * counts.total()}


def main_script(line: str) -> str:
    """Return the script of most letters of a line, "" if it has none. Kanji with kana are Japanese, not Han."""
    if line.isascii():
        return "Latin" if any(map(str.isalpha, line)) else ""
    counts = Counter(map(_script_of, line))
    counts.pop("", None)
    if not counts:
        return ""
    if any(name in counts for name in _JAPANESE) and counts.keys() <= {*_JAPANESE, "Han", "Latin"}:
        counts["Japanese"] = sum(counts.pop(name, 0) for name in (*_JAPANESE, "Han"))
    return counts.most_common(1)[0][0]


@functools.cache
def _script_of(character: str) -> str:
    if unicodedata.category(character)[0] != "L":
        return ""
    return next((name for name, pattern in _SCRIPT_PATTERNS if pattern.match(character)), "another script")


def _sample(text: TextSource) -> Iterator[Pair]:
    return (pair for pair in islice(text.pairs(), SAMPLE) if not (is_blank(pair.source) or is_blank(pair.target)))


def kept(text: TextSource, pairs: Iterable[Pair], names: Iterable[str], notes: Counter[str]) -> Iterator[Pair]:
    """Yield the pairs of a text that no filter drops, and count the others in `notes` by the reason."""
    checks = [FILTERS[name](text) for name in dict.fromkeys(("blank", *names))]
    for pair in pairs:
        for check in checks:
            if reason := check(pair):
                notes[f"pairs {reason} left out"] += 1
                break
        else:
            yield pair


class Survey:
    """Counts what the filters would drop of a text, while its pairs are read for another purpose."""

    def __init__(self, text: TextSource, used: Sequence[str]) -> None:
        """Take in `used` the filters of `data.filters`, which have dropped their share already."""
        self._used = list(used)
        self._checks = {name: FILTERS[name](text) for name in FILTERS if name not in {"blank", *used}}
        self.counts: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.first: dict[str, int] = {}  # line
        self.pairs = 0

    def read(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Count what is suspicious in these pairs."""
        for pair in pairs:
            if self.pairs == SURVEYED:
                yield pair
                continue
            self.pairs += 1
            for name, check in self._checks.items():
                if reason := check(pair):
                    self.counts[name] += 1
                    self.first.setdefault(name, pair.line)
                    self.reasons.setdefault(name, reason)
            yield pair

    def findings(self, least: float = 0.0) -> Iterator[str]:
        """Yield a line for each filter that would drop more than the share `least` of the pairs, and the remedy."""
        for name, count in self.counts.items():
            if count > least * self.pairs:
                filters = ",".join([*self._used, name])
                share = f"{100 * count / self.pairs:.1f} %"
                yield (
                    f"pairs {self.reasons[name]}: {count:,} ({share}), such as line {self.first[name]}; "
                    f"to leave them out: data.filters=[{filters}]"
                )


FILTERS: dict[str, Callable[[TextSource], Check]] = {
    "blank": blank,
    "identical": identical,
    "duplicate": duplicate,
    "ratio": ratio,
    "script": script,
    "markup": markup,
    "entities": entities,
}
