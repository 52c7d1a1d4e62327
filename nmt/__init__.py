"""Recurrent neural machine translation: train, run and explain GRU and LSTM models with attention.

translator = nmt.load("runs/en-fr")
translator.translate(["I love you."], beam_size=5)[0].text
"""

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

from nmt.environment import FOR_TRAINING, bound_primitives, limit_threads
from nmt.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nmt.inference.translator import Translator

if sys.platform == "win32":
    _LINE = "nmt runs on Linux and macOS; on Windows, use WSL: open a WSL shell and install nmt inside it"
    if PurePath(sys.argv[0]).stem in {"nmt", "-m"}:  # the command
        sys.exit(f"error: {_LINE}")
    raise ImportError(_LINE)

# Before torch is used, from the command line as from Python.
bound_primitives(FOR_TRAINING)
limit_threads()

__version__ = "0.1.0"
__all__ = ["ConfigError", "DataError", "UserError", "__version__", "load"]


def load(
    path: "Path | str | Sequence[Path | str]", *, device: str | None = None, threads: int | None = None
) -> "Translator":
    """Load a trained run, or several as an ensemble, as a `Translator`. Raises DataError if one is damaged or
    incomplete."""
    from nmt.api import load_translator

    return load_translator(path, device, threads)
