"""The weights file of a run: a safetensors file that carries its own checksum, the model's settings and the subwords'
hash, and that is checked before anything in it is used."""

import hashlib
import io
import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nmt.config import ModelSettings, Settings
from nmt.data.subword import Subwords
from nmt.errors import DataError, is_out_of_memory
from nmt.files import open_run_file, read_bounded, readable

if TYPE_CHECKING:
    from torch import Tensor

    from nmt.model import Seq2Seq

FORMAT = "1"
MAX_HEADER = 1_000_000  # bytes of names and shapes in a weights file: thousands of tensors
FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # safetensors' names of types, and bytes of a value
BYTES = {**FLOATS, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def named_weights(model: "Seq2Seq") -> dict[str, "Tensor"]:
    """Return every parameter once, a tied one under its first name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def tensors_hash(tensors: Mapping[str, "Tensor"]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().reshape(-1).data)  # its bytes, not copied
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
        "model": json.dumps(settings.model.model_dump(), sort_keys=True),
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


def is_model_of(text: str, settings: Settings) -> bool:
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


def shapes_of(model: "Seq2Seq") -> dict[str, tuple[int, ...]]:
    """Return {name: shape} of every parameter of a model."""
    return {name: tuple(parameter.shape) for name, parameter in named_weights(model).items()}


def check_weights(shapes: Mapping[str, tuple[int, ...]], weights: Mapping[str, "Tensor"], name: Path) -> None:
    """Raise DataError unless the weights have these names and shapes, and finite values."""
    for key in shapes.keys() ^ weights.keys():
        raise DataError(f"{name}: {'has no' if key in shapes else 'has an unknown'} tensor {key}")
    for key, shape in shapes.items():
        if weights[key].shape != shape:
            raise DataError(f"{name}: tensor {key} has shape {tuple(weights[key].shape)}, not {shape}")
        if not (weights[key].is_floating_point() and bool(weights[key].isfinite().all())):
            raise DataError(f"{name}: tensor {key} has non-finite values")


def set_weights(model: "Seq2Seq", weights: Mapping[str, "Tensor"], name: Path) -> None:
    """Copy weights into a model. Raises DataError if names or shapes differ, or values are not finite."""
    import torch

    check_weights(shapes_of(model), weights, name)
    with torch.no_grad():
        for key, parameter in named_weights(model).items():
            parameter.copy_(weights[key])
