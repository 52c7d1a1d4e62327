"""The description of a translation request, checked once for the command line, Python and HTTP. Imports no torch."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nmt.config import DecodingSettings, changed
from nmt.errors import ConfigError
from nmt.shown import number

MOST = 1000  # hypotheses of a line, or samples; as many as a beam may have
MOST_ALTERNATIVES = 50  # next words at a position
BEAM = ("beam_size", "length_penalty", "coverage_penalty")  # settings of a search
GIVEN = ("batch_size", "max_source", "window")  # those that have an effect on translations that are given
ALIGNED = (*GIVEN, "link_share")  # and on their alignment
DRAWN = ("temperature", "top_k", "top_p", "seed")  # options of samples
EXPLAINED = ("attention", "words", "details", "alternatives", "heads")  # options that do not change the search

COLDEST, HOTTEST = 1e-3, 1e3  # beyond them nothing gets greedier or bolder, and 1e-300 is 0 in float32
LARGEST_SEED = 2**64 - 1
MOST_WORDS = 1_000_000  # no vocabulary has more


@dataclass(frozen=True)
class Sampling:
    """Say what may be drawn, and how boldly; the defaults draw from the model's own distribution. Raises
    ConfigError."""

    temperature: int | float = 1.0  # logits are divided by it: below 1 likely words gain, above 1 unlikely ones
    top_k: int = 0  # only the k likeliest words (Fan et al. 2018); 0: all
    top_p: int | float = 1.0  # only the smallest set of words with this probability (nucleus; Holtzman et al. 2020)
    seed: int | None = None  # None: other samples each time

    def __post_init__(self) -> None:
        temperature, top_k, top_p, seed = map(number, (self.temperature, self.top_k, self.top_p, self.seed))
        wrong = (
            (
                not COLDEST <= self.temperature < math.inf,
                f"temperature: {temperature} must be a finite number of {COLDEST} or more",
            ),
            (HOTTEST < self.temperature < math.inf, f"temperature: {temperature} must be {HOTTEST:g} or less"),
            (self.top_k < 0, f"top_k: {top_k} must be 0 or more"),
            (self.top_k > MOST_WORDS, f"top_k: {top_k} must be {MOST_WORDS} or less"),
            (not 0 < self.top_p <= 1, f"top_p: {top_p} must be more than 0 and at most 1"),
            (self.seed is not None and self.seed < 0, f"seed: {seed} must be 0 or more"),
            (self.seed is not None and self.seed > LARGEST_SEED, f"seed: {seed} must be {LARGEST_SEED} or less"),
        )
        if problems := [problem for is_wrong, problem in wrong if is_wrong]:
            raise ConfigError(*problems)


@dataclass(frozen=True)
class TranslateOptions:
    """Hold everything that may be asked about a translation, apart from the text. Raises ConfigError for what is
    impossible or could have no effect."""

    n_best: int = 1  # translations of each line, best first; samples as they were drawn
    sampling: Sampling | None = None  # draw instead of search
    mbr: int = 0  # minimum Bayes risk: number of samples to draw; those with the highest mean chrF to the others win
    attention: bool = True  # attention and alignment, at the price of a few per cent of the time
    words: str = "scripts"  # what a word is, out of nmt.data.words.WORDS
    details: bool = False  # offsets and probability of each word
    alternatives: int = 0  # the likeliest other words at each position; needs details
    trace: bool = False  # every hypothesis of the search; needs details
    heads: bool = False  # the attention of each head, if the model has several; needs attention
    changes: Mapping[str, Any] = field(default_factory=dict)  # decoding settings that replace those of the run

    def __post_init__(self) -> None:
        from nmt.data.words import split_words

        for name in ("n_best", "mbr", "alternatives"):
            if type(getattr(self, name)) is not int:
                raise ConfigError(f"{name}: {getattr(self, name)!r} must be a whole number")
        changed(DecodingSettings(), **self.changes)
        check_request(self.changes, n_best=self.n_best, drawn=self.drawn, mbr=self.mbr)
        split_words("", self.words)  # raises for an unknown kind
        problems = []
        if not 0 <= self.alternatives <= MOST_ALTERNATIVES:
            problems.append(f"alternatives: {number(self.alternatives)} must be 0 to {MOST_ALTERNATIVES}")
        problems += [
            f"{name}: needs details=true"
            for name in ("alternatives", "trace")
            if getattr(self, name) and not self.details
        ]
        if self.heads and not self.attention:
            problems.append("heads: needs attention=true")
        if self.trace and (self.drawn or self.mbr):
            problems.append("trace: has no effect on samples, which need no search; remove it")
        if problems:
            raise ConfigError(*problems)

    @property
    def drawn(self) -> bool:
        """Return whether translations are sampled, not searched for."""
        return self.sampling is not None

    @property
    def copies(self) -> int:
        """Return the number of rows that each sentence takes in the batch, apart from the beam."""
        return self.mbr or (self.n_best if self.sampling else 1)

    @property
    def explanation(self) -> tuple[Any, ...]:
        """Return what is asked for beyond the result of the search. Lines that ask for the same are explained
        together."""
        return tuple(getattr(self, name) for name in EXPLAINED)

    def same_search(self, other: "TranslateOptions") -> bool:
        """Return whether two requests differ in what they explain alone, so that one search serves both."""
        searched = [name for name in self.__dataclass_fields__ if name not in EXPLAINED]
        return all(getattr(self, name) == getattr(other, name) for name in searched)

    @classmethod
    def of(cls, *, sample: bool = False, **fields: Any) -> "TranslateOptions":
        """Build options from flat names, as a command line or a JSON object has them: the fields of this class,
        `sample`, those of `Sampling`, and decoding settings. What is None counts as not given."""
        given = {name: value for name, value in fields.items() if value is not None}
        drawn = {name: given.pop(name) for name in DRAWN if name in given}
        mbr = given.get("mbr", 0)
        if drawn and not (sample or mbr):
            raise ConfigError(*(f"{name}: needs sample or mbr" for name in drawn))
        own = {name: given.pop(name) for name in list(given) if name in cls.__dataclass_fields__ and name != "sampling"}
        changes = {**own.pop("changes", {}), **given}
        return cls(sampling=Sampling(**drawn) if sample or drawn else None, changes=changes, **own)

    def settings(self, run: DecodingSettings, *, attends: bool) -> DecodingSettings:
        """Return the decoding settings of a run with the changes of this request. Raises ConfigError if they
        contradict each other, or need an attention that the model has not."""
        settings = with_changes(run, self.changes)
        for name in ("coverage_penalty", "link_share"):
            if self.changes.get(name) and not attends:
                raise ConfigError(f"{name}: needs a model with attention, and this one has none; remove it")
        if not (self.drawn or self.mbr) and self.n_best > settings.beam_size:
            settings = changed(settings, beam_size=self.n_best)
        return settings


def texts_of(given: Iterable[Any], name: str) -> list[str]:
    """Return texts as a list. Raises ConfigError if they are one text, whose characters would be taken for lines, or if
    one of them is no text."""
    if isinstance(given, str | bytes):
        raise ConfigError(f"{name}: is a single text; give a list of texts, such as [text]")
    found = list(given)
    for place, text in enumerate(found, start=1):
        if not isinstance(text, str):
            raise ConfigError(f"{name}: item {place} is not a text but {type(text).__name__}; give texts only")
        try:
            text.isascii() or text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{name}: item {place} has half of a surrogate pair, which is no character") from None
    return found


def pairs_of(given: Iterable[Any]) -> list[tuple[str, str]]:
    """Return (source, target) pairs as a list. Raises ConfigError if one is not a pair of texts."""
    found = list(given)
    for place, pair in enumerate(found, start=1):
        if isinstance(pair, str | bytes) or len(pair) != 2:
            raise ConfigError(f"pairs: item {place} is not a pair of a source and a target; give (source, target)")
        texts_of(pair, f"pairs: item {place}")
    return found


def check_request(changes: Mapping[str, Any], *, n_best: int = 1, drawn: bool = False, mbr: int = 0) -> None:
    """Raises ConfigError if something could have no effect. `changes` are settings that the user gave."""
    problems = []
    if n_best < 1:
        problems.append(f"n_best: {number(n_best)} must be 1 or more")
    if mbr < 0 or mbr == 1:
        problems.append(f"mbr: {number(mbr)} must be 2 or more, or 0 for none")
    for name, value in (("n_best", n_best), ("mbr", mbr)):
        if value > MOST:
            problems.append(f"{name}: {number(value)} must be {MOST} or less")
    if drawn or mbr:
        problems += [
            f"{name}: has no effect on samples, which need no beam; remove it" for name in BEAM if name in changes
        ]
        if mbr and n_best > mbr:
            problems.append(f"n_best: {n_best} needs mbr of {n_best} or more, and it is {mbr}")
    elif n_best > changes.get("beam_size", n_best):
        problems.append(f"n_best: {n_best} needs a beam_size of {n_best} or more, and it is {changes['beam_size']}")
    if problems:
        raise ConfigError(*problems)


def with_changes(
    settings: DecodingSettings, changes: Mapping[str, Any], allowed: tuple[str, ...] = ()
) -> DecodingSettings:
    """Return the settings with some replaced. Raises ConfigError for an impossible value, for settings that
    contradict each other, and for one that is not among `allowed`, if these are given."""
    found = changed(settings, **changes)
    if idle := [name for name in changes if allowed and name not in allowed]:
        raise ConfigError(*(f"{name}: has no effect on given translations; remove it" for name in idle))
    if 0 < found.max_length < found.min_length:
        raise ConfigError(f"min_length: {found.min_length} is more than max_length={found.max_length}")
    return found
