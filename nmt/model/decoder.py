"""The decoder: embedded target words and the memory -> features, from which the generator predicts the next token.

All decoders have one method for a whole target and for a single step; a step is a target of length one. Their
state is a tuple of tensors (anything, rows, size), so a beam is reordered by selecting along dimension 1. Here that
is the recurrent state (layers, rows, size), then the vector of input feeding, then the attention's cache.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.kernels.deferred_gradients import Linear, deferred_gradients
from nmt.model.attention import ATTENTIONS
from nmt.model.dropout import SequenceDropout
from nmt.model.memory import Memory
from nmt.model.recurrent import Masks, Recurrent, State, join_layers, split_layers, state_parts


class Decoded(NamedTuple):
    """Hold what a decoder computes for each target position."""

    features: Float[Tensor, "rows tgt features"]
    attention: Float[Tensor, "rows tgt src"]
    state: State


class Decoder(nn.Module):
    """Define what the model asks of a decoder of any kind."""

    features: int  # size of the features

    def encode_memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        """Compute what all positions read, once per sentence."""
        raise NotImplementedError

    def initial_state(self, state: State, memory: Memory) -> State:
        """Return the state before the first token, from the bridge's."""
        raise NotImplementedError

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        """Draw the dropout masks to pass to each `forward` of one sentence, when the caller loops over its
        positions."""
        raise NotImplementedError

    def forward(
        self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks = ()
    ) -> Decoded:
        """Return the features at the positions of `embedded`, which follow those that `state` has seen."""
        raise NotImplementedError


class RecurrentDecoder(Decoder):
    """Build the attention and dropout that all decoders here share; a subclass says where the context enters."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.parts = state_parts(settings.cell)
        self.attention = ATTENTIONS[settings.attention](settings)
        self.dropout = SequenceDropout(settings.dropout, settings.variational)

    def encode_memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return self.attention.memory(encoded, mask)

    def initial_state(self, state: State, memory: Memory) -> State:
        return (*state, *self.attention.initial_state(memory))

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        """Draw the mask of the features first; the others belong to the recurrent layers."""
        stacks = (module for module in self.children() if isinstance(module, Recurrent))
        layers = (mask for stack in stacks for mask in stack.new_masks(rows, like))
        return (self.dropout.mask(rows, self.features, like), *layers)

    def forward(
        self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks = ()
    ) -> Decoded:
        if self.training and not masks:
            masks = self.new_masks(embedded.size(0), embedded)
        decoded = self._decode(embedded, state, memory, masks[1:])
        return decoded._replace(features=self.dropout(decoded.features, masks[0])) if self.training else decoded

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        """Decode with the masks of the recurrent layers, of which there are none outside training."""
        raise NotImplementedError

    def _extra(self, context: int) -> int:
        """Return the size of the context that enters every layer, not only the first."""
        return context if self.settings.context_everywhere else 0

    def _recurrent(self, input_size: int, layers: int, extra: int = 0) -> Recurrent:
        settings = self.settings
        return Recurrent(
            settings.cell,
            input_size,
            settings.hidden,
            layers,
            transitions=settings.decoder_transitions,
            extra=extra,
            dropout=settings.dropout,
            variational=settings.variational,
            residual=settings.residual,
            layer_norm=settings.layer_norm,
        )


class Readout(nn.Module):
    """Compute tanh(norm(W [a; b; ...] + c)): what the decoder knows, in one vector (deep output, Pascanu et al.
    2014)."""

    def __init__(self, input_size: int, features: int, layer_norm: bool) -> None:
        super().__init__()
        self.linear = Linear(input_size, features)
        self.norm = nn.LayerNorm(features) if layer_norm else nn.Identity()

    def forward(self, *parts: Float[Tensor, "rows tgt _"]) -> Float[Tensor, "rows tgt features"]:
        # (rows, tgt, sum of sizes) -> (rows, tgt, features)
        return torch.tanh(self.norm(self.linear(torch.cat(parts, dim=-1))))


def _positions(embedded: Float[Tensor, "rows tgt embed"]) -> Sequence[Float[Tensor, "rows 1 embed"]]:
    """Split the words of a target; a single one stays as it is."""
    return (embedded,) if embedded.size(1) == 1 else embedded.split(1, dim=1)


def _joined(parts: list[Float[Tensor, "rows 1 _size"]]) -> Float[Tensor, "rows tgt _size"]:
    """Join what was computed for each position; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class LuongDecoder(RecurrentDecoder):
    """Decode as Luong et al. 2015: the RNN runs, the new state h_t attends, h~_t = tanh(W_c [h_t; c_t]) goes to the
    generator.

    With input feeding h~_{t-1} stands beside the word in the RNN's input, so positions must be run one by one.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.features = settings.hidden
        self.feeding = settings.input_feeding
        self.rnn = self._recurrent(
            settings.embedding + (settings.hidden if self.feeding else 0), settings.decoder_layers
        )
        self.readout = Readout(settings.hidden + self.attention.context_size, self.features, settings.layer_norm)

    def initial_state(self, state: State, memory: Memory) -> State:
        attentional = (torch.zeros_like(state[0][:1]),) if self.feeding else ()  # (1, rows, hidden)
        return (*state, *attentional, *self.attention.initial_state(memory))

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        recurrent, cache = state[: self.parts], state[self.parts :]
        if not self.feeding:
            outputs, recurrent = self.rnn(embedded, recurrent, masks)  # (rows, tgt, embed) -> (rows, tgt, hidden)
            context, weights, cache = self.attention(outputs, memory, embedded, cache)
            return Decoded(self.readout(outputs, context), weights, (*recurrent, *cache))
        # What is fed first: (1, rows, features) -> (rows, 1, features)
        attentional, cache, layers = cache[0].transpose(0, 1), cache[1:], split_layers(recurrent)
        features, attention = [], []
        with deferred_gradients():
            for word in _positions(embedded):
                # (rows, 1, hidden)
                outputs, layers = self.rnn.run(torch.cat([word, attentional], dim=-1), layers, masks)
                context, weights, cache = self.attention(outputs, memory, word, cache)
                attentional = self.readout(outputs, context)
                features.append(attentional)
                attention.append(weights)
        state = (*join_layers(layers), attentional.transpose(0, 1), *cache)
        # (rows, tgt, features), (rows, tgt, src)
        return Decoded(_joined(features), _joined(attention), state)


class BahdanauDecoder(RecurrentDecoder):
    """Decode as Bahdanau et al. 2015: s_{i-1} attends, the RNN reads [word; c_i], the readout sees [s_i; c_i; word]."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.features = settings.embedding
        context = self.attention.context_size
        self.rnn = self._recurrent(settings.embedding + context, settings.decoder_layers, self._extra(context))
        self.readout = Readout(settings.hidden + context + settings.embedding, self.features, settings.layer_norm)

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        cache, layers = state[self.parts :], split_layers(state[: self.parts])
        outputs, contexts, attention = [], [], []
        with deferred_gradients():
            for word in _positions(embedded):
                query = layers[-1][0].transpose(0, 1)  # state of the top layer: (1, rows, hidden) -> (rows, 1, hidden)
                context, weights, cache = self.attention(query, memory, word, cache)
                # (rows, 1, hidden)
                output, layers = self.rnn.run(torch.cat([word, context], dim=-1), layers, masks, context)
                outputs.append(output)
                contexts.append(context)
                attention.append(weights)
        # (rows, tgt, features)
        features = self.readout(_joined(outputs), _joined(contexts), embedded)
        return Decoded(features, _joined(attention), (*join_layers(layers), *cache))


class ConditionalDecoder(RecurrentDecoder):
    """Attends between the first layer and the others (after the conditional GRU of Sennrich et al. 2017).

    Nothing flows from the top back to the bottom, so all positions of a known target are computed together.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.features = settings.embedding
        context = self.attention.context_size
        self.bottom = self._recurrent(settings.embedding, 1)
        self.top = self._recurrent(settings.hidden + context, settings.decoder_layers - 1, self._extra(context))
        self.readout = Readout(settings.hidden + context, self.features, settings.layer_norm)

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        recurrent, cache = state[: self.parts], state[self.parts :]
        bottom_outputs, bottom = self.bottom(embedded, tuple(part[:1] for part in recurrent))  # (rows, tgt, hidden)
        context, attention, cache = self.attention(bottom_outputs, memory, embedded, cache)
        inputs = torch.cat([bottom_outputs, context], dim=-1)  # (rows, tgt, hidden + value)
        if self.training:
            inputs = self.dropout(inputs, masks[0])
        outputs, top = self.top(inputs, tuple(part[1:] for part in recurrent), masks[1:], context)
        recurrent = tuple(torch.cat(parts) for parts in zip(bottom, top, strict=True))  # (layers, rows, hidden)
        return Decoded(self.readout(outputs, context), attention, (*recurrent, *cache))

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        features, *layers = super().new_masks(rows, like)
        gap = self.dropout.mask(rows, self.settings.hidden + self.attention.context_size, like)
        return (features, gap, *layers)


DECODERS: dict[str, type[RecurrentDecoder]] = {
    "luong": LuongDecoder,
    "bahdanau": BahdanauDecoder,
    "conditional": ConditionalDecoder,
}
