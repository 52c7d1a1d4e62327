"""Draws the pool of sentences from the plans."""

import gc
import random
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import chain

from . import plans, plans_basic, plans_joined, plans_life, plans_long  # noqa: F401 (they register their plans)
from .fixed import fixed_sentences
from .nouns import NAMES
from .sentence import Sentence, finish
from .split import TEST, TRAIN, VALID, Corpus, divide, source_words, together
from .words import split_words
from .world import World

SEED = 20_240
SPARE = 2_100
CHUNKS = 8
CHUNK = (TRAIN + VALID + TEST + SPARE) // CHUNKS
LENGTHS = range(2, 61)
FIRST_NAMES = frozenset(name for name, _ in NAMES)


@cache
def plan_weights() -> dict[str, float]:
    """How often each plan is drawn."""
    return {name: weight for name, (_, weight) in plans.PLANS.items()}


def draw(world: World) -> Sentence:
    """One sentence of a plan drawn by weight."""
    name = world.pick(plan_weights())
    world.pairs = []
    parts, sign = plans.PLANS[name][0](world)
    return finish(parts, sign, world.pairs, name)


def acceptable(sentence: Sentence) -> bool:
    """Whether both sides have a permitted length, and nobody is named twice."""
    sides = [split_words(side) for side in (sentence.en, sentence.fr)]
    named = [word for word in sides[0] if word in FIRST_NAMES]
    return len(named) == len(set(named)) and all(len(side) in LENGTHS for side in sides)


def built(sentence: Sentence) -> Sentence:
    """Keeps the word pairs that made it into the text (drafts leave some behind)."""
    words = source_words(sentence)
    return sentence._replace(pairs=tuple(pair for pair in sentence.pairs if together(words, pair)))


def chunk(seed: int) -> list[Sentence]:
    """A share of the sentences, distinct among themselves."""
    gc.disable()
    world = World(random.Random(seed))
    found: dict[str, Sentence] = {}
    while len(found) < CHUNK:
        sentence = draw(world)
        if sentence.en not in found and acceptable(sentence):
            found[sentence.en] = built(sentence)
    gc.enable()
    return list(found.values())


def build(seed: int = SEED) -> Corpus:
    """The whole corpus; the shares are drawn side by side and joined in a fixed order."""
    fixed = fixed_sentences()
    taken = {sentence.en for sentence in fixed}
    pool: list[Sentence] = []
    with ProcessPoolExecutor() as workers:
        for sentence in chain.from_iterable(workers.map(chunk, range(seed, seed + CHUNKS))):
            if sentence.en not in taken:
                taken.add(sentence.en)
                pool.append(sentence)
    return divide(fixed, pool, random.Random(seed))
