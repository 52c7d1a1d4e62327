"""nmt trained in float32, whatever the hardware multiplies natively."""

from peers.ours import Ours
from peers.worker import serve


class OursFloat32(Ours):
    precision = "float32"


if __name__ == "__main__":
    serve(OursFloat32)
