"""The register of sentence plans, and the clauses they share."""

from collections.abc import Callable

from .meaning import BE, Clause, Modal, Np, Predicate, aligned, replace, same
from .modifiers import ADJECTIVES
from .verbs import frame
from .words import Bi, Tok, split_words, toks
from .world import MODALS, World

Plan = Callable[[World], tuple[Bi, str]]
PLANS: dict[str, tuple[Plan, float]] = {}
QUIET = ("nothing", "nobody")
EST_CE_QUE = Bi((), tuple(toks("est-ce que")))
TIME_OF = {
    "present": "habit",
    "progressive": "now",
    "past": "past",
    "future": "future",
    "was": "past",
    "used": "habit",
    "perfect": "",
    "conditional": "",
}


def plan(weight: float) -> Callable[[Plan], Plan]:
    """Registers a plan with its weight."""

    def register(function: Plan) -> Plan:
        PLANS[function.__name__] = (function, weight)
        return function

    return register


def some_tense(world: World) -> str:
    """A tense of the indicative."""
    return world.pick({"present": 4, "progressive": 2, "past": 5, "future": 3, "perfect": 1.5, "used": 0.7})


def timed(world: World, clause: Clause, probability: float = 0.35) -> Clause:
    """Maybe adds a time expression after the clause."""
    kind = TIME_OF.get(clause.tense, "")
    if not kind or clause.frame.stative or not world.chance(probability):
        return clause
    if (clause.adverb and clause.adverb.kind == "habit") or clause.tense == "used":
        return clause
    return replace(clause, adjuncts=(*clause.adjuncts, world.time(kind)))


def statement(world: World, tense: str = "", subject: Np | None = None, scene: str = "", time: float = 0.35) -> Clause:
    """A plain affirmative clause."""
    tense = tense or some_tense(world)
    clause = world.event(scene or world.scene(), subject or world.subject(), tense)
    if clause.frame.stative and clause.tense in ("perfect", "progressive"):
        clause = replace(clause, tense="present")
    return timed(world, world.adverb(clause), time)


KEEPS_DENIED = ("the", "my", "this", "generic", "bare", "some", "a")
DENIED_WHOLLY = ("have", "want", "need", "eat", "drink", "buy", "find", "wear", "receive", "read", "use", "sell")


def negated(world: World, clause: Clause) -> Clause:
    """The same clause, denied."""
    thing = clause.object
    keeps = KEEPS_DENIED if clause.frame.en in DENIED_WHOLLY else KEEPS_DENIED[:-2]
    if thing is not None and thing.form == "noun" and thing.det not in keeps:
        thing = same(thing, det="the", number=0)
    kind = world.pick({"not": 6, "never": 2, "no longer": 1.2})
    if (clause.tense in ("past", "perfect") and kind == "no longer") or clause.tense in ("was", "used"):
        kind = "not"
    if clause.tense == "progressive" and kind == "never":
        kind = "not"
    return replace(clause, negation=kind, object=thing, adverb=None)


def with_pronoun(world: World, tense: str, subject: Np | None = None) -> Clause:
    """A clause whose object is a pronoun."""
    while True:
        clause = world.event(world.scene(), subject or world.subject(), tense, pronouns=1.6)
        if clause.object and clause.object.form == "pronoun":
            return clause


ACTIVITIES = {
    "eat",
    "drink",
    "read",
    "work",
    "cook",
    "clean",
    "paint",
    "translate",
    "look for",
    "sing",
    "dance",
    "run",
    "walk",
    "study",
    "cry",
    "laugh",
    "prepare",
    "repair",
    "write",
    "listen to",
    "play",
    "watch",
    "draw",
    "wash",
    "talk to",
}
PLEASURES = (
    "travel",
    "swim",
    "sing",
    "dance",
    "play",
    "walk",
    "run",
    "draw",
    "cook",
    "go for a walk",
    "rest",
    "listen to",
)
SKILLS = ("swim", "dance", "sing", "drive", "play", "draw", "cook", "read", "write")
ONCE = ("decide", "refuse", "manage", "forget", "promise", "begin", "try", "continue")
ASKED_OF = {"like": PLEASURES, "prefer": PLEASURES, "learn": SKILLS, "begin": ACTIVITIES, "continue": ACTIVITIES}
DENIABLE = ("want", "would like", "can", "must", "should", "like", "manage", "be afraid", "be going", "try", "need")
SOON = ("would like", "be going", "hope", "must", "can", "want")
INVOLUNTARY = {
    "fall",
    "get lost",
    "lose",
    "forget",
    "break",
    "miss",
    "hear",
    "cry",
    "steal",
    "find",
    "receive",
    "lie",
    "wake up",
}


def modal_tense(world: World, name: str, step: Modal) -> str:
    """A tense that suits a verb with an infinitive."""
    if step.auxiliary or name == "be going":
        return "present"
    if name in ONCE:
        return world.pick({"past": 5, "future": 1} if name != "forget" else {"past": 1})
    return "present" if name in ("prefer", "like", "learn") else world.pick({"present": 4, "past": 2})


def modal_clause(world: World, subject: Np | None = None, scene: str = "", name: str = "", tense: str = "") -> Clause:
    """A clause with a verb that takes an infinitive."""
    name = name or world.rng.choice(list(MODALS))
    step, subject = MODALS[name], subject or world.subject()
    tense = tense or modal_tense(world, name, step)
    while True:
        clause = world.event(scene or world.scene(), subject, tense, stative=False)
        if (
            clause.frame.en in ASKED_OF.get(name, (clause.frame.en,))
            and clause.frame.en not in INVOLUNTARY
            and (name, clause.frame.en) != ("manage", "look for")
        ):
            break
        scene = ""
    if clause.frame.fr == "aller" and name == "be going":
        return modal_clause(world, subject, scene, name, tense)
    clause = replace(clause, chain=(step,), tense=tense, adverb=None)
    if name in SOON and world.chance(0.35):
        clause = replace(clause, adjuncts=(*clause.adjuncts, world.time("future")))
    return clause


def act(
    world: World, subject: Np, verb: str, tense: str, noun: str = "", det: str = "the", french: str = "", **more: object
) -> Clause:
    """A clause with a given verb and maybe a given object."""
    plural = bool(more.pop("plural", False))
    owner = (subject.person, subject.gender)
    number = world.rng.randrange(2, 4) if det == "number" else 0
    thing = world.noun(noun, det, plural, owner, number=number) if noun else None
    return Clause(subject, frame(verb, french or None), tense, object=thing, **more)


NOT_GRADED = (
    "new",
    "white",
    "black",
    "red",
    "blue",
    "green",
    "yellow",
    "grey",
    "brown",
    "empty",
    "full",
    "broken",
    "open",
    "closed",
    "round",
    "delicious",
    "English",
    "Italian",
    "Spanish",
    "foreign",
    "alone",
    "late",
    "ready",
    "angry",
    "free",
    "ripe",
)


def said_of(classes: tuple[str, ...]) -> list[str]:
    """The adjectives one can say of a thing after be."""
    odd = ("foreign", "favourite", "English", "Italian", "Spanish", "new", "good", "bad")
    person = () if "person" in classes or "animal" in classes else ("young", "ill", "tired")
    fit = [a.en for a in ADJECTIVES.values() if set(a.classes) & set(classes)]
    return [en for en in fit if en not in odd and en not in person]


def be(subject: Np, adjective: str, tense: str = "present", degree: str = "", standard: Np | None = None) -> Clause:
    """Somebody or something is so."""
    degree = "" if adjective in NOT_GRADED and not standard else degree
    predicate = Predicate(ADJECTIVES[adjective], degree, standard)
    return Clause(subject, BE, tense, predicate=predicate)


def have_state(subject: Np, state: Bi, tense: str = "present") -> Clause:
    """A state English expresses with be and French with avoir."""
    return Clause(subject, BE._replace(fr="avoir"), tense, predicate=Predicate(piece=state))


def be_piece(subject: Np, said: Bi, tense: str = "present") -> Clause:
    """Being somewhere or something."""
    return Clause(subject, BE, tense, predicate=Predicate(piece=said))


def template(english: str, french: str, **slots: Bi) -> Bi:
    """A marked-up pattern (see `aligned`) with pieces in its `{slots}`."""
    base = aligned(english, french)

    def filled(side: str, words: tuple[Tok, ...], position: int) -> tuple[Tok, ...]:
        result: list[Tok] = []
        rest = list(words)
        for token in side.split():
            if token.startswith("{"):
                result += slots[token[1:-1]][position]
                del rest[: len(split_words(token))]
                continue
            size = len(split_words(token.split("/")[0]))
            result += rest[:size]
            del rest[:size]
        return tuple(result)

    return Bi(filled(english, base.en, 0), filled(french, base.fr, 1))
