"""Plans of daily life: small talk, weather, time, numbers, travel, shopping, food, health, description."""

from collections.abc import Callable

from . import english, french
from .meaning import BE, Clause, Np, Predicate, Relative, aligned, glue, piece, pronoun, refer, replace
from .modifiers import MONTHS, WEEKDAYS
from .nouns import CITIES, COUNTRIES, LANGUAGES, NAMES, NOUNS, SUBJECTS, of_class
from .numbers import clock, english_number, feminine, french_number
from .plans import EST_CE_QUE, act, be, be_piece, have_state, plan, said_of, statement, template
from .plans_basic import PLEASE, PLEASE_POLITE
from .sentence import ASK, COMMA, SHOUT, STOP, mark
from .verbs import frame
from .words import Bi, toks
from .world import MODALS, World, clause_bi, phrase

MOODS = (
    "happy",
    "sad",
    "tired",
    "ill",
    "nervous",
    "ready",
    "late",
    "angry",
    "alone",
    "busy",
    "worried",
    "serious",
    "kind",
    "intelligent",
    "polite",
    "lazy",
    "curious",
    "free",
)
NEEDS = (
    ("hungry", "faim"),
    ("thirsty", "soif"),
    ("cold", "froid"),
    ("hot", "chaud"),
    ("afraid", "peur"),
    ("sleepy", "sommeil"),
    ("right", "raison"),
    ("wrong", "tort"),
)
WEATHER = (("cold", "froid"), ("hot", "chaud"), ("sunny", "beau"), ("cool", "frais"), ("dark", "nuit"))
FAIRE = {"is": "fait", "was": "faisait", "will be": "fera"}
BEAR = {"is": "est", "was": "était", "will be": "sera"}
CONTAINERS = (
    ("glass", "water juice wine milk beer"),
    ("bottle", "water juice wine milk beer oil"),
    ("cup", "coffee tea"),
)
POSITIONS = (
    ("on", "sur"),
    ("under", "sous"),
    ("behind", "derrière"),
    ("in front of", "devant"),
    ("next to", "à côté de"),
    ("near", "près de"),
)
FLAT = ("table", "bed", "chair", "armchair", "wardrobe", "carpet")
DOTTED = (
    ("near", "près de"),
    ("behind", "derrière"),
    ("opposite", "en face de"),
    ("next to", "à côté de"),
    ("far from", "loin de"),
    ("in front of", "devant"),
)
ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
]


def number(value: int, gender: str = "m") -> Bi:
    """A cardinal in words."""
    said_fr = french_number(value)
    return piece(english_number(value), feminine(said_fr) if gender == "f" else said_fr)


def counted(value: int, noun: str) -> Bi:
    """So many of something."""
    entry = NOUNS[noun]
    many = value > 1
    names = piece(entry.en_plural if many else entry.en, entry.fr_plural if many else entry.fr)
    return glue(number(value, entry.gender), names)


def euros(value: int) -> Bi:
    """A price."""
    return glue(number(value), piece("euros" if value > 1 else "euro", "euros" if value > 1 else "euro"))


def clock_time(world: World, first: int = 0, last: int = 12) -> Bi:
    """A time of day between two hours."""
    hour, minute = (
        world.rng.randrange(first, last + 1),
        world.rng.choice((0, 0, 0, 15, 30, 45, 5, 10, 20, 25, 35, 40, 50, 55)),
    )
    pieces = [(piece(en, fr.lstrip("|")), fr.count("|")) for en, fr in clock(hour, minute)]
    said_en = [tok for made, _ in pieces for tok in made.en]
    said_fr = [tok for made, _ in sorted(pieces, key=lambda pair: pair[1]) for tok in made.fr]
    return Bi(tuple(said_en), tuple(said_fr))


def date(world: World) -> Bi:
    """A day of a month, with its article."""
    day, (en, fr) = world.rng.randrange(15), world.rng.choice(list(MONTHS.items()))
    said_fr = "premier" if day == 0 else french_number(day + 1)
    return glue(piece("the", "le"), piece(ORDINALS[day], said_fr), Bi(tuple(toks("of")), ()), piece(en, fr))


def weekday(world: World) -> Bi:
    """A day of the week."""
    return piece(*world.rng.choice(list(WEEKDAYS.items())))


def near(world: World, np: Np, positions: tuple[tuple[str, str], ...]) -> Bi:
    """A position relative to something."""
    return glue(piece(*world.rng.choice(positions)), phrase(np))


@plan(2)
def mood(world: World) -> tuple[Bi, str]:
    """My mother is very tired today."""
    subject = world.subject()
    tense = world.pick({"present": 5, "past": 3, "future": 1})
    degree = world.pick({"": 4, "very": 3, "too": 0.5, "quite": 0.7})
    adjective = world.rng.choice(MOODS)
    degree = "" if adjective in ("late", "ready", "alone", "angry", "free") else degree
    clause = be(subject, adjective, tense, degree)
    return clause_bi(twist(world, clause, {"present": "now", "past": "past", "future": "future"}[tense])), STOP


def twist(world: World, clause: Clause, times: str) -> Clause:
    """A statement about a state, maybe denied or dated."""
    if world.chance(0.3):
        return replace(clause, negation=world.pick({"not": 4, "never": 1, "no longer": 1}))
    return replace(clause, adjuncts=(world.time(times),)) if world.chance(0.3) else clause


@plan(1.5)
def mood_question(world: World) -> tuple[Bi, str]:
    """Are you ready? Why is she angry?"""
    clause = replace(
        be(world.subject(0.75), world.rng.choice(MOODS), world.pick({"present": 4, "past": 1.5})), question="yes"
    )
    clause = replace(clause, subject=pronoun(1)) if clause.subject.person in (0, 3) else clause
    start = glue(piece("why", "pourquoi"), EST_CE_QUE) if world.chance(0.3) else EST_CE_QUE
    return glue(start, clause_bi(clause)), ASK


@plan(2)
def bodily_state(world: World) -> tuple[Bi, str]:
    """I am very hungry."""
    en, fr = world.rng.choice(NEEDS)
    subject = world.subject(0.55)
    very = piece("very", "très") if en not in ("right", "wrong") and world.chance(0.35) else Bi((), ())
    tense = world.pick({"present": 5, "past": 3, "future": 1})
    clause = have_state(subject, glue(very, piece(en, fr)), tense)
    if not very.en and world.chance(0.25):
        return clause_bi(replace(clause, negation="not")), STOP
    if world.chance(0.2):
        asked = replace(clause, question="yes", subject=pronoun(1) if subject.person in (0, 3) else subject)
        return glue(EST_CE_QUE, clause_bi(asked)), ASK
    return clause_bi(clause), STOP


@plan(2)
def quality(world: World) -> tuple[Bi, str]:
    """The soup is not hot enough; my shoes are dirty."""
    noun = world.rng.choice(
        of_class(
            "clothes",
            "vehicle",
            "furniture",
            "cooked",
            "fruit",
            "text",
            "show",
            "building",
            "room",
            "dish",
            "exam",
            "schoolwork",
            "town",
            "opening",
            "luggage",
            "hotdrink",
            "device",
        )
    )
    many = not noun.mass and world.chance(0.35)
    owned = world.rng.choice(((0, "m"), (1, "m"), (2, "f"), (2, "m"), (3, "m")))
    det = world.pick({"the": 5, "this": 3, "my": 2 if "clothes" in noun.classes else 0.2})
    subject = world.noun(noun, det, many, owned, describe=0.0)
    adjective = world.rng.choice(said_of(noun.classes))
    world.pairs.append((f"adj:{adjective}", f"noun:{noun.en}"))
    clause = be(
        subject,
        adjective,
        world.pick({"present": 4, "past": 2}),
        world.pick({"": 4, "very": 2, "too": 1.5, "quite": 0.6}),
    )
    if world.chance(0.2) and not clause.predicate.degree:
        return clause_bi(replace(clause, negation="not")), STOP
    if world.chance(0.2):
        return glue(EST_CE_QUE, clause_bi(replace(clause, question="yes"))), ASK
    return clause_bi(clause), STOP


@plan(2)
def comparison(world: World) -> tuple[Bi, str]:
    """My brother is taller than Paul."""
    degree = world.pick({"more": 5, "less": 1, "as": 2})
    if world.chance(0.6):
        subject, adjective = (
            world.third(),
            world.rng.choice(
                (
                    "tall",
                    "old",
                    "young",
                    "rich",
                    "strong",
                    "intelligent",
                    "patient",
                    "serious",
                    "curious",
                    "brave",
                    "happy",
                    "lazy",
                    "polite",
                )
            ),
        )
        standard = (
            world.other_pronoun(subject)
            if world.chance(0.3)
            else world.person(0.05)
            if world.chance(0.5)
            else world.name()
        )
    else:
        group, adjective = world.rng.choice(
            (
                ("vehicle", "expensive"),
                ("furniture", "heavy"),
                ("text", "interesting"),
                ("show", "long"),
                ("clothes", "expensive"),
                ("building", "big"),
                ("town", "quiet"),
                ("exam", "difficult"),
                ("furniture", "comfortable"),
                ("luggage", "heavy"),
                ("fruit", "sweet"),
            )
        )
        nouns = of_class(group)
        first = world.rng.choice(nouns)
        subject = world.noun(first, world.pick({"this": 3, "my": 0.5, "the": 2}), False)
        standard = world.noun(world.rng.choice([n for n in nouns if n != first] or nouns), "the")
        if standard.noun == first:
            standard = world.noun(first, "my")
    return clause_bi(be(subject, adjective, world.pick({"present": 4, "past": 1}), degree, standard)), STOP


@plan(2.5)
def weather(world: World) -> tuple[Bi, str]:
    """It was very cold yesterday."""
    return weather_bi(world), STOP


def weather_bi(world: World, tense: str = "") -> Bi:
    """A clause about the weather."""
    tense = tense or world.rng.choice(("is", "was", "will be"))
    when = world.time({"is": "now", "was": "past", "will be": "future"}[tense]) if world.chance(0.5) else None
    where = glue(piece("in", "à"), piece(*world.rng.choice(CITIES))) if world.chance(0.4) or not when else None
    tail = glue(*(part for part in (where, when) if part))
    if world.chance(0.4):
        verb, (present, past, future) = world.rng.choice(
            (("rain", ("pleut", "pleuvait", "pleuvra")), ("snow", ("neige", "neigeait", "neigera")))
        )
        said_fr = {"is": present, "was": past, "will be": future}[tense]
        said_en = f"will/1 {verb}/1" if tense == "will be" else f"{tense}/1 {verb}ing/1"
        return template(f"it/0 {said_en} {{tail}}", f"il/0 {said_fr}/1 {{tail}}", tail=tail)
    en, fr = world.rng.choice(WEATHER)
    degree = piece("very", "très") if world.chance(0.35) and en in ("cold", "hot") else Bi((), ())
    said_en = " ".join(f"{word}/1" for word in tense.split())
    return template(
        f"it/0 {said_en} {{d}} {en}/2 {{tail}}", f"il/0 {FAIRE[tense]}/1 {{d}} {fr}/2 {{tail}}", d=degree, tail=tail
    )


@plan(1)
def degrees(world: World) -> tuple[Bi, str]:
    """It is twenty-five degrees in Rome."""
    tense = world.rng.choice(("is", "was", "will be"))
    said_en = " ".join(f"{word}/1" for word in tense.split())
    city = piece(*world.rng.choice(CITIES))
    return template(
        f"it/0 {said_en} {{n}} degrees/2 in/3 {{c}}",
        f"il/0 {FAIRE[tense]}/1 {{n}} degrés/2 à/3 {{c}}",
        n=number(world.rng.randrange(2, 40)),
        c=city,
    ), STOP


@plan(1.5)
def what_time(world: World) -> tuple[Bi, str]:
    """It is half past three."""
    return template("it/0 is/1 {t}", "il/0 est/1 {t}", t=clock_time(world)), STOP


def at_time(world: World, first: int = 0, last: int = 12) -> Bi:
    """At a time of day."""
    return glue(piece("at", "à"), clock_time(world, first, last))


@plan(3)
def timetable(world: World) -> tuple[Bi, str]:
    """The train to Lyon leaves at ten past six."""
    tense = world.pick({"present": 3, "past": 2, "future": 3})
    if world.chance(0.45):
        noun = world.rng.choice(("train", "bus", "plane", "boat"))
        tail = template("to/1 {c}", "pour/1 {c}", c=piece(*world.rng.choice(CITIES)))
        subject = replace(world.noun(noun, "the"), tails=(tail,))
        verb, more = world.rng.choice(("leave", "arrive")), ()
        clause = act(world, subject, verb, tense, french="partir" if verb == "leave" else "")
    else:
        verb = world.rng.choice(("get up", "go to bed", "go home", "leave", "arrive", "go out", "wake up"))
        clause = act(world, world.subject(), verb, tense, french="partir" if verb == "leave" else "")
        more = ()
    clause = replace(clause, adjuncts=(*more, at_time(world)))
    return clause_bi(clause), STOP


@plan(1)
def opening_hours(world: World) -> tuple[Bi, str]:
    """The bank opens at nine o'clock on Mondays."""
    subject = world.noun(
        world.rng.choice(
            (
                "bank",
                "post office",
                "museum",
                "bakery",
                "library",
                "pharmacy",
                "bookshop",
                "supermarket",
                "swimming pool",
                "restaurant",
            )
        ),
        "the",
    )
    verb = world.rng.choice(("open", "close"))
    day = world.rng.choice(list(WEEKDAYS.items()))
    when = aligned(f"on/1 {day[0]}s/2", f"le/1 {day[1]}/2")
    return clause_bi(
        act(world, subject, verb, world.pick({"present": 3, "future": 1}), adjuncts=(at_time(world), when))
    ), STOP


@plan(1.5)
def age(world: World) -> tuple[Bi, str]:
    """My brother is twelve years old."""
    subject, years = world.subject(0.4), world.rng.randrange(2, 100)
    if world.chance(0.25):
        subject = pronoun(1) if subject.person in (0, 3) else subject
        asked = replace(be_piece(subject, piece("", "")), question="yes")
        said = clause_bi(replace(asked, frame=BE._replace(fr="avoir")))
        return glue(aligned("how/1 old/1", "quel/1 âge/1 est - ce que"), said), ASK
    said = template("{n} years/1 old/1", "{n} ans/1", n=number(years))
    return clause_bi(have_state(subject, said, world.pick({"present": 4, "past": 1, "future": 0.6}))), STOP


def priced(world: World) -> Np:
    """Something with a price."""
    noun = world.rng.choice(of_class("clothes", "furniture", "thing", "luggage", "rideable"))
    return world.noun(noun, world.pick({"this": 4, "the": 3}), world.chance(0.25) and noun.en != "phone", describe=0.4)


@plan(2)
def price(world: World) -> tuple[Bi, str]:
    """This red coat costs seventy-one euros."""
    subject = priced(world)
    if world.chance(0.3):
        clause = Clause(subject, frame("cost"), "present", question="wh")
        return glue(piece("how much", "combien"), EST_CE_QUE, clause_bi(clause)), ASK
    value = world.rng.randrange(2, 100) if world.chance(0.7) else world.rng.randrange(1, 40) * 25
    tense = world.pick({"present": 4, "past": 1})
    return clause_bi(Clause(subject, frame("cost"), tense, adjuncts=(euros(value),))), STOP


@plan(1.5)
def paid(world: World) -> tuple[Bi, str]:
    """She paid forty euros for this dress."""
    clause = act(world, world.subject(), "pay", "past")
    return clause_bi(
        replace(clause, adjuncts=(euros(world.rng.randrange(2, 100)), piece("for", "pour"), phrase(priced(world))))
    ), STOP


@plan(1.5)
def calendar(world: World) -> tuple[Bi, str]:
    """Today is Monday. My birthday is on the third of May. She was born on the first of June."""
    kind = world.rng.randrange(4)
    if kind == 0:
        return template("today/1 is/2 {d}", "aujourd'hui/1 , c'est/2 {d}", d=weekday(world)), STOP
    if kind == 1:
        who = world.rng.choice((("my", "mon"), ("your", "ton"), ("his", "son"), ("our", "notre"), ("their", "leur")))
        return template(
            f"{who[0]}/1 birthday/2 is/3 on {{d}}", f"{who[1]}/1 anniversaire/2 est/3 {{d}}", d=date(world)
        ), STOP
    if kind == 2:
        subject = world.subject(0.4)
        said = Clause(subject, BE._replace(en="be born", fr="naître", flags=("etre",)), "past")
        return clause_bi(replace(said, adjuncts=(template("on {d}", "{d}", d=date(world)),))), STOP
    subject = world.noun(
        world.rng.choice(("concert", "match", "party", "wedding", "meeting", "exam")), "the", describe=0.3
    )
    said = template("on {w} ,/1 {d}", "{w} {d}", w=weekday(world), d=date(world))
    said = Bi(tuple(t for t in said.en if t.text != ","), tuple(t for t in said.fr if t.text != "le"))
    return clause_bi(
        Clause(
            subject,
            BE._replace(fr="avoir lieu"),
            "future",
            predicate=Predicate(piece=glue(Bi((), tuple(toks("le"))), said)),
        )
    ), STOP


@plan(1)
def counting(world: World) -> tuple[Bi, str]:
    """There are sixty minutes in an hour; thirty-two plus nine is forty-one."""
    first, second = world.rng.randrange(1, 50), world.rng.randrange(1, 50)
    sign, result = (
        (("plus", "plus"), first + second)
        if world.chance(0.6) or first <= second
        else (("minus", "moins"), first - second)
    )
    return template(
        "{a} {s} {b} is/1 {c}",
        "{a} {s} {b} font/1 {c}",
        a=number(first),
        s=piece(*sign),
        b=number(second),
        c=number(result),
    ), STOP


@plan(2)
def where_is(world: World) -> tuple[Bi, str]:
    """Where is the station, please?"""
    if world.chance(0.6):
        noun = world.rng.choice(of_class("building", "shop", "shopping", "travel", "care"))
        np = world.noun(noun, "the", describe=0.2)
        end = world.pick({"": 2, "friend": 2, "sir": 1, "madam": 1})
    else:
        noun = world.rng.choice(of_class("small", "clothes", "thing"))
        many = noun.en in ("glove", "shoe", "boot") or world.chance(0.2)
        np, end = world.noun(noun, "my", many, world.rng.choice(((0, "m"), (1, "m"), (2, "f"), (3, "m"))), 0.25), ""
    verb = ("are", "sont") if np.plural else ("is", "est")
    asked = glue(piece("where", "où"), piece(*verb), phrase(np))
    if end == "friend":
        return glue(asked, mark(COMMA), PLEASE), ASK
    if end:
        who = piece(end, {"sir": "monsieur", "madam": "madame"}[end])
        return glue(asked, mark(COMMA), PLEASE_POLITE, mark(COMMA), who), ASK
    return asked, ASK


THERE = {
    "is": ("il/0 y/0 a/1", "il/0 ne/2 y/0 a/1 pas/2"),
    "was": ("il/0 y/0 avait/1", "il/0 ne/2 y/0 avait/1 pas/2"),
    "will": ("il/0 y/0 aura/1", "il/0 ne/2 y/0 aura/1 pas/2"),
}


def there(world: World, tense: str, np: Np, tail: Bi, negative: bool = False, question: bool = False) -> Bi:
    """There is something somewhere."""
    form = {"is": "are" if np.plural else "is", "was": "were" if np.plural else "was"}.get(tense, tense)
    rest = "be/1" if tense == "will" else ""
    said_en = f"{form}/1 there/0 {rest}" if question else f"there/0 {form}/1 {'not/2' if negative else ''} {rest}"
    said_fr = THERE[tense][1 if negative else 0]
    said = Bi(tuple(english.noun_phrase(np, english.OBJECTS, negative)), tuple(french.noun_phrase(np, negative)))
    ask = "est - ce que" if question else ""
    return template(f"{said_en} {{x}} {{tail}}", f"{ask} {said_fr} {{x}} {{tail}}", x=said, tail=tail)


@plan(3)
def there_is(world: World) -> tuple[Bi, str]:
    """There are three cats in the garden. There is no longer any bread."""
    kind = world.rng.randrange(3)
    if kind == 0:
        noun = world.rng.choice(of_class("animal", "person"))
        place = world.location(
            world.rng.choice(("garden", "park", "street", "square", "farm", "forest", "station", "market", "beach"))
        )
    elif kind == 1:
        noun = world.rng.choice(of_class("thing", "clothes", "dish", "fruit", "gift"))
        place = near(
            world,
            world.noun(world.rng.choice(("table", "bed", "chair", "armchair", "wardrobe")), "the", describe=0.25),
            POSITIONS[:4],
        )
    else:
        noun = world.rng.choice(of_class("food", "drink"))
        place = (
            world.location("kitchen")
            if world.chance(0.5)
            else near(world, world.noun("table", "the", describe=0.3), POSITIONS[:1])
        )
    if "title" in noun.classes or "kin" in noun.classes:
        noun = NOUNS["child"]
    many = not noun.mass and world.chance(0.5)
    det = (
        "some"
        if noun.mass
        else world.pick({"some": 2, "number": 3, "many": 1, "lots": 1, "several": 1})
        if many
        else "a"
    )
    np = world.noun(noun, det, many, describe=0.3, number=world.rng.randrange(2, 21))
    negative = det in ("some", "a") and world.chance(0.25)
    question = not negative and det in ("some", "a") and world.chance(0.2)
    return there(
        world, world.pick({"is": 5, "was": 3, "will": 1}), np, place, negative, question
    ), ASK if question else STOP


@plan(2.5)
def lying(world: World) -> tuple[Bi, str]:
    """The keys are under the newspaper."""
    noun = world.rng.choice(of_class("small", "thing", "clothes", "pet", "dish", "luggage"))
    many = world.chance(0.25)
    subject = world.noun(
        noun, world.pick({"the": 4, "my": 3}), many, world.rng.choice(((0, "m"), (1, "m"), (2, "f"), (2, "m"))), 0.3
    )
    spot = world.noun(world.rng.choice(of_class("furniture", "opening")), "the", describe=0.25)
    clause = be_piece(
        subject,
        near(world, spot, POSITIONS if spot.noun.en in FLAT else POSITIONS[2:]),
        world.pick({"present": 4, "past": 2}),
    )
    return clause_bi(replace(clause, negation="not") if world.chance(0.2) else clause), STOP


@plan(2)
def town_map(world: World) -> tuple[Bi, str]:
    """The old hotel is opposite the station."""
    nouns = of_class("building", "shop", "shopping", "green", "way")
    first, second = world.rng.sample(nouns, 2)
    subject = world.noun(first, "the", describe=0.35)
    return clause_bi(be_piece(subject, near(world, world.noun(second, "the", describe=0.2), DOTTED))), STOP


@plan(1.5)
def profession(world: World) -> tuple[Bi, str]:
    """My uncle is a doctor."""
    subject = world.subject(0.35)
    noun = world.rng.choice(
        [n for n in of_class("job") if n.gender == "m"]
        if subject.gender == "m"
        else [NOUNS["nurse"], NOUNS["waitress"], NOUNS["actress"], NOUNS["singer"]]
    )
    many = subject.plural
    name = piece(noun.en_plural if many else noun.en, noun.fr_plural if many else noun.fr)
    said_en = name if many else glue(Bi(tuple(toks("a")), ()), name)
    if world.chance(0.3):
        want = Clause(subject, frame("become"), "present", predicate=Predicate(piece=said_en))
        return clause_bi(
            replace(want, chain=(MODALS[world.rng.choice(("want", "would like", "be going", "hope"))],))
        ), STOP
    return clause_bi(be_piece(subject, said_en, world.pick({"present": 4, "past": 1.5}))), STOP


@plan(1.5)
def languages(world: World) -> tuple[Bi, str]:
    """Do you speak French? She is learning Italian."""
    en, fr = world.rng.choice(list(LANGUAGES.items()))
    subject = world.subject(0.6)
    verb, said_fr, tense = world.rng.choice(
        (
            ("speak", "parler", "present"),
            ("understand", "comprendre", "present"),
            ("learn", "apprendre", "progressive"),
            ("study", "étudier", "progressive"),
            ("teach", "enseigner", "present"),
        )
    )
    tail = (
        piece(en, fr)
        if said_fr == "parler"
        else Bi(tuple(toks(en, "lang")), (*toks("le", kind="article"), *toks(fr, "lang")))
    )
    base = frame("understand")._replace(en=verb, fr=said_fr, objects="", flags=())
    clause = Clause(subject, base, tense, adjuncts=(tail,))
    if world.chance(0.3):
        asked = replace(clause, question="yes", subject=pronoun(1) if subject.person in (0, 3) else subject)
        return glue(EST_CE_QUE, clause_bi(asked)), ASK
    if world.chance(0.3):
        return clause_bi(
            replace(clause, negation="not", adjuncts=(piece(en, fr) if said_fr == "parler" else tail,))
        ), STOP
    return clause_bi(clause), STOP


@plan(1)
def school_subject(world: World) -> tuple[Bi, str]:
    """She is studying chemistry at the university."""
    en, fr = world.rng.choice(list(SUBJECTS.items()))
    tail = Bi(tuple(toks(en, "sub")), (*toks("la", kind="plain"), *toks(fr, "sub")))
    base = frame("understand")._replace(en=world.rng.choice(("study", "teach")), objects="", flags=())
    base = base._replace(fr={"study": "étudier", "teach": "enseigner"}[base.en])
    place = (world.location("university"),) if world.chance(0.5) else ()
    return clause_bi(
        Clause(
            world.subject(),
            base,
            world.pick({"progressive": 2, "present": 3, "past": 2, "future": 1}),
            adjuncts=(tail, *place),
        )
    ), STOP


@plan(1.5)
def directions(world: World) -> tuple[Bi, str]:
    """Turn left after the bridge."""
    polite = world.chance(0.3)
    turn, go = ("tournez", "continuez") if polite else ("tourne", "continue")
    spot = phrase(world.noun(world.rng.choice(of_class("way", "building", "shop")), "the", describe=0.2))
    where = world.rng.choice((("left", "à gauche"), ("right", "à droite")))
    how = world.rng.choice((("after", "après"), ("before", "avant")))
    said = template("turn/1 {w} {h} {s}", f"{turn}/1 {{w}} {{h}} {{s}}", w=piece(*where), h=piece(*how), s=spot)
    if world.chance(0.4):
        said = template("go/1 straight/2 on/2 to/3 {s}", f"{go}/1 tout/2 droit/2 jusque/3 à/3 {{s}}", s=spot)
    who = world.rng.choice((piece("sir", "monsieur"), piece("madam", "madame")))
    return (glue(said, mark(COMMA), who) if polite else said), STOP


def lasting(world: World) -> tuple[str, Bi]:
    """A verb and how long it may go on."""
    if world.chance(0.65):
        verb = world.rng.choice(
            ("wait", "sleep", "work", "study", "swim", "run", "dance", "walk", "rest", "cry", "drive")
        )
        unit, most = world.rng.choice((("hour", 9), ("hour", 5), ("minute", 59)))
    else:
        verb, (unit, most) = (
            world.rng.choice(("work", "study", "travel")),
            world.rng.choice((("day", 10), ("week", 7), ("month", 11), ("year", 12))),
        )
    return verb if verb != "drive" else "wait", counted(world.rng.randrange(2, most), unit)


@plan(3)
def since(world: World) -> tuple[Bi, str]:
    """I have been waiting for two hours."""
    subject = world.subject()
    verb, amount = lasting(world)
    here = "have been" if subject.person != 2 else "has been"
    clause = act(world, subject, verb, "present")
    said_en = clause_bi(replace(clause, tense="gerund", bare=True))
    head = tuple(english.noun_phrase(clause.actor(), english.SUBJECTS)) + tuple(toks(here, clause.id("v0a")))
    place = (
        (world.location(world.rng.choice(("park", "station", "garden", "hotel"))))
        if world.chance(0.25) and verb in ("wait", "work", "read", "walk")
        else Bi((), ())
    )
    said = Bi(head + said_en.en, clause_bi(clause).fr)
    return template("{s} {p} for/1 {a}", "{s} {p} depuis/1 {a}", s=said, p=place, a=amount), STOP


@plan(1.5)
def during(world: World) -> tuple[Bi, str]:
    """We walked for three hours."""
    verb, amount = lasting(world)
    clause = act(world, world.subject(), verb, world.pick({"past": 4, "future": 2}))
    return clause_bi(replace(clause, adjuncts=(piece("for", "pendant"), amount))), STOP


def helping(world: World, shop: bool = False) -> Bi:
    """A glass of water, some bread."""
    if world.chance(0.2 if shop else 0.5):
        container, contents = CONTAINERS[1] if shop else world.rng.choice(CONTAINERS)
        inside = NOUNS[world.rng.choice(contents.split())]
        many = world.chance(0.3)
        np = world.noun(container, "number" if many else "a", many, number=world.rng.randrange(2, 6))
        return glue(phrase(np), piece("of", "de"), piece(inside.en, inside.fr))
    noun = world.rng.choice(of_class("food", "ingredient"))
    many = not noun.mass and (noun.en not in ("cake", "sandwich") or world.chance(0.4))
    return phrase(world.noun(noun, "some" if noun.mass or many else "a", many, describe=0.15))


def listed(parts: list[Bi]) -> Bi:
    """A list with commas and `and`."""
    said = parts[0]
    for part in parts[1:-1]:
        said = glue(said, mark(COMMA), part)
    return glue(said, piece("and", "et"), parts[-1]) if len(parts) > 1 else said


@plan(3)
def ordering(world: World) -> tuple[Bi, str]:
    """I would like a glass of water and some bread, please."""
    things = basket(world, world.rng.choice((1, 2, 2, 3)), helping)
    subject = world.rng.choice((("I", "je voudrais"), ("we", "nous voudrions")))
    fr_subject, verb = subject[1].split()
    said = template(f"{subject[0]}/1 would/2 like/2 {{x}}", f"{fr_subject}/1 {verb}/2 {{x}}", x=things)
    end = world.rng.randrange(3)
    if end == 0:
        return glue(said, mark(COMMA), PLEASE), STOP
    who = world.rng.choice((piece("sir", "monsieur"), piece("madam", "madame")))
    return (glue(said, mark(COMMA), PLEASE_POLITE, mark(COMMA), who) if end == 1 else said), STOP


@plan(3)
def shopping_list(world: World) -> tuple[Bi, str]:
    """At the market, she bought some cheese, two kilos of apples and a cake."""
    things = basket(world, world.rng.choice((2, 3, 3, 4)))
    clause = act(world, world.subject(), "buy", world.pick({"past": 4, "future": 2, "present": 1}))
    said = glue(clause_bi(clause), things)
    place = world.location(world.rng.choice(("market", "supermarket")))
    if world.chance(0.4):
        return glue(place, mark(COMMA), said), STOP
    return (glue(said, place) if world.chance(0.4) else said), STOP


def bought(world: World) -> Bi:
    """Something one buys at a market."""
    return helping(world, True) if world.chance(0.65) else kilos(world)


def basket(world: World, amount: int, draw: Callable[[World], Bi] = bought) -> Bi:
    """Different things one buys or orders together."""
    found: dict[str, Bi] = {}
    while len(found) < amount:
        item = draw(world)
        found.setdefault(item.fr[-1].text, item)
    return listed(list(found.values()))


def kilos(world: World) -> Bi:
    """Two kilos of potatoes."""
    noun = world.rng.choice(of_class("fruit", "vegetable"))
    value = world.rng.randrange(1, 6)
    unit = piece("kilo" if value == 1 else "kilos", "kilo" if value == 1 else "kilos")
    amount = glue(piece("a", "un") if value == 1 else number(value), unit)
    return glue(amount, piece("of", "de"), piece(noun.en_plural, noun.fr_plural))


@plan(1.5)
def too_dear(world: World) -> tuple[Bi, str]:
    """This dress is too expensive for me."""
    subject = priced(world)
    who = world.rng.choice((pronoun(0), pronoun(1), pronoun(3), world.person(0.1), world.name()))
    degree = world.pick({"too": 3, "very": 1})
    adjective = world.rng.choice(
        ("expensive", "expensive", "heavy", "old")
        if "clothes" not in subject.noun.classes
        else ("expensive", "big", "small", "long", "short", "expensive")
    )
    clause = be(subject, adjective, "present", degree)
    return template("{c} for/1 {w}", "{c} pour/1 {w}", c=clause_bi(clause), w=phrase(who)), STOP


@plan(2)
def pain(world: World) -> tuple[Bi, str]:
    """My back hurts."""
    person = int(world.pick({"0": 4, "1": 1.5, "2": 3}))
    gender = world.rng.choice("mf") if person == 2 else "m"
    noun = world.rng.choice(of_class("body"))
    many = noun.en in ("tooth", "eye", "foot", "knee", "leg", "arm") and world.chance(0.6)
    body = world.noun(noun, "my", many, (person, gender))
    who = pronoun(person, gender)
    past = world.chance(0.3)
    verb = "hurt" if past or many else "hurts"
    said_fr = {0: ("avais", "ai"), 1: ("avais", "as"), 2: ("avait", "a")}[person][0 if past else 1]
    when = world.time("past") if past else Bi((), ())
    article = replace(body, det="the")
    owner = tuple(tok._replace(ids=frozenset((body.id("d"),))) for tok in french.subject_words(who))
    link = f"hurt{body.uid}"
    en = (*english.noun_phrase(body), *toks(verb, link), *when.en)
    fr_body = [tok._replace(ids=frozenset()) if tok.kind == "article" else tok for tok in french.noun_phrase(article)]
    return Bi(en, (*owner, *toks(said_fr + " mal", link), *toks("à"), *fr_body, *when.fr)), STOP


@plan(1.5)
def remedy(world: World) -> tuple[Bi, str]:
    """You must take this medicine twice a day."""
    subject = world.rng.choice((pronoun(1), pronoun(0), world.third(), pronoun(2, "f")))
    often = piece(
        *world.rng.choice(
            (
                ("once a day", "une fois par jour"),
                ("twice a day", "deux fois par jour"),
                ("three times a day", "trois fois par jour"),
                ("every morning", "tous les matins"),
                ("every evening", "tous les soirs"),
            )
        )
    )
    clause = act(
        world,
        subject,
        "take",
        world.pick({"present": 3, "future": 1}),
        "medicine",
        world.rng.choice(("this", "the", "my")),
        adjuncts=(often,),
    )
    if world.chance(0.5) and clause.tense == "present":
        clause = replace(clause, chain=(MODALS[world.rng.choice(("must", "should"))],))
    return clause_bi(clause), STOP


@plan(1.2)
def illness(world: World) -> tuple[Bi, str]:
    """My daughter has a fever."""
    clause = act(world, world.subject(), "have", world.pick({"present": 3, "past": 2}))
    fever = (
        Bi((*toks("a"), *toks("fever", "ill")), (*toks("de"), *toks("la"), *toks("fièvre", "ill")))
        if world.chance(0.6)
        else piece("a cold", "un rhume")
    )
    return clause_bi(
        replace(clause, adjuncts=(fever, *((world.time("past"),) if clause.tense == "past" else ())))
    ), STOP


@plan(1)
def introduction(world: World) -> tuple[Bi, str]:
    """My name is Paul. This is my sister."""
    if world.chance(0.4):
        name, _gender = world.rng.choice(NAMES)
        who = world.rng.choice((("my", "je me", "appelle"), ("his", "il se", "appelle"), ("her", "elle se", "appelle")))
        first, clitic = who[1].split()
        return template(
            f"{who[0]}/1 name/2 is/2 {{n}}", f"{first}/1 {clitic}/2 {who[2]}/2 {{n}}", n=piece(name, name)
        ), STOP
    who = world.noun(
        world.rng.choice([n for n in of_class("kin") if n.en != "husband"]),
        "my",
        False,
        (world.rng.choice((0, 1, 3)), "m"),
    )
    return template("this/1 is/2 {w}", "voici/1/2 {w}", w=phrase(who)), STOP


@plan(1.5)
def exclamation(world: World) -> tuple[Bi, str]:
    """What a beautiful house!"""
    noun = world.rng.choice(
        of_class(
            "building", "town", "clothes", "animal", "plant", "show", "green", "gift", "furniture", "tale", "vehicle"
        )
    )
    np = world.noun(noun, "which", False, describe=1.0)
    said = phrase(np)
    words = toks("what", np.id("d")) + toks("a", np.id("d")) + list(said.en[1:])
    return Bi(tuple(words), said.fr), SHOUT


@plan(1.5)
def belonging(world: World) -> tuple[Bi, str]:
    """This car belongs to my aunt."""
    noun = world.rng.choice(of_class("vehicle", "thing", "clothes", "luggage", "pet", "furniture"))
    subject = world.noun(noun, world.pick({"this": 4, "the": 2}), world.chance(0.25), describe=0.3)
    base = frame("talk to")._replace(en="belong to", fr="appartenir", flags=("stative",))
    base = base._replace(fr_preposition="à", en_preposition="")
    owner = (
        pronoun(world.rng.choice((0, 1, 3, 5)))
        if world.chance(0.35)
        else world.person(0.1)
        if world.chance(0.5)
        else world.name()
    )
    clause = Clause(subject, base, world.pick({"present": 4, "past": 1}), object=owner)
    return clause_bi(replace(clause, negation="not") if world.chance(0.25) else clause), STOP


def genitive(world: World) -> Np:
    """Paul's car, my sister's dress."""
    noun = world.rng.choice(
        of_class("vehicle", "clothes", "thing", "furniture", "luggage", "pet", "room", "kin", "rideable")
    )
    owner = world.name()
    if world.chance(0.4):
        owner = world.noun(
            world.rng.choice(
                (
                    "mother",
                    "father",
                    "brother",
                    "sister",
                    "neighbour",
                    "uncle",
                    "aunt",
                    "friend",
                    "cousin",
                    "grandmother",
                )
            ),
            "my",
            False,
            (world.rng.choice((0, 1, 3)), "m"),
        )
    elif world.chance(0.3):
        owner = world.noun(
            world.rng.choice(("doctor", "teacher", "baker", "farmer", "queen", "king", "director", "nurse", "hero")),
            "the",
        )
    many = world.chance(0.2) and noun.en not in (
        "mother",
        "father",
        "husband",
        "kitchen",
        "bathroom",
        "living room",
        "garage",
    )
    return replace(world.noun(noun, "of", many, describe=0.25), parts=(owner,))


@plan(3)
def somebodys(world: World) -> tuple[Bi, str]:
    """Marie's car is in front of the school. I am looking for my brother's key."""
    np = genitive(world)
    classes = np.noun.classes
    if "kin" in classes:
        return clause_bi(statement(world, subject=np)), STOP
    if world.chance(0.4) and "room" not in classes:
        fit = [
            f
            for f in ("look for", "find", "see", "use", "lose", "wash", "repair", "like", "take", "borrow", "hide")
            if f
        ]
        allowed = {
            "wash": {"clothes", "vehicle"},
            "repair": {"vehicle", "rideable", "furniture"},
            "borrow": {"thing", "vehicle", "clothes", "rideable"},
            "use": {"vehicle", "rideable"},
            "hide": {"small", "thing"},
            "take": {"thing", "clothes", "luggage", "rideable"},
            "lose": {"thing", "clothes", "small", "luggage"},
        }
        verb = world.rng.choice([v for v in fit if v not in allowed or allowed[v] & set(classes)])
        clause = act(world, world.subject(), verb, world.pick({"past": 4, "present": 2, "future": 2}))
        return clause_bi(replace(clause, object=np)), STOP
    if "pet" in classes or "room" in classes or world.chance(0.5):
        return clause_bi(
            be(
                replace(np, adjectives=()),
                world.rng.choice(said_of(classes)),
                world.pick({"present": 4, "past": 1}),
                world.pick({"": 3, "very": 2, "too": 0.5}),
            )
        ), STOP
    spot = world.noun(world.rng.choice(("table", "bed", "chair", "wardrobe", "door", "lamp", "armchair")), "the")
    positions = POSITIONS[2:] if {"vehicle", "furniture", "rideable"} & set(classes) else POSITIONS[:4]
    if {"vehicle", "rideable"} & set(classes):
        spot = world.noun(world.rng.choice(("school", "house", "station", "church", "gate", "hotel", "library")), "the")
    return clause_bi(be_piece(np, near(world, spot, positions))), STOP


@plan(1)
def favourite(world: World) -> tuple[Bi, str]:
    """My favourite colour is red; my favourite season is summer."""
    owner = world.rng.choice(
        (("my", ("ma", "mon")), ("your", ("ta", "ton")), ("his", ("sa", "son")), ("our", ("notre", "notre")))
    )
    kind = world.rng.randrange(3)
    if kind == 0:
        en, fr = world.rng.choice(
            (
                ("red", "rouge"),
                ("blue", "bleu"),
                ("green", "vert"),
                ("yellow", "jaune"),
                ("white", "blanc"),
                ("black", "noir"),
            )
        )
        return template(
            f"{owner[0]}/1 favourite/2 colour/3 is/4 {en}/5", f"{owner[1][0]}/1 couleur/3 préférée/2 est/4 le {fr}/5"
        ), STOP
    if kind == 1:
        en, fr = world.rng.choice(
            (("summer", "été"), ("winter", "hiver"), ("spring", "printemps"), ("autumn", "automne"))
        )
        return template(
            f"{owner[0]}/1 favourite/2 season/3 is/4 {en}/5",
            f"{owner[1][0]}/1 saison/3 préférée/2 est/4 {{s}}",
            s=Bi((), (*toks("le"), *toks(fr))),
        ), STOP
    name = piece(*world.rng.choice(CITIES))
    return template(
        f"{owner[0]}/1 favourite/2 town/3 is/4 {{n}}", f"{owner[1][0]}/1 ville/3 préférée/2 est/4 {{n}}", n=name
    ), STOP


@plan(1.2)
def origin(world: World) -> tuple[Bi, str]:
    """Where do you come from? She comes from Italy."""
    en, fr, gender = world.rng.choice(COUNTRIES)
    base = frame("come")
    start = piece("from", "de" if gender == "f" else "du")
    subject = world.subject(0.5)
    return clause_bi(Clause(subject, base, "present", adjuncts=(start, piece(en, fr)))), STOP


__all__ = ["Relative", "refer"]
