r"""How many pieces a shortlist leaves of the target vocabulary, with real text.

    python scripts/lab/shortlist_sizes.py configs/multi30k-en-fr.yaml data.folder=FOLDER \
        subword.joint=false subword.vocab_size=8000 model.tying=none

The shortlist is learnt from the training text, as `nmt export --shortlist` does; the sentences are those of the
validation text, sorted by length and taken so many at a time, as `nmt translate` takes them.
"""

import argparse
import statistics
from collections.abc import Iterator

from nmt import config
from nmt.data.batch import pad_sources
from nmt.data.dataset import Dataset
from nmt.data.lexicon import learn_lexicon
from nmt.data.prepare import prepare
from nmt.inference.shortlist import Shortlist

TRANSLATIONS = (10, 20, 50)  # of each source piece
AT_A_TIME = (1, 32, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    data = prepare(config.load(options.config, options.settings), print)
    sizes = [len(subword) for subword in data.subwords]
    lexicon = learn_lexicon(data.train, *sizes)
    print(f"median pieces of {sizes[1]:,}, and batches that have none, for a piece that training has not seen")
    for count in TRANSLATIONS:
        shortlist = Shortlist.of(lexicon, count, sizes[0])
        for together in AT_A_TIME:
            found = list(pieces(shortlist, data.valid, together))
            known = [number for number in found if number]
            median = statistics.median(known) if known else 0
            print(
                f"{count} translations, {together} sentences: {median:,.0f}, {len(found) - len(known)} of {len(found)}"
            )


def pieces(shortlist: Shortlist, data: Dataset, together: int) -> Iterator[int]:
    """The pieces of the shortlist of each batch; 0 if it has none."""
    sources = sorted((data.source(index) for index in range(len(data))), key=len)
    for start in range(0, len(sources), together):
        allowed = shortlist.pieces(pad_sources(sources[start : start + together]))
        yield 0 if allowed is None else len(allowed)


if __name__ == "__main__":
    main()
