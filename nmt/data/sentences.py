"""Where the sentences of a line end, in every script, by the line alone.

A sentence ends at characters with Unicode's property Sentence_Terminal, with the quotes and brackets that close after
them. What looks like such an end but is none stays together as far as rules can tell: abbreviations, initials,
ordinals, decimals, file names. Thai and Lao have no such characters; there a space may end a sentence.
"""

from collections.abc import Iterator

import regex

# `.`, `!` and `?` end a sentence only before a space; those of other scripts, such as the ideographic full stop and the
# danda, do so anywhere. The little section of Burmese is a comma, and Tibetan text ends at a shad.
_NARROW = r".!?\u2026\u2025\u203c\u2047\u2048\u2049\u203d\ufe52\ufe56\ufe57"
_WIDE = r"[\p{Sentence_Terminal}\u0f0d-\u0f11--[.!?\u2026\u2025\u203c\u2047-\u2049\u203d\ufe52\ufe56\ufe57\u104a]]"
_MARK = rf"(?:[{_NARROW}]|{_WIDE})"
_CLOSERS = r"[\p{Pe}\p{Pf}\"'\u00bb]*(?:\u00ab(?=\s|$)|[ \u00a0\u202f]\u00bb(?![\p{L}\p{N}]))?"
_GREEK_QUESTION = r"(?<=\p{Greek})[;\u037e](?=\s|$)"
_ARMENIAN_COLON = r"(?<=\p{Armenian}):(?=\s|$)"
_END = regex.compile(
    rf"(?P<mark>{_GREEK_QUESTION}|{_ARMENIAN_COLON}|{_MARK}(?:[ \u00a0\u202f]?{_MARK})*)"
    rf"(?P<closers>{_CLOSERS})(?P<space>\s*)"
    r"|(?<=[\p{Thai}\p{Lao}]\p{M}*)(?P<gap>\s+)(?=[\p{Thai}\p{Lao}])",
    regex.V1,
)
_ONLY_WIDE = regex.compile(rf"{_WIDE}", regex.V1)
_OPENERS = regex.compile(r"[\p{Ps}\p{Pi}\"'\u00ab\u00bb\u00bf\u00a1\u2013\u2014*_-]*[ \u00a0\u202f]?")
_WORD_BEFORE = regex.compile(r"[\p{L}\p{M}\p{N}'\u2019]+(?:\.[\p{L}\p{M}]+)*$")
_FIRST_WORD = regex.compile(r"[\p{L}\p{M}]+|\p{N}+")
_CASED = regex.compile(r"\p{Ll}")
_UPPER = regex.compile(r"\p{Lu}")
_NO_SPACES = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the last word of a sentence, compared in lower case and without the full stop.
_TITLES = _words("""
    mr mrs ms mx dr drs prof profs rev hon messrs gen col lt sgt cpt capt cmdr adm maj gov sen rep pres supt st ste
    vs viz cf approx bzw hr hrn fr frl dipl ing vgl sog bspw insb ggf evtl inkl zzgl mme mmes mlle mlles mgr pr sr
    sra srta dra ud uds lic sig sigg dott avv dhr mevr bijv resp esim tzv np tj ul ул им проф акад тов гр св обл
""")
# Not the last word of a sentence if a number follows: `No. 5`, `pp. 3-7`, `Jan. 2`.
_BEFORE_NUMBERS = _words("""
    no nos nr nro art arts p pp pag pág págs fig figs vol vols ch chap sec sect eq eqs abb bd kap rn ziff abs núm
    tel max min ca c v al jan feb mar apr jun jul aug sep sept oct nov dec okt dez mär janv févr avr juil déc стр
    рис гл табл
""")
_NEVER_DOTTED = _words("""
    e.g i.e z.b d.h u.a o.ä m.e i.d.r s.o s.u t.ex bl.a f.eks d.w.z p.ej т.е
""")
# Words that begin so many sentences that a capital letter, an acronym or an ordinal before them ends one.
_STARTERS = _words("""
    the we he she it they i you this that these those there here in on at a an and but or so if when what who why
    how my your his her our their le la les il elle nous vous ils elles je tu un une des ce cette mais et der die
    das er sie wir ihr es ich ein eine und aber el los las ella nosotros ellos yo una pero lo gli io noi loro ma o
    os as ele ela eles nós eu het een de hij zij wij ik он она они мы я это но
""")
# Words after which a number with a full stop is a German ordinal: `am 3. Oktober`, `der 2. Weltkrieg`.
_BEFORE_ORDINALS = _words("""
    der die das den dem des am im vom zum zur beim ab bis seit jeder jeden ein eine einen einem einer ihr ihre ihrem
    ihren sein seine seinem seinen mein meine meinem meinen unser unsere unserem unseren
""")


def split_sentences(line: str) -> list[str]:
    """Split a line into sentences with the spaces that follow them: joined, they are the line. An empty line is one."""
    starts = [0, *_starts(line)]
    return [line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]


def count_sentences(line: str) -> int:
    """Return the number of sentences in a line."""
    return 1 + sum(1 for _ in _starts(line))


def _starts(line: str) -> Iterator[int]:
    """Yield where each sentence after the first begins."""
    lowered: bool | None = None
    start = 0
    for match in _END.finditer(line):
        end = match.end()
        if end == len(line) or not line[start:end].strip():
            continue
        if match["gap"] is None:
            if lowered is None:  # text in lower case throughout: no capital tells where a sentence begins
                lowered = not _UPPER.search(line)
            if not _ends(line, start, match, lowered):
                continue
        start = end
        yield end


def _ends(line: str, start: int, match: "regex.Match[str]", lowered: bool) -> bool:
    """Return whether what looks like the end of a sentence that begins at `start` is one."""
    mark, end = match["mark"], match.end()
    rest = line[end : end + 80]
    opened = _OPENERS.match(rest)
    following = rest[opened.end() :] if opened else rest
    if not match["space"]:
        return _ends_without_space(line, match, following)
    if not following or not (following[0].isalnum() or _NO_SPACES.match(following)):
        return bool(following) or bool(rest.strip())
    if _ONLY_WIDE.search(mark):
        return True
    if _CASED.match(following) and not lowered:
        return False
    if mark != "." or match["closers"]:
        return True
    before = line[max(start, match.start() - 60) : match.start()]
    return not _is_abbreviated(before, following)


def _ends_without_space(line: str, match: "regex.Match[str]", following: str) -> bool:
    mark, begin = match["mark"], match.start()
    if _ONLY_WIDE.search(mark):
        if match["closers"] and regex.match(r"[\p{L}\p{M}]", line[match.end() : match.end() + 1]):
            return False  # what was said, and then who said it
        inside_number = mark == "\uff0e" and line[begin - 1 : begin].isdigit() and following[:1].isdigit()
        return not inside_number
    if mark in {"!", "?"} and not match["closers"]:
        return bool(_NO_SPACES.match(following)) or bool(regex.match(r"\p{Lu}\p{Ll}", following))
    if mark == "." and not match["closers"]:
        if _NO_SPACES.match(following):
            return bool(_NO_SPACES.match(line, begin - 1)) if begin else False
        # A space was forgotten: `you.We see`
        word = _FIRST_WORD.match(following)
        token = line[max(0, begin - 60) : begin].rpartition(" ")[2]
        return bool(
            word
            and following[0].isupper()
            and word[0].lower() in _STARTERS
            and following[word.end() : word.end() + 1] == " "
            and regex.fullmatch(r"\p{Lu}?\p{Ll}{2,}", token)
        )
    return False


def _is_abbreviated(before: str, following: str) -> bool:
    """Return whether the full stop after `before` belongs to its last word, with `following` after the space."""
    found = _WORD_BEFORE.search(before)
    next_word = _FIRST_WORD.match(following)
    if not found or not next_word:
        return False
    word, starter = found[0].lower(), next_word[0].lower() in _STARTERS
    if word in _TITLES or word in _NEVER_DOTTED:
        return True
    if next_word[0].isdigit():
        return word in _BEFORE_NUMBERS or (len(word) == 1 and word.isalpha())
    if regex.fullmatch(r"\p{L}{1,2}(?:\.\p{L}{1,2})+", word) or (
        len(word) == 1 and word.isalpha() and not _NO_SPACES.match(word)
    ):
        return not starter
    if word.isdigit() and len(word) <= 2:
        words = before[: found.start()].split()  # an ordinal: first of all, or after a German article
        return not words or (words[-1].lower() in _BEFORE_ORDINALS and not starter)
    return False
