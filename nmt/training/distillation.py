"""Knowledge distillation (Hinton et al. 2015), token by token (Kim & Rush 2016, section 3.1).

The teachers process the training text once, before training starts. The most probable tokens of each distribution are
cached, so that a training step costs no more than without teachers, and a resumed run finds the same numbers.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import Settings
from nmt.data.batch import Batch, SoftTargets, make_batch
from nmt.data.batching import length_batches
from nmt.data.cache import Say, cached
from nmt.data.dataset import Dataset
from nmt.data.subword import PAD_ID, Subwords
from nmt.errors import DataError
from nmt.kernels.cross_entropy import CHUNK
from nmt.kernels.topk import topk
from nmt.model import Seq2Seq
from nmt.runs import store
from nmt.runs.store import LoadedRun
from nmt.runs.weights import named_weights, tensors_hash

BEST = 16  # most probable tokens kept of each distribution
PART = 20_000  # pairs in a folder of the cache: what is lost if reading is stopped
BATCH = 4_000  # padded tokens per batch

PIECE, PROB = np.dtype(np.int32), np.dtype(np.float16)


def load_teachers(settings: Settings, device: torch.device) -> list[LoadedRun]:
    """Load the runs that `training.teachers` names. Raise DataError if one of them is not a run."""
    try:
        return [store.load_run(Path(folder), device) for folder in settings.training.teachers]
    except DataError as error:
        raise DataError(f"training.teachers: {error}") from None


def check_subwords(teachers: Sequence[LoadedRun], subwords: Subwords) -> None:
    """Raise DataError if a teacher has subwords other than these."""
    for run in teachers:
        if [subword.model for subword in run.subwords] != [subword.model for subword in subwords]:
            raise DataError(
                f"training.teachers: {run.path}: its subwords differ from this run's; a teacher must have the "
                f"same subwords"
            )


def teacher_hashes(teachers: Sequence[LoadedRun]) -> dict[str, str]:
    """Return {setting and path of a teacher: SHA-256 of its weights}."""
    return {f"training.teachers: {run.path}": tensors_hash(named_weights(run.model)) for run in teachers}


class TeacherCache:
    """Hold the soft targets of a dataset: the `BEST` most probable tokens at each target position.

    Their probabilities are held too, and positions include eos. The arrays are memory-mapped, in parts.
    """

    def __init__(self, parts: Sequence[tuple[npt.NDArray, npt.NDArray]], lengths: npt.NDArray[np.int64]) -> None:
        """`lengths` are the lengths of all targets, including eos."""
        self._parts = parts
        first = np.arange(len(lengths)) // PART * PART
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self._starts, self._lengths = starts[:-1] - starts[first], lengths

    def add_to(self, batch: Batch, indices: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """Return the batch of the sentences at `indices` with their soft targets added."""
        shape = (*batch.target_output.shape, self._parts[0][0].shape[1])
        pieces, probs = np.full(shape, PAD_ID, np.int64), np.zeros(shape, np.float32)
        for row, index in enumerate(indices):
            start, length = self._starts[index], self._lengths[index]
            for whole, part in zip((pieces, probs), self._parts[index // PART], strict=True):
                whole[row, :length] = part[start : start + length]
        return batch._replace(soft_targets=SoftTargets(torch.from_numpy(pieces), torch.from_numpy(probs)))


def teacher_cache(teachers: Sequence[LoadedRun], dataset: Dataset, device: torch.device, say: Say) -> TeacherCache:
    """Return the soft targets of these teachers for this text, computed now or read from the cache.

    Log the progress.
    """
    weights = list(teacher_hashes(teachers).values())
    lengths = dataset.target_lengths() + 1
    size = min(BEST, len(teachers[0].subwords.target))
    parts = []
    for first in range(0, len(dataset), PART):
        indices = np.arange(first, min(first + PART, len(dataset)))

        def make(folder: Path, indices: npt.NDArray[np.int64] = indices) -> None:
            folder.mkdir(parents=True)
            pieces, probs = _read([run.model for run in teachers], dataset, indices, size, device)
            (folder / "pieces").write_bytes(pieces.tobytes())
            (folder / "probs").write_bytes(probs.tobytes())

        def read(folder: Path, tokens: int = int(lengths[indices].sum())) -> tuple[npt.NDArray, npt.NDArray]:
            pieces, probs = np.memmap(folder / "pieces", PIECE, "r"), np.memmap(folder / "probs", PROB, "r")
            return pieces.reshape(tokens, size), probs.reshape(tokens, size)

        recipe = ("teachers", weights, "+".join(folder.name for folder in dataset.folders), size, first, PART)
        doing = f"teachers process pairs {first + 1:,} to {indices[-1] + 1:,} of {len(dataset):,}"
        parts.append(cached(recipe, make, read, say, doing))
    return TeacherCache(parts, lengths)


@torch.inference_mode()
def _read(
    teachers: Sequence[Seq2Seq], dataset: Dataset, indices: npt.NDArray[np.int64], size: int, device: torch.device
) -> tuple[npt.NDArray, npt.NDArray]:
    """Return (tokens x size ids, tokens x size probabilities), in the order of `indices`."""
    source, target = dataset.source_lengths()[indices], dataset.target_lengths()[indices] + 1
    ends = np.cumsum(target)
    pieces, probs = np.empty((ends[-1], size), PIECE), np.empty((ends[-1], size), PROB)
    for chosen in length_batches(np.arange(len(indices)), source, target - 1, BATCH):
        batch = make_batch(dataset, indices[chosen]).to(device)
        found_probs, found_pieces = _most_probable(teachers, batch, size)
        places = np.concatenate([np.arange(ends[index] - target[index], ends[index]) for index in chosen])
        pieces[places], probs[places] = found_pieces.cpu().numpy(), found_probs.cpu().numpy()
    return pieces, probs


def _most_probable(
    teachers: Sequence[Seq2Seq], batch: Batch, size: int
) -> tuple[Float[Tensor, "tokens size"], Int[Tensor, "tokens size"]]:
    """Return the `size` most probable tokens at each real target position, by the mean of the teachers."""
    real = batch.target_output != PAD_ID
    features = [teacher(batch.source, batch.target_input).features[real] for teacher in teachers]
    rows = max(1, CHUNK // teachers[0].generator.output.out_features)
    found = []
    for chunk in zip(*(part.split(rows) for part in features), strict=True):
        probs = [teacher.generator(part).softmax(dim=-1) for teacher, part in zip(teachers, chunk, strict=True)]
        found.append(topk(torch.stack(probs).mean(dim=0), size))
    values, pieces = zip(*found, strict=True)
    return torch.cat(values), torch.cat(pieces)
