"""What the scripts that draw share: where their pictures go, and what they say without matplotlib."""

import importlib.util
import sys
from pathlib import Path

from nmt.errors import extra

PICTURES = Path(__file__).parent.parent.parent / "docs" / "lab" / "pictures"


def need_matplotlib() -> None:
    """To be asked before a long computation."""
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit(f"the picture needs matplotlib: {extra('plot')}")
