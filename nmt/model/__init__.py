"""The model: encoder, attention, decoder, generator. Knows nothing of text, files or training."""

from nmt.model.architecture import empty_model, filled, make_model, model_shapes
from nmt.model.memory import Memory
from nmt.model.recurrent import State
from nmt.model.seq2seq import Seq2Seq

__all__ = ["Memory", "Seq2Seq", "State", "empty_model", "filled", "make_model", "model_shapes"]
