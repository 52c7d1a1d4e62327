"""The work that every toolkit is given: padded batches of piece ids and the sizes of the model, out of one file.

Nothing here imports a toolkit, so that each can be measured in an environment of its own.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

PAD, UNK, BOS, EOS = 0, 1, 2, 3

Ids = list[int]


class Sizes(NamedTuple):
    vocab: int  # pieces a side
    embedding: int
    hidden: int  # of the decoder, and of an encoded token: half of it in each direction
    layers: int  # of the encoder, and of the decoder
    dropout: float


class Work(NamedTuple):
    sizes: Sizes
    threads: int
    learning_rate: float
    clip_norm: float
    batches: list[tuple[list[Ids], list[Ids]]]  # sources and targets, without begin and end
    sources: list[Ids]  # to decode
    length: int  # pieces that each of these translations is made to have, its end not counted


class Batch(NamedTuple):
    source: Tensor  # (batch, source): pieces, end, padding
    lengths: Tensor  # (batch,): of the sources, their end counted
    target: Tensor  # (batch, target): begin, pieces, end, padding

    @property
    def tokens(self) -> int:
        """Target tokens that are learned: ends included, begins and padding not."""
        return int((self.target[:, 1:] != PAD).sum())


def write(work: Work, folder: Path) -> None:
    fields = work._asdict() | {"sizes": work.sizes._asdict()}
    (folder / "work.json").write_text(json.dumps(fields), encoding="utf-8")


def read(folder: Path) -> Work:
    fields = json.loads((folder / "work.json").read_text(encoding="utf-8"))
    return Work(**fields | {"sizes": Sizes(**fields["sizes"])})


def training_batches(work: Work) -> list[Batch]:
    return [Batch(*padded_sources(sources), _padded([[BOS, *ids, EOS] for ids in targets]))
            for sources, targets in work.batches]  # fmt: skip


def padded_sources(sources: list[Ids]) -> tuple[Tensor, Tensor]:
    """Sources with their end, and their lengths."""
    rows = [[*ids, EOS] for ids in sources]
    return _padded(rows), torch.tensor([len(row) for row in rows])


def _padded(rows: list[Ids]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
