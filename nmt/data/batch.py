"""A batch: sentences padded to one length, begin and end added, the target shifted once and for all."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nmt.data.dataset import Ids
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID

EIGHT = 8  # positions of a batch on a GPU are a multiple of it


@runtime_checkable
class Sentences(Protocol):
    """Hold pairs of id sequences, without begin and end."""

    def source(self, index: int) -> Ids:
        """Return the source ids of a pair."""

    def target(self, index: int) -> Ids:
        """Return the target ids of a pair."""


class SoftTargets(NamedTuple):
    """The pieces that teachers hold most probable at each position of a target, whose sum is less than 1."""

    pieces: Int[Tensor, "batch tgt some"]
    probs: Float[Tensor, "batch tgt some"]


class Batch(NamedTuple):
    """Hold a padded batch: `target_input` is begin + target, `target_output` is target + end; padding is PAD_ID.

    `source` stays on the host: the model reads the lengths of the sentences there, and copies it.
    """

    source: Int[Tensor, "batch src"]
    target_input: Int[Tensor, "batch tgt"]
    target_output: Int[Tensor, "batch tgt"]
    target_tokens: int  # real ones, end included
    soft_targets: SoftTargets | None = None
    alignment: Float[Tensor, "batch tgt src"] | None = None  # rows sum to 1, or to 0 where a token has no link
    places: Int[Tensor, " tokens"] | None = None  # of the real target tokens in (batch * tgt); None: still to be found

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device, without waiting for it."""
        if device.type == "cpu":
            return self if self.places is not None else self._replace(places=self.real_places())

        if device.type == "cuda" and self.places is None:
            wide = self.widened(EIGHT)
            return wide._replace(places=wide.real_places()).to(device)

        def moved(part: Tensor) -> Tensor:
            pinned = part.pin_memory() if device.type == "cuda" else part
            return pinned.to(device, non_blocking=True)

        return self._replace(
            source=self.source.pin_memory() if device.type == "cuda" else self.source,
            target_input=moved(self.target_input),
            target_output=moved(self.target_output),
            soft_targets=self.soft_targets and SoftTargets(*map(moved, self.soft_targets)),
            alignment=None if self.alignment is None else moved(self.alignment),
            places=moved(self.real_places()),
        )

    def widened(self, multiple: int) -> "Batch":
        """Return the batch padded on both sides to a multiple of some length: the sizes that a GPU's kernels like."""
        more, more_target = (-part.size(1) % multiple for part in (self.source, self.target_input))

        def padded(part: Tensor, *columns: int) -> Tensor:
            return F.pad(part, columns, value=PAD_ID)

        soft = self.soft_targets and SoftTargets(*(padded(part, 0, 0, 0, more_target) for part in self.soft_targets))
        alignment = None if self.alignment is None else padded(self.alignment, 0, more, 0, more_target)
        return Batch(
            padded(self.source, 0, more),
            padded(self.target_input, 0, more_target),
            padded(self.target_output, 0, more_target),
            self.target_tokens,
            soft,
            alignment,
        )

    def real_places(self) -> Int[Tensor, " tokens"]:
        """Return the places of the real target tokens in (batch * tgt), in order."""
        if self.places is not None:
            return self.places
        return (self.target_output != PAD_ID).flatten().nonzero().squeeze(1)

    def rows(self, first: int, end: int) -> "Batch":
        """Select some of the sentences, with no more padding than they need."""
        source, target_input, target_output = (part[first:end] for part in self[:3])
        real = target_output != PAD_ID
        width, target_width = int((source != PAD_ID).sum(dim=1).max()), int(real.sum(dim=1).max())
        return Batch(
            source[:, :width],
            target_input[:, :target_width],
            target_output[:, :target_width],
            int(real.sum()),
            self.soft_targets and SoftTargets(*(part[first:end, :target_width] for part in self.soft_targets)),
            None if self.alignment is None else self.alignment[first:end, :target_width, :width],
        )


def make_batch(sentences: Sentences, indices: Sequence[int] | np.ndarray) -> Batch:
    """Make a batch of the sentences at `indices`, in that order."""
    targets = [sentences.target(int(index)) for index in indices]
    sources = pad_sources([sentences.source(int(index)) for index in indices])
    return Batch(sources, *pad_targets(targets), sum(len(target) + 1 for target in targets))


def pad_sources(sources: Sequence[Ids | list[int]]) -> Int[Tensor, "batch src"]:
    """Pad source ids, with the end added: an empty sentence is the end alone."""
    return _pad([np.concatenate([source, [EOS_ID]]) for source in sources])


def pad_targets(targets: Sequence[Ids | list[int]]) -> tuple[Int[Tensor, "batch tgt"], Int[Tensor, "batch tgt"]]:
    """Pad target ids, with begin added (what goes in) and with the end added (what should come out)."""
    return (
        _pad([np.concatenate([[BOS_ID], target]) for target in targets]),
        _pad([np.concatenate([target, [EOS_ID]]) for target in targets]),
    )


def _pad(rows: list[np.ndarray]) -> Int[Tensor, "batch time"]:
    padded = np.full((len(rows), max(len(row) for row in rows)), PAD_ID, np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)
