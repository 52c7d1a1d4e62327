"""JoeyNMT: its model, batches, loss, clipping, optimiser and searches. The loop around an update is that of
its trainer, without logging and validation.

Its pieces begin with <unk>, <pad>; nmt's with padding and unknown. Nothing else differs in the ids.
"""

import warnings
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
from peers.work import EOS, PAD, UNK, Ids, Sizes, Work, padded_sources, training_batches
from peers.worker import About, parameters, portions, serve
from torch import Tensor

warnings.filterwarnings("ignore")  # of what it still calls, and torch deprecates

from joeynmt.batch import Batch  # noqa: E402
from joeynmt.builders import build_gradient_clipper, build_optimizer  # noqa: E402
from joeynmt.model import Model, build_model  # noqa: E402
from joeynmt.search import search  # noqa: E402
from joeynmt.vocabulary import Vocabulary  # noqa: E402

THEIR_PAD = UNK


class Joey:
    def __init__(self, work: Work, _folder: Path) -> None:
        self.work = work
        self.model = new_model(work.sizes)
        settings = {"optimizer": "adam", "learning_rate": work.learning_rate}
        self.optimizer = build_optimizer(settings, self.model.parameters())
        self.clip = build_gradient_clipper({"clip_grad_val": None, "clip_grad_norm": work.clip_norm})
        self.batches = [
            as_theirs(batch.source, batch.lengths, with_their_ids(batch.target)) for batch in training_batches(work)
        ]
        self.translator = new_model(work.sizes).eval()

    def about(self) -> About:
        return About(version("joeynmt"), parameters(self.model))

    def train(self) -> int:
        self.model.train()
        for batch in self.batches:
            batch.sort_by_src_length()
            loss, _, _, correct = self.model(return_type="loss", **vars(batch))
            mean = batch.normalize(loss, normalization="tokens")
            mean.backward()
            _ = mean.item(), correct.item()  # which it logs
            self.clip(parameters=self.model.parameters())
            self.optimizer.step()
            self.optimizer.zero_grad()
        return sum(batch.ntokens for batch in self.batches)

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        found: list[Ids] = []
        for portion in portions(sources, batch):
            given = as_theirs(*padded_sources(portion), None)
            order = given.sort_by_src_length()
            limits = {"min_output_length": self.work.length, "max_output_length": self.work.length + 1}
            outputs, _, _ = search(self.translator, given, beam_size=beam, beam_alpha=0.0, **limits)
            found += [row[: self.work.length] for row in outputs[order].tolist()]
        return found


def new_model(sizes: Sizes) -> Model:
    vocabulary = new_vocabulary(sizes.vocab)
    shared = {"type": "recurrent", "rnn_type": "lstm", "num_layers": sizes.layers, "dropout": sizes.dropout,
              "embeddings": {"embedding_dim": sizes.embedding, "dropout": 0.0}}  # fmt: skip
    settings = {
        "encoder": shared | {"hidden_size": sizes.hidden // 2, "bidirectional": True},
        "decoder": shared | {"hidden_size": sizes.hidden, "hidden_dropout": sizes.dropout, "attention": "luong",
                             "input_feeding": True, "init_hidden": "last"},
    }  # fmt: skip
    model = build_model(settings, vocabulary, vocabulary)
    model.loss_function = ("crossentropy", 0.0)
    return model


def new_vocabulary(size: int) -> Vocabulary:
    special = {"unk": 0, "pad": 1, "bos": 2, "eos": 3}
    names = {f"{name}_token": f"<{name}>" for name in special} | {f"{name}_id": id for name, id in special.items()}
    pieces = [f"piece{id}" for id in range(len(special), size)]
    return Vocabulary(pieces, SimpleNamespace(**names, sep_token=None, lang_tags=[]))


def with_their_ids(ids: Tensor) -> Tensor:
    return torch.where(ids == PAD, UNK, torch.where(ids == UNK, PAD, ids))


def as_theirs(source: Tensor, lengths: Tensor, target: Tensor | None) -> Batch:
    indices = torch.arange(len(lengths))
    device = torch.device("cpu")
    return Batch(with_their_ids(source), lengths, None, target, None, indices, device, THEIR_PAD, EOS)


if __name__ == "__main__":
    serve(Joey)
