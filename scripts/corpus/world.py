"""Draws people, things, places and events that make sense together."""

import random
from functools import cache

from . import english, french
from .meaning import Clause, Modal, Np, fresh, glue, named, pair, piece, pronoun, refer, replace
from .modifiers import ADJECTIVES, ADVERBS, Adjective, read_times
from .nouns import CITIES, COUNTRIES, NAMES, NOUNS, Noun, of_class
from .verbs import FRAMES, Frame
from .words import Bi, Tok, toks

ATTRIBUTE_ONLY = ("broken", "ill", "tired", "favourite", "open", "closed", "expensive", "ripe")
FOREIGN = ("Italian", "English", "Spanish", "foreign", "strong", "rich", "poor", "nervous", "honest")
MODALS = {
    "want": Modal("want", "vouloir", stative=True),
    "would like": Modal("would like", "vouloir", auxiliary=True, tense="conditional"),
    "can": Modal("can", "pouvoir", "", auxiliary=True, tense="present"),
    "could": Modal("could", "pouvoir", "", auxiliary=True, tense="conditional"),
    "must": Modal("must", "devoir", "", auxiliary=True, tense="present"),
    "should": Modal("should", "devoir", "", auxiliary=True, tense="conditional"),
    "like": Modal("like", "aimer", stative=True),
    "hope": Modal("hope", "espérer", stative=True),
    "prefer": Modal("prefer", "préférer", stative=True),
    "try": Modal("try", "essayer", fr_link="de"),
    "decide": Modal("decide", "décider", fr_link="de"),
    "refuse": Modal("refuse", "refuser", fr_link="de"),
    "promise": Modal("promise", "promettre", fr_link="de"),
    "forget": Modal("forget", "oublier", fr_link="de"),
    "begin": Modal("begin", "commencer", fr_link="à"),
    "continue": Modal("continue", "continuer", fr_link="à"),
    "manage": Modal("manage", "réussir", fr_link="à"),
    "learn": Modal("learn", "apprendre", fr_link="à"),
    "need": Modal("need", "avoir besoin", fr_link="de", stative=True),
    "be afraid": Modal("be afraid", "avoir peur", fr_link="de", stative=True),
    "be going": Modal("be going", "aller", stative=True),
    "just": Modal("have just", "venir", "", "de", auxiliary=True, tense="present"),
}
SCENES = {
    "home": ("kitchen", "garden", "living room", "bathroom", "garage", "room", "flat", "house"),
    "food": ("restaurant", "kitchen", "garden", "hotel"),
    "travel": ("station", "airport", "hotel", "port"),
    "work": ("office", "factory"),
    "school": ("school", "university", "library", "classroom"),
    "shop": ("market", "supermarket"),
    "leisure": ("park", "garden", "living room", "beach"),
    "city": ("street", "square", "park", "station"),
    "nature": ("forest", "garden", "park", "farm", "beach", "island"),
}
PLACELESS = {
    "have",
    "put on",
    "take off",
    "know",
    "remember",
    "need",
    "want",
    "like",
    "hate",
    "prefer",
    "love",
    "go",
    "come",
    "arrive",
    "go home",
    "enter",
    "cross",
    "leave",
    "visit",
    "live",
    "travel",
    "believe",
    "come back",
    "go out",
    "follow",
    "stay",
    "return",
    "lend",
    "miss",
    "take",
    "send",
    "understand",
    "hurry",
    "paint",
    "build",
    "catch",
    "wear",
    "hear",
    "admire",
    "cancel",
    "borrow",
    "call",
    "bring",
    "invite",
    "fall",
    "get lost",
    "carry",
    "photograph",
    "see",
    "park",
    "drive",
    "move",
    "turn on",
    "turn off",
    "clean",
    "get up",
    "go to bed",
    "get dressed",
    "wake up",
    "forget",
    "open",
    "close",
    "go for a walk",
    "thank",
    "organize",
    "throw",
    "tell",
    "take care of",
    "give",
}
DESTINATIONS = (
    "market",
    "school",
    "office",
    "station",
    "airport",
    "hotel",
    "restaurant",
    "bank",
    "museum",
    "cinema",
    "theatre",
    "church",
    "swimming pool",
    "stadium",
    "library",
    "university",
    "hospital",
    "pharmacy",
    "post office",
    "bakery",
    "supermarket",
    "bookshop",
    "beach",
    "farm",
    "park",
    "castle",
    "garden",
)
PAIRED = ("glove", "shoe", "boot")
FIXED_CLASSES = {"weather", "sport", "chess", "illness"}
FIXED_NOUNS = ("radio", "sea", "moon")
UNIQUE_CLASSES = {"meal", "bill", "opening", "sky", "event", "sound"}
UNIQUE_DETS = {"the": 6, "this": 2, "that": 0.3}
MOTIONS = {
    "aller": "anywhere",
    "venir": "park restaurant towards company",
    "habiter": "city country village farm",
    "rester": "home hotel bed city",
    "arriver": "station city airport hotel",
    "revenir": "from",
    "voyager": "country none",
}
USUAL_PLACES = {
    "order": ("restaurant", "hotel"),
    "cook": ("kitchen",),
    "serve": ("restaurant", "hotel"),
    "taste": ("restaurant", "market"),
    "wash": ("kitchen", "bathroom", "garage"),
    "iron": ("living room", "room"),
    "repair": ("garage", "garden", "factory"),
    "sign": ("office",),
    "solve": ("office",),
    "cut": ("kitchen",),
    "swim": ("swimming pool",),
    "pay": ("hotel", "station"),
    "wait for": ("station", "airport", "park", "restaurant", "hotel"),
    "smoke": ("garden", "street", "park"),
    "try on": ("living room",),
    "buy": ("market", "supermarket"),
    "sell": ("market",),
    "choose": ("market", "supermarket"),
    "watch": ("living room", "room", "theatre"),
    "prepare": ("kitchen", "living room"),
    "listen to": ("living room", "kitchen", "garden"),
    "steal": ("street", "station", "hotel"),
    "help": ("kitchen", "office", "garden"),
    "translate": ("library", "office"),
    "present": ("office",),
    "sleep": ("room", "garden", "hotel"),
}
ACCIDENTS = ("fall", "get lost", "lose", "break", "miss", "forget", "steal", "smoke", "win", "find")
MANNER = {
    "manner": ("eat", "drink", "walk", "run", "read", "close", "open", "work", "get dressed", "swim"),
    "careful": ("wash", "clean", "read", "correct", "write", "choose", "prepare", "close", "repair"),
    "wait": ("wait", "explain"),
    "well": ("sleep", "work", "swim", "dance", "sing", "cook", "understand", "know", "play", "drive", "hear"),
    "amount": ("travel", "work", "read", "eat", "laugh", "sleep", "cry", "walk", "smoke", "study"),
    "motion": ("leave", "answer", "come back", "go home", "call"),
}


@cache
def allowed_nouns(objects: str) -> list[Noun]:
    """The nouns of an object specification: classes, or names after `=`, joined by `+`; `&` asks for both classes."""
    found: dict[str, Noun] = {}
    for term in objects.split("+"):
        marks = term.split("&")
        names = (
            term[1:].split(",")
            if term.startswith("=")
            else [noun.en for noun in NOUNS.values() if all(mark in noun.classes for mark in marks)]
        )
        found.update({name: NOUNS[name] for name in names})
    return list(found.values())


@cache
def fitting_adjectives(noun: str) -> list[Adjective]:
    """The adjectives that can describe a noun before or after it."""
    classes = NOUNS[noun].classes
    fit = [a for a in ADJECTIVES.values() if any(mark in classes for mark in a.classes)]
    return [a for a in fit if a.en not in ATTRIBUTE_ONLY and not ("kin" in classes and a.en in FOREIGN)]


@cache
def scene_frames(scene: str, stative: bool = True, verbs: tuple[str, ...] = ()) -> list[Frame]:
    """The verbs of a scene; `verbs` narrows the choice when the scene has one of them."""
    found = [f for f in FRAMES if scene in f.scenes and (stative or not f.stative)]
    found = [f for f in found if not verbs or (f.en in verbs and not f.stative)]
    anywhere = [f for f in FRAMES if f.scenes and f.en in verbs and not f.stative]
    return found or anywhere


class World:
    """A random source of phrases that remembers which words it put together."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.pairs: list[tuple[str, str]] = []

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.rng.random() < probability

    def pick(self, weighted: dict[str, float]) -> str:
        """A key drawn by weight."""
        return self.rng.choices(list(weighted), list(weighted.values()))[0]

    # people

    def name(self) -> Np:
        """A person known by name."""
        return named(*self.rng.choice(NAMES))

    def adjective_for(self, noun: Noun) -> Adjective | None:
        """An adjective that can describe the noun."""
        fitting = fitting_adjectives(noun.en)
        if not fitting:
            return None
        adjective = self.rng.choice(fitting)
        self.pairs.append((f"adj:{adjective.en}", f"noun:{noun.en}"))
        return adjective

    def person(self, plural: float = 0.15, kin: float = 0.5) -> Np:
        """A described person."""
        if self.chance(kin):
            noun = self.rng.choice(of_class("kin"))
            owner = (self.rng.choice((0, 0, 0, 1, 3)), "m")
            many = self.chance(plural) and noun.en not in ("father", "mother", "husband")
            if noun.en == "husband":
                owner = (2, "f")
            return self.noun(noun, "my", many, owner=owner, describe=0.12)
        noun = self.rng.choice([n for n in of_class("person") if "kin" not in n.classes])
        if "title" in noun.classes and self.chance(0.7):
            return self.person(plural, 0.0)
        many = self.chance(plural) and "title" not in noun.classes
        det = self.pick({"the": 6, "this": 1.5, "a": 0.8, "two": 0.5})
        det = "the" if "title" in noun.classes else det
        if det == "two":
            return self.noun(noun, "number", True, number=self.rng.choice((2, 3, 4)), describe=0.15)
        return self.noun(noun, "some" if det == "a" and many else det, many, describe=0.3)

    def subject(self, pronouns: float = 0.42) -> Np:
        """Somebody who does something."""
        if self.chance(pronouns):
            person = int(self.pick({"0": 5, "1": 3, "2": 5, "3": 2.5, "5": 2.5}))
            return pronoun(person, self.rng.choice("mf") if person == 2 else "m")
        kind = self.pick({"name": 3, "person": 6, "pair": 1})
        if kind == "name":
            return self.name()
        if kind == "person":
            return self.person()
        first = self.name()
        second = (
            self.name()
            if self.chance(0.5)
            else self.noun(self.rng.choice(of_class("kin")), "my", False, (2, first.gender))
        )
        if second.name == first.name and second.form == "name":
            return first
        if second.noun and second.noun.en == "husband":
            return first
        return pair(first, second)

    def third(self) -> Np:
        """A third person subject that is not a pronoun."""
        return self.subject(0.0)

    # things

    def noun(
        self,
        noun: Noun | str,
        det: str = "the",
        plural: bool = False,
        owner: tuple[int, str] = (0, "m"),
        describe: float = 0.0,
        number: int = 0,
    ) -> Np:
        """A noun phrase around a given noun."""
        noun = NOUNS[noun] if isinstance(noun, str) else noun
        adjective = self.adjective_for(noun) if self.chance(describe) else None
        adjectives = (adjective,) if adjective else ()
        human = "person" in noun.classes
        return Np(
            "noun",
            5 if plural else 2,
            noun.gender,
            human,
            noun,
            det=det,
            owner=owner,
            number=number,
            adjectives=adjectives,
        )

    def nouns_of(self, objects: str) -> list[Noun]:
        """The nouns an object specification allows."""
        return allowed_nouns(objects)

    def thing(self, noun: Noun, owner: Np, frame: Frame | None = None, describe: float = 0.28) -> Np:
        """A noun phrase with a determiner that suits the noun and the verb."""
        flags = frame.flags if frame else ()
        classes = set(noun.classes)
        possessed = (owner.person, owner.gender) if owner.human and owner.form != "nobody" else (0, "m")
        if classes & {"person", "infant"}:
            return self.somebody(noun, possessed)
        if {"generic", "gen", "the"} & set(flags) or classes & FIXED_CLASSES or noun.en in FIXED_NOUNS:
            return self.fixed_thing(noun, flags)
        if noun.mass or "own" in flags or "one" in flags or classes & UNIQUE_CLASSES:
            dets = UNIQUE_DETS
            if "own" in flags and not noun.mass:
                dets = {"my": 5, "the": 2}
            elif noun.mass:
                dets = {"some": 5, "the": 3, "this": 1, "my": 0.7, "much": 0.5, "too much": 0.3}
            many = noun.en in PAIRED or noun.en == "star"
            return self.noun(noun, self.pick(dets), many, possessed, describe)
        return self.some_thing(noun, possessed, describe)

    def somebody(self, noun: Noun, owner: tuple[int, str]) -> Np:
        """A person something is done to."""
        if "kin" in noun.classes or noun.en == "baby":
            return self.noun(noun, "my", False, (2, "f") if noun.en == "husband" else owner, 0.12)
        many = "title" not in noun.classes and self.chance(0.3)
        return self.noun(noun, self.pick({"the": 5, "this": 1.5}), many, describe=0.25)

    def fixed_thing(self, noun: Noun, flags: tuple[str, ...]) -> Np:
        """Something that takes its article from the verb or from what it is (music, chess, the sea)."""
        if "generic" not in flags:
            return self.noun(noun, "generic" if "gen" in flags else "the", noun.en == "chess")
        det = self.pick({"generic": 5, "this": 1.5})
        countable = not noun.mass and noun.en not in ("rain", "snow", "wind", "sea")
        return self.noun(noun, det, countable and det == "generic", describe=0.13)

    def some_thing(self, noun: Noun, possessed: tuple[int, str], describe: float) -> Np:
        """Something one can count."""
        single = {"the": 4, "a": 4, "my": 2, "this": 1.5, "that": 0.4, "another": 0.4}
        several = {
            "the": 3,
            "some": 3,
            "my": 1,
            "this": 1,
            "number": 2,
            "many": 0.5,
            "lots": 0.5,
            "several": 0.6,
            "all": 0.4,
        }
        many = self.chance(0.35) or noun.en in PAIRED or noun.en in ("bean", "cherry", "strawberry", "mushroom")
        det = self.pick(several if many else single)
        if det == "my" and set(noun.classes) & {
            "nature",
            "town",
            "culture",
            "building",
            "way",
            "transport",
            "show",
            "wine",
        }:
            det = "the"
        return self.noun(noun, det, many, possessed, describe, self.amount(noun))

    def amount(self, noun: Noun) -> int:
        """How many of something one has to do with."""
        many = {"food", "small", "plant", "mail", "text", "said", "photo", "coin"} & set(noun.classes)
        return self.rng.choice((2, 3, 4, 5, 6, 8, 10, 12) if many else (2, 2, 3))

    def object_of(self, frame: Frame, subject: Np, pronouns: float = 0.22) -> Np | None:
        """An object for a verb."""
        if not frame.objects:
            return None
        noun = self.rng.choice(self.nouns_of(frame.objects))
        human = "person" in noun.classes
        if human and self.chance(0.35):
            return self.name() if self.chance(0.6) else self.other_pronoun(subject)
        if (
            not human
            and frame.fr != "savoir"
            and not {"generic", "gen"} & set(frame.flags)
            and self.chance(pronouns * 0.6)
        ):
            return pronoun(self.rng.choice((2, 5)), "m", False)
        self.pairs.append((f"verb:{frame.en}", f"noun:{noun.en}"))
        return self.thing(noun, subject, frame)

    def other_pronoun(self, subject: Np) -> Np:
        """A pronoun for somebody other than the subject."""
        persons = [p for p in (0, 1, 2, 3, 5) if p != subject.person or p in (2, 5)]
        if subject.person in (0, 3):
            persons = [p for p in persons if p not in (0, 3)]
        person = self.rng.choice(persons)
        return pronoun(person, self.rng.choice("mf") if person == 2 else "m")

    def recipient(self, subject: Np, thing: Np | None) -> Np:
        """Who gets something."""
        if (thing is not None and thing.form == "pronoun") or self.chance(0.5):
            return self.other_pronoun(subject)
        return self.name() if self.chance(0.4) else self.person(0.1)

    # places and times

    def location(self, name: str, motion: bool = False) -> Bi:
        """Where something happens, or where somebody goes."""
        noun = NOUNS[name]
        place = noun.place()
        assert place
        mark = f"loc{fresh()}"
        np = self.noun(noun, "the", False, describe=0.12)
        start = toks("to" if motion else place[0], mark)
        towards = "à" if motion and name in ("beach", "park", "castle", "farm") else place[1]
        return Bi(tuple(start + english.noun_phrase(np)), tuple(toks(towards, mark) + french.noun_phrase(np)))

    def city(self, motion: bool = False) -> Bi:
        """In or to a town known by name."""
        en, fr = self.rng.choice(CITIES)
        return glue(piece("to" if motion else "in", "à"), piece(en, fr))

    def country(self, motion: bool = False) -> Bi:
        """In or to a country."""
        en, fr, gender = self.rng.choice(COUNTRIES)
        return glue(piece("to" if motion else "in", "au" if gender == "m" else "en"), piece(en, fr))

    def destination(self) -> Bi:
        """Where one goes."""
        kind = self.pick({"place": 6, "city": 2, "country": 1})
        if kind == "place":
            return self.location(self.rng.choice(DESTINATIONS), True)
        return self.city(True) if kind == "city" else self.country(True)

    def time(self, kind: str) -> Bi:
        """A time expression for past, future, habit or now."""
        en, fr = self.rng.choice(read_times(kind))
        return time_piece(en, fr)

    def company(self, subject: Np) -> Bi:
        """With somebody."""
        mark = f"with{fresh()}"
        who = self.thing(self.rng.choice(of_class("kin")), subject) if self.chance(0.6) else self.name()
        return Bi(
            tuple(toks("with", mark) + english.noun_phrase(who)), tuple(toks("avec", mark) + french.noun_phrase(who))
        )

    # events

    def scene(self) -> str:
        """A scene."""
        return self.rng.choice(list(SCENES))

    def event(
        self,
        scene: str,
        subject: Np,
        tense: str = "present",
        bare: bool = False,
        adjuncts: bool = True,
        stative: bool = True,
        pronouns: float = 0.22,
        verbs: tuple[str, ...] = (),
    ) -> Clause:
        """Something that happens in a scene."""
        frame = self.rng.choice(scene_frames(scene, stative, verbs))
        still = "noprog" in frame.flags and tense in ("progressive", "was")
        sudden = frame.en in ACCIDENTS and tense in ("present", "progressive", "was", "used", "imperative", "perfect")
        odd = frame.stative and tense == "future" and frame.en not in ("need", "want", "have", "remember")
        if sudden or still or odd or (frame.stative and tense in ("progressive", "was", "imperative")):
            return self.event(scene, subject, tense, bare, adjuncts, False, pronouns, verbs)
        if subject.noun:
            self.pairs.append((f"noun:{subject.noun.en}", f"verb:{frame.en}"))
        thing = self.object_of(frame, subject, pronouns)
        recipient = self.recipient(subject, thing) if "give" in frame.flags else None
        clause = Clause(subject, frame, tense, object=thing, recipient=recipient, bare=bare)
        return replace(clause, adjuncts=self.circumstances(frame, scene, subject, adjuncts))

    def direction(self, kinds: str, subject: Np) -> tuple[Bi, ...]:
        """The place a verb of moving or staying needs, of one of the kinds."""
        kind = self.rng.choice(kinds.split())
        fixed = {"home": ("at home", "à la maison"), "bed": ("in bed", "au lit")}
        if kind == "none":
            return ()
        if kind in fixed:
            return (piece(*fixed[kind]),)
        if kind in ("station", "airport", "hotel", "village", "farm"):
            return (self.location(kind),)
        if kind in ("park", "restaurant"):
            return (self.location(kind, True),)
        return (self.by_kind(kind, subject),)

    def by_kind(self, kind: str, subject: Np) -> Bi:
        """A place or company of a kind."""
        if kind == "from":
            return glue(piece("from", "de"), piece(*self.rng.choice(CITIES)))
        if kind == "anywhere":
            return self.destination()
        if kind == "company":
            return self.company(subject)
        return self.country() if kind == "country" else self.city(kind == "towards")

    def circumstances(self, frame: Frame, scene: str, subject: Np, wanted: bool) -> tuple[Bi, ...]:
        """Where, and with whom."""
        found: list[Bi] = []
        if frame.fr in MOTIONS:
            return self.direction(MOTIONS[frame.fr], subject)
        if wanted and frame.en not in PLACELESS and self.chance(0.3):
            found.append(self.location(self.rng.choice(USUAL_PLACES.get(frame.en, SCENES[scene]))))
        elif wanted and frame.en not in PLACELESS | {"talk to", "wait for", "help", "iron"} and self.chance(0.1):
            found.append(self.company(subject))
        return tuple(found)

    def adverb(self, clause: Clause, probability: float = 0.25) -> Clause:
        """Maybe adds an adverb that suits verb and tense."""
        if not self.chance(probability) or clause.negation or clause.adverb:
            return clause
        kinds = [kind for kind, verbs in MANNER.items() if clause.frame.en in verbs]
        if clause.frame.objects:
            kinds = [kind for kind in kinds if kind != "amount"]
        if clause.tense == "present" and not clause.chain:
            kinds += [] if clause.frame.stative else ["habit", "habit"]
            kinds += ["degree"] if clause.frame.en in ("like", "love", "want", "need", "hate") else []
        if clause.tense in ("past", "perfect") and not clause.chain and not clause.frame.stative:
            kinds += ["done" if clause.tense == "perfect" else "finally"]
        if clause.tense == "future":
            kinds += ["maybe"]
        if not kinds:
            return clause
        return replace(clause, adverb=self.adverb_of(self.rng.choice(kinds)))

    def adverb_of(self, kind: str) -> object:
        """An adverb of a kind."""
        if kind in ("finally",):
            return ADVERBS["finally"]
        if kind == "done":
            return ADVERBS["already"]
        return self.rng.choice([a for a in ADVERBS.values() if a.kind == kind])


def time_piece(en: str, fr: str) -> Bi:
    """A time expression, aligned word by word when both sides run in parallel."""
    left, right = en.split(), fr.replace("' ", "'").split()
    if len(left) == len(right) and en.split(maxsplit=1)[0] not in ("next", "last", "on"):
        return glue(*(piece(a, b) for a, b in zip(left, right, strict=True)))
    if left[0] in ("next", "last") and len(left) == 2:
        fr_words = right[-2:] if len(right) == 3 else right
        noun, adjective = piece(left[1], fr_words[0]), piece(left[0], fr_words[1])
        article = toks(right[0]) if len(right) == 3 else []
        return Bi(adjective.en + noun.en, (*article, *noun.fr, *adjective.fr))
    return piece(en, fr)


def clause_bi(clause: Clause) -> Bi:
    """A clause on both sides."""
    return Bi(tuple(english.clause_words(clause)), tuple(french.clause_words(clause)))


def phrase(np: Np) -> Bi:
    """A noun phrase on both sides."""
    return Bi(tuple(english.noun_phrase(np)), tuple(french.noun_phrase(np)))


__all__ = ["MODALS", "Tok", "World", "clause_bi", "phrase", "refer", "time_piece"]
