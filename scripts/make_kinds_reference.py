"""Writes docs/kinds-of-text.md from `kinds_of_text.py`: `make reference`, after adding a kind."""

from pathlib import Path

from kinds_of_text import KINDS

PROJECT = Path(__file__).parent.parent

HEAD = """\
# What can I train on?

`nmt` trains on any text that has two sides, whatever the languages and whatever the file. Find the row that looks like
yours. Type what the second column says in the folder of your files. Each row is a test: `tests/test_kinds_of_text.py`
trains on a small corpus of that kind, and checks that every target line can be produced and that a perfect translation
scores 100.

`nmt train FILE` chooses the settings by the number of pairs and takes validation text from the training text
([your-corpus.md](your-corpus.md)). [formats.md](formats.md) describes the files, [metrics.md](metrics.md) the scores.
This page is written by `make reference`.

| kind | files | what you type | what comes out |
|---|---|---|---|
"""


def reference() -> str:
    """Return the page."""
    rows = (
        f"| {kind.name} | {', '.join(f'`{name}`' for name in kind.files)} "
        f"| `nmt train {kind.typed.replace('|', chr(92) + '|')}` | {kind.outcome.replace('|', chr(92) + '|')} |\n"
        for kind in KINDS
    )
    return HEAD + "".join(rows)


if __name__ == "__main__":
    (PROJECT / "docs" / "kinds-of-text.md").write_text(reference(), encoding="utf-8")
