"""What a sentence says: noun phrases, verb chains and clauses, the common input of both grammars."""

from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, TypeVar

from .modifiers import Adjective, Adverb
from .nouns import Noun
from .verbs import Frame, frame
from .words import Bi, toks

Node = TypeVar("Node")
SERIAL = count()
PLURAL = (3, 4, 5)


def fresh() -> int:
    """A number no other node has; identifiers of words derive from it."""
    return next(SERIAL)


@dataclass(eq=False)
class Np:
    """A noun phrase, never changed once made.

    `form` is noun, name, pronoun, pair, nobody, nothing, who, what or there; `person` is 0 to 5.
    """

    form: str
    person: int = 2
    gender: str = "m"
    human: bool = False
    noun: Noun | None = None
    name: tuple[str, str] = ("", "")
    det: str = "the"
    owner: tuple[int, str] = (0, "m")
    number: int = 0
    adjectives: tuple[Adjective, ...] = ()
    tails: tuple[Bi, ...] = ()
    relative: "Relative | None" = None
    parts: tuple["Np", ...] = ()
    uid: int = field(default_factory=fresh)

    @property
    def plural(self) -> bool:
        """Whether the phrase is plural."""
        return self.person in PLURAL

    def id(self, part: str) -> str:
        """Identifier of a part of the phrase."""
        return f"{part}{self.uid}"


class Relative(NamedTuple):
    """A relative clause: `gap` is subject, object, where or whose."""

    gap: str
    clause: "Clause"


class Modal(NamedTuple):
    """A verb that takes an infinitive: what links it on each side, and the form of the next English verb."""

    en: str
    fr: str
    en_link: str = "to"
    fr_link: str = ""
    auxiliary: bool = False
    tense: str = ""
    stative: bool = False


class Predicate(NamedTuple):
    """What `be` says of its subject: an adjective with a degree and a standard, or a fixed piece."""

    adjective: Adjective | None = None
    degree: str = ""
    standard: Np | None = None
    piece: Bi | None = None


@dataclass(eq=False)
class Clause:
    """A clause, never changed once made.

    `negation` is empty, not, never or no longer; `gap` is the phrase a relative or question took away.
    """

    subject: Np
    frame: Frame
    tense: str = "present"
    negation: str = ""
    chain: tuple[Modal, ...] = ()
    object: Np | None = None
    recipient: Np | None = None
    predicate: Predicate | None = None
    adverb: Adverb | None = None
    adjuncts: tuple[Bi, ...] = ()
    question: str = ""
    gap: Np | None = None
    bare: bool = False
    without: bool = False
    uid: int = field(default_factory=fresh)

    def id(self, part: str) -> str:
        """Identifier of a part of the clause."""
        return f"{part}{self.uid}"

    def actor(self) -> Np:
        """The subject; a pronoun gets identifiers of this clause, since one phrase may be the subject of several."""
        return replace(self.subject, uid=-1 - self.uid) if self.subject.form == "pronoun" else self.subject


def piece(english: str, french: str) -> Bi:
    """A fixed piece all of whose words correspond."""
    mark = f"x{fresh()}"
    return Bi(tuple(toks(english, mark)), tuple(toks(french, mark)))


def aligned(english: str, french: str) -> Bi:
    """A fixed piece whose correspondences are written `word/1/2`; unmarked words have no counterpart."""
    base = fresh()

    def side(text: str) -> tuple[object, ...]:
        marked = [part.split("/") for part in text.split()]
        return tuple(tok for word, *marks in marked for tok in toks(word, *(f"y{base}.{mark}" for mark in marks)))

    return Bi(side(english), side(french))


def glue(*parts: Bi) -> Bi:
    """Pieces one after the other on both sides."""
    return Bi(tuple(t for part in parts for t in part.en), tuple(t for part in parts for t in part.fr))


def replace(node: Node, **changes: object) -> Node:
    """A changed copy that keeps its identifiers (nodes are never changed in place)."""
    made = object.__new__(type(node))
    made.__dict__.update(node.__dict__, **changes)
    return made


def pronoun(person: int, gender: str = "m", human: bool = True) -> Np:
    """A personal pronoun."""
    return Np("pronoun", person, gender, human)


def refer(np: Np) -> Np:
    """The third person pronoun that stands for a phrase (the phrase itself for I, you, we)."""
    return pronoun(np.person, np.gender, np.human)


def named(name: str, gender: str) -> Np:
    """A person known by name."""
    return Np("name", 2, gender, True, name=(name, name))


def pair(first: Np, second: Np) -> Np:
    """Two phrases joined by and."""
    gender = "f" if first.gender == second.gender == "f" else "m"
    person = 3 if 0 in (first.person, second.person) else 5
    return Np("pair", person, gender, first.human, parts=(first, second))


def same(np: Np, **changes: object) -> Np:
    """A changed copy with identifiers of its own."""
    return replace(np, uid=fresh(), **changes)


BE = frame("be")
BE_COLD = BE._replace(fr="avoir")
