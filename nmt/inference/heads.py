"""Compute the attention of each head for a given translation. Search needs only the mean."""

import threading
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.model import Seq2Seq
from nmt.model.attention import QueryKeyValueAttention


def attention_with_heads(model: Seq2Seq) -> QueryKeyValueAttention | None:
    """Return the attention to the source whose weights the model reports, if it has several heads; else None."""
    found = [each for each in model.decoder.modules() if isinstance(each, QueryKeyValueAttention)]
    return found[-1] if found and found[-1].heads > 1 else None


@torch.inference_mode()
def head_attention(
    model: Seq2Seq, source: Int[Tensor, "batch src"], target_input: Int[Tensor, "batch tgt"]
) -> Float[Tensor, "batch heads tgt src"] | None:
    """Return the weights of each head for a given translation; None if the attention has not several heads."""
    attention = attention_with_heads(model)
    if attention is None:
        return None
    parts: list[Tensor] = []
    own = threading.get_ident()

    def note(_: Any, given: tuple[Any, ...]) -> None:
        if threading.get_ident() != own:  # another batch, which uses the same model
            return
        query, memory = given[:2]  # (batch, tgt or 1, hidden)
        parts.append(attention.of_heads(query, memory))

    handle = attention.register_forward_pre_hook(note)
    try:
        model(source, target_input)
    finally:
        handle.remove()
    return torch.cat(parts, dim=2)  # a decoder that goes word by word attends once for each
