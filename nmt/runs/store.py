"""What is in a run directory, and how it is read and written. A run directory is the model.

config.yaml            every setting, as resolved
subword.model          or subword.source.model and subword.target.model
model.safetensors      the best weights; carries its own checksum, the model's settings and the subwords' hash
statistics.json        what the training pairs were like, from which translation takes its limits
shortlist.safetensors  if exported with one: the likely translations of each piece
checkpoints/           what training needs to go on (see training/checkpoint.py)
metrics.jsonl          a line per log entry and validation
train.log              what the terminal showed
provenance.json        data hashes, versions, command, where the text was
held_out/              validation and test text that was taken from the training text (data.hold_out)
scores.json            the last result of `nmt eval`
outputs.json           the validation text with the translations of the kept model
calibration.json       what the probabilities of this model are worth (see inference/confidence.py)
kernels.json           from which sizes on products are packed, where that was measured (see training/thresholds.py)
snapshots/             the weights at some steps of training (training.snapshots)
report.html            what `nmt report` tells about the run
train.lock             while training, or after a kill: who trains in it
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nmt import config
from nmt.config import Settings
from nmt.config.text import LARGEST
from nmt.data.subword import Subwords
from nmt.errors import ConfigError, DataError
from nmt.files import is_folder, open_run_file, read_json, read_run_file, run_file_exists, write_atomic
from nmt.runs.weights import (
    Header,
    check_shapes,
    check_weights,
    is_model_of,
    pack_weights,
    read_header,
    read_header_of,
    read_weights,
    shapes_of,
    subwords_hash,
)

if TYPE_CHECKING:  # torch takes seconds to import, and `newest` is needed before
    import torch
    from torch import Tensor

    from nmt.data.statistics import TrainingStatistics
    from nmt.inference.confidence import Calibration
    from nmt.inference.shortlist import Shortlist
    from nmt.model import Seq2Seq

CONFIG, WEIGHTS, METRICS, LOG = "config.yaml", "model.safetensors", "metrics.jsonl", "train.log"
SHORTLIST = "shortlist.safetensors"
PROVENANCE, SCORES, CHECKPOINTS = "provenance.json", "scores.json", "checkpoints"
STATISTICS, KERNELS = "statistics.json", "kernels.json"
OUTPUTS, CALIBRATION, SNAPSHOTS, REPORT = "outputs.json", "calibration.json", "snapshots", "report.html"
SUBWORDS = ("subword.model", "subword.source.model", "subword.target.model")
FILES = (
    CONFIG, WEIGHTS, METRICS, LOG, SHORTLIST, PROVENANCE, SCORES, STATISTICS, OUTPUTS, CALIBRATION, REPORT, *SUBWORDS
)  # may lie unfinished  # fmt: skip
LARGEST_SUBWORDS = 10_000_000  # bytes of a SentencePiece model; one of 500,000 pieces has 8 million


def newest(folder: Path = Path("runs")) -> Path:
    """Return the run in `folder` whose model is the newest. Raises DataError if there is none."""
    models = sorted(folder.glob(f"*/{WEIGHTS}"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise DataError(f"no trained run in {folder.absolute()}; name a run directory, or train one: nmt train CONFIG")
    return models[-1].parent


def newest_started(folder: Path = Path("runs")) -> Path:
    """Return the run in `folder` that recorded something last, whether it has a model or not. Raises DataError if
    there is none."""
    found = sorted(folder.glob(f"*/{METRICS}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else newest(folder)


class LoadedRun(NamedTuple):
    """Hold a run that was read: settings, subwords and model."""

    path: Path
    settings: Settings
    subwords: Subwords
    model: "Seq2Seq"
    eight_bits: bool = False  # whether the weights were stored so


def load_settings(path: Path) -> Settings:
    """Load the settings of a run. Raises DataError if `path` is no run directory."""
    if not run_file_exists(path, CONFIG):
        found = f"the folder has no {CONFIG}" if path.is_dir() else "a file" if path.exists() else "no such folder"
        raise DataError(f"{path}: not a run directory: {found}; a run is made by: nmt train CONFIG")
    try:
        settings = config.load(path / CONFIG, text=read_run_file(path, CONFIG, LARGEST))
    except ConfigError as error:
        raise DataError(*error.problems) from None
    try:
        at_training = read_json(path / PROVENANCE).get("paths", {})  # absolute paths
    except DataError:  # old, damaged or not there
        at_training = {}
    return config.where_they_are(settings, at_training if isinstance(at_training, dict) else {})


def subword_files(path: Path) -> list[Path]:
    """Return the subword files: one if source and target share their pieces, else two."""
    joint, source, target = (path / name for name in SUBWORDS)
    return [joint] if run_file_exists(path, joint.name) else [source, target]


def load_subwords(path: Path) -> Subwords:
    """Read the subword models of a run. Raise DataError if one is damaged."""
    files = subword_files(path)
    return Subwords.of_models([(read_run_file(path, file.name, LARGEST_SUBWORDS), file) for file in files])


def save_subwords(path: Path, subwords: Subwords) -> None:
    """Write the subword models of a run."""
    if subwords.joint:
        write_atomic(path / SUBWORDS[0], subwords.source.model)
        return
    write_atomic(path / SUBWORDS[1], subwords.source.model)
    write_atomic(path / SUBWORDS[2], subwords.target.model)


def with_subwords_of(path: Path, settings: Settings) -> Settings:
    """Return settings with the subword models of the run in `path`."""
    files = [str(file) for file in subword_files(path)]
    return settings.model_copy(update={"subword": settings.subword.model_copy(update={"model": files})})


def load_run(path: Path, device: "torch.device", settings: Settings | None = None) -> LoadedRun:
    """Load the settings, subwords and best weights of a run. `settings` are the run's, if the caller has them. Raises
    DataError if any is missing, damaged or unfit."""
    if run_file_exists(path, CONFIG) and not run_file_exists(path, WEIGHTS):
        what = "no such file: the run has no validated model yet; resume it with: nmt train CONFIG"
        load_settings(path), load_subwords(path)  # whose problems come first
        raise DataError(f"{path / WEIGHTS}: {what}")
    return _load(path, WEIGHTS, device, settings)


def _load(path: Path, name: str, device: "torch.device", settings: Settings | None = None) -> LoadedRun:
    """Load a run with the weights of one of its files, which are read once and never drawn."""
    from nmt.model import empty_model, filled, int8

    settings, subwords = settings or load_settings(path), load_subwords(path)
    model = empty_model(settings.model, [len(subword) for subword in subwords])
    file = path / name

    def check(header: Header) -> None:
        if not is_model_of(header.metadata.get("model", ""), settings):
            raise DataError(
                f"{file}: was trained with other model settings than {path / CONFIG} has; restore that file"
            )
        if header.metadata.get("subwords") != subwords_hash(subwords):
            raise DataError(f"{file}: was trained with another subword model than the one beside it; restore that file")
        check_shapes(header, shapes_of(model), file)

    weights, _ = read_weights(path, name, check)
    unpacked = int8.unpack(weights)
    check_weights(shapes_of(model), unpacked, file)
    return LoadedRun(path, settings, subwords, filled(model, unpacked, device).eval(), int8.is_packed(weights))


def is_in_8_bits(path: Path) -> bool:
    """Return whether a run was exported in 8 bits; false for one that cannot be read."""
    try:
        with open_run_file(path, WEIGHTS) as file:
            return any(kind == "I8" for kind, _ in read_header(file, path / WEIGHTS).shapes.values())
    except (OSError, DataError):
        return False


def save_statistics(path: Path, statistics: "TrainingStatistics") -> None:
    """Write the statistics of the training text."""
    from nmt.data.statistics import to_json

    write_atomic(path / STATISTICS, to_json(statistics))


def load_statistics(path: Path) -> "TrainingStatistics | None":
    """Load the training statistics; None for a run that is older than the file. Raises DataError if the file is
    damaged."""
    from nmt.data.statistics import from_json

    file = path / STATISTICS
    if not run_file_exists(path, STATISTICS):
        return None
    try:
        return from_json(read_json(file))
    except ValueError as error:
        raise DataError(
            f"{file}: damaged: {error or 'not what training writes'}; copy the run again, or remove the file"
        ) from None


def save_calibration(path: Path, calibration: "Calibration") -> None:
    """Write the calibration of the confidence."""
    from nmt.inference.confidence import to_json

    write_atomic(path / CALIBRATION, to_json(calibration))


def load_calibration(path: Path) -> "Calibration | None":
    """Load the calibration of a run's model; None if there is none, or if it is that of another model. Raises
    DataError if the file is damaged."""
    from nmt.inference.confidence import from_json

    file = path / CALIBRATION
    if not run_file_exists(path, CALIBRATION):
        return None
    try:
        found = from_json(read_json(file))
    except ValueError as error:
        raise DataError(
            f"{file}: damaged: {error or 'not what training writes'}; copy the run again, or remove the file"
        ) from None
    return found if found.model == model_hash(path) else None


def model_hash(path: Path) -> str:
    """Return the checksum that the weights of a run announce."""
    return read_header_of(path, WEIGHTS).metadata.get("sha256", "")


def check_same_subwords(loaded: Sequence[LoadedRun]) -> None:
    """Raise DataError if the runs of an ensemble do not share their subwords."""
    first = loaded[0]
    for other in loaded[1:]:
        if subwords_hash(other.subwords) != subwords_hash(first.subwords):
            raise DataError(
                f"{other.path}: its subwords differ from those of {first.path}; runs go together only if they are "
                "trained with the same subword.model"
            )


def save_shortlist(path: Path, shortlist: "Shortlist", run: LoadedRun) -> None:
    """Write the shortlist of a run."""
    tensors = {"table": shortlist.table, "common": shortlist.common}
    write_atomic(path / SHORTLIST, pack_weights(tensors, run.settings, run.subwords))


def load_shortlist(run: LoadedRun) -> "Shortlist | None":
    """Load the shortlist beside a model, if there is one. Raises DataError if it is damaged, or another model's."""
    from nmt.inference.shortlist import Shortlist

    file = run.path / SHORTLIST
    if not run_file_exists(run.path, SHORTLIST):
        return None
    sizes = [len(subword) for subword in run.subwords]

    def check(header: Header) -> None:
        """Check only that it is not larger than a shortlist can be; the rest is compared when it is read."""
        table, common = (header.shapes.get(part, ("", (sizes[1] + 1,)))[1] for part in ("table", "common"))
        if len(header.shapes) != 2 or math.prod(table) > sizes[0] * sizes[1] or math.prod(common) > sizes[1]:
            raise DataError(f"{file}: not a shortlist of this model; export it again, or remove the file")

    tensors, metadata = read_weights(run.path, SHORTLIST, check)
    try:
        table, common = tensors["table"].long(), tensors["common"].long()
        fits = (
            metadata["subwords"] == subwords_hash(run.subwords)
            and table.shape[0] == sizes[0]
            and bool(((table >= -1) & (table < sizes[1])).all() and ((common >= 0) & (common < sizes[1])).all())
        )
    except (KeyError, IndexError):
        fits = False
    if not fits:
        raise DataError(f"{file}: not a shortlist of this model; export it again, or remove the file")
    return Shortlist(table, common)


def snapshot_name(step: int) -> str:
    """Return the name of a snapshot in its folder."""
    return f"step-{step:08d}.safetensors"


def snapshot_steps(path: Path) -> list[int]:
    """Return the steps of which a run has snapshots, ascending."""
    if not is_folder(path / SNAPSHOTS):
        return []
    matches = (re.fullmatch(r"step-(\d{8,12})\.safetensors", file.name) for file in (path / SNAPSHOTS).iterdir())
    return sorted(int(match[1]) for match in matches if match)


def load_snapshot(path: Path, step: int, device: "torch.device", settings: Settings | None = None) -> LoadedRun:
    """Load a run with the weights of a snapshot. Raises DataError if it is missing, damaged or unfit."""
    return _load(path, f"{SNAPSHOTS}/{snapshot_name(step)}", device, settings)


def save_run(path: Path, settings: Settings, subwords: Subwords, weights: Mapping[str, "Tensor"]) -> None:
    """Save a new run that translates. The weights are written last: until then it does not count as a run."""
    write_atomic(path / CONFIG, config.dump(config.portable(settings, path)).encode())
    save_subwords(path, subwords)
    write_atomic(path / WEIGHTS, pack_weights(weights, settings, subwords))
