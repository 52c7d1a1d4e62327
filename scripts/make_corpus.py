"""Writes the bundled English-French corpus: python scripts/make_corpus.py [--out data/en-fr]."""

import argparse
from pathlib import Path

from corpus.generate import build
from corpus.sentence import Sentence
from corpus.split import Corpus


def write_lines(path: Path, lines: list[str]) -> None:
    """Writes lines as UTF-8 with Unix line ends."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


def write_part(folder: Path, name: str, part: list[Sentence]) -> None:
    """Writes one part with its gold alignments."""
    write_lines(folder / f"{name}.en", [sentence.en for sentence in part])
    write_lines(folder / f"{name}.fr", [sentence.fr for sentence in part])
    write_lines(folder / f"{name}.align", [sentence.pharaoh() for sentence in part])


def write_corpus(corpus: Corpus, folder: Path) -> None:
    """Writes all files of the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    write_part(folder, "train", corpus.train)
    write_part(folder, "valid", corpus.valid)
    write_part(folder, "test", corpus.test)
    write_lines(folder / "test.recombined", [str(line) for line in corpus.recombined])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/en-fr"))
    write_corpus(build(), parser.parse_args().out)


if __name__ == "__main__":
    main()
