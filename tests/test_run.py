"""A run as a whole: what is refused, and what an older version left out."""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nmt.api import load_translator
from nmt.errors import DataError
from nmt.runs.store import WEIGHTS, load_run, load_settings
from nmt.runs.weights import tensor_file

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


def test_equal_models_are_equal_files(tiny_run: Path) -> None:
    """In processes that order what is hashed differently, as two trainings are."""
    program = """if True:
        import sys
        from pathlib import Path
        import torch
        from nmt.runs.store import load_run
        from nmt.runs.weights import named_weights, pack_weights
        run = load_run(Path(sys.argv[1]), torch.device("cpu"))
        sys.stdout.buffer.write(pack_weights(named_weights(run.model), run.settings, run.subwords, "bleu"))
    """
    files = {
        subprocess.run(
            [sys.executable, "-c", program, tiny_run],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=subprocess.PIPE,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(files) == 1
    assert len({tensor_file({"a": torch.ones(3)}, dict.fromkeys("abcdefgh", "1")) for _ in range(20)}) == 1


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
