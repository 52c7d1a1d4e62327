"""A run as a whole: what is refused, and what an older version left out."""

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch

from nmt.errors import DataError
from nmt.run import WEIGHTS, load_run, load_settings, load_translator

CPU = torch.device("cpu")


def rewritten(run: Path, folder: Path, **model: object) -> Path:
    """A copy of the run whose weights file names other model settings; None takes a key out."""
    copy = folder / "run"
    shutil.copytree(run, copy)
    content = (copy / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    settings = json.loads(header["__metadata__"]["model"]) | model
    header["__metadata__"]["model"] = json.dumps({key: value for key, value in settings.items() if value is not None})
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (copy / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    return copy


def test_a_model_from_before_a_setting_existed_has_its_default(tiny_run: Path, tmp_path: Path) -> None:
    copy = rewritten(tiny_run, tmp_path, architecture=None, self_attention=None)
    assert load_run(copy, CPU).model.settings == load_run(tiny_run, CPU).model.settings


@pytest.mark.parametrize(("given", "used"), [(None, 0), (2, 2)])
def test_the_threads_of_the_training_are_not_those_of_the_translator(
    tiny_run: Path, given: int | None, used: int
) -> None:
    assert load_settings(tiny_run).threads == 1
    before = torch.get_num_threads()
    assert load_translator(tiny_run, threads=given).threads == used
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("change", [{"hidden": 18}, {"cell": "nonsense"}, {"unheard_of": 1}])
def test_weights_of_another_model_are_refused(tiny_run: Path, tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(DataError, match="was trained with other model settings"):
        load_run(rewritten(tiny_run, tmp_path, **change), CPU)
