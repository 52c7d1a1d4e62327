"""Embeddings that start from pretrained vectors, and stay there if asked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nmt.config import Settings, TrainingSettings
from nmt.data.corpus import file_hash
from nmt.data.subword import Subwords
from nmt.data.vectors import Vectors, read_vectors, vocabulary_words
from nmt.model import Seq2Seq

SHOWN = 5  # words without a vector that are named


def vector_files(training: TrainingSettings) -> dict[str, Path]:
    """{"source" or "target": file}, of those that are set."""
    files = {"source": training.source_vectors, "target": training.target_vectors}
    return {side: Path(file) for side, file in files.items() if file}


def vector_hashes(training: TrainingSettings) -> dict[str, str]:
    """SHA-256 of each file, by the key that names it."""
    return {f"training.{side}_vectors": file_hash(path) for side, path in vector_files(training).items()}


def find_vectors(settings: Settings, subwords: Subwords, say: Callable[[str], None]) -> dict[str, Vectors]:
    """{"source" or "target": vectors of its words}, for the files that are set; says how many words have one."""
    found = {}
    for side, path in vector_files(settings.training).items():
        words = vocabulary_words(getattr(subwords, side))
        found[side] = vectors = read_vectors(path, words, settings.model.embedding, settings.data.encoding)
        whose = "" if settings.model.tying == "all" else f"{side} "
        lowered = f", {vectors.lowered:,} by lower case" if vectors.lowered else ""
        say(
            f"vectors: {len(vectors.ids):,} of {len(words):,} {whose}words found in {path.name} "
            f"({100 * len(vectors.ids) / max(len(words), 1):.1f} %){lowered}"
        )
        if vectors.missing:
            more = ", ..." if len(vectors.missing) > SHOWN else ""
            say(f"  not found, the most frequent first: {', '.join(vectors.missing[:SHOWN])}{more}")
    return found


@torch.no_grad()
def start_from_vectors(model: Seq2Seq, vectors: dict[str, Vectors]) -> None:
    """Sets the rows of the words that have a vector."""
    for side, found in vectors.items():
        weight = _tables(model)[side].weight
        weight[torch.from_numpy(found.ids).to(weight.device)] = at_drawn_scale(found.values).to(weight)


def at_drawn_scale(values: Float[np.ndarray, "found size"]) -> Float[Tensor, "found size"]:
    """The vectors times one common factor, which makes their root mean square that of the drawn rows, size ** -0.5.

    A model multiplies its inputs by size ** 0.5 and may use the table as its generator: both want rows of that scale.
    """
    rms = float(np.sqrt(np.square(values, dtype=np.float64).mean())) if values.size else 0.0
    return torch.from_numpy(values) * (values.shape[1] ** -0.5 / rms if rms else 1.0)


def _tables(model: Seq2Seq) -> dict[str, nn.Embedding]:
    """The embeddings' tables; the same twice if they are tied."""
    source = model.get_submodule("encoder.embedding.table")  # every kind of encoder has it there
    assert isinstance(source, nn.Embedding)
    return {"source": source, "target": model.target_embedding.table}


class FrozenRows:
    """Rows of the embeddings, {side: ids}, that training leaves as they are now."""

    def __init__(self, model: Seq2Seq, rows: dict[str, list[int]]) -> None:
        self.parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for side, ids in rows.items():
            weight = _tables(model)[side].weight
            chosen = torch.tensor(ids, dtype=torch.long, device=weight.device)
            self.parts.append((weight, chosen, weight.detach()[chosen]))

    def drop_gradients(self) -> None:
        """So that they do not count in the gradient's norm."""
        for weight, rows, _ in self.parts:
            if weight.grad is not None:
                weight.grad[rows] = 0.0

    @torch.no_grad()
    def put_back(self) -> None:
        """Weight decay moves even rows without a gradient."""
        for weight, rows, values in self.parts:
            weight[rows] = values
