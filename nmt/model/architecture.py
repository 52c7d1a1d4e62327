"""The kinds of model, by name. All keep the contract of `Seq2Seq`."""

from nmt.config import ModelSettings
from nmt.model.seq2seq import Seq2Seq
from nmt.model.transformer import Transformer


def make_model(settings: ModelSettings, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """A model with fresh weights, drawn from torch's global generator."""
    return ARCHITECTURES[settings.architecture](settings, source_vocab, target_vocab)


ARCHITECTURES: dict[str, type[Seq2Seq]] = {
    "recurrent": Seq2Seq,
    "transformer": Transformer,
}
