"""Initialization other than random: weights and subwords of another run (fine-tuning), and pretrained word vectors.

Fine-tuning carries a model over to a language pair with little text (Zoph et al. 2016), or to one kind of text.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nmt import config
from nmt.config import Settings, TrainingSettings
from nmt.data.corpus import file_hash
from nmt.data.subword import Subwords
from nmt.data.vectors import Vectors, read_vectors, vocabulary_words
from nmt.errors import ConfigError, DataError
from nmt.files import shown_path
from nmt.model import Seq2Seq
from nmt.runs import store
from nmt.runs.store import LoadedRun
from nmt.runs.weights import named_weights, set_weights, tensors_hash
from nmt.training.distillation import load_teachers

SHOWN = 5  # words without a vector that are named


class Initialization(NamedTuple):
    """Hold what a new model starts with, in place of random weights: another run's weights, and word vectors."""

    run: LoadedRun | None = None
    vectors: dict[str, Vectors] = {}  # noqa: RUF012 (never changed)

    def apply(self, model: Seq2Seq, log: Callable[[str], None]) -> None:
        """Set the weights of the model."""
        initialize_from_vectors(model, self.vectors)
        if self.run is not None:
            initialize_from_run(model, self.run)
            log(f"fine-tuning: initialized with the weights and subwords of {shown_path(self.run.path)}")

    def frozen(self, training: TrainingSettings) -> dict[str, list[int]]:
        """Return the rows of the embeddings, {side: ids}, that stay as the word vectors set them."""
        if not training.freeze_vectors:
            return {}
        return {side: found.ids.tolist() for side, found in self.vectors.items()}


class Origins(NamedTuple):
    """Hold the runs that a training builds on."""

    initial: LoadedRun | None  # `training.start_from`, whose weights and subwords a new model takes over
    teachers: list[LoadedRun]  # `training.teachers`

    def with_subwords(self, settings: Settings) -> Settings:
        """Return settings with the subwords of the run to fine-tune, or of the teachers."""
        if other := self.initial or (self.teachers[0] if self.teachers else None):
            return store.with_subwords_of(other.path, settings)
        return settings


def load_origins(settings: Settings, device: torch.device, *, resumed: bool = False) -> Origins:
    """Load the runs that a training builds on, each once. A resumed one needs its teachers alone.

    Raises what `load_initial_run` and `load_teachers` raise.
    """
    teachers = load_teachers(settings, device)
    return Origins(None if resumed else load_initial_run(settings), teachers)


def load_initial_run(settings: Settings) -> LoadedRun | None:
    """Return the run that `training.start_from` names, or None.

    Raise DataError if it is not a run, ConfigError if its model settings differ from these.
    """
    if not settings.training.start_from:
        return None
    folder = Path(settings.training.start_from)
    try:
        differences = config.weight_differences(store.load_settings(folder), settings)
    except DataError as error:
        raise DataError(f"training.start_from: {error}") from None
    problems = [
        f"training.start_from: {folder} has {key}={old}, but this config has {new}; set {key}={old}"
        for key, (old, new) in differences.items()
    ]
    if problems:
        raise ConfigError(*problems)
    return store.load_run(folder, torch.device("cpu"))


def initialize_from_run(model: Seq2Seq, parent: LoadedRun) -> None:
    """Copy all weights of another run into the model."""
    set_weights(model, named_weights(parent.model), parent.path / store.WEIGHTS)


def run_identity(parent: LoadedRun) -> dict[str, str]:
    """Return path and SHA-256 of the run, for the provenance of a fine-tuned run."""
    return {"run": str(parent.path), "sha256": tensors_hash(named_weights(parent.model))}


def vector_files(training: TrainingSettings) -> dict[str, Path]:
    """Return {"source" or "target": file} for the vector files that are set."""
    files = {"source": training.source_vectors, "target": training.target_vectors}
    return {side: Path(file) for side, file in files.items() if file}


def vector_hashes(training: TrainingSettings) -> dict[str, str]:
    """Return {setting: SHA-256 of the file it names}."""
    return {f"training.{side}_vectors": file_hash(path) for side, path in vector_files(training).items()}


def find_vectors(settings: Settings, subwords: Subwords, say: Callable[[str], None]) -> dict[str, Vectors]:
    """Return {"source" or "target": vectors of its words} for the files that are set; log how many words have one."""
    found = {}
    for side, path in vector_files(settings.training).items():
        words = vocabulary_words(getattr(subwords, side))
        found[side] = vectors = read_vectors(path, words, settings.model.embedding, settings.data.encoding)
        whose = "" if settings.model.tying == "all" else f"{side} "
        lowered = f", {vectors.lowered:,} after lowercasing" if vectors.lowered else ""
        say(
            f"vectors: {len(vectors.ids):,} of {len(words):,} {whose}words found in {path.name} "
            f"({100 * len(vectors.ids) / max(len(words), 1):.1f} %){lowered}"
        )
        if vectors.missing:
            more = ", ..." if len(vectors.missing) > SHOWN else ""
            say(f"  not found, the most frequent first: {', '.join(vectors.missing[:SHOWN])}{more}")
    return found


@torch.no_grad()
def initialize_from_vectors(model: Seq2Seq, vectors: dict[str, Vectors]) -> None:
    """Set the embedding rows of the words that have a pretrained vector."""
    for side, found in vectors.items():
        weight = _tables(model)[side].weight
        weight[torch.from_numpy(found.ids).to(weight.device)] = at_random_scale(found.values).to(weight)


def at_random_scale(values: Float[np.ndarray, "found size"]) -> Float[Tensor, "found size"]:
    """Scale the vectors to the root mean square of randomly initialized rows, size ** -0.5.

    A model multiplies its inputs by size ** 0.5 and may use the table as its output matrix: both need rows of that
    scale.
    """
    rms = float(np.sqrt(np.square(values, dtype=np.float64).mean())) if values.size else 0.0
    return torch.from_numpy(values) * (values.shape[1] ** -0.5 / rms if rms else 1.0)


def _tables(model: Seq2Seq) -> dict[str, nn.Embedding]:
    """Return the embedding tables of both sides; the same one twice if they are tied."""
    source = model.get_submodule("encoder.embedding.table")  # every kind of encoder has it there
    assert isinstance(source, nn.Embedding)
    return {"source": source, "target": model.target_embedding.table}


class FrozenRows:
    """Keep rows of the embeddings, {side: ids}, at their current values."""

    def __init__(self, model: Seq2Seq, rows: dict[str, list[int]]) -> None:
        self.parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for side, ids in rows.items():
            weight = _tables(model)[side].weight
            chosen = torch.tensor(ids, dtype=torch.long, device=weight.device)
            self.parts.append((weight, chosen, weight.detach()[chosen]))

    def drop_gradients(self) -> None:
        """Set the gradients of frozen rows to zero, so that they do not count in the gradient norm."""
        for weight, rows, _ in self.parts:
            if weight.grad is not None:
                weight.grad[rows] = 0.0

    @torch.no_grad()
    def put_back(self) -> None:
        """Restore the frozen rows: weight decay changes even rows without a gradient."""
        for weight, rows, values in self.parts:
            weight[rows] = values
