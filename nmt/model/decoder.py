"""The decoder: embedded target words and the memory -> features, from which the generator tells the next word.

All decoders have one method for a whole target and for a single step; a step is a target of length one. Their
state is a tuple of tensors (anything, rows, size), so a beam is reordered by selecting along dimension 1. Here that
is the recurrent state (layers, rows, size), then what the decoder feeds back to itself, then the attention's past.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.model.attention import ATTENTIONS
from nmt.model.deferred_gradients import Linear, deferred_gradients
from nmt.model.memory import Memory
from nmt.model.recurrent import Masks, Recurrent, SequenceDropout, State, join_layers, split_layers, state_parts


class Decoded(NamedTuple):
    features: Float[Tensor, "rows tgt features"]
    attention: Float[Tensor, "rows tgt src"]
    state: State


class Decoder(nn.Module):
    """What the model asks of a decoder of any kind."""

    features: int  # size of the features

    def remember(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        """What all positions read, computed once per sentence."""
        raise NotImplementedError

    def start(self, state: State, memory: Memory) -> State:
        """The state before the first word, from the bridge's."""
        raise NotImplementedError

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        """Dropout masks to pass to each `forward` of one sentence, when the caller loops over its positions."""
        raise NotImplementedError

    def forward(
        self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks = ()
    ) -> Decoded:
        """Features at the positions of `embedded`, which come after those that `state` knows."""
        raise NotImplementedError


class RecurrentDecoder(Decoder):
    """Base of all here: builds the attention and the readout; a subclass says where the context enters."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.parts = state_parts(settings.cell)
        self.attention = ATTENTIONS[settings.attention](settings)
        self.dropout = SequenceDropout(settings.dropout, settings.variational)

    def remember(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return self.attention.memory(encoded, mask)

    def start(self, state: State, memory: Memory) -> State:
        return (*state, *self.attention.start(memory))

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        """The first is the mask of the features; the others belong to the recurrent layers."""
        layers = (mask for stack in self._stacks() for mask in stack.new_masks(rows, like))
        return (self.dropout.mask(rows, self.features, like), *layers)

    def forward(
        self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks = ()
    ) -> Decoded:
        if not masks:
            masks = self.new_masks(embedded.size(0), embedded)
        decoded = self._decode(embedded, state, memory, masks[1:])
        return decoded._replace(features=self.dropout(decoded.features, masks[0]))

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        raise NotImplementedError

    def _stacks(self) -> list[Recurrent]:
        return [module for module in self.children() if isinstance(module, Recurrent)]

    def _extra(self, context: int) -> int:
        """Size of the context that enters every layer, not only the first."""
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
    """tanh(norm(W [a; b; ...] + c)): what the decoder knows, in one vector (deep output, Pascanu et al. 2014)."""

    def __init__(self, input_size: int, features: int, layer_norm: bool) -> None:
        super().__init__()
        self.linear = Linear(input_size, features)
        self.norm = nn.LayerNorm(features) if layer_norm else nn.Identity()

    def forward(self, *parts: Float[Tensor, "rows tgt _"]) -> Float[Tensor, "rows tgt features"]:
        return torch.tanh(self.norm(self.linear(torch.cat(parts, dim=-1))))


class LuongDecoder(RecurrentDecoder):
    """Luong et al. 2015: the RNN runs, the new state h_t attends, h~_t = tanh(W_c [h_t; c_t]) goes to the generator.

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

    def start(self, state: State, memory: Memory) -> State:
        feed = (torch.zeros_like(state[0][:1]),) if self.feeding else ()
        return (*state, *feed, *self.attention.start(memory))

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        recurrent, past = state[: self.parts], state[self.parts :]
        if self.feeding:
            return self._feed(embedded, recurrent, past[0], past[1:], memory, masks)
        outputs, recurrent = self.rnn(embedded, recurrent, masks)
        context, attention, past = self.attention(outputs, memory, embedded, past)
        return Decoded(self.readout(outputs, context), attention, (*recurrent, *past))

    def _feed(
        self,
        embedded: Float[Tensor, "rows tgt embed"],
        recurrent: State,
        fed: Float[Tensor, "1 rows features"],
        past: State,
        memory: Memory,
        masks: Masks,
    ) -> Decoded:
        feed, layers = fed.transpose(0, 1), split_layers(recurrent)
        features, attention = [], []
        with deferred_gradients():
            for word in embedded.split(1, dim=1):
                outputs, layers = self.rnn.run(torch.cat([word, feed], dim=-1), layers, masks)
                context, weights, past = self.attention(outputs, memory, word, past)
                feed = self.readout(outputs, context)
                features.append(feed)
                attention.append(weights)
        state = (*join_layers(layers), feed.transpose(0, 1), *past)
        return Decoded(torch.cat(features, dim=1), torch.cat(attention, dim=1), state)


class BahdanauDecoder(RecurrentDecoder):
    """Bahdanau et al. 2015: s_{i-1} attends, the RNN reads [word; c_i], the readout sees [s_i; c_i; word]."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.features = settings.embedding
        context = self.attention.context_size
        self.rnn = self._recurrent(settings.embedding + context, settings.decoder_layers, self._extra(context))
        self.readout = Readout(settings.hidden + context + settings.embedding, self.features, settings.layer_norm)

    def _decode(self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks) -> Decoded:
        past, layers = state[self.parts :], split_layers(state[: self.parts])
        outputs, contexts, attention = [], [], []
        with deferred_gradients():
            for word in embedded.split(1, dim=1):
                query = layers[-1][0].transpose(0, 1)
                context, weights, past = self.attention(query, memory, word, past)
                output, layers = self.rnn.run(torch.cat([word, context], dim=-1), layers, masks, context)
                outputs.append(output)
                contexts.append(context)
                attention.append(weights)
        features = self.readout(torch.cat(outputs, dim=1), torch.cat(contexts, dim=1), embedded)
        return Decoded(features, torch.cat(attention, dim=1), (*join_layers(layers), *past))


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
        recurrent, past = state[: self.parts], state[self.parts :]
        below, bottom = self.bottom(embedded, tuple(part[:1] for part in recurrent))
        context, attention, past = self.attention(below, memory, embedded, past)
        inputs = self.dropout(torch.cat([below, context], dim=-1), masks[0])
        outputs, top = self.top(inputs, tuple(part[1:] for part in recurrent), masks[1:], context)
        recurrent = tuple(torch.cat(parts) for parts in zip(bottom, top, strict=True))
        return Decoded(self.readout(outputs, context), attention, (*recurrent, *past))

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        features, *layers = super().new_masks(rows, like)
        gap = self.dropout.mask(rows, self.settings.hidden + self.attention.context_size, like)
        return (features, gap, *layers)


DECODERS: dict[str, type[RecurrentDecoder]] = {
    "luong": LuongDecoder,
    "bahdanau": BahdanauDecoder,
    "conditional": ConditionalDecoder,
}
