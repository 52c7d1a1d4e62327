"""Score given translations by forced decoding: the probability of each token, and the attention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.data.subword import PAD_ID
from nmt.inference.ensemble import mean_attention, mean_log_probs
from nmt.model import Seq2Seq

CHUNK = 1024  # tokens whose distributions are in memory at once


@dataclass(frozen=True)
class Scored:
    """Hold the log-probabilities of a given translation of a line. Natural logarithms; tokens are subwords, the end
    counted."""

    source: str
    target: str
    tokens: list[str]
    log_probs: list[float]  # of each token, given the source and the tokens before it
    cut: bool = False  # the source was longer than `decoding.max_source` and only its beginning was read

    @property
    def log_prob(self) -> float:
        """Return the natural log-probability of the whole target."""
        return math.fsum(self.log_probs)

    @property
    def perplexity(self) -> float:
        """Return the perplexity per token: exp(-log_prob / tokens)."""
        return perplexity(self.log_prob, len(self.tokens))


def perplexity(log_prob: float, tokens: int) -> float:
    """Return exp(-log-probability per token)."""
    return math.exp(min(-log_prob / max(tokens, 1), 700.0))  # e^710 is more than a float holds


@torch.inference_mode()
def token_log_probs(
    members: Sequence[Seq2Seq],
    source: Int[Tensor, "batch src"],
    target_input: Int[Tensor, "batch tgt"],
    target_output: Int[Tensor, "batch tgt"],
) -> Float[Tensor, "batch tgt"]:
    """Return the log-probability of each target token, by the mean of the members' probabilities; 0 at padding."""
    return read_targets(members, source, target_input, target_output)[1]


@torch.inference_mode()
def read_targets(
    members: Sequence[Seq2Seq],
    source: Int[Tensor, "batch src"],
    target_input: Int[Tensor, "batch tgt"],
    target_output: Int[Tensor, "batch tgt"],
) -> tuple[Float[Tensor, "batch tgt src"], Float[Tensor, "batch tgt"]]:
    """Return attention and log-probability of each target token, as `attention_to` and `token_log_probs`, in one
    pass."""
    real = target_output != PAD_ID
    tokens = target_output[real]  # (batch, tgt) -> (tokens,): padding costs no distribution
    decoded = [member(source, target_input) for member in members]
    log_probs = torch.zeros(target_output.shape, device=target_output.device)
    of_members = []
    for member, each in zip(members, decoded, strict=True):
        chunks = zip(each.features[real].split(CHUNK), tokens.split(CHUNK), strict=True)
        # (chunk, vocab) -> (chunk,): the distributions of a chunk are in memory only as long as it is read
        found = [member.generator.log_probs(part).gather(1, own.unsqueeze(1)).squeeze(1) for part, own in chunks]
        of_members.append(torch.cat(found))
    log_probs[real] = mean_log_probs(of_members)
    return mean_attention([each.attention for each in decoded]), log_probs


@torch.inference_mode()
def attention_to(
    members: Sequence[Seq2Seq], source: Int[Tensor, "batch src"], target_input: Int[Tensor, "batch tgt"]
) -> Float[Tensor, "batch tgt src"]:
    """Return the attention of a given translation: forward equals stepping, so one pass gives what search saw."""
    return mean_attention([member(source, target_input).attention for member in members])
