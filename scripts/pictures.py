"""What the scripts that draw share: where their pictures go, and what they say without matplotlib."""

import importlib.util
import sys
from pathlib import Path

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


def need_matplotlib() -> None:
    """To be asked before a long computation."""
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit("the picture needs matplotlib: pip install 'nmt[plot]'")
