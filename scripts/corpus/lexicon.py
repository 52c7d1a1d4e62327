"""The lexicon as one list."""

from .modifiers import ADJECTIVES, ADVERBS, MONTHS, WEEKDAYS
from .nouns import CITIES, COUNTRIES, LANGUAGES, NAMES, NOUNS, SUBJECTS
from .numbers import EN_TENS, EN_UNITS
from .plans_life import DOTTED, POSITIONS
from .verbs import FRAMES


def entries() -> list[str]:
    """All entries, each once, as `kind:english`, in a fixed order."""
    found = [f"noun:{noun}" for noun in NOUNS]
    found += [f"verb:{frame.en}={frame.fr}" for frame in FRAMES]
    found += [f"adjective:{adjective}" for adjective in ADJECTIVES]
    found += [f"adverb:{adverb}" for adverb in ADVERBS]
    found += [f"name:{name}" for name, _ in NAMES] + [f"city:{city}" for city, _ in CITIES]
    found += [f"country:{country[0]}" for country in COUNTRIES]
    found += [f"subject:{name}" for name in (*LANGUAGES, *SUBJECTS)]
    found += [f"date:{name}" for name in (*WEEKDAYS, *MONTHS)]
    found += [f"number:{word}" for word in (*EN_UNITS, *EN_TENS) if word != "-"]
    found += [f"preposition:{english}" for english, _ in (*POSITIONS, *DOTTED)]
    return list(dict.fromkeys(found))
