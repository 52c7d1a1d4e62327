"""nmt with weights in 8 bits, as `nmt export --int8` makes them. It only decodes."""

from pathlib import Path

from peers.ours import Ours
from peers.work import Work
from peers.worker import serve

from nmt.model.int8 import quantize


class EightBits(Ours):
    def __init__(self, work: Work, folder: Path) -> None:
        super().__init__(work, folder)
        quantize(self.translator)


if __name__ == "__main__":
    serve(EightBits)
