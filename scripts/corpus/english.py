"""English realisation: noun phrases, do-support, auxiliaries, word order, a/an."""

from itertools import zip_longest

from .english_verbs import BE, gerund, participle, past, third
from .meaning import Clause, Modal, Np, Predicate, Relative
from .numbers import english_number
from .words import Tok, toks

SUBJECTS = ("I", "you", "he", "we", "you", "they")
OBJECTS = ("me", "you", "him", "us", "you", "them")
OWNERS = ("my", "your", "his", "our", "your", "their")
DETERMINERS = {
    "the": "the",
    "a": "a",
    "some": "some",
    "many": "many",
    "lots": "a lot of",
    "few": "few",
    "several": "several",
    "every": "every",
    "all": "all the",
    "another": "another",
    "generic": "",
    "bare": "",
    "which": "which",
    "how many": "how many",
    "too many": "too many",
    "whose": "whose",
    "no": "no",
    "too much": "too much",
    "enough": "enough",
    "much": "a lot of",
    "how much": "how much",
    "a little": "a little",
}
COMPARATIVES = {
    "big": "bigger",
    "small": "smaller",
    "tall": "taller",
    "old": "older",
    "young": "younger",
    "rich": "richer",
    "strong": "stronger",
    "heavy": "heavier",
    "long": "longer",
    "happy": "happier",
    "easy": "easier",
    "kind": "kinder",
    "cold": "colder",
    "hot": "hotter",
}
CONSONANT_SOUND = ("univ", "usef", "euro")
MUTE_H = ("hour", "honest", "honour")


def pronoun_word(np: Np, forms: tuple[str, ...]) -> str:
    """A personal pronoun in the given case."""
    if np.person == 2 and not np.human:
        return "it"
    if np.person == 2 and np.gender == "f":
        return "she" if forms is SUBJECTS else "her"
    return forms[np.person]


def owner_word(owner: tuple[int, str]) -> str:
    """A possessive determiner."""
    if owner[0] == 2 and owner[1] in "fn":
        return "her" if owner[1] == "f" else "its"
    return OWNERS[owner[0]]


def determiner(np: Np, negated: bool) -> list[Tok]:
    """The determiner of a noun phrase."""
    ids = (np.id("d"),)
    if np.det == "my":
        return toks(owner_word(np.owner), *ids)
    if np.det in ("this", "that"):
        plural = {"this": "these", "that": "those"}
        return toks(plural[np.det] if np.plural else np.det, *ids)
    if np.det == "number":
        return toks(english_number(np.number), *ids)
    if np.det == "some" and negated:
        return toks("any", *ids)
    if np.det == "all":
        return toks("all", np.id("q")) + toks("the", *ids)
    return toks(DETERMINERS[np.det], *ids)


def genitive(np: Np) -> list[Tok]:
    """The owner in front of what is owned (Paul's)."""
    words = noun_phrase(np.parts[0])
    return [*words[:-1], words[-1]._replace(text=words[-1].text + "'"), *toks("s", np.id("of"))]


def relative_words(np: Np, relative: Relative) -> list[Tok]:
    """A relative clause with its pronoun."""
    if relative.gap == "whose":
        return clause_words(relative.clause)
    word = {"where": "where", "subject": "who" if np.human else "that"}.get(relative.gap, "that")
    return toks(word, np.id("r")) + clause_words(relative.clause)


def noun_phrase(np: Np, case: tuple[str, ...] = OBJECTS, negated: bool = False) -> list[Tok]:
    """The words of a noun phrase."""
    if np.form == "pronoun":
        return toks(pronoun_word(np, case), np.id("n"))
    if np.form == "pair":
        first, second = np.parts
        return noun_phrase(first, case, negated) + toks("and", np.id("and")) + noun_phrase(second, case, negated)
    if np.form != "noun" or np.noun is None:
        return toks(np.name[0] or np.form, np.id("n"))
    words = genitive(np) if np.det == "of" else determiner(np, negated)
    for index, adjective in enumerate(np.adjectives):
        words += toks(adjective.en, np.id(f"a{index}."))
    words += toks(np.noun.en_plural if np.plural else np.noun.en, np.id("n"))
    words += [tok for tail in np.tails for tok in tail.en]
    return words + (relative_words(np, np.relative) if np.relative else [])


def finite(verb: str, tense: str, person: int) -> str:
    """A finite form without auxiliary."""
    if verb == "be" and tense in ("present", "when", "past", "if"):
        return BE["past" if tense in ("past", "if") else "present"][person]
    if tense in ("past", "if"):
        return past(verb)
    return third(verb) if tense in ("present", "when", "progressive") and person == 2 else verb


def auxiliary(verb: str, tense: str, person: int) -> tuple[str, str] | None:
    """The auxiliary a tense needs and the form of the verb after it."""
    if tense in ("progressive", "was"):
        return BE["past" if tense == "was" else "present"][person], gerund(verb)
    if tense == "perfect":
        return ("has" if person == 2 else "have"), participle(verb)
    if tense in ("future", "conditional"):
        return ("will" if tense == "future" else "would"), verb
    return None


def support(tense: str, person: int) -> str:
    """The form of do."""
    if tense in ("past", "if"):
        return "did"
    return "does" if person == 2 and tense in ("present", "when") else "do"


def first_verb(clause: Clause, verb: str, rest: str, helper: bool, main: str) -> tuple[list[Tok], list[Tok]]:
    """Auxiliary words and main words of the first verb of the chain."""
    head, both = (clause.id(f"{main}a"),), (clause.id(f"{main}a"), clause.id(f"{main}m"))
    person, tense = clause.subject.person, clause.tense
    tail = toks(rest, both[1])
    if helper or (verb == "be" and tense in ("present", "past", "if", "when")):
        return toks(verb if helper else finite(verb, tense, person), *both), toks(rest, *both)
    with_auxiliary = auxiliary(verb, tense, person)
    if with_auxiliary:
        return toks(with_auxiliary[0], *head), toks(with_auxiliary[1], both[1]) + tail
    asked = clause.question and clause.subject.form not in ("who", "what")
    plain = tense in ("infinitive", "gerund", "used")
    if not plain and (asked or clause.negation == "not"):
        return toks(support(tense, person), *head), toks(verb, both[1]) + tail
    lead = toks("used to", *head) if tense == "used" else []
    form = {"infinitive": verb, "used": verb, "gerund": gerund(verb)}.get(tense) or finite(verb, tense, person)
    return [], lead + toks(form, *(both[1:] if lead else both)) + tail


def verb_words(clause: Clause) -> tuple[list[Tok], list[Tok]]:
    """Auxiliary words, and the rest of the verb chain."""
    steps: list[Modal] = list(clause.chain)
    names = [step.en for step in steps] + [clause.frame.en.removesuffix(" " + (separated(clause) or "-"))]
    verb, _, rest = names[0].partition(" ")
    aux, words = first_verb(clause, verb, rest, bool(steps) and steps[0].auxiliary, "v0")
    for index, name in enumerate(names[1:], 1):
        step = steps[index - 1]
        ids = (clause.id(f"v{index}m"), clause.id(f"v{index}a"))
        if clause.without and index == len(names) - 1:
            words += toks("not", clause.id("w"))
        words += toks(step.en_link, clause.id(f"l{index}") if step.fr_link else ids[0])
        head, _, tail = name.partition(" ")
        words += toks(participle(head) if step.en == "have just" else head, *ids) + toks(tail, ids[0])
    return aux, words


def predicate_words(clause: Clause, predicate: Predicate) -> list[Tok]:
    """What follows `be`."""
    if predicate.piece:
        return list(predicate.piece.en)
    adjective, degree = predicate.adjective, predicate.degree
    assert adjective
    if degree not in ("more", "less", "as"):
        return toks(degree, clause.id("g")) + toks(adjective.en, clause.id("p"))
    words = toks(f"{degree} {adjective.en}", clause.id("p"))
    if degree == "as":
        words = toks("as", clause.id("g")) + toks(adjective.en, clause.id("p"))
    elif degree == "more" and adjective.en in COMPARATIVES:
        words = toks(COMPARATIVES[adjective.en], clause.id("p"), clause.id("g"))
    else:
        words = toks(degree, clause.id("g")) + toks(adjective.en, clause.id("p"))
    assert predicate.standard
    return words + toks("as" if degree == "as" else "than", clause.id("t")) + noun_phrase(predicate.standard)


def separated(clause: Clause) -> str:
    """The particle of a verb that follows a pronoun object (turn it off)."""
    particle = clause.frame.en.partition(" ")[2]
    moved = clause.object and clause.object.form == "pronoun" and not clause.gap and particle in ("on", "off")
    return particle if moved else ""


def after_verb(clause: Clause) -> list[Tok]:
    """Objects, predicate, final adverb and adjuncts."""
    frame, words = clause.frame, []
    negated = bool(clause.negation)
    if frame.en_preposition:
        words += toks(frame.en_preposition, preposition_id(clause))
    if clause.object and clause.gap is None:
        words += noun_phrase(clause.object, OBJECTS, negated)
        words += toks(separated(clause), clause.id(f"v{len(clause.chain)}m"))
    if clause.recipient:
        words += toks("to", clause.recipient.id("to")) + noun_phrase(clause.recipient)
    if clause.predicate:
        words += predicate_words(clause, clause.predicate)
    if clause.adverb and clause.adverb.en_place == "end":
        words += toks(clause.adverb.en, clause.id("adv"))
    return words + [tok for adjunct in clause.adjuncts for tok in adjunct.en]


def preposition_id(clause: Clause) -> str:
    """Identifier of the preposition of the object: the verb's own when only one side has one."""
    last = clause.id(f"v{len(clause.chain)}m")
    return clause.id("prep") if clause.frame.fr_preposition and clause.frame.en_preposition else last


def clause_words(clause: Clause) -> list[Tok]:
    """The words of a clause, without its question word."""
    aux, words = verb_words(clause)
    middle = toks(clause.negation, clause.id("neg"))
    if clause.adverb and clause.adverb.en_place == "pre":
        middle += toks(clause.adverb.en, clause.id("adv"))
    subject = (
        []
        if clause.bare or clause.tense in ("imperative", "gerund", "infinitive")
        else noun_phrase(clause.actor(), SUBJECTS)
    )
    if clause.question and clause.subject.form not in ("who", "what"):
        subject, aux = aux, subject
    return subject + aux + middle + words + after_verb(clause)


def cannot(words: list[Tok]) -> list[Tok]:
    """Writes `can not` as one word."""
    result: list[Tok] = []
    for word in words:
        if word.text == "not" and result and result[-1].text == "can":
            result[-1] = Tok("cannot", result[-1].ids | word.ids)
        else:
            result.append(word)
    return result


def vowel_sound(word: str) -> bool:
    """Whether an English word begins with a vowel sound."""
    low = word.lower()
    return low.startswith(MUTE_H) or (low[:1] in tuple("aeiou") and not low.startswith(CONSONANT_SOUND))


def an(words: list[Tok]) -> list[Tok]:
    """Writes `an` before a vowel sound."""
    return [
        word._replace(text="an") if word.text == "a" and after and vowel_sound(after.text) else word
        for word, after in zip_longest(words, words[1:])
    ]
