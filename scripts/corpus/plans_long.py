"""Longer plans: small stories, plans for a day, explanations."""

from .meaning import Clause, Np, glue, piece, refer, replace
from .nouns import of_class
from .plans import act, be, plan, statement, template
from .plans_joined import (
    ERRANDS,
    LASTING,
    LATER,
    because_bi,
    because_weather_bi,
    errand,
    go,
    if_bi,
    infinitive,
    opinion,
    plain_event,
    reaction,
    shared,
    state,
    useful_end,
    when_future_bi,
    while_bi,
    with_relative,
)
from .plans_life import at_time, basket, weather_bi
from .sentence import COMMA, STOP, mark
from .words import Bi
from .world import World, clause_bi, phrase, time_piece

EVENINGS = (
    "eat",
    "drink",
    "cook",
    "rest",
    "watch",
    "read",
    "listen to",
    "clean",
    "wash",
    "feed",
    "close",
    "open",
    "iron",
    "call",
    "write",
    "play",
    "turn on",
    "turn off",
    "sing",
    "repair",
)
HABITS = (
    "eat bread some",
    "eat egg number",
    "eat ham some",
    "drink coffee some",
    "drink tea some",
    "drink milk some",
    "read newspaper the",
    "listen to radio the",
    "listen to music the",
    "feed cat my",
    "feed dog my",
    "feed hen the",
    "open window the",
    "cook breakfast the",
    "cook lunch the",
    "clean kitchen the",
    "wash plate the",
    "call mother my",
    "call friend my",
    "drink juice some",
    "take bus the",
    "take train the",
    "eat apple a",
    "read book a",
    "wash car my",
    "close door the",
    "iron shirt a",
    "turn on radio the",
    "buy bread some",
    "buy newspaper a",
    "write letter a",
)
STORY_DAYS = {
    "past": ("yesterday", "hier"),
    "past2": ("last Monday", "lundi dernier"),
    "past3": ("last Friday", "vendredi dernier"),
    "past4": ("last Sunday", "dimanche dernier"),
    "past5": ("last Saturday", "samedi dernier"),
    "past6": ("two days ago", "il y a deux jours"),
    "future": ("tomorrow", "demain"),
    "future2": ("next Tuesday", "mardi prochain"),
    "future3": ("next Saturday", "samedi prochain"),
    "future4": ("next Thursday", "jeudi prochain"),
    "future5": ("the day after tomorrow", "après-demain"),
}
UNDONE = {
    "tired": ("work", "read", "study", "dance", "cook", "walk", "swim", "go out"),
    "ill": ("work", "eat", "travel", "swim", "go out", "come", "study"),
    "busy": ("call", "eat", "rest", "travel", "answer", "come", "visit"),
    "late": ("eat", "buy", "wait for", "rest", "talk to"),
    "afraid": ("swim", "go out", "open", "sleep", "enter"),
}


def word(english: str, french: str) -> Bi:
    """A connecting word with links of its own."""
    return piece(english, french)


def comma() -> Bi:
    """A comma with links of its own."""
    return mark(COMMA)


def day(world: World, tense: str) -> Bi:
    """The day of a story, with its comma."""
    chosen = world.rng.choice([pair for kind, pair in STORY_DAYS.items() if kind.startswith(tense)])
    return glue(time_piece(*chosen), comma())


def homely(world: World, subject: Np, tense: str) -> Clause:
    """Something done at home."""
    return plain_event(world, subject, tense, world.rng.choice(("home", "food", "leisure")), verbs=EVENINGS)


def habit(world: World, subject: Np, tense: str, line: str) -> Clause:
    """A step of a daily routine."""
    verb, noun, det = line.rsplit(" ", 2)
    return act(world, subject, verb, tense, noun, det, plural=det == "number" or noun == "plate")


def tail(world: World, subject: Np, tense: str) -> Bi:
    """He went to bed because he was tired."""
    name = world.rng.choice(("tired", "hungry", "thirsty", "cold", "sleepy", "sad", "hot", "happy"))
    does = reaction(world, refer(subject), name, tense)
    if does.chain or does.negation or does.frame.en == "go home":
        does, name = act(world, refer(subject), "rest", tense), "tired"
    was = state(world, refer(subject), name, "past" if tense == "past" else "future", world.pick({"": 2, "very": 1}))
    return glue(clause_bi(does), word("because", "parce que"), clause_bi(was))


def undone(world: World, subject: Np, tense: str) -> Bi:
    """He did not work because he was tired."""
    name = world.rng.choice(list(UNDONE))
    does = replace(plain_event(world, subject, tense, verbs=UNDONE[name]), negation="not")
    if does.object and does.object.form == "noun" and does.object.det not in ("the", "my", "this"):
        does = replace(does, object=replace(does.object, det="the", number=0))
    was = state(world, subject, name, "past" if tense == "past" else "future")
    return glue(clause_bi(does), word("because", "parce que"), clause_bi(was))


@plan(11)
def outing(world: World) -> tuple[Bi, str]:
    """Last Saturday, Paul went to the market to buy a fish, then he went home and cooked it."""
    subject = world.subject(0.35)
    return outing_bi(world, subject, world.pick({"past": 3, "future": 1})), STOP


def outing_bi(world: World, subject: Np, tense: str) -> Bi:
    """Going out and coming home."""
    story = glue(day(world, tense), purpose_story(world, subject, tense))
    story = glue(story, comma(), word("then", "puis"), clause_bi(act(world, refer(subject), "go home", tense)))
    if world.chance(0.7):
        story = glue(story, word("and", "et"), shared(homely(world, refer(subject), tense)))
    if world.chance(0.4):
        story = glue(story, comma(), word("and", "et"), tail(world, subject, tense))
    elif world.chance(0.4):
        story = glue(story, comma(), word("but", "mais"), undone(world, refer(subject), tense))
    return story


def purpose_story(world: World, subject: Np, tense: str) -> Bi:
    """Going somewhere for something."""
    place = world.rng.choice(list(ERRANDS))
    aim = infinitive(errand(world, place, subject, "infinitive"))
    return glue(clause_bi(go(world, subject, place, tense)), template("to/1 {x}", "pour/1 {x}", x=aim))


@plan(8)
def routine(world: World) -> tuple[Bi, str]:
    """Every morning, my father gets up at half past six, drinks some coffee, reads the newspaper and leaves."""
    subject = world.subject(0.35)
    tense = world.pick({"present": 4, "past": 2, "future": 1})
    often = (
        ("every morning", "tous les matins"),
        ("every Sunday", "tous les dimanches"),
        ("on Saturdays", "le samedi"),
        ("on Mondays", "le lundi"),
        ("every day", "tous les jours"),
    )
    start = glue(time_piece(*world.rng.choice(often)), comma()) if tense == "present" else day(world, tense)
    rises = act(world, subject, world.rng.choice(("get up", "wake up")), tense, adjuncts=(at_time(world, 4, 8),))
    story = glue(start, clause_bi(rises))
    for line in world.rng.sample(HABITS, world.rng.choice((1, 2, 2, 3))):
        story = glue(story, comma(), shared(habit(world, subject, tense, line)))
    end = act(world, subject, "leave", tense, french="partir", adjuncts=(at_time(world, 9, 11),))
    return glue(story, word("and", "et"), shared(end)), STOP


@plan(6)
def market_day(world: World) -> tuple[Bi, str]:
    """We went to the market, where we bought two kilos of apples, some cheese and a cake for my mother."""
    subject, tense = world.subject(0.4), world.pick({"past": 3, "future": 1})
    parts = basket(world, world.rng.choice((2, 3, 4)))
    going = go(world, subject, world.rng.choice(("market", "supermarket")), tense)
    buying = clause_bi(act(world, refer(subject), "buy", tense))
    story = glue(clause_bi(going), comma(), word("where", "où"), buying, parts)
    if world.chance(0.5):
        story = glue(day(world, tense), story)
    if world.chance(0.5):
        name = world.rng.choice(("grandmother", "mother", "neighbour", "aunt", "friend", "cousin", "sister"))
        who = world.noun(name, "my", False, (subject.person, subject.gender), 0.2)
        story = glue(story, word("for", "pour"), phrase(who))
    return story, STOP


@plan(8)
def busy_people(world: World) -> tuple[Bi, str]:
    """While my father was repairing the car, my mother was reading a novel and the children were playing football."""
    third = plain_event(world, world.third(), "was", world.rng.choice(("home", "leisure", "nature")), verbs=LASTING)
    story = glue(while_bi(world), word("and", "et"), clause_bi(third))
    return glue(day(world, "past"), story) if world.chance(0.35) else story, STOP


@plan(8)
def explained(world: World) -> tuple[Bi, str]:
    """I think that she stayed at home because she was ill, but she will come tomorrow."""
    subject = world.third() if world.chance(0.6) else world.subject(1.0)
    story = glue(opinion(world), because_bi(world, subject, "past", fronted=False))
    if world.chance(0.6):
        after = plain_event(world, refer(subject), "future", verbs=LATER)
        after = replace(after, adjuncts=(*after.adjuncts, world.time("future")))
        story = glue(story, comma(), word("but", "mais"), clause_bi(after))
    return story, STOP


@plan(7)
def planned(world: World) -> tuple[Bi, str]:
    """She thinks that they will stay at home if it rains."""
    makers = (when_future_bi, lambda where, who: if_bi(where, "present"))
    inner = world.rng.choice(makers)(world, world.subject(0.4))
    story = glue(opinion(world), inner)
    if world.chance(0.3):
        story = glue(story, comma(), word("but", "mais"), undone(world, world.name(), "past"))
    return story, STOP


@plan(8)
def described_story(world: World) -> tuple[Bi, str]:
    """The woman who lives in Rome is happy, and the letter that she wrote is very long."""
    first = useful_end(world, with_relative(world, world.rng.choice(("subject", "object", "where"))))
    second = useful_end(world, with_relative(world, world.rng.choice(("subject", "object", "whose"))))
    join = world.rng.choice((("and", "et"), ("but", "mais")))
    return glue(clause_bi(first), comma(), word(*join), clause_bi(second)), STOP


@plan(7)
def weather_story(world: World) -> tuple[Bi, str]:
    """We stayed at home because it was raining, then we played chess with our cousin."""
    subject = world.subject(0.5)
    first = because_weather_bi(world, subject, True)
    second = plain_event(world, refer(subject), "past", world.rng.choice(("home", "leisure")), verbs=EVENINGS)
    story = glue(first, comma(), word("then", "puis"), clause_bi(second))
    return glue(day(world, "past"), story) if world.chance(0.4) else story, STOP


@plan(7)
def long_story(world: World) -> tuple[Bi, str]:
    """A day in five or six events, with a time, a reason and a contrast."""
    subject, tense = world.subject(0.25), world.pick({"past": 4, "future": 1})
    him = refer(subject)
    rises = act(world, subject, world.rng.choice(("get up", "wake up")), tense, adjuncts=(at_time(world, 5, 10),))
    begins = shared(habit(world, subject, tense, world.rng.choice(HABITS)))
    story = glue(day(world, tense), clause_bi(rises), word("and", "et"), begins, word(";", ";"))
    story = glue(story, word("then", "puis"), purpose_story(world, him, tense))
    story = glue(story, comma(), word("but", "mais"), undone(world, him, tense))
    if world.chance(0.6):
        home = act(world, him, "go home", "when" if tense == "future" else tense)
        story = glue(story, word(";", ";"), word("when", "quand"), clause_bi(home), comma())
        story = glue(story, clause_bi(homely(world, him, tense)))
    return story, STOP


@plan(5)
def chronicle(world: World) -> tuple[Bi, str]:
    """Two people and their day."""
    tense = world.pick({"past": 4, "future": 1})
    first, second = world.third(), world.name()
    story = glue(outing_bi(world, first, tense), word(";", ";"))
    if tense == "past":
        return glue(story, while_bi(world) if world.chance(0.4) else because_bi(world, second, "past")), STOP
    return glue(story, when_future_bi(world, second)), STOP


@plan(7)
def two_people(world: World) -> tuple[Bi, str]:
    """My brother repaired the car last week, but Marie is resting because she is tired."""
    first, second = world.third(), world.name()
    one = statement(world, world.pick({"past": 3, "future": 2}), first, time=0.4)
    after = "past" if one.tense == "past" else "progressive"
    story = glue(clause_bi(one), comma(), word("but", "mais"), because_bi(world, second, after, fronted=False))
    return glue(opinion(world), story) if world.chance(0.5) else story, STOP


@plan(4)
def errands(world: World) -> tuple[Bi, str]:
    """Tomorrow I will go to the bank, my sister will go to the school and Paul will stay at home."""
    tense = world.pick({"past": 3, "future": 2})
    first = purpose_story(world, world.third(), tense)
    second = purpose_story(world, world.third(), tense)
    return glue(day(world, tense), first, comma(), word("and", "et"), second), STOP


@plan(4)
def portrait(world: World) -> tuple[Bi, str]:
    """My uncle lives in Rome, he works at the factory and he is very tired, but he is not lazy."""
    noun = world.rng.choice([noun for noun in of_class("kin") if noun.en != "husband"])
    subject = world.noun(noun, "my", False, (0, "m"), 0.2)
    him, live = refer(subject), act(world, subject, "live", "present")
    live = replace(live, adjuncts=world.circumstances(live.frame, "city", subject, True))
    where = world.location(world.rng.choice(("office", "factory", "school", "hospital", "library", "bank", "station")))
    work = act(world, him, "work", "present", adjuncts=(where,))
    traits = ("tired", "busy", "happy", "rich", "kind", "patient", "lazy", "polite", "brave", "serious")
    moods = world.rng.sample(traits, 2)
    story = glue(
        clause_bi(live), comma(), clause_bi(work), word("and", "et"), clause_bi(be(him, moods[0], degree="very"))
    )
    if world.chance(0.6):
        story = glue(story, comma(), word("but", "mais"), clause_bi(replace(be(him, moods[1]), negation="not")))
    return story, STOP


@plan(2.5)
def weather_report(world: World) -> tuple[Bi, str]:
    """It is cold in Paris today, but it will be sunny in Rome tomorrow."""
    later = weather_bi(world, world.rng.choice(("was", "will be")))
    return glue(weather_bi(world, "is"), comma(), word("but", "mais"), later), STOP
