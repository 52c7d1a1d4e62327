"""Writes docs/systems.md from the tables of the package: `make reference`, after registering something."""

import inspect
from pathlib import Path
from typing import Any

from nmt.model.architecture import ARCHITECTURES
from nmt.model.attention import ATTENTIONS
from nmt.model.bridge import BRIDGES
from nmt.model.decoder import DECODERS
from nmt.model.recurrent import CELLS
from nmt.training.forcing import FORCINGS
from nmt.training.schedule import SCHEDULES

PROJECT = Path(__file__).parent.parent

HEAD = """\
# Systems

Everything that a config can name, with its equation and source; written by `make reference` from the tables of the
package. `python scripts/ablation.py` compares them on the bundled corpus.
"""

TABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "Architectures": ("model.architecture", ARCHITECTURES),
    "Cells": ("model.cell", CELLS),
    "Attentions": ("model.attention", ATTENTIONS),
    "Decoders": ("model.decoder", DECODERS),
    "Bridges": ("model.bridge", BRIDGES),
    "Teacher forcing": ("training.forcing_schedule", FORCINGS),
    "Learning-rate schedules": ("training.schedule", SCHEDULES),
}


# A cell of torch's own, or a partial application, has no docstring that says what it is.
CELL_MEANINGS = {
    "rnn": "h' = tanh(W x + U h + b) (Elman 1990).",
    "gru": "Two gates, one state (Cho et al. 2014); with `model.encoder_transitions` or `model.decoder_transitions` a "
    "chain of GRUs per step (Miceli Barone et al. 2017).",
    "lstm": "Three gates and a cell state (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).",
    "ln_lstm": "An LSTM that normalises the pre-activation of each gate (Ba et al. 2016).",
}


def reference() -> str:
    lines = [HEAD]
    for title, (key, entries) in TABLES.items():
        lines += [f"## {title}: `{key}`", ""]
        for name, entry in entries.items():
            lines += [f"* **`{name}`** {CELL_MEANINGS[name] if entries is CELLS else _meaning(entry)}"]
        lines.append("")
    return "\n".join(lines)


def _meaning(entry: Any) -> str:
    """The docstring, its paragraphs joined; formulas stay as they are written there."""
    text = inspect.cleandoc(entry.__doc__ or "")
    return " ".join(text.split()).replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    (PROJECT / "docs" / "systems.md").write_text(reference(), encoding="utf-8")
