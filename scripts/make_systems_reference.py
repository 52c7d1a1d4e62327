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
package. [ablation.md](ablation.md) compares them on one corpus, [claims.md](claims.md) shows what they are for.
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


def reference() -> str:
    lines = [HEAD]
    for title, (key, entries) in TABLES.items():
        lines += [f"## {title}: `{key}`", ""]
        for name, entry in entries.items():
            lines += [f"* **`{name}`** {_meaning(entry)}"]
        lines.append("")
    return "\n".join(lines)


def _meaning(entry: Any) -> str:
    """The docstring, its paragraphs joined; formulas stay as they are written there."""
    text = inspect.cleandoc(entry.__doc__ or "")
    return " ".join(text.split()).replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    (PROJECT / "docs" / "systems.md").write_text(reference(), encoding="utf-8")
