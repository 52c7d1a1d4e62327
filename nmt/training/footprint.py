"""How much memory a training takes, before it starts: what stays all the time, the largest batch, the largest file."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nmt.config import Settings
from nmt.data.batch import Batch
from nmt.errors import OutOfMemory, is_out_of_memory
from nmt.memory import memory_at_hand
from nmt.model import Seq2Seq, make_model, model_shapes
from nmt.runs.weights import MAX_HEADER
from nmt.training.loss import batch_loss
from nmt.training.optimizer import memory_needed, values_per_weight

# Bytes that training takes whatever the model: code and tables that are loaded when they are needed, compiled kernels,
# the batches of a validation. Measured for the two recipes in configs/.
ALWAYS = 200_000_000
BACKWARD = 1.5  # the backward pass over what the forward pass kept: gradients come on top


class Footprint(NamedTuple):
    """Hold the bytes that a training takes at its peak, on top of what the process took before."""

    weights: int  # with gradients, optimizer state and moving average
    batch: int  # the forward and backward pass of the largest batch
    saving: int  # the largest file of a checkpoint
    always: int = ALWAYS

    @property
    def total(self) -> int:
        """Return all of them together."""
        return sum(self)


def footprint(settings: Settings, vocab: Sequence[int], shapes: Iterable[Sequence[int]], largest: Batch) -> Footprint:
    """Return what a training takes; `shapes` are those of the weights, `largest` is its largest batch."""
    shapes, training = list(shapes), settings.training
    saving = 4 * values_per_weight(training) * sum(math.prod(shape) for shape in shapes)

    # The bytes that the forward pass of the batch keeps for the backward pass, computed on shapes alone.
    meta = torch.device("meta")
    kept: dict[int, int] = {}  # {storage: its bytes}, so that views count once
    alive: list[Tensor] = []  # so that no storage is freed, and its number used again

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with meta:
        model = make_model(settings.model, *vocab).train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = batch_loss(model, largest.to(meta), label_smoothing=training.label_smoothing)
    weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
    del loss
    saved = sum(size for storage, size in kept.items() if storage not in weights)
    return Footprint(memory_needed(training, shapes), round(BACKWARD * saved), saving)


def new_model(settings: Settings, sizes: Sequence[int], device: torch.device) -> Seq2Seq:
    """Return a new model on the device; `sizes` are those of the vocabularies.

    Raise OutOfMemory, before it is built, if it does not fit with gradients and optimizer state.
    """
    needed = memory_needed(settings.training, model_shapes(settings.model, sizes).values())
    too_large = OutOfMemory(
        f"the model does not fit into memory: {needed / 1e6:,.0f} MB with gradients and optimizer; "
        "set model.hidden, model.embedding or subword.vocab_size lower"
    )
    if device.type == "cpu" and needed > memory_at_hand():
        raise too_large
    try:
        return make_model(settings.model, *sizes).to(device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise too_large from None


def largest_file(settings: Settings, sizes: Sequence[int]) -> int:
    """Return an upper bound for the size of a checkpoint file, in bytes: an optimizer keeps two values per weight."""
    shapes = model_shapes(settings.model, sizes)
    return 3 * 8 * sum(math.prod(shape) for shape in shapes.values()) + 2 * MAX_HEADER
