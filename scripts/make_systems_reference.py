"""Writes docs/systems.md from the tables of the package: `make reference`, after registering something."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmt.metrics import LOSS, METRICS
from nmt.model.architecture import ARCHITECTURES
from nmt.model.attention import ATTENTIONS
from nmt.model.bridge import BRIDGES
from nmt.model.decoder import DECODERS
from nmt.model.recurrent import CELLS
from nmt.training.forcing import FORCINGS
from nmt.training.optimizer import OPTIMIZERS
from nmt.training.schedule import SCHEDULES

PROJECT = Path(__file__).parent.parent

HEAD = """\
# Systems

Every architecture, cell, attention, decoder, bridge, optimizer and schedule that a config can name, with equation and
source, and what may choose the best checkpoint; written by `make reference` from the tables of the package.
`python scripts/lab/ablation.py` compares them on the bundled corpus.
"""


def tables() -> dict[str, tuple[str, dict[str, str]]]:
    """{title: (key, {name: meaning})}."""
    return {
        "Architectures": ("model.architecture", _docstrings(ARCHITECTURES)),
        "Cells": ("model.cell", {name: cell.meaning for name, cell in CELLS.items()}),
        "Attentions": ("model.attention", _docstrings(ATTENTIONS)),
        "Decoders": ("model.decoder", _docstrings(DECODERS)),
        "Bridges": ("model.bridge", _docstrings(BRIDGES)),
        "Teacher forcing": ("training.forcing_schedule", _docstrings(FORCINGS)),
        "Optimizers": ("training.optimizer", _docstrings(OPTIMIZERS)),
        "Learning-rate schedules": ("training.schedule", _docstrings(SCHEDULES)),
        "What chooses the best checkpoint": ("training.metric", _validation_metrics()),
    }


def reference() -> str:
    lines = [HEAD]
    for title, (key, meanings) in tables().items():
        lines += [f"## {title}: `{key}`", ""]
        lines += [f"* **`{name}`** {meaning}" for name, meaning in meanings.items()]
        lines.append("")
    return "\n".join(lines)


def _docstrings(entries: Mapping[str, Any]) -> dict[str, str]:
    """Paragraphs joined; formulas stay as they are written there. Raises ValueError where there is none."""
    found = {}
    for name, entry in entries.items():
        if not entry.__doc__:
            raise ValueError(
                f"{name}: {entry.__qualname__} needs a docstring, which is what docs/systems.md says of it"
            )
        found[name] = " ".join(inspect.cleandoc(entry.__doc__).split()).replace("*", "\\*").replace("|", "\\|")
    return found


def _validation_metrics() -> dict[str, str]:
    """Those of text are in METRICS; the loss is not."""
    found = {
        name: f"{metric.name} of greedy translations; {'higher' if metric.higher_is_better else 'lower'} is better."
        for name, metric in METRICS.items()
    }
    return found | {LOSS: "Loss, in nats per target token; lower is better."}


if __name__ == "__main__":
    (PROJECT / "docs" / "systems.md").write_text(reference(), encoding="utf-8")
