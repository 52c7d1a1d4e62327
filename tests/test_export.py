"""`nmt export`: what is in an exported run, and that it translates."""

import errno
import shutil
from pathlib import Path

import pytest
import torch

import nmt
from nmt import config
from nmt.errors import ConfigError, DataError
from nmt.runs.export import export
from nmt.runs.store import SHORTLIST, WEIGHTS
from nmt.training.train import train

LINES = ["We see the house.", "", "They read a book."]


def made(run: Path, out: Path, *, eight_bits: bool = False, shortlist: int | None = None) -> Path:
    export(run, out, eight_bits=eight_bits, shortlist=shortlist, command=["nmt", "export"], say=lambda _: None)
    return out


def texts(run: Path) -> list[str]:
    return [each.text for each in nmt.load(run, device="cpu", threads=1).translate(LINES)]


def test_a_plain_export_translates_the_same(tiny_run: Path, tmp_path: Path) -> None:
    out = made(tiny_run, tmp_path / "out")
    assert {file.name for file in out.iterdir()} == {
        *("config.yaml", "subword.model", WEIGHTS, "provenance.json", "statistics.json")
    }
    assert texts(out) == texts(tiny_run)


def test_small_and_with_a_shortlist(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.model.int8.SMALLEST_SIDE", 8)  # the run is tiny
    out = made(tiny_run, tmp_path / "out", eight_bits=True, shortlist=5)
    assert (out / WEIGHTS).stat().st_size < 0.6 * (tiny_run / WEIGHTS).stat().st_size
    translator = nmt.load(out, device="cpu", threads=1)
    assert translator.shortlist is not None and translator.shortlist.table.shape[1] == 5
    found = [each.text for each in translator.translate(LINES)]
    assert found[1] == "" and len(found) == 3
    assert (out / SHORTLIST).exists()


def test_a_shortlist_stays_and_a_new_one_takes_its_place(tiny_run: Path, tmp_path: Path) -> None:
    first = made(tiny_run, tmp_path / "first", shortlist=5)
    kept, new = made(first, tmp_path / "kept"), made(first, tmp_path / "new", shortlist=3)
    tables = [nmt.load(run, device="cpu").shortlist.table for run in (first, kept, new)]
    assert torch.equal(tables[0], tables[1]) and tables[2].shape[1] == 3


@pytest.mark.parametrize("by", ["start_from", "a subword model that has moved"])
def test_a_shortlist_is_of_the_runs_pieces(by: str, tiny_run: Path, tiny_config: Path, tmp_path: Path) -> None:
    """Although its settings do not give them again."""
    if by == "start_from":
        source = f"training.start_from={tiny_run}"
    else:
        shutil.copy(tiny_run / "subword.model", tmp_path / "moved.model")
        source = f"subword.model={tmp_path / 'moved.model'}"
    text = "".join(
        line for line in tiny_config.read_text().splitlines(True) if "subword" not in line and "vocab" not in line
    )
    (tmp_path / "config.yaml").write_text(text)
    train(config.load(tmp_path / "config.yaml", [f"run={tmp_path / 'run'}", source]), ["nmt", "train"])
    (tmp_path / "moved.model").unlink(missing_ok=True)
    out = made(tmp_path / "run", tmp_path / "out", shortlist=5)
    assert nmt.load(out, device="cpu").shortlist is not None
    assert (out / "subword.model").read_bytes() == (tiny_run / "subword.model").read_bytes()


@pytest.mark.parametrize("shortlist", [None, 5])
def test_a_folder_that_cannot_be_is_refused(tiny_run: Path, tmp_path: Path, shortlist: int | None) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="file/out: cannot write: Not a directory"):
        made(tiny_run, tmp_path / "file" / "out", shortlist=shortlist)


def test_a_full_disk_leaves_no_half_run(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nmt.runs.store.save_run", full)
        with pytest.raises(DataError, match="out: cannot write: No space left on device"):
            made(tiny_run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert texts(made(tiny_run, tmp_path / "out")) == texts(tiny_run)


def test_it_is_written_into_a_new_folder_only(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="already exists"):
        made(tiny_run, tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_shortlist_needs_the_training_data(tiny_run: Path, tmp_path: Path) -> None:
    run = made(tiny_run, tmp_path / "moved")
    text = (run / "config.yaml").read_text()
    [line] = [line for line in text.splitlines() if line.strip().startswith("folder:")]
    (run / "config.yaml").write_text(text.replace(line, f"  folder: {tmp_path / 'nowhere'}"))
    with pytest.raises((ConfigError, DataError), match="nowhere"):
        made(run, tmp_path / "out", shortlist=5)
    assert not (tmp_path / "out").exists()
