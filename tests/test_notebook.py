"""docs/colab.ipynb: its cells, run in order in a fresh folder; `.ci/run` and `make proof` run this."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SMALL = "training.max_steps=2 training.save_every=2 training.validate_every=2 training.warmup=2 threads=1"
SMALLER = "model.embedding=16 model.hidden=16 subword.vocab_size=360"


@pytest.mark.slow
def test_the_notebook_trains_shows_saves_and_resumes(
    tmp_path: Path, tiny_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECT / "configs", tmp_path / "configs")
    shutil.copytree(tiny_corpus, tmp_path / "data" / "en-fr")
    links = (PROJECT / "data" / "en-fr" / "train.align").read_text(encoding="utf-8").split("\n")[:200]
    (tmp_path / "data" / "en-fr" / "train.align").write_text("\n".join(links) + "\n", encoding="utf-8")
    monkeypatch.setenv("NMT_HOME", str(tmp_path))
    monkeypatch.setenv("RUN", "")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    cells = json.loads((PROJECT / "docs" / "colab.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    printed = "".join(_run(cell, names) for cell in code)
    assert "Je" in printed or "BLEU" in printed
    assert (tmp_path / "attention.svg").exists()
    [training] = [cell for cell in code if "nmt train" in cell]
    assert "already finished" in _run(training, names)  # the runtime was lost, the run was not


def _run(cell: str, names: dict[str, object]) -> str:
    """Run a cell as a notebook does: lines that begin with `!` in a shell, the others in Python."""
    shell = [line[1:] for line in cell.split("\n") if line.startswith("!")]
    if not shell:
        exec(compile(cell, "colab.ipynb", "exec"), names)
        return ""
    return "".join(_shell(command) for command in shell)


def _shell(command: str) -> str:
    if command.startswith("pip "):
        return ""
    if "nmt train" in command:
        command = f"{re.sub(r'training[.](max_steps|save_every)=[0-9]+', '', command)} {SMALL} {SMALLER}"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, f"{command}\n{result.stderr}"
    return result.stdout
