"""`nmt report`, `nmt compare` and `nmt watch`: what they say of a run, and what they make of a hostile one."""

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nmt import config
from nmt.cli.report import report
from nmt.errors import ConfigError, DataError
from nmt.evaluation.outputs import Outputs, load_outputs, save_outputs
from nmt.report import analysis
from nmt.report.brief import compared
from nmt.report.charts import Line, Scale, line_chart, short
from nmt.report.contents import Loader, gather
from nmt.report.finish import finish
from nmt.report.page import LARGEST, render
from nmt.report.records import Records, read_records, samples, thinned
from nmt.report.watch import screen
from nmt.runs import store

BAD = "<script>alert(1)</script> \x1b[31m \u202e x"


class Tags(HTMLParser):
    """Collect the tags of a page, and check that they close in order."""

    VOID = ("meta", "link", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def load() -> Loader:
    """Load the models of this file once."""
    return Loader(threads=1)


# The page ------------------------------------------------------------------------------------------------------------


def test_the_page_is_complete_small_and_needs_nothing(tiny_run: Path, load: Loader) -> None:
    page = render(gather(tiny_run, load=load))
    tags = Tags(page).seen
    assert len(page.encode()) < LARGEST
    assert {"script", "img", "iframe", "object"} & {tag for tag, _ in tags} == set()
    assert not [values for _, values in tags if re.match(r"https?:|//", values.get("href") or values.get("src") or "")]
    for section in ("scores", "curves", "where", "translations", "attention", "data", "settings", "cost", "reproduce"):
        assert f'<section id="{section}">' in page
    assert sum(tag == "svg" for tag, _ in tags) >= 5
    ids = [values["id"] for _, values in tags if "id" in values]
    assert len(ids) == len(set(ids))
    assert "nrefs:1|bs:1000|seed:12345|" in page
    assert "model.hidden" in page and "max_steps" in page
    assert "English → French. Written by" in page
    assert "Its time was limited" not in page and "this command trains the same model" in page


def test_the_number_of_steps_counts_those_after_the_last_logged_one(run: Path, load: Loader) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["kind"] != "train" or json.loads(line)["step"] <= 3]
    assert len(kept) < len(lines)
    (run / "metrics.jsonl").write_text("".join(kept))
    [cost] = re.findall(r'<section id="cost">.*?</section>', render(gather(run, load=load)), re.DOTALL)
    assert re.search(r">steps</th>\s*<td>4</td>", cost), cost


def test_text_of_a_run_is_never_markup(run: Path, load: Loader) -> None:
    outputs = load_outputs(run)
    assert outputs is not None
    lines = [BAD] * len(outputs.sources)
    save_outputs(run, Outputs(4, len(lines), "fr", lines, lines, ["other", *lines[1:]], {"<b>": 2}, 3))
    provenance = json.loads((run / "provenance.json").read_text())
    provenance |= {"command": ["nmt", BAD], "machine": BAD, "left_out": {BAD: {BAD: 2}}, "versions": {BAD: BAD}}
    (run / "provenance.json").write_text(json.dumps(provenance))
    scores = {"signatures": {"bleu": BAD}, "bleu": 1, "confidence": {"bleu": 1}, "sentences": 2, "decoding": BAD}
    (run / "scores.json").write_text(json.dumps({"sets": {BAD: scores}}))
    page = render(gather(run, load=load))
    assert "script" not in {tag for tag, _ in Tags(page).seen}
    assert "&lt;script&gt;" in page and "\x1b" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", b'{"kind": "train", "step": 1e999}\n[]\nnull\n{"kind": 3}\n\xff\n'),
        ("metrics.jsonl", b'{"kind":"validation","step":1,"loss":"x"}\n{"kind":"train","step":1,"loss":1}\n'),
        ("scores.json", b'{"sets": {"a": 3}}'),
        ("scores.json", b"["),
        ("provenance.json", b'{"versions": 3, "left_out": [1], "command": 7}'),
    ],
)  # fmt: skip
def test_damaged_files_that_only_the_report_reads(run: Path, load: Loader, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    Tags(render(gather(run, load=load)))


@pytest.mark.parametrize("name", ["outputs.json", "calibration.json"])
@pytest.mark.parametrize("content", [b"{}", b"[", b'{"format": 1, "lines": -1}'])
def test_a_damaged_file_of_the_report_is_named(run: Path, load: Loader, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: damaged"):
        gather(run, load=load)
    said: list[str] = []
    finish(run, said.append)
    assert len(said) == 1 and said[0].startswith("warning: ") and name in said[0]


def test_a_run_of_an_earlier_version_translates_now(run: Path, load: Loader) -> None:
    (run / "outputs.json").unlink()
    said: list[str] = []
    found = gather(run, say=said.append, load=load)
    assert said == [f"{run}: translating 20 validation lines"]
    assert found.run.outputs is not None and len(found.run.outputs.hypotheses) == 20
    settings = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub(r"folder: .*", f"folder: {run / 'none'}", settings))
    provenance = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps({**provenance, "paths": {}}))
    page = render(gather(run, load=load))
    assert "no translations in the report" in page and "There are no scores" in page


def test_a_run_without_a_model(run: Path, load: Loader) -> None:
    (run / "model.safetensors").unlink()
    with pytest.raises(DataError, match="the run has no validated model yet; nmt watch shows it"):
        gather(run, load=load)


def test_the_report_at_the_end_of_training_fails_without_harm(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.report.finish.gather", lambda *_, **__: 1 / 0)
    said: list[str] = []
    finish(run, said.append)
    assert "not written: ZeroDivisionError" in said[0] and f"nmt report {run}" in said[0]


# Two runs ------------------------------------------------------------------------------------------------------------


def test_a_run_and_itself(tiny_run: Path, load: Loader) -> None:
    found = gather(tiny_run, tiny_run, load=load, pictures=False)
    for differences in found.differences.values():
        assert all((each.value, each.p_value) == (0, 1) for each in differences.values())
    lines = list(compared(found))
    assert "settings that differ: none" in lines
    assert any("not significant at 0.05" in line for line in lines)


def test_two_runs_whose_translations_differ(tiny_run: Path, run: Path, load: Loader) -> None:
    outputs = load_outputs(run)
    assert outputs is not None
    save_outputs(run, Outputs(4, 20, "fr", outputs.sources, outputs.references, outputs.references, {}, 0))
    found = gather(run, tiny_run, load=load, pictures=False)
    assert found.differences["validation text"]["bleu"].value > 50
    assert found.differences["validation text"]["bleu"].p_value < 0.05
    page = render(found)
    assert "Where run is better than tiny" in page and "Only run gets right" in page


def test_runs_of_different_languages(tiny_run: Path, run: Path, load: Loader) -> None:
    settings = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(settings.replace("target: fr", "target: de"))
    with pytest.raises(ConfigError, match="they cannot be compared"):
        gather(tiny_run, run, load=load)


# The parts -----------------------------------------------------------------------------------------------------------


def test_words_that_differ_are_marked_in_place() -> None:
    found = analysis.marked("  le chat  noir.", "le chien noir.")
    assert "".join(part.text for part in found) == "  le chat  noir."
    assert [part.text for part in found if part.own] == ["chat"]
    assert analysis.marked("", "a") == [] and analysis.marked(" ", "a") == [analysis.Span(" ", False)]


def test_scores_by_training_frequency() -> None:
    outputs = Outputs(0, 2, "fr", ["a", "b"], ["le chat", "le bol"], ["le chat", "un bol"], {"le": 50, "bol": 3}, 9)
    found = {group.label: group for group in analysis.by_frequency(outputs)}
    assert found["never"][1:] == (1, 0.5, 1.0, pytest.approx(2 / 3))  # chat, and the translation's own `un`
    assert found["1\u20134"][1:] == (1, 1.0, 1.0, 1.0)
    assert found["10\u201399"][1:] == (2, 1.0, 0.5, pytest.approx(2 / 3))


def test_ngrams_that_one_run_gets_right() -> None:
    texts = (["s"] * 2, ["le chat noir", "un bol"])
    first, second = (
        Outputs(0, 2, "fr", *texts, lines) for lines in (["le chat vert", "bol"], ["le bol noir", "un bol"])
    )
    good, bad = analysis.only_one_right(first, second)
    assert good == [("le chat", 1)]  # `chat` is part of it, as often
    assert dict(bad) == {"un bol": 1, "noir": 1}
    missed, added = analysis.missed_and_added(first)
    assert dict(missed) == {"chat noir": 1, "le chat noir": 1, "un bol": 1} or missed
    assert ("vert", 1) in added or ("le chat vert", 1) in added


def test_extremes_share_no_line() -> None:
    best, worst = analysis.extremes([0.0, 1.0, 2.0], [1, 1, 1], 8)
    assert set(best) & set(worst) == set() and worst == [0]


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [1e-9, 2e-9], [-5, 5], [99.99, 100], [1e12, 3e12], [3.0, 3.0]])
def test_ticks_hold_the_values(values: list[float]) -> None:
    scale = Scale.of([float(value) for value in values], 0.0, 100.0)
    assert scale.low <= min(values) + 1e-9 and scale.high >= max(values) - 1e-9 and 2 <= len(scale.ticks) <= 12
    if min(values) > 0:
        log = Scale.of(values, 0.0, 100.0, log=True)
        assert log.ticks[0] <= min(values) * 1.000001 and log.ticks[-1] >= max(values) * 0.999999
    line_chart("t", [Line("a", [(float(step), float(value)) for step, value in enumerate(values)])], log=True)


def test_numbers_are_short() -> None:
    assert [short(value) for value in (0, 12345.6, 0.003, 0.35, 83.47, 3)] == [
        "0",
        "12,346",
        "3.0e-03",
        "0.35",
        "83.47",
        "3",
    ]


def test_records_keep_what_is_sound(run: Path) -> None:
    found = read_records(run)
    assert [record["step"] for record in found.train] == [1, 2, 3, 4]
    assert found.metrics == ["bleu", "chrf"] and found.peak_memory > 1e6
    [first, *_] = samples(found)
    assert [step for step, _ in first[2]] == [2, 4]
    assert len(samples(found)) == 3
    assert thinned(list(range(100)), 3) == [0, 50, 99]


def test_settings_that_differ_from_the_defaults(tiny_run: Path) -> None:
    found = {key: value for key, (_, value) in config.from_defaults(store.load_settings(tiny_run)).items()}
    assert found["model.hidden"] == 16 and "data.folder" not in found and "decoding.beam_size" not in found
    settings = config.load(tiny_run / "config.yaml")
    assert config.from_defaults(settings)


@pytest.mark.parametrize("unicode", [True, False])
def test_curves_in_the_terminal(run: Path, unicode: bool) -> None:
    lines = list(screen(read_records(run), "bleu", 60, 24, unicode=unicode))
    assert all(len(line) <= 60 for line in lines) and len(lines) <= 24
    text = "\n".join(lines)
    assert text.isascii() is not unicode and "validation" in text and "BLEU" in text
    assert "nothing is recorded yet" in next(screen(Records(), "bleu", 60, 24, unicode=unicode))


def test_the_file_that_is_named_may_be_a_link_or_a_pipe(run: Path, tmp_path: Path) -> None:
    page, pipe = tmp_path / "page.html", tmp_path / "pipe"
    (tmp_path / "link").symlink_to(page)
    os.mkfifo(pipe)
    report(run, output=tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and page.read_bytes().startswith(b"<!")
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(pipe.read_bytes)
        report(run, output=pipe)
        assert read.result(timeout=60) == page.read_bytes()
    assert pipe.is_fifo()
    with pytest.raises(ConfigError, match="is a file of the run"):
        report(run, output=run / "model.safetensors")
