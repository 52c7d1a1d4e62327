"""An encoding of text beside training that takes its pace from the test. Imported by the process that encodes: keep it
light."""

import os
import time
from pathlib import Path
from typing import Any

from nmt.data import early
from nmt.data import write_dataset as writing
from nmt.data.corpus import Pair


def pace(folder: Path) -> None:
    """Let this process keep its cache in a folder, and encode at the pace that is set there."""
    os.environ["NMT_CACHE"] = str(folder / "cache")
    early.encode = paced_encode  # type: ignore[assignment]


def paced_encode(say: early.Say, cache: str, *arguments: Any) -> dict[str, int]:
    """Encode as many chunks as the file `pace` beside the cache allows, and wait there."""
    place = Path(cache).parent
    (place / "encoder").write_text(str(os.getpid()))
    real, chunks = writing.Encoder.__call__, 0

    def paced(self: writing.Encoder, chunk: list[Pair]) -> writing.Encoded:
        nonlocal chunks
        chunks += 1
        while int((place / "pace").read_text() or 0) < chunks:
            time.sleep(0.01)
        return real(self, chunk)

    writing.Encoder.__call__ = paced  # type: ignore[method-assign]
    return early.encode(say, cache, *arguments)
