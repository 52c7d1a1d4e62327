"""French realisation: noun phrases, clitics, negation, participle agreement, elision and contraction."""

from functools import cache

from .english import preposition_id
from .french_verbs import conjugate, participle
from .meaning import Clause, Np, Predicate
from .modifiers import BEFORE_VOWEL, agree, masculine_plural
from .numbers import feminine, french_number
from .words import Tok, toks

SUBJECTS = ("je", "tu", "il", "nous", "vous", "ils")
DIRECT = ("me", "te", "le", "nous", "vous", "les")
INDIRECT = ("me", "te", "lui", "nous", "vous", "leur")
REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")
STRONG = ("moi", "toi", "lui", "nous", "vous", "eux")
CLITIC_ORDER = ("me", "te", "se", "nous", "vous", "le", "la", "les", "lui", "leur", "y", "en")
OWNERS = (
    ("mon", "ma", "mes"),
    ("ton", "ta", "tes"),
    ("son", "sa", "ses"),
    ("notre", "notre", "nos"),
    ("votre", "votre", "vos"),
    ("leur", "leur", "leurs"),
)
FORMS = {
    "the": ("le", "la", "les"),
    "generic": ("le", "la", "les"),
    "of": ("le", "la", "les"),
    "a": ("un", "une", "des"),
    "this": ("ce", "cette", "ces"),
    "that": ("ce", "cette", "ces"),
    "which": ("quel", "quelle", "quels"),
    "another": ("un autre", "une autre", "d' autres"),
    "every": ("chaque", "chaque", "chaque"),
    "several": ("plusieurs", "plusieurs", "plusieurs"),
    "no": ("aucun", "aucune", "aucuns"),
    "bare": ("", "", ""),
}
QUANTITIES = {
    "many": "beaucoup",
    "lots": "beaucoup",
    "much": "beaucoup",
    "few": "peu",
    "how many": "combien",
    "how much": "combien",
    "too many": "trop",
    "too much": "trop",
    "enough": "assez",
    "a little": "un peu",
}
NEGATIONS = {"not": "pas", "never": "jamais", "no longer": "plus"}
ASPIRATED = (
    "haricot",
    "haine",
    "héros",
    "hibou",
    "homard",
    "honte",
    "huit",
    "hors",
    "haut",
    "hasard",
)
UNELIDED = ("onze", "oui", "yaourt")
VOWELS = "aeiouyàâäéèêëîïôöùûüœæ"
ELIDING = {"le", "la", "je", "me", "te", "se", "ne", "de", "que", "ce", "lorsque", "puisque", "jusque"}
DEGREES = {"very": "très", "too": "trop", "so": "si", "quite": "assez", "": "", "more": "plus", "less": "moins"}
IMPERFECT_TENSES = ("was", "used", "if")
COMPOUND_TENSES = ("past", "perfect")


@cache
def vowel_sound(word: str) -> bool:
    """Whether a word begins with a vowel or a mute h (a preceding article elides)."""
    low = word.lower()
    if low.startswith("h"):
        return low not in ASPIRATED and low.rstrip("s") not in ASPIRATED
    return low[:1] in tuple(VOWELS) and low not in UNELIDED


def choose(forms: tuple[str, ...], gender: str, plural: bool) -> str:
    """The form for a gender and number out of (masculine, feminine, plural)."""
    return forms[2] if plural else forms[1 if gender == "f" else 0]


def which_form(gender: str, plural: bool) -> str:
    """Interrogative determiner."""
    return "quel" + ("le" if gender == "f" else "") + ("s" if plural else "")


def some_words(np: Np, mark: str, negated: bool) -> list[Tok]:
    """Partitive and indefinite plural articles, reduced to `de` by negation or a preceding adjective."""
    before = np.plural and np.adjectives and np.adjectives[0].before
    if negated or before:
        return toks("de", mark)
    if np.plural:
        return toks("des", mark)
    return toks("de", mark) + toks(choose(FORMS["the"], np.gender, False), mark, kind="article")


def counted(np: Np) -> str:
    """The cardinal of a phrase."""
    word = french_number(np.number)
    return feminine(word) if np.gender == "f" else word


def determiner(np: Np, negated: bool) -> list[Tok]:
    """The determiner of a noun phrase."""
    mark, gender, plural = np.id("d"), np.gender, np.plural
    if np.det == "some":
        return some_words(np, mark, negated)
    if np.det == "my":
        return toks(choose(OWNERS[np.owner[0]], gender, plural), mark, kind="owner")
    simple = {"which": which_form(gender, plural), "a": "de" if negated else "", "number": counted(np)}
    word = simple.get(np.det) or (QUANTITIES[np.det] + " de" if np.det in QUANTITIES else "")
    if word:
        return toks(word, mark)
    if np.det == "all":
        return toks("toutes" if gender == "f" else "tous", np.id("q")) + toks("les", mark, kind="article")
    if np.det == "whose":
        return toks("dont", mark) + toks(choose(FORMS["the"], gender, plural), kind="plain")
    kind = {"the": "article", "generic": "article", "of": "article", "this": "this", "that": "this"}.get(np.det, "")
    ids = () if np.det in ("generic", "of") else (mark,)
    return toks(choose(FORMS[np.det], gender, plural), *ids, kind=kind)


def adjective_words(np: Np, before: bool) -> list[Tok]:
    """The adjectives on one side of the noun."""
    chosen = [(i, a) for i, a in enumerate(np.adjectives) if a.before == before]
    words = []
    for index, (position, adjective) in enumerate(chosen):
        if index and not before:
            words += toks("et", np.id(f"e{position}"))
        form = agree(adjective, np.gender, np.plural)
        words += toks(form, np.id(f"a{position}."), kind="adjective" if before else "")
    return words


def strong_pronoun(np: Np) -> list[Tok]:
    """A pronoun after a preposition."""
    word = STRONG[np.person]
    if np.gender == "f":
        word = {"lui": "elle", "eux": "elles"}.get(word, word)
    return toks(word, np.id("n"))


def noun_phrase(np: Np, negated: bool = False) -> list[Tok]:
    """The words of a noun phrase that is not a clitic."""
    if np.form == "pronoun":
        return strong_pronoun(np)
    if np.form == "pair":
        first, second = np.parts
        return noun_phrase(first, negated) + toks("et", np.id("and")) + noun_phrase(second, negated)
    if np.form != "noun" or np.noun is None:
        word = {"nobody": "personne", "nothing": "rien", "who": "qui", "what": "qu'est-ce qui"}.get(np.form, np.name[1])
        return toks(word, np.id("n"))
    noun = toks(np.noun.fr_plural if np.plural else np.noun.fr, np.id("n"))
    words = determiner(np, negated) + adjective_words(np, True) + noun + adjective_words(np, False)
    if np.det == "that":
        words += toks("-là", np.id("d"))
    if np.det == "of":
        words += toks("de", np.id("of")) + noun_phrase(np.parts[0])
    words += [tok for tail in np.tails for tok in tail.fr]
    return words + (relative_words(np) if np.relative else [])


def relative_words(np: Np) -> list[Tok]:
    """A relative clause with its pronoun."""
    assert np.relative
    if np.relative.gap == "whose":
        return clause_words(np.relative.clause)
    word = {"where": "où", "subject": "qui"}.get(np.relative.gap, "que")
    return toks(word, np.id("r")) + clause_words(np.relative.clause)


def subject_words(np: Np) -> list[Tok]:
    """A subject, as a pronoun or a phrase."""
    if np.form != "pronoun":
        return noun_phrase(np)
    word = SUBJECTS[np.person]
    if np.gender == "f":
        word = {"il": "elle", "ils": "elles"}.get(word, word)
    return toks(word, np.id("n"))


def direct_clitic(np: Np) -> list[Tok]:
    """A direct object pronoun."""
    word = "la" if np.person == 2 and np.gender == "f" else DIRECT[np.person]
    return toks(word, np.id("n"), kind="clitic")


def object_clitic(clause: Clause) -> list[Tok]:
    """The clitic of the object: direct, dative, y or en; nothing when the object is not a clitic."""
    np, preposition = clause.object, clause.frame.fr_preposition
    if np is None or np.form != "pronoun" or clause.gap:
        return []
    if not preposition:
        return direct_clitic(np)
    if not np.human and preposition in ("à", "de"):
        return toks("y" if preposition == "à" else "en", np.id("n"), preposition_id(clause), kind="clitic")
    if preposition == "à" and clause.frame.fr != "penser":
        return toks(INDIRECT[np.person], np.id("n"), preposition_id(clause), kind="clitic")
    return []


def clitics(clause: Clause) -> list[Tok]:
    """All clitics of the main verb in their order."""
    words = object_clitic(clause)
    if clause.recipient and clause.recipient.form == "pronoun":
        np = clause.recipient
        words += toks(INDIRECT[np.person], np.id("n"), np.id("to"), kind="clitic")
    if clause.frame.reflexive:
        words += toks(REFLEXIVE[clause.subject.person], clause.id(f"v{len(clause.chain)}m"), kind="clitic")
    return sorted(words, key=lambda word: CLITIC_ORDER.index(word.text))


def bare_verb(verb: str) -> tuple[str, str]:
    """A French verb without its reflexive pronoun, and the fixed words after it."""
    name = verb.removeprefix("se ").removeprefix("s'")
    head, _, rest = name.partition(" ")
    return head, rest


def with_etre(clause: Clause) -> bool:
    """Whether the first verb makes its compound tense with être."""
    return not clause.chain and (clause.frame.reflexive or "etre" in clause.frame.flags)


def agreed_participle(clause: Clause, verb: str) -> str:
    """The participle of the first verb, agreed with the subject or a preceding direct object."""
    form = participle(verb)
    if "body" in clause.frame.flags:
        return form
    if with_etre(clause):
        owner = clause.subject
    elif clause.chain or clause.frame.fr_preposition:
        return form
    elif clause.gap:
        owner = clause.gap
    elif clause.object and clause.object.form == "pronoun":
        owner = clause.object
    else:
        return form
    plural = masculine_plural(form) if owner.gender == "m" and owner.plural else form
    return form + ("es" if owner.plural else "e") if owner.gender == "f" else plural


def simple_tense(clause: Clause, stative: bool) -> str:
    """The French simple tense of the first verb, or compound."""
    tense = clause.tense
    if tense in IMPERFECT_TENSES or (tense == "past" and stative):
        return "imperfect"
    if tense in COMPOUND_TENSES:
        return "compound"
    return (
        tense
        if tense in ("future", "conditional", "subjunctive", "imperative")
        else ("future" if tense == "when" else "present")
    )


def finite_words(clause: Clause) -> list[Tok]:
    """The first verb with its negation, adverb and (when it is the main verb) clitics."""
    first = clause.chain[0] if clause.chain else clause.frame
    verb, rest = bare_verb(first.fr)
    tense = clause.chain[0].tense if clause.chain and clause.chain[0].tense else simple_tense(clause, first.stative)
    head, main = clause.id("v0a"), clause.id("v0m")
    none = [np for np in (clause.subject, clause.object) if np and np.form in ("nobody", "nothing")]
    ids = [clause.id("neg")] if clause.negation else [np.id("n") for np in none]
    words = toks("ne", *ids) if ids else []
    words += [] if clause.chain else clitics(clause)
    middle = middle_words(clause)
    person = clause.subject.person
    if tense != "compound":
        words += toks(conjugate(verb, tense, person), head, main) + middle
    else:
        helper = "être" if with_etre(clause) else "avoir"
        words += toks(conjugate(helper, "present", person), head) + middle + toks(agreed_participle(clause, verb), main)
    return words + toks(rest, head, main)


def middle_words(clause: Clause) -> list[Tok]:
    """What follows the finite verb at once: pas, rien, short adverbs."""
    words = toks(NEGATIONS[clause.negation], clause.id("neg")) if clause.negation else []
    if clause.object and clause.object.form == "nothing":
        words += noun_phrase(clause.object)
    if clause.adverb and clause.adverb.fr_place == "mid":
        adverb = toks(clause.adverb.fr, clause.id("adv"))
        words = adverb + words if clause.adverb.en == "probably" else words + adverb
    return words


def infinitive_words(clause: Clause) -> list[Tok]:
    """The infinitives after the first verb, the last one with the clitics."""
    names = [step.fr for step in clause.chain[1:]] + [clause.frame.fr] if clause.chain else []
    words: list[Tok] = []
    for index, name in enumerate(names, 1):
        verb, rest = bare_verb(name)
        ids = (clause.id(f"v{index}m"), clause.id(f"v{index}a"))
        words += toks(
            clause.chain[index - 1].fr_link, clause.id(f"l{index}") if clause.chain[index - 1].en_link else ids[0]
        )
        if index == len(names):
            words += toks("ne pas", clause.id("w")) if clause.without else []
            words += clitics(clause)
        words += toks(verb, *ids) + toks(rest, *ids)
    return words


def predicate_words(clause: Clause, predicate: Predicate) -> list[Tok]:
    """What follows être."""
    if predicate.piece:
        return list(predicate.piece.fr)
    assert predicate.adjective
    degree = "aussi" if predicate.degree == "as" else DEGREES[predicate.degree]
    form = agree(predicate.adjective, clause.subject.gender, clause.subject.plural)
    words = toks(degree, clause.id("g")) + toks(form, clause.id("p"))
    if predicate.standard:
        words += toks("que", clause.id("t")) + noun_phrase(predicate.standard)
    return words


def object_words(clause: Clause) -> list[Tok]:
    """The object when it is not a clitic."""
    np = clause.object
    if np is None or clause.gap or np.form == "nothing" or object_clitic(clause):
        return []
    preposition = toks(clause.frame.fr_preposition, preposition_id(clause))
    words = noun_phrase(np, bool(clause.negation))
    if clause.frame.fr_preposition == "de" and np.form == "noun" and np.det == "some":
        words = words[2 if words[1:] and words[1].kind == "article" else 1 :]
        return [tok._replace(ids=tok.ids | {np.id("d")}) for tok in preposition] + words
    return preposition + words


def after_verb(clause: Clause) -> list[Tok]:
    """Objects, predicate, late adverb and adjuncts."""
    adverb = toks(clause.adverb.fr, clause.id("adv")) if clause.adverb else []
    place = clause.adverb.fr_place if clause.adverb else ""
    words = adverb if place == "late" else []
    words = words + object_words(clause)
    if clause.recipient and clause.recipient.form != "pronoun":
        words += toks("à", clause.recipient.id("to")) + noun_phrase(clause.recipient)
    if clause.predicate:
        words += predicate_words(clause, clause.predicate)
    words += adverb if place == "end" else []
    return words + [tok for adjunct in clause.adjuncts for tok in adjunct.fr]


def imperative_words(clause: Clause) -> list[Tok]:
    """An affirmative command, with its clitics after the verb."""
    verb, rest = bare_verb(clause.frame.fr)
    order = ("le", "la", "les", "me", "te", "lui", "nous", "vous", "leur", "y", "en")
    words = toks(conjugate(verb, "imperative", clause.subject.person), clause.id("v0a"), clause.id("v0m"))
    for word in sorted(clitics(clause), key=lambda w: order.index(w.text)):
        text = {"me": "moi", "te": "toi"}.get(word.text, word.text)
        words += [Tok("-"), word._replace(text=text, kind="")]
    return words + toks(rest, clause.id("v0m"))


def clause_words(clause: Clause) -> list[Tok]:
    """The words of a clause, without its question words."""
    if clause.tense == "imperative" and not clause.negation:
        return imperative_words(clause) + after_verb(clause)
    hidden = clause.bare or clause.tense == "imperative"
    if clause.tense in ("infinitive", "gerund"):
        verb, rest = bare_verb(clause.frame.fr)
        ids = (clause.id("v0a"), clause.id("v0m"))
        return clitics(clause) + toks(verb, *ids) + toks(rest, *ids) + after_verb(clause)
    words = [] if hidden else subject_words(clause.actor())
    return words + finite_words(clause) + infinitive_words(clause) + after_verb(clause)


def adapted(word: Tok, following: str) -> Tok:
    """Forms that change before a vowel without an apostrophe: cet, bel, mon amie."""
    if word.kind not in ("this", "adjective", "owner") or not vowel_sound(following):
        return word
    if word.kind == "this" and word.text == "ce":
        return word._replace(text="cet")
    if word.kind == "adjective" and word.text in BEFORE_VOWEL:
        return word._replace(text=BEFORE_VOWEL[word.text])
    if word.kind == "owner" and word.text in ("ma", "ta", "sa"):
        return word._replace(text=word.text[0] + "on")
    return word


def elided(word: Tok, previous: str, following: str) -> Tok:
    """Elides a short word before a vowel."""
    if word.text == "si" and following in ("il", "ils"):
        return word._replace(text="s'")
    if word.text not in ELIDING or previous == "-" or not vowel_sound(following):
        return word
    if word.text == "ce" and word.kind != "it":
        return word
    return word._replace(text=word.text[:-1] + "'")


def contracted(words: list[Tok]) -> list[Tok]:
    """Joins à and de with the articles le and les."""
    forms = {("à", "le"): "au", ("à", "les"): "aux", ("de", "le"): "du", ("de", "les"): "des"}
    result: list[Tok] = []
    for word in words:
        joined = forms.get((result[-1].text, word.text)) if result and word.kind == "article" else None
        if joined:
            result[-1] = Tok(joined, result[-1].ids | word.ids)
        else:
            result.append(word)
    return result


def sound(words: list[Tok]) -> list[Tok]:
    """Applies elision, contraction and the forms before a vowel."""
    following = [word.text for word in words[1:]] + [""]
    words = [adapted(word, after) for word, after in zip(words, following, strict=True)]
    previous = [""] + [word.text for word in words[:-1]]
    following = [word.text for word in words[1:]] + [""]
    around = zip(words, previous, following, strict=True)
    return contracted([elided(word, before, after) for word, before, after in around])
