"""`nmt export`: what is in an exported run, and that it translates."""

from pathlib import Path

import pytest

import nmt
from nmt.errors import ConfigError, DataError
from nmt.export import export
from nmt.run import SHORTLIST, WEIGHTS

LINES = ["We see the house.", "", "They read a book."]


def made(run: Path, out: Path, *, eight_bits: bool = False, shortlist: int = 0) -> Path:
    export(run, out, eight_bits=eight_bits, shortlist=shortlist, command=["nmt", "export"], say=lambda _: None)
    return out


def texts(run: Path) -> list[str]:
    return [each.text for each in nmt.load(run, device="cpu", threads=1).translate(LINES)]


def test_a_plain_export_translates_the_same(tiny_run: Path, tmp_path: Path) -> None:
    out = made(tiny_run, tmp_path / "out")
    assert {file.name for file in out.iterdir()} == {"config.yaml", "subword.model", WEIGHTS, "provenance.json"}
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


def test_it_is_written_into_a_new_folder_only(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
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
