"""The validation text with the translations of the kept model, as a run keeps them for its report."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nmt.data.dataset import Dataset
from nmt.data.subword import Subword
from nmt.data.words import split_words
from nmt.errors import DataError
from nmt.files import MEGA, read_json, run_file_exists, write_atomic
from nmt.runs.store import OUTPUTS

FORMAT = 1
MOST_LINES = 2000  # of a longer text, as many lines from all over it
LONGEST = 2000  # characters of a line
MOST_PAIRS = 50_000  # training pairs whose words are counted
LARGEST = 40 * MEGA  # bytes of the file


@dataclass(frozen=True)
class Outputs:
    """Hold validation lines and their greedy translations. Lines that are too long are cut on all sides."""

    step: int  # of the model that made them
    lines: int  # that the validation text has
    language: str  # of the target; "" if it is unknown
    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    words: dict[str, int] = field(default_factory=dict)  # how often these words occur in the training targets
    counted: int = 0  # training pairs in which they were counted; 0: not counted

    @classmethod
    def of(
        cls, step: int, language: str, sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]
    ) -> "Outputs":
        """Keep up to MOST_LINES of the lines."""
        chosen = np.linspace(0, len(sources) - 1, min(MOST_LINES, len(sources))).astype(int).tolist()
        own, wanted, given = ([text[index][:LONGEST] for index in chosen] for text in (sources, references, hypotheses))
        return cls(step, len(sources), language, own, wanted, given)

    def words_seen(self) -> set[str]:
        """Return the words of all references and translations."""
        return {word.text for line in (*self.references, *self.hypotheses) for word in split_words(line)}


def count_words(data: Dataset, target: Subword, words: set[str]) -> dict[str, Any]:
    """Return `words`, how often each occurs in the training targets, and `counted`, in how many pairs they were
    counted: all, or MOST_PAIRS from all over a larger text."""
    chosen = np.linspace(0, len(data) - 1, min(MOST_PAIRS, len(data))).astype(int).tolist()
    counts: Counter[str] = Counter()
    for index in chosen:
        counts.update(word.text for word in split_words(target.decode(data.target(index).tolist())))
    return {"words": {word: counts[word] for word in words if counts[word]}, "counted": len(chosen)}


def save_outputs(run: Path, outputs: Outputs) -> None:
    """Write the file of a run. Raises OSError."""
    content = json.dumps({"format": FORMAT, **asdict(outputs)}, ensure_ascii=False)
    write_atomic(run / OUTPUTS, content.encode("utf-8", "replace"))


def load_outputs(run: Path) -> Outputs | None:
    """Read the file of a run; None if the run is older than it. Raises DataError if it is damaged."""
    if not run_file_exists(run, OUTPUTS):
        return None
    try:
        return _checked(read_json(run / OUTPUTS, LARGEST))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{run / OUTPUTS}: damaged; remove the file, and nmt report does without it") from None


def _checked(values: Mapping[str, Any]) -> Outputs:
    texts = [values[name] for name in ("sources", "references", "hypotheses")]
    words, counts = values["words"], [values[name] for name in ("step", "lines", "counted")]
    if values["format"] != FORMAT or not isinstance(values["language"], str) or not isinstance(words, dict):
        raise ValueError
    if not all(type(count) is int and count >= 0 for count in [*counts, *words.values()]):
        raise ValueError
    for lines in texts:
        if not isinstance(lines, list) or not 0 < len(lines) == len(texts[0]) <= MOST_LINES:
            raise ValueError
        if not all(isinstance(line, str) and len(line) <= LONGEST for line in lines):
            raise ValueError
    sources, references, hypotheses = texts
    return Outputs(counts[0], counts[1], values["language"], sources, references, hypotheses, words, counts[2])
