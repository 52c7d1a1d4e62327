"""Plans of one clause: statements, denials, clitics, infinitives, questions, commands."""

from .meaning import Clause, Np, aligned, glue, piece, pronoun, replace, same
from .nouns import of_class
from .plans import (
    DENIABLE,
    EST_CE_QUE,
    TIME_OF,
    act,
    modal_clause,
    negated,
    plan,
    statement,
    template,
    timed,
    with_pronoun,
)
from .sentence import ASK, COMMA, SHOUT, STOP, mark
from .words import Bi, toks
from .world import World, clause_bi, phrase

PLEASE = aligned("please/1", "s'il/1 te/1 plaît/1")
PLEASE_POLITE = aligned("please/1", "s'il/1 vous/1 plaît/1")


@plan(7)
def plain(world: World) -> tuple[Bi, str]:
    """She writes a letter every day."""
    return clause_bi(statement(world)), STOP


@plan(5)
def fronted_time(world: World) -> tuple[Bi, str]:
    """Yesterday, the boy lost his key."""
    tense = world.pick({"past": 4, "future": 3, "present": 2, "progressive": 1})
    clause = statement(world, tense, time=0.0)
    if clause.frame.stative or clause.adverb:
        return clause_bi(clause), STOP
    return glue(world.time(TIME_OF[tense]), mark(COMMA), clause_bi(clause)), STOP


@plan(5)
def denial(world: World) -> tuple[Bi, str]:
    """He never drinks coffee."""
    tense = world.pick({"present": 5, "past": 3, "future": 2, "progressive": 1, "perfect": 1})
    return clause_bi(timed(world, negated(world, statement(world, tense, time=0.0)), 0.1)), STOP


@plan(5)
def clitic(world: World) -> tuple[Bi, str]:
    """I see them."""
    clause = with_pronoun(world, world.pick({"present": 4, "past": 4, "future": 2, "perfect": 1, "progressive": 1}))
    clause = negated(world, clause) if world.chance(0.35) else timed(world, clause)
    return clause_bi(clause), STOP


@plan(2)
def loving(world: World) -> tuple[Bi, str]:
    """I love you."""
    subject = world.subject(0.75)
    verb = world.rng.choice(("love", "know", "help", "thank", "see", "call", "meet", "believe", "invite"))
    clause = Clause(subject, act(world, subject, verb, "").frame, "present", object=world.other_pronoun(subject))
    clause = replace(clause, tense="past") if world.chance(0.35) else clause
    return clause_bi(negated(world, clause) if world.chance(0.35) else clause), STOP


@plan(5)
def modal(world: World) -> tuple[Bi, str]:
    """I want to see it."""
    return clause_bi(modal_clause(world)), STOP


@plan(3)
def denied_modal(world: World) -> tuple[Bi, str]:
    """She cannot come, he does not want to see it."""
    clause = modal_clause(world, name=world.rng.choice(DENIABLE))
    clause = negated(world, clause)
    return clause_bi(replace(clause, negation="not" if world.chance(0.8) else "never")), STOP


@plan(1.5)
def not_to(world: World) -> tuple[Bi, str]:
    """He decided not to sell the house."""
    name = world.rng.choice(("decide", "prefer", "promise", "try"))
    clause = modal_clause(world, name=name)
    thing = clause.object
    if thing is not None and thing.form == "noun":
        thing = same(thing, det="the" if thing.det not in ("my", "this", "bare") else thing.det, number=0)
    return clause_bi(replace(clause, object=thing, without=True, tense="past" if name != "prefer" else "present")), STOP


@plan(2)
def nobody_nothing(world: World) -> tuple[Bi, str]:
    """Nobody came. I saw nothing."""
    tense = world.pick({"present": 3, "past": 4, "future": 2})
    if world.chance(0.5):
        clause = statement(world, tense, Np("nobody", human=True, name=("nobody", "personne")))
        return clause_bi(replace(clause, adverb=None)), STOP
    verb, what = world.rng.choice(
        (
            ("see", "nobody"),
            ("hear", "nothing"),
            ("eat", "nothing"),
            ("buy", "nothing"),
            ("understand", "nothing"),
            ("call", "nobody"),
            ("find", "nothing"),
            ("say", "nothing"),
            ("know", "nobody"),
            ("help", "nobody"),
            ("drink", "nothing"),
            ("invite", "nobody"),
            ("forget", "nothing"),
            ("receive", "nothing"),
        )
    )
    french = {"nobody": "personne", "nothing": "rien"}[what]
    clause = act(world, world.subject(), verb, tense)
    clause = replace(clause, object=Np(what, human=what == "nobody", name=(what, french)))
    return clause_bi(timed(world, clause, 0.3)), STOP


def asked_subject(world: World) -> Np:
    """The subject of a question."""
    subject = world.subject(0.7)
    return pronoun(1) if subject.person in (0, 3) and world.chance(0.85) else subject


@plan(5)
def yes_no(world: World) -> tuple[Bi, str]:
    """Did you see the film?"""
    tense = world.pick({"present": 4, "past": 4, "future": 2, "perfect": 1, "progressive": 1})
    clause = replace(statement(world, tense, asked_subject(world)), question="yes")
    return glue(EST_CE_QUE, clause_bi(clause)), ASK


@plan(2)
def may_i(world: World) -> tuple[Bi, str]:
    """Can you help me? Do you want to come?"""
    clause = modal_clause(world, pronoun(1), name=world.rng.choice(("can", "could", "want", "must", "would like")))
    return glue(EST_CE_QUE, clause_bi(replace(clause, question="yes"))), ASK


@plan(4)
def wh_question(world: World) -> tuple[Bi, str]:
    """Why did you sell the car?"""
    word = world.rng.choice(
        (("why", "pourquoi"), ("when", "quand"), ("where", "où"), ("why", "pourquoi"), ("how", "comment"))
    )
    tense = world.pick({"present": 4, "past": 5, "future": 3 if word[0] != "why" else 0.5})
    while True:
        clause = world.event(world.scene(), asked_subject(world), tense, adjuncts=False, stative=word[0] == "why")
        moves = clause.frame.fr in ("aller", "habiter", "rester", "arriver", "revenir", "venir")
        if word[0] == "where" and moves and clause.frame.fr in ("aller", "habiter"):
            clause = replace(clause, adjuncts=())
            break
        if not (word[0] in ("where", "how") and (moves or clause.frame.stative or clause.frame.reflexive)):
            break
    return glue(piece(*word), EST_CE_QUE, clause_bi(replace(clause, question="wh"))), ASK


def with_noun_object(world: World, tense: str, subject: Np) -> Clause:
    """A clause with a direct object that is a noun."""
    while True:
        clause = world.event(world.scene(), subject, tense, pronouns=0.0)
        ready = clause.object and clause.object.form == "noun" and not clause.frame.fr_preposition
        if (
            ready
            and not clause.recipient
            and not clause.object.human
            and clause.frame.fr != "savoir"
            and not clause.frame.stative
        ):
            return clause


@plan(2.5)
def what_question(world: World) -> tuple[Bi, str]:
    """What did you buy at the market?"""
    clause = with_noun_object(
        world, world.pick({"present": 3, "past": 4, "progressive": 2, "future": 2}), asked_subject(world)
    )
    clause = replace(clause, gap=Np("what"), question="wh")
    word = aligned("what/1", "que/1 est - ce que")
    return glue(word, clause_bi(clause)), ASK


@plan(2.5)
def who_question(world: World) -> tuple[Bi, str]:
    """Who broke the window?"""
    tense = world.pick({"present": 3, "past": 5, "future": 3})
    clause = replace(statement(world, tense, Np("who", human=True, name=("who", "qui")), time=0.2), question="wh")
    if clause.object and clause.object.noun and clause.object.det in ("my",):
        clause = replace(clause, object=same(clause.object, det="the"))
    return clause_bi(clause), ASK


@plan(1.5)
def whom_question(world: World) -> tuple[Bi, str]:
    """Who did you meet at the station?"""
    verb = world.rng.choice(("see", "meet", "invite", "help", "call", "thank", "wait for"))
    clause = act(world, asked_subject(world), verb, world.pick({"past": 5, "present": 2, "future": 2}), question="wh")
    clause = replace(
        clause,
        object=Np("who"),
        gap=Np("who"),
        adjuncts=(world.location(world.rng.choice(("station", "market", "museum", "park"))),),
    )
    return glue(piece("who", "qui"), EST_CE_QUE, clause_bi(clause)), ASK


@plan(3)
def which_question(world: World) -> tuple[Bi, str]:
    """Which books did you read? How many apples did she eat?"""
    clause = with_noun_object(world, world.pick({"present": 2, "past": 5, "future": 2}), asked_subject(world))
    noun = clause.object.noun
    many = world.chance(0.5)
    single = {"meal", "bill", "sky", "event", "sound"} & set(noun.classes)
    if noun.mass:
        asked = world.noun(noun, "how much")
    elif many and not single:
        asked = world.noun(noun, "how many", True, describe=0.15)
    else:
        asked = world.noun(noun, "which", world.chance(0.4) and not single)
    asked_clause = replace(clause, gap=asked, question="wh")
    return glue(phrase(asked), EST_CE_QUE, clause_bi(asked_clause)), ASK


def command_clause(world: World, person: int) -> Clause:
    """Something one can be told to do."""
    while True:
        clause = world.event(world.scene(), pronoun(person), "imperative", stative=False)
        frame, thing = clause.frame, clause.object
        odd = frame.en in (
            "lose",
            "fall",
            "get lost",
            "break",
            "forget",
            "hear",
            "miss",
            "steal",
            "smoke",
            "win",
            "receive",
            "find",
            "cry",
        )
        human = thing is not None and thing.form == "pronoun" and thing.human and thing.person in (1, 4)
        other = clause.recipient is not None and clause.recipient.person in (1, 4, person)
        if not (
            odd or human or other or (thing and thing.person == person and thing.human and thing.form == "pronoun")
        ):
            return clause


@plan(3)
def command(world: World) -> tuple[Bi, str]:
    """Close the door!"""
    clause = command_clause(world, 1)
    if world.chance(0.3):
        return glue(clause_bi(clause), mark(COMMA), PLEASE), STOP
    return clause_bi(clause), SHOUT


@plan(2)
def prohibition(world: World) -> tuple[Bi, str]:
    """Do not open it!"""
    clause = negated(world, command_clause(world, 1))
    return clause_bi(replace(clause, negation="not" if world.chance(0.8) else "never")), SHOUT


@plan(1.5)
def give_it(world: World) -> tuple[Bi, str]:
    """Give it to me!"""
    person = world.rng.choice((0, 2, 3, 5))
    to = pronoun(person, world.rng.choice("mf") if person == 2 else "m")
    verb = world.rng.choice(("give", "show", "lend"))
    thing = pronoun(world.rng.choice((2, 5)), "m", False) if world.chance(0.5) else None
    clause = act(
        world,
        pronoun(1),
        verb,
        "imperative",
        world.rng.choice(("key", "photo", "book", "letter", "map", "pen")),
        recipient=to,
    )
    clause = replace(clause, object=thing or clause.object, negation="not" if world.chance(0.3) else "")
    return clause_bi(clause), SHOUT


@plan(1.5)
def let_us(world: World) -> tuple[Bi, str]:
    """Let us eat at the restaurant."""
    clause = command_clause(world, 3)
    said = clause_bi(clause)
    return Bi((*toks("let us", clause.id("v0a")), *said.en), said.fr), SHOUT if world.chance(0.3) else STOP


@plan(2)
def polite_request(world: World) -> tuple[Bi, str]:
    """Could you close the window, please, sir?"""
    clause = modal_clause(world, pronoun(4), name=world.rng.choice(("could", "can", "would like", "want")))
    who = world.rng.choice((piece("sir", "monsieur"), piece("madam", "madame")))
    asked = glue(EST_CE_QUE, clause_bi(replace(clause, question="yes")))
    return glue(asked, mark(COMMA), PLEASE_POLITE, mark(COMMA), who), ASK


@plan(2)
def polite_statement(world: World) -> tuple[Bi, str]:
    """Sir, you have forgotten your umbrella."""
    who = world.rng.choice((piece("sir", "monsieur"), piece("madam", "madame"), piece("doctor", "docteur")))
    clause = statement(
        world,
        world.pick({"past": 3, "perfect": 3, "future": 2, "present": 1}),
        pronoun(4, world.rng.choice("m")),
        time=0.2,
    )
    if clause.frame.fr in (
        "aller",
        "venir",
        "partir",
        "arriver",
        "rester",
        "sortir",
        "tomber",
        "revenir",
        "rentrer",
        "entrer",
    ):
        clause = replace(clause, tense="future", adjuncts=clause.adjuncts[:1], adverb=None)
    if clause.frame.reflexive:
        clause = replace(clause, tense="future", adjuncts=(), adverb=None)
    return glue(who, mark(COMMA), clause_bi(clause)), STOP


@plan(1.5)
def children_told(world: World) -> tuple[Bi, str]:
    """Children, you must wash your hands."""
    who = aligned("children/1", "les enfants/1")
    if world.chance(0.5):
        clause = modal_clause(world, pronoun(4), name=world.rng.choice(("must", "can", "should")))
    else:
        clause = command_clause(world, 4)
    return glue(who, mark(COMMA), clause_bi(clause)), STOP


WASHING_TIMES = {
    "past": (("yesterday evening", "hier soir"), ("this morning", "ce matin"), ("an hour ago", "il y a une heure")),
    "present": (("every day", "tous les jours"), ("every morning", "tous les matins"), ("in the evening", "le soir")),
    "future": (("tomorrow morning", "demain matin"), ("this evening", "ce soir"), ("soon", "bientôt")),
}


@plan(1.5)
def washing(world: World) -> tuple[Bi, str]:
    """She washed her hands."""
    subject = world.subject()
    noun = world.rng.choice(list(of_class("wash")))
    clause = act(
        world,
        subject,
        "wash",
        world.pick({"past": 4, "present": 3, "future": 2}),
        noun.en,
        "my",
        plural=noun.en != "face",
    )
    french = replace(
        clause, frame=clause.frame._replace(fr="se laver", flags=("body",)), object=same(clause.object, det="the")
    )
    adjuncts = (piece(*world.rng.choice(WASHING_TIMES[clause.tense])),) if world.chance(0.5) else ()
    clause, french = replace(clause, adjuncts=adjuncts), replace(french, adjuncts=adjuncts)
    french = replace(french, object=replace(clause.object, det="the"))
    return template("{all}", "{all}", all=Bi(clause_bi(clause).en, clause_bi(french).fr)), STOP
