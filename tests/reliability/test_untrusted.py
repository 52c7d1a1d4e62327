"""Security: a model from a stranger is data. Nothing in it is executed, and malformed files are refused at once."""

import json
import pickle
import resource
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nmt.cli import main
from nmt.errors import DataError
from nmt.runs.store import CHECKPOINTS, WEIGHTS, load_run
from nmt.runs.weights import unpack_weights
from nmt.training.checkpoint import list_checkpoints
from reliability.job import sampled

MEGABYTES = 60


class Canary:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path, str], int], tuple[Path, str]]:
        return Path.write_text, (self.path, "the bird sang")


def test_the_canary_sings(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


FILES = [
    "config.yaml", "subword.model", WEIGHTS, "provenance.json", "scores.json", "metrics.jsonl",
    "checkpoints/*/model.safetensors", "checkpoints/*/optimizer.safetensors", "checkpoints/*/state.json",
    "checkpoints/*/manifest.json",
]  # fmt: skip
COMMANDS = {
    "translate": ["translate", "RUN", "-i", "IN"],
    "eval": ["eval", "RUN", "--source", "IN", "--reference", "IN", "--metric", "bleu"],
    "score": ["score", "RUN", "--source", "IN", "--target", "IN"],
    "align": ["align", "RUN", "--source", "IN", "--target", "IN"],
    "average": ["average", "RUN", "--best", "1", "-o", "OUT"],
    "info": ["info", "RUN"],
}


@pytest.mark.parametrize("command", sampled(sorted(COMMANDS, key=lambda name: name != "info"), 5))
def test_pickles_under_every_name(
    tiny_run: Path, tmp_path: Path, monkeypatch, capsys, record_property, command: str
) -> None:
    """Never executed. What the command needs is refused with one line and exit status 2, the rest does not matter."""
    (tmp_path / "in.txt").write_text("We see the house.\n")
    content = pickle.dumps(Canary(tmp_path / "canary"))
    refused = 0
    for number, name in enumerate(FILES):
        folder = tmp_path / f"run-{number}"
        shutil.copytree(tiny_run, folder)
        names = sorted(folder.glob(name)) or [folder / name]
        for path in names:
            path.write_bytes(content)
        places = {"RUN": str(folder), "IN": str(tmp_path / "in.txt"), "OUT": str(tmp_path / f"out-{number}")}
        monkeypatch.setattr(sys, "argv", ["nmt", *(places.get(word, word) for word in COMMANDS[command])])
        status = 0
        try:
            main()
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        errors = capsys.readouterr().err
        assert status in {0, 2}, errors
        assert "Traceback" not in errors
        refused += status == 2
        assert not (tmp_path / "canary").exists()
    assert refused >= 3  # the config, the subwords and the weights at the least
    record_property("cases", len(FILES))


def header(entries: dict[str, object]) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def crafted() -> dict[str, bytes]:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return {
        "nothing": b"",
        "a header of 2^60 bytes": struct.pack("<Q", 2**60) + b"{}",
        "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
        "a header that ends early": struct.pack("<Q", 100) + b'{"a":',
        "a header that is no JSON": struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
        "deep nesting": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "overlap": header({"a": entry, "b": entry}) + bytes(8),
        "a hole": header({"a": entry, "b": {**entry, "data_offsets": [16, 24]}}) + bytes(24),
        "beyond the end": header({"a": {**entry, "data_offsets": [0, 2**40], "shape": [2**38]}}) + bytes(8),
        "a negative place": header({"a": {**entry, "data_offsets": [-8, 0]}}) + bytes(8),
        "backwards": header({"a": {**entry, "data_offsets": [8, 0]}}) + bytes(8),
        "a shape that does not fit": header({"a": {**entry, "shape": [3]}}) + bytes(8),
        "a huge shape of nothing": header({"a": {**entry, "shape": [2**62, 0], "data_offsets": [0, 0]}}),
        "a product that overflows": header({"a": {**entry, "shape": [2**33, 2**33]}}) + bytes(8),
        "an unknown type": header({"a": {**entry, "dtype": "OBJECT"}}) + bytes(8),
        "metadata of another kind": header({"__metadata__": 3, "a": entry}) + bytes(8),
        "no metadata": header({"a": entry}) + bytes(8),
        "100,000 tensors of nothing": header(
            {f"{number}": {**entry, "shape": [0], "data_offsets": [0, 0]} for number in range(100_000)}
        ),
        "zeros": bytes(4096),
    }


@pytest.mark.parametrize("name", sampled(crafted(), 3))
def test_crafted_weights_are_refused_before_memory_is_taken(tiny_run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns(CHECKPOINTS))
    (tmp_path / "run" / WEIGHTS).write_bytes(crafted()[name])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError) as caught:
        load_run(tmp_path / "run", torch.device("cpu"))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024 < MEGABYTES
    assert WEIGHTS in str(caught.value) and "\n" not in str(caught.value)


def test_weights_of_other_shapes_and_names(tiny_run: Path, tmp_path: Path) -> None:
    """With a checksum that fits: whoever makes the file can compute one."""
    from nmt import config
    from nmt.runs.store import load_subwords
    from nmt.runs.weights import pack_weights

    settings, subwords = config.load(tiny_run / "config.yaml"), load_subwords(tiny_run)
    weights, _ = unpack_weights((tiny_run / WEIGHTS).read_bytes(), tiny_run / WEIGHTS)
    first = next(iter(weights))
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns(CHECKPOINTS))
    changed = {
        "shape": {**weights, first: weights[first][:1]},
        "name": {**weights, "__class__": torch.zeros(1)},
        "missing": {name: tensor for name, tensor in weights.items() if name != first},
        "type": {**weights, first: weights[first].to(torch.int64)},
        "not a number": {**weights, first: weights[first] * float("nan")},
    }
    for what, tensors in changed.items():
        (tmp_path / "run" / WEIGHTS).write_bytes(pack_weights(tensors, settings, subwords))
        with pytest.raises(DataError, match=WEIGHTS):
            load_run(tmp_path / "run", torch.device("cpu"))
            raise AssertionError(what)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "sub/../../state.json", "..", ""])
def test_a_path_never_leaves_the_checkpoint(tiny_run: Path, tmp_path: Path, name: str) -> None:
    from nmt.training.checkpoint import load_checkpoint

    shutil.copytree(tiny_run, tmp_path / "run")
    checkpoint = list_checkpoints(tmp_path / "run" / CHECKPOINTS)[-1]
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest[name] = manifest["state.json"]
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="unknown file"):
        load_checkpoint(checkpoint)
