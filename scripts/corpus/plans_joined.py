"""Plans of several clauses: relatives, reasons, conditions, times, purposes, opinions, contrasts."""

from collections.abc import Callable

from . import english
from .meaning import BE, Clause, Np, Predicate, Relative, aligned, glue, piece, pronoun, refer, replace
from .nouns import NOUNS, of_class
from .plans import (
    ACTIVITIES,
    act,
    be,
    be_piece,
    have_state,
    modal_clause,
    negated,
    plan,
    said_of,
    statement,
    template,
    timed,
)
from .plans_basic import with_noun_object
from .plans_life import MOODS, POSITIONS, near, weather_bi
from .sentence import COMMA, STOP, mark
from .words import Bi, toks
from .world import MODALS, World, clause_bi, phrase

NOTHING = Bi((), ())
ERRANDS = {
    "market": ("buy:=apple,cheese,fish,carrot,potato,flower",),
    "library": ("return:=book,novel", "borrow:=book,novel"),
    "cinema": ("see:=film",),
    "restaurant": ("eat:=chicken,fish,salad,soup",),
    "station": ("take:=train", "buy:=ticket"),
    "post office": ("send:=letter,postcard,gift",),
    "park": ("run:", "walk:", "rest:"),
    "swimming pool": ("swim:",),
    "pharmacy": ("buy:=medicine",),
    "bookshop": ("buy:=novel,book,newspaper,map",),
    "airport": ("take:=plane",),
    "theatre": ("see:=play",),
    "museum": ("look at:=painting,photo",),
    "office": ("sign:=contract", "work:", "write:=report"),
    "stadium": ("watch:=match",),
    "beach": ("swim:", "rest:", "run:"),
    "bakery": ("buy:=bread,cake",),
    "school": ("learn:=poem,song",),
    "supermarket": ("buy:=milk,butter,egg,rice,jam,beer",),
    "hospital": ("see:=doctor,nurse",),
    "garden": ("pick up:",),
    "farm": ("buy:=egg,milk,cheese", "feed:=horse,cow,sheep"),
    "university": ("study:",),
    "castle": ("admire:=painting,garden",),
}
ERRANDS.pop("garden")


def go(world: World, subject: Np, place: str, tense: str, verb: str = "go") -> Clause:
    """Somebody goes somewhere."""
    return act(world, subject, verb, tense, adjuncts=(world.location(place, True),))


def errand(world: World, place: str, subject: Np, tense: str) -> Clause:
    """What one does at a place."""
    verb, names = world.rng.choice(ERRANDS[place]).split(":")
    clause = act(world, subject, verb, tense)
    if not names:
        return clause
    noun = NOUNS[world.rng.choice(names[1:].split(","))]
    many = (
        not noun.mass
        and noun.en not in ("train", "plane", "film", "play", "match", "doctor", "nurse", "fish")
        and world.chance(0.4)
    )
    det = (
        "the"
        if noun.en in ("train", "plane", "play", "doctor", "nurse", "match", "garden", "horse", "cow", "contract")
        else world.pick({"a": 3, "the": 2})
    )
    many = many or (not noun.mass and bool({"fruit", "vegetable"} & set(noun.classes)))
    det = "some" if noun.mass else world.pick({"some": 4, "number": 2, "the": 1}) if many and det != "the" else det
    world.pairs.append((f"verb:{verb}", f"noun:{noun.en}"))
    return replace(clause, object=world.noun(noun, det, many, describe=0.3, number=world.rng.randrange(2, 8)))


def infinitive(clause: Clause) -> Bi:
    """A clause as infinitive, without subject."""
    return clause_bi(replace(clause, tense="infinitive", bare=True, adverb=None))


def gerund(clause: Clause) -> Bi:
    """English -ing, French infinitive."""
    return clause_bi(replace(clause, tense="gerund", bare=True, adverb=None))


@plan(5)
def purpose(world: World) -> tuple[Bi, str]:
    """She went to the market to buy some apples."""
    return purpose_bi(world, world.subject(), world.pick({"past": 5, "future": 3, "present": 2})), STOP


def purpose_bi(world: World, subject: Np, tense: str, timed_too: bool = True) -> Bi:
    """Going somewhere to do something there."""
    place = world.rng.choice(list(ERRANDS))
    leaving = go(world, subject, place, tense)
    if world.chance(0.2):
        leaving = replace(leaving, chain=(MODALS[world.rng.choice(("want", "must", "would like"))],), tense="present")
    said = glue(
        clause_bi(leaving),
        template("to/1 {x}", "pour/1 {x}", x=infinitive(errand(world, place, subject, "infinitive"))),
    )
    times = {"past": "past", "future": "future", "present": "habit"}
    if timed_too and not leaving.chain and world.chance(0.35):
        return glue(world.time(times[tense]), mark(COMMA), said)
    return said


@plan(3)
def before_doing(world: World) -> tuple[Bi, str]:
    """Before leaving, she closed the door."""
    subject = world.subject()
    tense = world.pick({"past": 5, "future": 2, "present": 2})
    scene = world.rng.choice(("home", "work", "school", "food"))
    first = act(world, subject, world.rng.choice(("leave", "go out", "go to bed", "eat", "go home", "sleep")), tense)
    first = replace(
        first,
        frame=first.frame if first.frame.en != "leave" else act(world, subject, "leave", tense, french="partir").frame,
    )
    main = statement(world, tense, subject, scene, time=0.0)
    start = template("before/1 {x}", "avant/1 de/1 {x}", x=gerund(first))
    if world.chance(0.6):
        return glue(start, mark(COMMA), clause_bi(replace(main, adverb=None))), STOP
    return glue(clause_bi(replace(main, adverb=None)), start), STOP


@plan(2)
def without_doing(world: World) -> tuple[Bi, str]:
    """He left without paying the bill."""
    subject = world.subject()
    tense = world.pick({"past": 5, "present": 2, "future": 2})
    verb, french, then = world.rng.choice(
        (
            (
                "leave",
                "partir",
                (
                    "pay bill",
                    "close door",
                    "take umbrella",
                    "thank neighbour",
                    "turn off lamp",
                    "sign letter",
                    "finish meal",
                ),
            ),
            ("go out", "", ("put on coat", "close window", "take key", "turn off radio", "finish breakfast")),
            ("go to bed", "", ("turn off computer", "eat -", "close gate")),
            ("come back", "", ("find key", "buy bread", "see doctor", "find hotel")),
        )
    )
    other = world.rng.choice(then)
    name, noun = other.rsplit(" ", 1)
    second = act(
        world,
        subject,
        name,
        "infinitive",
        "" if noun == "-" else noun,
        "my" if noun in ("coat", "key", "umbrella") else "the",
    )
    if noun == "bread":
        second = replace(second, object=world.noun("bread", "the"))
    return glue(
        clause_bi(act(world, subject, verb, tense, french=french)),
        template("without/1 {x}", "sans/1 {x}", x=gerund(second)),
    ), STOP


STATES = ("tired", "ill", "hungry", "thirsty", "cold", "late", "sad", "happy", "afraid", "busy", "sleepy", "alone")
FRENCH_STATES = {
    "hungry": "faim",
    "thirsty": "soif",
    "cold": "froid",
    "afraid": "peur",
    "sleepy": "sommeil",
    "hot": "chaud",
}


def state(world: World, subject: Np, name: str, tense: str, degree: str = "") -> Clause:
    """A state of a person."""
    if name in FRENCH_STATES:
        degree_piece = {"very": piece("very", "très"), "so": piece("so", "si"), "too": piece("too", "trop")}.get(
            degree, NOTHING
        )
        return have_state(subject, glue(degree_piece, piece(name, FRENCH_STATES[name])), tense)
    return be(subject, name, tense, "" if name in ("late", "alone") else degree)


def reaction(world: World, subject: Np, name: str, tense: str) -> Clause:
    """What somebody in a state does."""

    def simple(verb: str, noun: str = "", det: str = "the", **more: object) -> Clause:
        return act(world, subject, verb, tense, noun, det, **more)

    home = (piece("at home", "à la maison"),)
    work = (world.location(world.rng.choice(("office", "school", "party", "factory")[:2]), True),)
    drink = world.rng.choice(("water", "juice", "milk", "tea"))
    meal = world.rng.choice(("soup", "bread", "chicken", "rice", "ham", "cheese", "salad"))
    options = {
        "tired": [
            lambda: simple("go to bed"),
            lambda: simple("rest"),
            lambda: simple("stay", adjuncts=home),
            lambda: simple("go home"),
            lambda: simple("sleep", adjuncts=(world.location("living room"),)),
        ],
        "ill": [
            lambda: simple("stay", adjuncts=(piece("in bed", "au lit"),)),
            lambda: simple("stay", adjuncts=home),
            lambda: simple("call", "doctor"),
            lambda: simple("take", "medicine", "this"),
            lambda: go(world, subject, "pharmacy", tense),
            lambda: go(world, subject, "hospital", tense),
        ],
        "hungry": [
            lambda: simple("eat", meal, "some"),
            lambda: simple("cook", world.rng.choice(("soup", "chicken", "fish", "meal"))),
            lambda: go(world, subject, "restaurant", tense),
            lambda: simple("buy", "sandwich", "a"),
            lambda: simple("order", "cake", "a"),
            lambda: simple("eat", "apple", "number", plural=True),
        ],
        "thirsty": [
            lambda: simple("drink", drink, "some"),
            lambda: simple("buy", "juice", "some"),
            lambda: simple("order", "beer", "some"),
            lambda: simple("drink", drink, "much"),
        ],
        "cold": [
            lambda: simple("put on", world.rng.choice(("coat", "scarf", "sweater", "jacket", "hat")), "my"),
            lambda: simple("close", "window"),
            lambda: simple("drink", "tea", "some"),
            lambda: simple("go home"),
            lambda: simple("buy", world.rng.choice(("sweater", "coat", "scarf")), "a"),
            lambda: simple("close", "door"),
        ],
        "hot": [
            lambda: simple("open", "window"),
            lambda: simple("take off", world.rng.choice(("coat", "sweater", "jacket")), "my"),
            lambda: simple("drink", "water", "some"),
            lambda: simple("go out"),
            lambda: simple("swim", adjuncts=(world.location("swimming pool"),)),
        ],
        "late": [
            lambda: simple("hurry"),
            lambda: simple("run"),
            lambda: simple("take", "taxi", "a"),
            lambda: simple("miss", world.rng.choice(("train", "bus", "plane"))),
            lambda: simple("call", "director"),
        ],
        "sad": [
            lambda: simple("cry"),
            lambda: simple("stay", adjuncts=home),
            lambda: simple("call", world.rng.choice(("friend", "sister", "mother")), "my"),
            lambda: simple("listen to", "music"),
        ],
        "happy": [
            lambda: simple("sing"),
            lambda: simple("dance"),
            lambda: simple("laugh"),
            lambda: simple("invite", "friend", "my", plural=True),
            lambda: simple("have fun"),
        ],
        "afraid": [
            lambda: simple("close", "door"),
            lambda: simple("run"),
            lambda: simple("call", "policeman"),
            lambda: simple("stay", adjuncts=home),
            lambda: simple("turn on", "lamp"),
        ],
        "busy": [
            lambda: simple("work", adjuncts=(world.location("office"),)),
            lambda: simple("cancel", world.rng.choice(("trip", "meeting", "party"))),
            lambda: simple("stay", adjuncts=(world.location("office"),)),
        ],
        "sleepy": [
            lambda: simple("go to bed"),
            lambda: simple("drink", "coffee", "some"),
            lambda: simple("turn off", "lamp"),
            lambda: simple("go home"),
        ],
        "alone": [
            lambda: simple("call", "friend", "my"),
            lambda: simple("read", "novel", "a"),
            lambda: simple("listen to", "radio"),
            lambda: simple("watch", "film", "a"),
        ],
    }
    if name in ("tired", "ill", "busy") and world.chance(0.25):
        return replace(
            world.rng.choice(
                [
                    simple("go", adjuncts=work),
                    simple("go out"),
                    simple("come", adjuncts=(world.location("restaurant", True),)),
                ]
            ),
            negation="not",
        )
    if name in ("tired", "ill") and world.chance(0.2):
        verb = world.rng.choice(("go out", "work", "dance", "cook", "walk", "travel"))
        if verb == "cook":
            return replace(simple("cook", "meal"), chain=(MODALS["want"],), negation="not")
        return replace(
            simple(verb), chain=(MODALS["want"],), negation="not", tense="past" if tense == "past" else "present"
        )
    return world.rng.choice(options[name])()


def reason(world: World, subject: Np, tense: str) -> tuple[Clause, Clause]:
    """A state and what follows from it; the second has the phrase, the first the pronoun."""
    name = world.rng.choice((*STATES, "hot", "cold", "hungry", "tired"))
    does = reaction(world, subject, name, tense)
    was = state(world, refer(subject), name, "past" if tense == "past" else "present", world.pick({"": 3, "very": 1}))
    return does, was


@plan(6)
def because_state(world: World) -> tuple[Bi, str]:
    """My sister went to bed because she was tired."""
    return because_bi(
        world, world.subject(0.35), world.pick({"past": 5, "progressive": 2, "future": 1, "present": 1})
    ), STOP


def because_bi(world: World, subject: Np, tense: str, fronted: bool = True) -> Bi:
    """Something done because of a state; the reason may come first."""
    does, was = reason(world, subject, tense)
    if does.chain or does.frame.stative:
        does = replace(does, tense="past" if tense == "past" else "present")
    join = world.rng.random()
    because = piece("because", "parce que")
    if join < 0.55 or not fronted:
        return glue(clause_bi(does), because, clause_bi(was))
    stated = replace(was, subject=subject)
    follow = replace(does, subject=refer(subject))
    if join < 0.8:
        return glue(clause_bi(stated), mark(COMMA), piece("so", "donc"), clause_bi(follow))
    return glue(piece("as", "comme"), clause_bi(stated), mark(COMMA), clause_bi(follow))


@plan(4)
def because_weather(world: World) -> tuple[Bi, str]:
    """We stayed at home because it was raining."""
    return because_weather_bi(world, world.subject(), world.chance(0.5)), STOP


def weather_reactions(world: World, subject: Np, tense: str) -> dict[str, list[Callable[[], Clause]]]:
    """What one does in each kind of weather."""
    home = (piece("at home", "à la maison"),)
    return {
        "rain": [
            lambda: act(world, subject, "take", tense, "umbrella", "my"),
            lambda: act(world, subject, "stay", tense, adjuncts=home),
            lambda: act(world, subject, "take", tense, world.rng.choice(("bus", "taxi")), "a"),
            lambda: act(world, subject, "go out", tense, negation="not"),
            lambda: act(world, subject, "close", tense, "window"),
        ],
        "snow": [
            lambda: act(world, subject, "put on", tense, "boot", "my", plural=True),
            lambda: act(world, subject, "stay", tense, adjuncts=home),
            lambda: act(world, subject, "take", tense, world.rng.choice(("train", "bus"))),
            lambda: act(world, subject, "put on", tense, "glove", "my", plural=True),
        ],
        "cold": [
            lambda: act(world, subject, "put on", tense, world.rng.choice(("coat", "scarf", "hat")), "my"),
            lambda: act(world, subject, "close", tense, world.rng.choice(("window", "door"))),
            lambda: act(world, subject, "wear", tense, "sweater", "a"),
        ],
        "sunny": [
            lambda: act(world, subject, "go out", tense),
            lambda: act(
                world,
                subject,
                "go for a walk",
                tense,
                adjuncts=(world.location(world.rng.choice(("park", "forest", "garden"))),),
            ),
            lambda: act(world, subject, "eat", tense, adjuncts=(world.location("garden"),)),
            lambda: go(world, subject, "beach", tense),
        ],
        "hot": [
            lambda: act(world, subject, "open", tense, world.rng.choice(("window", "door"))),
            lambda: act(world, subject, "swim", tense, adjuncts=(world.location("swimming pool"),)),
            lambda: act(world, subject, "take off", tense, world.rng.choice(("jacket", "sweater")), "my"),
            lambda: act(world, subject, "drink", tense, "water", "much"),
        ],
    }


def because_weather_bi(world: World, subject: Np, past: bool) -> Bi:
    """Something done because of the weather."""
    kind = world.rng.choice(("rain", "snow", "cold", "sunny", "hot"))
    tense = "past" if past else world.pick({"progressive": 3, "future": 1})
    said = aligned(*weather_marks(kind, past))
    does = world.rng.choice(weather_reactions(world, subject, tense)[kind])()
    if world.chance(0.7):
        return glue(clause_bi(does), piece("because", "parce que"), said)
    return glue(piece("as", "comme"), said, mark(COMMA), clause_bi(does))


def weather_marks(kind: str, past: bool) -> tuple[str, str]:
    """A short weather clause, marked for alignment."""
    verb = "was" if past else "is"
    french = {"rain": ("pleut", "pleuvait"), "snow": ("neige", "neigeait")}.get(kind)
    if french:
        return f"it/0 {verb}/1 {kind}ing/1", f"il/0 {french[past]}/1"
    word = {"cold": "froid", "hot": "chaud", "sunny": "beau"}[kind]
    return f"it/0 {verb}/1 {kind}/2", f"il/0 {'faisait' if past else 'fait'}/1 {word}/2"


@plan(3)
def so_that(world: World) -> tuple[Bi, str]:
    """He is so tired that he cannot work."""
    subject = world.subject(0.4)
    past = world.chance(0.4)
    name = world.rng.choice(("tired", "ill", "busy", "sad", "nervous", "worried"))
    first = be(subject, name, "past" if past else "present", "so")
    verb = world.rng.choice(("sleep", "work", "eat", "read", "walk", "study", "sing", "dance"))
    second = replace(act(world, refer(subject), verb, "past" if past else "present"), negation="not")
    step = MODALS["can"]._replace(en="could", tense="imperfect") if past else MODALS["can"]
    if not world.chance(0.4):
        second = replace(second, chain=(step,))
    elif past:
        second = replace(second, tense="past")
    return glue(clause_bi(first), piece("that", "que"), clause_bi(second)), STOP


def time_clause(world: World, subject: Np, kind: str) -> Bi:
    """When I was young; when she arrived."""
    if kind == "past":
        return world.rng.choice(
            (
                clause_bi(be(subject, "young", "past")),
                clause_bi(
                    be_piece(
                        subject,
                        piece("a child", "enfant") if not subject.plural else piece("children", "enfants"),
                        "past",
                    )
                ),
            )
        )
    verb, adjuncts = world.rng.choice(
        (
            ("arrive", 1),
            ("come back", 0),
            ("go home", 0),
            ("leave", 0),
            ("get up", 0),
            ("wake up", 0),
            ("go out", 0),
            ("arrive", 2),
        )
    )
    where = {
        0: (),
        1: (world.location(world.rng.choice(("station", "airport", "hotel", "office"))),),
        2: (world.city(),),
    }[adjuncts]
    clause = act(
        world,
        subject,
        verb,
        "when" if kind == "future" else "past",
        french="partir" if verb == "leave" else "",
        adjuncts=where,
    )
    return clause_bi(clause)


@plan(5)
def when_future(world: World) -> tuple[Bi, str]:
    """When I arrive in Paris, I will call you."""
    return when_future_bi(world, world.subject()), STOP


def when_future_bi(world: World, subject: Np) -> Bi:
    """A future event after another one."""
    word = world.rng.choice((piece("when", "quand"), piece("when", "quand"), piece("as soon as", "dès que")))
    then = plain_event(world, refer(subject), "future", verbs=LATER)
    if world.chance(0.65):
        return glue(word, time_clause(world, subject, "future"), mark(COMMA), clause_bi(then))
    then = replace(then, subject=subject)
    return glue(clause_bi(then), word, time_clause(world, refer(subject), "future"))


def plain_event(
    world: World, subject: Np, tense: str, scene: str = "", pronouns: float = 0.0, verbs: tuple[str, ...] = ()
) -> Clause:
    """An event without adverbs, not a state, that suits a chain of clauses; `verbs` narrows the choice."""
    while True:
        clause = world.event(
            scene or world.scene(),
            subject,
            tense,
            adjuncts=world.chance(0.5),
            stative=False,
            pronouns=pronouns,
            verbs=verbs,
        )
        if clause.frame.en not in ("fall", "smoke", "get lost", "steal", "cry"):
            return clause


LATER = (
    "eat",
    "drink",
    "cook",
    "call",
    "visit",
    "help",
    "send",
    "write",
    "rest",
    "watch",
    "read",
    "buy",
    "give",
    "show",
    "thank",
    "invite",
    "go for a walk",
    "talk to",
    "go",
    "prepare",
    "clean",
    "repair",
    "listen to",
    "sing",
    "see",
    "meet",
    "open",
    "close",
    "wash",
    "look for",
    "put on",
    "feed",
    "tell",
    "go home",
    "sleep",
    "travel",
    "start",
    "finish",
    "bring",
    "order",
)
LASTING = tuple(
    sorted(
        {*ACTIVITIES, "sleep", "rest", "wait", "wait for", "look at", "help", "go for a walk", "swim", "clean", "feed"}
    )
)


@plan(4)
def when_past(world: World) -> tuple[Bi, str]:
    """When I was young, I used to play the piano."""
    subject = world.subject(0.6)
    if world.chance(0.4):
        clause = plain_event(world, refer(subject), "used", verbs=(*LASTING, "travel", "visit", "watch"))
        return glue(piece("when", "quand"), time_clause(world, subject, "past"), mark(COMMA), clause_bi(clause)), STOP
    background = plain_event(world, world.subject(0.2), "was", verbs=LASTING)
    word = piece("when", "quand")
    return glue(word, time_clause(world, subject, "event"), mark(COMMA), clause_bi(background)), STOP


@plan(3.5)
def while_clause(world: World) -> tuple[Bi, str]:
    """While my father was cooking, I was reading a book."""
    return while_bi(world), STOP


def while_bi(world: World) -> Bi:
    """Two events at the same time."""
    scene = world.rng.choice(("home", "leisure", "work", "school", "nature"))
    first = plain_event(world, world.subject(0.0), "was", scene, verbs=LASTING)
    other = world.subject(0.45)
    if other.form == "pronoun" and other.person == first.subject.person:
        other = world.name()
    second = plain_event(world, other, world.pick({"was": 3, "past": 1}), scene, verbs=LASTING)
    return glue(piece("while", "pendant que"), clause_bi(first), mark(COMMA), clause_bi(second))


CONSEQUENCES = {
    "have car a": ("go", "travel", "visit", "come"),
    "have bicycle a": ("go", "sell", "lend"),
    "have garden a": ("plant", "rest", "invite"),
    "have money the": ("buy", "travel", "pay"),
    "have dog a": ("feed", "go for a walk", "photograph"),
    "have computer a": ("work", "write", "watch"),
    "have problem a": ("call", "talk to", "explain"),
    "find job a": ("buy", "travel", "work"),
    "find key the": ("open", "close", "go home"),
    "finish report this": ("go home", "rest", "go out", "send"),
    "miss train the": ("call", "wait for", "stay"),
    "miss bus the": ("walk", "call", "take"),
    "sell house the": ("buy", "travel", "pay"),
    "lose passport my": ("call", "look for", "stay"),
    "win match the": ("dance", "sing", "have fun"),
    "buy ticket the": ("visit", "watch", "travel"),
    "read book this": ("understand", "learn", "translate"),
}


def short_weather(kind: str, tense: str) -> Bi:
    """The weather after if."""
    if tense != "if" and kind in ("rain", "snow"):
        return aligned(f"it/0 {kind}s/1", f"il/0 {'pleut' if kind == 'rain' else 'neige'}/1")
    return aligned(*weather_marks(kind, tense == "if"))


def condition(world: World, subject: Np, tense: str, then: str) -> tuple[Bi, Clause]:
    """The clause after if, and what would follow, whose subject is the same."""
    kind = world.pick({"weather": 3, "state": 3, "thing": 4})
    if kind == "weather":
        weather = world.rng.choice(("rain", "snow", "cold", "sunny", "hot"))
        return short_weather(weather, tense), world.rng.choice(weather_reactions(world, subject, then)[weather])()
    if kind == "state":
        name = world.rng.choice(("tired", "hungry", "busy", "late", "ill", "thirsty", "cold", "hot"))
        does = reaction(world, subject, name, then)
        return clause_bi(state(world, subject, name, tense)), replace(does, tense=then, chain=())
    key = world.rng.choice([key for key, verbs in CONSEQUENCES.items() if verbs])
    verb, noun, det = key.split()
    does = plain_event(world, subject, then, verbs=CONSEQUENCES[key])
    return clause_bi(act(world, subject, verb, tense, noun, det)), does


@plan(4)
def if_present(world: World) -> tuple[Bi, str]:
    """If it rains tomorrow, we will stay at home."""
    return if_bi(world, "present"), STOP


@plan(3)
def if_past(world: World) -> tuple[Bi, str]:
    """If I had a car, I would travel in Italy."""
    return if_bi(world, "if"), STOP


def if_bi(world: World, tense: str) -> Bi:
    """A condition and what depends on it."""
    subject, then = world.subject(0.65), "future" if tense == "present" else "conditional"
    said, does = condition(world, subject, tense, then)
    if world.chance(0.7):
        pronominal = any(tok.text == "it" for tok in said.en[:1])
        does = does if pronominal else replace(does, subject=refer(subject))
        return glue(piece("if", "si"), said, mark(COMMA), clause_bi(does))
    if subject.form != "pronoun":
        subject = refer(subject)
        said, does = condition(world, subject, tense, then)
    return glue(clause_bi(does), piece("if", "si"), said)


def opinion(world: World) -> Bi:
    """I think that."""
    subject = world.subject(0.75)
    verb = world.rng.choice(("think", "know", "hope", "say", "believe"))
    french = {"think": "penser", "know": "savoir", "hope": "espérer", "say": "dire", "believe": "croire"}[verb]
    return glue(clause_bi(act(world, subject, verb, "present", french=french)), piece("that", "que"))


@plan(4)
def that_clause(world: World) -> tuple[Bi, str]:
    """I think that she will come tomorrow."""
    clause = statement(world, world.pick({"future": 4, "present": 2, "past": 3}), world.subject(0.45))
    if world.chance(0.2):
        clause = negated(world, clause)
    return glue(opinion(world), clause_bi(clause)), STOP


@plan(2.5)
def reported(world: World) -> tuple[Bi, str]:
    """He said that he was tired. She told us that she would come."""
    subject = world.subject(0.5)
    if world.chance(0.5):
        said = act(world, subject, "say", "past")
    else:
        said = act(world, subject, "tell", "past", french="dire")
        to = world.other_pronoun(subject)
        words = clause_bi(replace(said, recipient=to))
        english = tuple(t for t in words.en if t.text != "to")
        clause = told(world, subject)
        return glue(Bi(english, words.fr), piece("that", "que"), clause_bi(clause)), STOP
    return glue(clause_bi(said), piece("that", "que"), clause_bi(told(world, subject))), STOP


def told(world: World, subject: Np) -> Clause:
    """What somebody said of oneself."""
    if world.chance(0.5):
        return state(world, refer(subject), world.rng.choice(STATES), "past", world.pick({"": 3, "very": 1}))
    return plain_event(world, refer(subject), "conditional")


@plan(3)
def want_someone(world: World) -> tuple[Bi, str]:
    """I want you to close the door."""
    boss = world.subject(0.6)
    other = world.other_pronoun(boss) if world.chance(0.5) else world.person(0.1)
    if other.form == "pronoun" and other.person == 2 and boss.person == 2:
        other = world.name()
    while True:
        clause = plain_event(world, other, "subjunctive", pronouns=0.25)
        if clause.frame.en not in ("lose", "forget", "break", "miss", "hear") and not (
            clause.object and clause.object.form == "pronoun" and clause.object.human
        ):
            break
    wish = act(world, boss, "want", "present", french="vouloir")
    if world.chance(0.3):
        wish = replace(wish, negation="not")
    wished = Bi(
        tuple(english.noun_phrase(clause.actor())) + tuple(toks("to", clause.id("v0a"))) + infinitive(clause).en,
        clause_bi(clause).fr,
    )
    return template("{w} {x}", "{w} que {x}", w=clause_bi(wish), x=wished), STOP


@plan(2)
def although(world: World) -> tuple[Bi, str]:
    """Although she is tired, she works."""
    subject = world.subject(0.4)
    name = world.rng.choice(("tired", "ill", "rich", "young", "old", "busy", "hungry", "afraid", "late", "cold"))
    concession = state(world, subject, name, "present", world.pick({"": 3, "very": 1}))
    said = Bi(clause_bi(concession).en, clause_bi(replace(concession, tense="subjunctive")).fr)
    main = plain_event(world, refer(subject), world.pick({"progressive": 1, "future": 1.5}), verbs=LATER)
    return glue(piece("although", "bien que"), said, mark(COMMA), clause_bi(main)), STOP


def with_relative(world: World, kind: str, past: bool = True) -> Np:
    """A noun with a relative clause."""
    if kind == "subject":
        head = world.noun(
            world.rng.choice([n for n in of_class("person") if not {"kin", "title"} & set(n.classes)]),
            world.pick({"the": 5, "this": 0.5}),
            world.chance(0.2),
            describe=0.25,
        )
        tense = world.pick({"past": 5, "progressive": 2})
        verbs = LASTING if tense == "progressive" else ()
        clause = plain_event(world, head, tense, verbs=verbs)
        return replace(head, relative=Relative("subject", replace(clause, bare=True, adverb=None)))
    if kind == "object":
        clause = with_noun_object(world, world.pick({"past": 6, "present": 1}), world.subject(0.55))
        noun = clause.object.noun
        many = not noun.mass and world.chance(0.35) and not {"meal", "bill", "sky", "event"} & set(noun.classes)
        head = world.noun(noun, world.pick({"the": 5, "this": 0.5}), many, describe=0.25)
        clause = replace(
            clause,
            gap=head,
            adverb=None,
            adjuncts=(world.time({"past": "past"}.get(clause.tense, "habit")),)
            if clause.tense == "past" and world.chance(0.35)
            else (),
        )
        return replace(head, relative=Relative("object", clause))
    if kind == "where":
        head = world.noun(
            world.rng.choice(
                (
                    "house",
                    "hotel",
                    "village",
                    "restaurant",
                    "town",
                    "school",
                    "street",
                    "garden",
                    "park",
                    "factory",
                    "office",
                )
            ),
            "the",
            describe=0.3,
        )
        verb = {
            "house": "live",
            "village": "live",
            "town": "live",
            "street": "live",
            "school": "study",
            "restaurant": "eat",
            "hotel": "sleep",
        }.get(head.noun.en, world.rng.choice(("work", "rest")) if head.noun.en in ("garden", "park") else "work")
        clause = act(world, world.subject(0.6), verb, world.pick({"present": 3, "past": 3}))
        return replace(head, relative=Relative("where", clause))
    head = world.noun(
        world.rng.choice(
            (
                "man",
                "woman",
                "boy",
                "girl",
                "student",
                "pupil",
                "teacher",
                "doctor",
                "farmer",
                "singer",
                "actress",
                "engineer",
            )
        ),
        "the",
        describe=0.2,
    )
    owned = world.noun(
        world.rng.choice(
            ("car", "house", "dog", "brother", "sister", "son", "bicycle", "mother", "coat", "suitcase", "cat", "hat")
        ),
        "whose",
    )
    return replace(
        head,
        relative=Relative(
            "whose", be(owned, world.rng.choice(said_of(owned.noun.classes)), "present", world.pick({"": 3, "very": 1}))
        ),
    )


OPPOSITES = {
    "small": "big",
    "big": "small",
    "short": "long",
    "long": "short",
    "hot": "cold",
    "cold": "hot",
    "old": "modern",
    "new": "old",
    "modern": "old",
    "clean": "dirty",
    "dirty": "clean",
    "heavy": "light",
    "light": "heavy",
    "easy": "difficult",
    "difficult": "easy",
    "boring": "interesting",
    "interesting": "boring",
    "bad": "delicious",
    "happy": "sad",
    "sad": "happy",
    "kind": "angry",
    "full": "empty",
    "empty": "full",
}


def useful_end(world: World, np: Np) -> Clause:
    """Something said of a thing or person with a relative clause."""
    inner = np.relative.clause.tense if np.relative else "past"
    now = {"present": 5, "past": 2} if inner == "past" else {"present": 1}
    if np.human:
        if world.chance(0.5) or inner != "past":
            taken = {word for adjective in np.adjectives for word in (adjective.en, OPPOSITES.get(adjective.en))}
            return be(
                np,
                world.rng.choice([mood for mood in MOODS if mood not in taken]),
                world.pick(now),
                world.pick({"": 3, "very": 1}),
            )
        return plain_event(world, np, world.pick({"past": 3, "future": 1}))
    classes = np.noun.classes
    taken = {word for adjective in np.adjectives for word in (adjective.en, OPPOSITES.get(adjective.en))}
    marks = [en for en in said_of(classes) if en not in taken]
    if set(classes) & {"thing", "small", "clothes", "dish"} and (world.chance(0.4) or not marks):
        spot = world.noun(world.rng.choice(("table", "bed", "chair", "armchair", "wardrobe")), "the")
        return be_piece(np, near(world, spot, POSITIONS[:4]), world.pick(now))
    if marks:
        return be(np, world.rng.choice(marks), world.pick(now), world.pick({"": 3, "very": 2, "too": 0.5}))
    return replace(act(world, pronoun(0), "remember", "present"), object=np)


@plan(4)
def relative_subject(world: World) -> tuple[Bi, str]:
    """The man who repaired the car is tired."""
    np = with_relative(world, "subject")
    if world.chance(0.4):
        verb = world.rng.choice(("see", "know", "meet", "thank", "call", "help", "look for"))
        clause = act(
            world,
            world.subject(0.6),
            verb,
            world.pick({"past": 3, "present": 2}),
            french="connaître" if verb == "know" else "",
        )
        return clause_bi(replace(clause, object=np)), STOP
    return clause_bi(useful_end(world, np)), STOP


@plan(4.5)
def relative_object(world: World) -> tuple[Bi, str]:
    """The letter that I wrote is on the table."""
    return clause_bi(useful_end(world, with_relative(world, "object"))), STOP


@plan(2)
def relative_found(world: World) -> tuple[Bi, str]:
    """She found the key that I lost yesterday."""
    noun = world.rng.choice(of_class("small", "thing", "clothes"))
    head = world.noun(noun, "the", world.chance(0.25), describe=0.25)
    verb = world.rng.choice(("lose", "buy", "hide", "forget", "sell", "choose", "take", "look for"))
    verb = "lose" if "clothes" not in noun.classes and verb == "choose" else verb
    subject, other = world.subject(0.6), world.subject(0.6)
    inner = act(world, other, verb, "past", gap=head, adjuncts=(world.time("past"),) if world.chance(0.4) else ())
    inner = replace(inner, object=head)
    outer = act(
        world,
        subject,
        world.rng.choice(("find", "look for", "see", "take")),
        "past",
    )
    return clause_bi(replace(outer, object=replace(head, relative=Relative("object", inner)))), STOP


@plan(3)
def relative_place(world: World) -> tuple[Bi, str]:
    """The house where I live is very old; the girl whose brother is ill is sad."""
    np = with_relative(world, world.rng.choice(("where", "whose")))
    return clause_bi(useful_end(world, np)), STOP


@plan(1.5)
def cleft(world: World) -> tuple[Bi, str]:
    """It is Marie who broke the window."""
    who = world.name() if world.chance(0.6) else world.person(0.0)
    clause = replace(plain_event(world, who, world.pick({"past": 5, "future": 2})), bare=True)
    return template("it/0 is/1 {w} who/2 {c}", "c'est/0/1 {w} qui/2 {c}", w=phrase(who), c=clause_bi(clause)), STOP


@plan(5)
def two_events(world: World) -> tuple[Bi, str]:
    """He closed the door and turned off the lamp."""
    subject, scene = world.subject(), world.scene()
    tense = world.pick({"past": 5, "future": 2, "present": 1})
    first, second = plain_event(world, subject, tense, scene), plain_event(world, subject, tense, scene)
    if first.frame == second.frame:
        second = plain_event(world, subject, tense, "home")
    return glue(clause_bi(first), piece("and", "et"), shared(second)), STOP


def shared(clause: Clause) -> Bi:
    """A clause that shares the subject of the clause before: English leaves it out, French repeats the pronoun."""
    said = clause_bi(replace(clause, bare=True, adverb=None))
    if clause.tense == "future":
        said = said._replace(en=said.en[1:])
    full = clause_bi(replace(clause, subject=refer(clause.subject), adverb=None))
    return Bi(said.en, full.fr)


@plan(4)
def contrast(world: World) -> tuple[Bi, str]:
    """I like tea, but my brother prefers coffee."""
    first, second = world.subject(0.5), world.subject(0.4)
    if world.chance(0.45):
        like, other = (
            world.event("food", first, "present", pronouns=0),
            world.event("food", second, "present", pronouns=0),
        )
        verbs = (
            act(world, first, world.rng.choice(("like", "hate")), "present"),
            act(world, second, world.rng.choice(("prefer", "like", "hate")), "present"),
        )
        things = world.rng.sample(of_class("food", "drink"), 2)
        nouns = [world.noun(n, "generic", not n.mass) for n in things]
        like, other = (replace(verb, object=noun) for verb, noun in zip(verbs, nouns, strict=True))
        if world.chance(0.35):
            like = replace(like, negation="not") if like.frame.en == "like" else like
        return glue(clause_bi(like), mark(COMMA), piece("but", "mais"), clause_bi(other)), STOP
    scene = world.scene()
    tense = world.pick({"past": 4, "future": 2})
    one, two = plain_event(world, first, tense, scene), plain_event(world, second, tense, scene)
    two = replace(negated(world, two), negation="not") if world.chance(0.5) else two
    return glue(clause_bi(one), mark(COMMA), piece("but", "mais"), clause_bi(two)), STOP


@plan(4)
def looked_for(world: World) -> tuple[Bi, str]:
    """She looked for her glove, but she did not find it."""
    subject = world.subject(0.5)
    first, second = world.rng.choice(
        (
            ("look for", "find"),
            ("buy", "like"),
            ("read", "understand"),
            ("call", "see"),
            ("hide", "find"),
            ("wash", "iron"),
            ("repair", "sell"),
            ("find", "return"),
            ("translate", "send"),
            ("write", "send"),
            ("take", "forget"),
            ("cook", "eat"),
            ("see", "buy"),
            ("receive", "open"),
            ("choose", "try on"),
        )
    )
    pool = {
        "look for": "small+=umbrella,bag,passport,dog,cat,glove,scarf,map",
        "buy": "=novel,cake,soup,cheese,coat,shirt,film,song",
        "read": "=book,letter,poem,message,article,story",
        "call": "=doctor,neighbour,nurse,driver,waitress,lawyer",
        "hide": "gift+small",
        "wash": "=shirt,dress,skirt",
        "repair": "=car,bicycle,watch,phone,computer,camera",
        "find": "=wallet,key,phone,book,passport",
        "translate": "=letter,message,article",
        "write": "=letter,postcard,message,report",
        "take": "=umbrella,bag,map,camera,key",
        "cook": "cooked",
        "see": "clothes+=car,bicycle,lamp",
        "receive": "=letter,message,gift,postcard",
        "choose": "clothes",
    }[first]
    noun = world.rng.choice(world.nouns_of(pool.replace("film,", "").replace(",song", "")))
    many = not noun.mass and (world.chance(0.3) or noun.en in ("shoe", "boot", "glove"))
    det = "the" if noun.mass or not world.chance(0.5) else world.pick({"my": 3, "this": 1})
    det = "the" if "person" in noun.classes or first in ("buy", "see", "choose", "receive", "call") else det
    tense = world.pick({"past": 4, "future": 1})
    thing = world.noun(noun, det, many, (subject.person, subject.gender), 0.25)
    one = replace(act(world, subject, first, tense), object=thing)
    two = replace(act(world, refer(subject), second, tense), object=refer(thing))
    if (first, second) in (
        ("wash", "iron"),
        ("repair", "sell"),
        ("find", "return"),
        ("receive", "open"),
        ("cook", "eat"),
        ("translate", "send"),
        ("choose", "try on"),
    ) and world.chance(0.6):
        return glue(clause_bi(one), mark(COMMA), piece("then", "puis"), clause_bi(two)), STOP
    return glue(clause_bi(one), mark(COMMA), piece("but", "mais"), clause_bi(replace(two, negation="not"))), STOP


__all__ = ["BE", "Predicate", "because_bi", "modal_clause", "timed", "weather_bi"]
