"""scripts/lab/sweep.py: combinations, jobs and the table."""

import json
import sys
from pathlib import Path

import pytest
import sweep

from nmt.errors import ConfigError


def test_values_are_combined() -> None:
    shared, points = sweep.split(["a.b=1,2", "c=3", "d=x,y", "data.test=[p,q]"])
    assert shared == ["c=3", "data.test=[p,q]"]
    assert [point.name(7) for point in points] == [
        "b=1_d=x_seed=7", "b=1_d=y_seed=7", "b=2_d=x_seed=7", "b=2_d=y_seed=7",
    ]  # fmt: skip
    assert sweep.split([])[1] == [sweep.Point({})]
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        sweep.split(["model.hidden"])


@pytest.mark.parametrize(("metric", "order"), [("bleu", ["2", "1"]), ("loss", ["1", "2"])])
def test_the_table_has_the_best_first(tmp_path: Path, metric: str, order: list[str]) -> None:
    points = sweep.split(["model.layers=1,2,3"])[1]
    for point, scores in zip(points[:2], ([3.0, 1.0], [5.0, 4.0]), strict=True):
        run = tmp_path / point.name(1)
        run.mkdir()
        (run / "config.yaml").write_text(
            f"data: {{source: a, target: b}}\ntraining: {{metric: {metric}, max_steps: 9}}\n"
        )
        lines = [{"kind": "train", "loss": 9}, *({"kind": "validation", metric: score} for score in scores)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    head, _, *rows, missing = sweep.table(points, [1], tmp_path)
    assert head == f"| model.layers | validation {metric}, mean | range | seeds |"
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == order
    assert missing == "1 runs have no validation yet"


def test_a_mistake_is_found_before_the_first_training(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("data: {folder: ., source: a, target: b}\n")
    with pytest.raises(SystemExit, match=r"error: .*model\.hiden: unknown key"):
        sweep.main(["a.yaml", "--out", "out", "model.hiden=1,2"])
    assert not Path("out").exists()


@pytest.mark.slow
def test_jobs_run_beside_each_other_and_one_fails(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    from jobs import run_jobs

    commands = [[sys.executable, "-c", f"import sys; sys.exit({status})"] for status in (0, 3, 0)]
    assert run_jobs(commands, tmp_path / "jobs", "local", at_once=2) == [0, 3, 0]


@pytest.mark.slow
def test_a_sweep_trains_what_is_missing(tiny_corpus: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(
        f"data: {{folder: {tiny_corpus}, source: en, target: fr}}\nsubword: {{vocab_size: 400}}\n"
        "model: {embedding: 8, hidden: 8}\ntraining: {max_steps: 2, batch_tokens: 50}\nthreads: 1\n"
    )
    for _ in range(2):  # the second time there is nothing to train
        sweep.main(["a.yaml", "--out", "out", "model.dropout=0.1,0.2", "--at-once", "2"])
        assert [line.split(" | ")[-1] for line in capsys.readouterr().out.splitlines()[2:]] == ["1 |", "1 |"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["dropout=0.1_seed=1", "dropout=0.2_seed=1", "jobs"]
