"""A run directory is the model: its layout, how its files are written and read, and a translator out of it.

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
calibration.json       what the probabilities of this model are worth (see decoding/confidence.py)
snapshots/             the weights at some steps of training (training.snapshots)
report.html            what `nmt report` tells about the run
train.lock             while training, or after a kill: who trains in it
"""

import hashlib
import io
import json
import math
import os
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt import config
from nmt.config import ModelSettings, Settings
from nmt.config.text import LARGEST
from nmt.data.subword import Subwords
from nmt.errors import ConfigError, DataError, is_out_of_memory
from nmt.files import (
    is_folder,
    open_run_file,
    read_bounded,
    read_json,
    read_run_file,
    readable,
    run_file_exists,
    write_atomic,
)

if TYPE_CHECKING:  # torch takes seconds to import, and `newest` is needed before
    import torch
    from torch import Tensor

    from nmt.data.statistics import TrainingStatistics
    from nmt.decoding.confidence import Calibration
    from nmt.decoding.shortlist import Shortlist
    from nmt.decoding.translator import Translator
    from nmt.model import Seq2Seq

CONFIG, WEIGHTS, METRICS, LOG = "config.yaml", "model.safetensors", "metrics.jsonl", "train.log"
SHORTLIST = "shortlist.safetensors"
PROVENANCE, SCORES, CHECKPOINTS = "provenance.json", "scores.json", "checkpoints"
STATISTICS = "statistics.json"
OUTPUTS, CALIBRATION, SNAPSHOTS, REPORT = "outputs.json", "calibration.json", "snapshots", "report.html"
SUBWORDS = ("subword.model", "subword.source.model", "subword.target.model")
FILES = (
    CONFIG, WEIGHTS, METRICS, LOG, SHORTLIST, PROVENANCE, SCORES, STATISTICS, OUTPUTS, CALIBRATION, REPORT, *SUBWORDS
)  # may lie unfinished  # fmt: skip
FORMAT = "1"
LARGEST_SUBWORDS = 10_000_000  # bytes of a SentencePiece model; one of 500,000 pieces has 8 million
MAX_HEADER = 1_000_000  # bytes of names and shapes in a weights file: thousands of tensors
FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # safetensors' names of types, and bytes of a value
BYTES = {**FLOATS, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


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


# Weights -------------------------------------------------------------------------------------------------------------


def named_weights(model: "Seq2Seq") -> dict[str, "Tensor"]:
    """Return every parameter once, a tied one under its first name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def tensors_hash(tensors: Mapping[str, "Tensor"]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def pack_weights(
    weights: Mapping[str, "Tensor"], settings: Settings, subwords: Subwords, validation: str = ""
) -> bytes:
    """Pack a safetensors file that can be checked by itself: with checksum, model settings and the subwords' hash;
    and, in training, of which validation the weights are."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    metadata = {
        "format": FORMAT,
        "sha256": _checksum(weights, validation),
        "model": _model_settings(settings),
        "subwords": subwords_hash(subwords),
        **({"validation": validation} if validation else {}),
    }
    return tensor_file(weights, metadata)


def tensor_file(tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a safetensors file, the same bytes for the same content: the library puts metadata in random order."""
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, dict(metadata or {}))
    length = int(struct.unpack("<Q", content[:8])[0])
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    packed = header.encode()
    packed += b" " * (-len(packed) % 8)  # so that the tensors are aligned
    return b"".join((struct.pack("<Q", len(packed)), packed, memoryview(content)[8 + length :]))


def _checksum(weights: Mapping[str, "Tensor"], validation: str) -> str:
    """Return the checksum of all that nothing else in the file or beside it can be checked against."""
    digest = tensors_hash(weights)
    return hashlib.sha256(f"{digest} {validation}".encode()).hexdigest() if validation else digest


def _model_settings(settings: Settings) -> str:
    return json.dumps(settings.model.model_dump(), sort_keys=True)


def _is_model_of(text: str, settings: Settings) -> bool:
    """Return whether these are the model settings; one that is younger than the file had its default then."""
    try:
        return ModelSettings(**json.loads(text)) == settings.model
    except (ValueError, TypeError, RecursionError):
        return False


def subwords_hash(subwords: Subwords) -> str:
    """Return the SHA-256 of both models."""
    return hashlib.sha256(b"".join(subword.model for subword in subwords)).hexdigest()


def unpack_weights(content: bytes, name: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Unpack the tensors and metadata of a safetensors file. Raises DataError if it is damaged in any bit."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    metadata = read_header(io.BytesIO(content), name).metadata
    try:
        tensors = load(content)
        if metadata["sha256"] != _checksum(tensors, metadata.get("validation", "")):
            raise DataError(f"{name}: damaged: its checksum does not match; copy the run again, or train it again")
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise _no_model(name) from None
    return tensors, metadata


class Header(NamedTuple):
    """Hold what a weights file announces."""

    shapes: dict[str, tuple[str, tuple[int, ...]]]  # {name: (type as safetensors names it, shape)}
    metadata: dict[str, str]
    size: int  # bytes that the whole file must have


def read_header(file: io.BufferedIOBase, name: Path) -> Header:
    """Read the beginning of a weights file. Raise DataError if it is not one of this format; sizes are not trusted."""
    try:
        length = int(struct.unpack("<Q", file.read(8))[0])
        if length > MAX_HEADER:
            raise _no_model(name)
        entries = json.loads(file.read(length))
        metadata = dict(entries.pop("__metadata__"))
        if not all(isinstance(text, str) for text in metadata.values()):
            raise _no_model(name)
        if metadata["format"] != FORMAT:
            raise DataError(f"{name}: damaged, or made by another version of nmt: its format is not {FORMAT}")
        shapes = {key: (str(entry["dtype"]), tuple(map(int, entry["shape"]))) for key, entry in entries.items()}
        sizes = [math.prod(shape) * BYTES[kind] for kind, shape in shapes.values()]
        if any(side < 0 for _, shape in shapes.values() for side in shape):
            raise _no_model(name)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _no_model(name) from None
    return Header(shapes, metadata, 8 + length + sum(sizes))


def _no_model(name: Path) -> DataError:
    return DataError(f"{name}: damaged, or not a model of this program")


def read_weights(
    run: Path, name: str, check: Callable[[Header], None] = lambda _: None
) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Read the tensors and metadata of a weights file of a run; its rest is read only when `check` accepts its
    header."""
    path = run / name
    with readable(path), open_run_file(run, name) as file:
        header = read_header(file, path)
        check(header)
        if os.fstat(file.fileno()).st_size != header.size:
            raise _no_model(path)
        file.seek(0)
        return unpack_weights(read_bounded(file, path, header.size), path)


def read_header_of(run: Path, name: str) -> Header:
    """Read the beginning of a weights file of a run."""
    with readable(run / name), open_run_file(run, name) as file:
        return read_header(file, run / name)


def check_shapes(header: Header, shapes: Mapping[str, tuple[int, ...]], name: Path) -> None:
    """Raise DataError if a weights file announces other tensors than a model has; in 8 bits, scales come with them."""
    found = dict(header.shapes)
    for key, shape in shapes.items():
        kind, own = found.pop(key, ("", ()))
        if not kind:
            raise DataError(f"{name}: has no tensor {key}")
        if own != shape:
            raise DataError(f"{name}: tensor {key} has shape {own}, not {shape}")
        scales = ("F32", (*shape[:1], 1))
        if not (kind in FLOATS or (kind == "I8" and found.pop(f"{key}.scale", None) == scales)):
            raise DataError(f"{name}: tensor {key} has an unexpected data type")
    for key in found:
        raise DataError(f"{name}: has an unknown tensor {key}")


# A whole run ---------------------------------------------------------------------------------------------------------


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
    return config.where_they_are(settings, _paths_at_training(path))


def _paths_at_training(path: Path) -> dict[str, Any]:
    """Return the absolute paths that the provenance of a run has; none if it is old, damaged or not there."""
    try:
        found = read_json(path / PROVENANCE).get("paths", {})
    except DataError:
        return {}
    return found if isinstance(found, dict) else {}


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


def load_run(path: Path, device: "torch.device") -> LoadedRun:
    """Load the settings, subwords and best weights of a run. Raises DataError if any is missing, damaged or unfit."""
    if run_file_exists(path, CONFIG) and not run_file_exists(path, WEIGHTS):
        what = "no such file: the run has no validated model yet; resume it with: nmt train CONFIG"
        load_settings(path), load_subwords(path)  # whose problems come first
        raise DataError(f"{path / WEIGHTS}: {what}")
    return _load(path, WEIGHTS, device)


def _load(path: Path, name: str, device: "torch.device") -> LoadedRun:
    """Load a run with the weights of one of its files."""
    from nmt.model import int8, make_model, model_shapes

    settings, subwords = load_settings(path), load_subwords(path)
    file = path / name

    def check(header: Header) -> None:
        if not _is_model_of(header.metadata.get("model", ""), settings):
            raise DataError(
                f"{file}: was trained with other model settings than {path / CONFIG} has; restore that file"
            )
        if header.metadata.get("subwords") != subwords_hash(subwords):
            raise DataError(f"{file}: was trained with another subword model than the one beside it; restore that file")
        check_shapes(header, model_shapes(settings.model, [len(subword) for subword in subwords]), file)

    weights, _ = read_weights(path, name, check)
    model = make_model(settings.model, len(subwords.source), len(subwords.target))
    set_weights(model, int8.unpack(weights), file)
    return LoadedRun(path, settings, subwords, model.to(device).eval(), int8.is_packed(weights))


def is_in_8_bits(path: Path) -> bool:
    """Return whether a run was exported in 8 bits; false for one that cannot be read."""
    try:
        with open_run_file(path, WEIGHTS) as file:
            return any(kind == "I8" for kind, _ in read_header(file, path / WEIGHTS).shapes.values())
    except (OSError, DataError):
        return False


def set_weights(model: "Seq2Seq", weights: Mapping[str, "Tensor"], name: Path) -> None:
    """Copies weights into a model. Raises DataError if names or shapes differ."""
    import torch

    own = named_weights(model)
    for key in own.keys() ^ weights.keys():
        raise DataError(f"{name}: {'has no' if key in own else 'has an unknown'} tensor {key}")
    with torch.no_grad():
        for key, parameter in own.items():
            if parameter.shape != weights[key].shape:
                raise DataError(
                    f"{name}: tensor {key} has shape {tuple(weights[key].shape)}, not {tuple(parameter.shape)}"
                )
            if not (weights[key].is_floating_point() and bool(weights[key].isfinite().all())):
                raise DataError(f"{name}: tensor {key} has non-finite values")
            parameter.copy_(weights[key])


def load_translator(
    paths: Path | str | Sequence[Path | str],
    device: str | None = None,
    threads: int | None = None,
    *,
    snapshot: int = 0,
) -> "Translator":
    """Load a translator from a run directory, or an ensemble from several.

    Device and decoding settings are those of the first run where none are given; threads are not, as the machine that
    trained it had others: the translator computes with as many as torch has, or with `threads`, and leaves torch's
    own number as it is. `snapshot` is a step of which the run has a snapshot, to load that instead of its best model.
    Raises DataError if a run is damaged, or if the runs do not share their subwords.
    """
    from nmt.decoding.translator import Translator
    from nmt.device import check_threads, find_device
    from nmt.model.int8 import multiplies_int8, quantize

    folders = [Path(path) for path in ([paths] if isinstance(paths, Path | str) else paths)]
    settings = load_settings(folders[0])
    where = settings.device if device is None else device
    settings = config.changed(settings, device=where, threads=0 if threads is None else threads)
    check_threads(settings.threads)
    chosen = find_device(settings)
    if any(in_8_bits := [is_in_8_bits(path) for path in folders]):
        if where == "auto":
            chosen = find_device(config.changed(settings, device="cpu"))
        if chosen.type != "cpu":
            raise ConfigError(
                f"{folders[in_8_bits.index(True)]}: has 8-bit weights, which need a CPU, and device={chosen.type}; set "
                "device=cpu (--device cpu), or use the run that it was exported from"
            )
    loaded = [load_snapshot(path, snapshot, chosen) if snapshot else load_run(path, chosen) for path in folders]
    check_same_subwords(loaded)
    for run in loaded:
        if run.eight_bits and multiplies_int8():
            quantize(run.model)
    first = loaded[0].settings
    calibration = load_calibration(folders[0]) if len(folders) == 1 and not snapshot else None
    return Translator(
        [run.model for run in loaded],
        loaded[0].subwords,
        first.decoding,
        chosen,
        first.data.max_length,
        load_shortlist(loaded[0]) if len(loaded) == 1 and chosen.type == "cpu" else None,
        _statistics_of_all(folders),
        settings.threads,
        (calibration.words.curve, calibration.sentences.curve) if calibration else None,
    )


def _statistics_of_all(folders: Sequence[Path]) -> "TrainingStatistics | None":
    """Return the narrowest statistics of an ensemble; None if one of the runs has none."""
    from nmt.data.statistics import together

    first, *others = [load_statistics(folder) for folder in folders]
    known = [other for other in others if other is not None]
    return together(first, known) if first is not None and len(known) == len(others) else None


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
        raise DataError(f"{file}: damaged: {error}; copy the run again, or remove the file") from None


def save_calibration(path: Path, calibration: "Calibration") -> None:
    """Write the calibration of the confidence."""
    from nmt.decoding.confidence import to_json

    write_atomic(path / CALIBRATION, to_json(calibration))


def load_calibration(path: Path) -> "Calibration | None":
    """Load the calibration of a run's model; None if there is none, or if it is that of another model. Raises
    DataError if the file is damaged."""
    from nmt.decoding.confidence import from_json

    file = path / CALIBRATION
    if not run_file_exists(path, CALIBRATION):
        return None
    try:
        found = from_json(read_json(file))
    except ValueError as error:
        raise DataError(f"{file}: damaged: {error}; copy the run again, or remove the file") from None
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
    from nmt.decoding.shortlist import Shortlist

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


def load_snapshot(path: Path, step: int, device: "torch.device") -> LoadedRun:
    """Load a run with the weights of a snapshot. Raises DataError if it is missing, damaged or unfit."""
    return _load(path, f"{SNAPSHOTS}/{snapshot_name(step)}", device)


def save_run(path: Path, settings: Settings, subwords: Subwords, weights: Mapping[str, "Tensor"]) -> None:
    """Save a new run that translates. The weights are written last: until then it does not count as a run."""
    write_atomic(path / CONFIG, config.dump(config.portable(settings, path)).encode())
    save_subwords(path, subwords)
    write_atomic(path / WEIGHTS, pack_weights(weights, settings, subwords))
