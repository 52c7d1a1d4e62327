"""Snapshots: light copies of the weights from all over training, which show how a model learnt (training.snapshots).

They are taken at steps that are powers of two, and at the last step, because a model changes most at the beginning. If
there are more than wanted, the one goes whose neighbours are closest to each other in proportion.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch

from nmt.config import Settings
from nmt.data.subword import Subwords
from nmt.files import is_folder, write_atomic
from nmt.model import Seq2Seq
from nmt.runs import store
from nmt.runs.weights import named_weights, pack_weights
from nmt.training.lock import RunFolder

FIRST = 16  # step of the first snapshot; earlier models say nothing


class Snapshots:
    """Write and thin out the snapshots of a run."""

    def __init__(self, settings: Settings, subwords: Subwords, owned: RunFolder, warn: Callable[[str], None]) -> None:
        self.settings, self.subwords, self.owned, self.warn = settings, subwords, owned, warn
        self.most = settings.training.snapshots

    def take(self, step: int, model: Seq2Seq, *, last: bool = False) -> None:
        """Keep the weights of a model if a snapshot is due at this step. On a full disk only the snapshot is lost."""
        if not self.most or not (last or (step >= FIRST and step & (step - 1) == 0)):
            return
        self.owned.check()
        folder = self.owned.path / store.SNAPSHOTS
        small = {name: tensor.to(torch.float16) for name, tensor in named_weights(model).items()}
        try:
            for later in [found for found in store.snapshot_steps(self.owned.path) if found > step]:
                (folder / store.snapshot_name(later)).unlink()  # of training that is being repeated
            write_atomic(folder / store.snapshot_name(step), pack_weights(small, self.settings, self.subwords))
            steps = store.snapshot_steps(self.owned.path) if is_folder(folder) else []
            while len(steps) > self.most:
                drop = superfluous(steps)
                steps.remove(drop)
                (folder / store.snapshot_name(drop)).unlink()
        except OSError as error:
            self.warn(f"{folder}: cannot write: {error.strerror}; this snapshot is missing; training continues")


def superfluous(steps: list[int]) -> int:
    """Return the step whose neighbours are closest in proportion; of one or two steps, the first."""
    if len(steps) < 3:
        return steps[0]
    gaps = {middle: math.log(after / before) for (before, middle), (_, after) in pairwise(pairwise(steps))}
    return min(gaps, key=lambda step: gaps[step])
