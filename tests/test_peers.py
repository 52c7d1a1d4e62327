"""scripts/bench_peers.py, as far as it needs no network: what is counted, the plain model, the table."""

import json
import math
import statistics
import sys
from pathlib import Path

import bench_peers
import pytest
import torch
from bench_peers import check_equal
from peers import environment, ours, ours_shortlist, results
from peers.plain import Plain
from peers.results import MARKS, Rounds, falls, keep_record, ratios, table, write_page
from peers.toolkits import ENVIRONMENTS, OWN, TOOLKITS, Process
from peers.work import BOS, EOS, PAD, UNK, Sizes, Work, padded_sources, read, training_batches, write
from safetensors.torch import save_file

from nmt.inference.shortlist import Shortlist

SIZES = Sizes(vocab=20, embedding=8, hidden=8, layers=2, dropout=0.1)
BATCHES = [([[4, 5, 6], [7, 8]], [[9, 10], [11, 12, 13, 14]]), ([[15], [16, 17]], [[18, 19, 4], [5]])]
WORK = Work(SIZES, 1, 0.02, 1.0, BATCHES, [[4, 5], [6, 7, 8]], 3)
TOKENS = (2 + 1) + (4 + 1) + (3 + 1) + (1 + 1)
ABOUT = {"versions": {"nmt": "0.1.0", "OpenNMT-py": "3.5.1"}, "parameters": {"nmt": 21.5e6, "OpenNMT-py": 21.4e6},
         "precisions": {"nmt": "bf16"}, "cpu_features": ["avx2"],
         "torch": "2.13.0", "threads": 2, "batches": 12, "searches": 2, "length": 14, "flops_per_token": 1e8,
         "equal_translations": 128}  # fmt: skip


def test_batches_have_ends_and_padding() -> None:
    first = training_batches(WORK)[0]
    assert first.source.tolist() == [[4, 5, 6, EOS], [7, 8, EOS, PAD]]
    assert first.lengths.tolist() == [4, 3]
    assert first.target.tolist() == [[BOS, 9, 10, EOS, PAD, PAD], [BOS, 11, 12, 13, 14, EOS]]
    assert first.tokens == 8
    assert padded_sources([[4]])[0].tolist() == [[4, EOS]]


def test_work_comes_back_from_its_file(tmp_path: Path) -> None:
    write(WORK, tmp_path)
    assert json.loads((tmp_path / "work.json").read_text())["sizes"]["vocab"] == 20
    got = read(tmp_path)
    assert got.sizes == SIZES
    assert [[list(side) for side in batch] for batch in got.batches] == [list(batch) for batch in BATCHES]


def test_all_count_the_same_tokens(tmp_path: Path) -> None:
    save_file(bench_peers.new_weights(SIZES), tmp_path / "weights.safetensors")
    assert Plain(WORK, tmp_path).train() == TOKENS
    assert ours.Ours(WORK, tmp_path).train() == TOKENS
    assert sum(batch.tokens for batch in training_batches(WORK)) == TOKENS


def test_the_plain_model_learns(tmp_path: Path) -> None:
    torch.manual_seed(1)
    plain = Plain(WORK, tmp_path)
    losses = [plain.update(batch)[0] for _ in range(40) for batch in plain.batches]
    assert losses[0] == pytest.approx(math.log(SIZES.vocab), abs=0.5)
    assert max(losses[-2:]) < 0.3 * losses[0]


def test_the_plain_model_does_not_see_padding(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = Plain(WORK, tmp_path).model.eval()
    both = training_batches(WORK)[0]
    alone = training_batches(WORK._replace(batches=[([[7, 8]], [[11, 12, 13, 14]])]))[0]
    assert torch.allclose(model(both)[1:], model(alone), atol=1e-6)


def test_the_plain_model_is_of_the_size_that_is_compared() -> None:
    from peers.plain import PlainModel

    sizes = bench_peers.new_work(1, 1).sizes
    counts = [sum(part.numel() for part in model.parameters()) for model in (PlainModel(sizes), ours.new_model(sizes))]
    assert counts[0] == counts[1]


def test_operations_are_counted_over_all_batches() -> None:
    """A pass over both batches needs what each of them needs."""
    each = [bench_peers.flops_per_token(WORK._replace(batches=[batch])) for batch in BATCHES]
    assert bench_peers.flops_per_token(WORK) == pytest.approx((8 * each[0] + 6 * each[1]) / TOKENS)


def test_translations_are_as_long_as_asked(tmp_path: Path) -> None:
    save_file(bench_peers.new_weights(SIZES), tmp_path / "weights.safetensors")
    toolkit = ours.Ours(WORK, tmp_path)
    for beam in (1, 3):
        found = toolkit.decode(WORK.sources, 2, beam)
        assert [len(ids) for ids in found] == [3, 3]
        assert not {PAD, UNK, BOS, EOS} & {id for ids in found for id in ids}
        assert found == toolkit.decode(WORK.sources, 1, beam)


def test_the_shortlist_is_as_long_as_with_real_text() -> None:
    """920 of 8,000 pieces for 32 sentences together, 140 for one: medians of scripts/lab/shortlist_sizes.py."""
    work = bench_peers.new_work(1, 4)
    shortlist = ours_shortlist.drawn(work.sizes.vocab)
    sources = work.sources[:32]
    together = shortlist.pieces(padded_sources(sources)[0])
    alone = [shortlist.pieces(padded_sources([source])[0]) for source in sources]
    assert together is not None and len(together) == pytest.approx(920, rel=0.05)
    assert statistics.median(len(part) for part in alone if part is not None) == pytest.approx(140, rel=0.1)


def test_a_worker_with_a_shortlist_makes_pieces_of_it(tmp_path: Path) -> None:
    work = WORK._replace(sizes=SIZES._replace(vocab=200))
    save_file(bench_peers.new_weights(work.sizes), tmp_path / "weights.safetensors")
    toolkit = ours_shortlist.WithShortlist(work, tmp_path)
    toolkit.shortlist = Shortlist(torch.full((200, 1), 17), torch.tensor([16, 17]))
    found = toolkit.decode(work.sources, 2, 3)
    assert [len(ids) for ids in found] == [3, 3]
    assert {id for ids in found for id in ids} <= {16, 17}


def test_a_worker_is_a_process_that_obeys(tmp_path: Path) -> None:
    write(WORK, tmp_path)
    save_file(bench_peers.new_weights(SIZES), tmp_path / "weights.safetensors")
    worker = Process("nmt", Path(sys.executable), tmp_path, 1)
    assert worker.about["parameters"] > 0
    assert worker(do="train")["tokens"] == TOKENS
    assert check_equal({"nmt": worker, "OpenNMT-py": worker}) == 4 * len(WORK.sources)
    worker.end()
    assert worker.process.returncode == 0


class Speaker:
    """Stands for a worker: the same answer always."""

    def __init__(self, *outputs: list[int]) -> None:
        self.outputs = list(outputs)

    def __call__(self, **_order: object) -> dict[str, object]:
        return {"outputs": self.outputs}


def test_nothing_is_timed_where_translations_differ() -> None:
    with pytest.raises(SystemExit, match=r"nmt and OpenNMT-py differ in 1 translations \(batch 32, beam 1\)"):
        check_equal({"nmt": Speaker([4, 5], [6]), "OpenNMT-py": Speaker([4, 5], [7])})
    assert check_equal({"nmt": Speaker([4])}) == 0


def test_the_table_has_medians_and_ratios_of_rounds() -> None:
    """By hand: ratios 2, 1.5 and 3 have the median 2, and the ratio of the medians would be 1,200 / 500 = 2.4."""
    training = {"nmt": [1000.0, 1200.0, 1500.0], "OpenNMT-py": [500.0, 800.0, 500.0]}
    decoding = {"batch_32_beam_5": {"nmt": [90.0, 60.0, 120.0], "OpenNMT-py": [45.0, 40.0, 50.0]}}
    rounds = Rounds(training, decoding, {"bf16": [4e11, 4e11, 4e11], "float32": [2e11, 2e11, 2e11]})
    text = "\n".join(table(rounds, ABOUT))
    assert "Threads: 2; torch 2.13.0; 3 rounds, each with 12 training batches and 2 runs of every search; " in text
    assert "large products: 200 GFLOP/s in float32, 400 GFLOP/s in bf16; " in text
    assert "this CPU has avx2." in text
    assert "| nmt 0.1.0 | bf16 | 21.5 M | 1,200 | 1,000 to 1,500 | 30 % | 1.00x |" in text
    assert "| OpenNMT-py 3.5.1 | float32 | 21.4 M | 500 | 500 to 800 | 25 % | 2.00x |" in text
    assert "| decoding, sentences/s | batch 32, beam 5 |" in text
    assert "| nmt 0.1.0 | 90.0 (2.00x) |" in text
    assert "| OpenNMT-py 3.5.1 | 45.0 (1.00x) |" in text
    assert "made the same 128 translations" in text
    text = "\n".join(table(rounds, {**ABOUT, "equal_alone": 64}))
    assert "nmt and Eole made the same 64 translations of sentences one by one with the same weights." in text


def test_the_table_goes_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\n\nold\n\n{MARKS[1]}\nafter\n")
    write_page(page, "| new |")
    assert page.read_text() == f"before\n{MARKS[0]}\n\n| new |\n\n{MARKS[1]}\nafter\n"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="lacks the line"):
        write_page(page, "| new |")


def test_the_page_has_the_marks() -> None:
    page = (environment.PROJECT / "docs" / "lab" / "benchmarks.md").read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in MARKS)


def test_every_other_toolkit_has_an_environment_with_exact_versions() -> None:
    assert ENVIRONMENTS.keys() == TOOLKITS.keys() - OWN
    for made in set(ENVIRONMENTS.values()):
        lines = (environment.PROJECT / "scripts" / "peers" / made.requirements).read_text(encoding="utf-8").split("\n")
        assert all("==" in line for line in [*made.toolkits, *lines] if line and not line.startswith("#"))
    assert "aiohttp" in (environment.PROJECT / "scripts/peers/requirements-eole.txt").read_text(encoding="utf-8")


def test_a_failed_installation_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^error: the peers cannot be installed: .*no-such-package.*$"):
        environment._pip(Path(sys.executable), "no-such-package")


@pytest.mark.parametrize("natively", [True, False])
def test_a_ratio_that_falls_by_more_than_a_tenth_is_told(monkeypatch: pytest.MonkeyPatch, natively: bool) -> None:
    """Those of 8-bit runs count where the CPU multiplies 8-bit integers natively."""
    monkeypatch.setattr(results, "multiplies_int8", lambda: natively)
    before = {"training": {"nmt / plain": 2.0, "nmt / OpenNMT-py": 1.5}, "batch_1_beam_1": {"nmt int8 / nmt": 1.5}}
    now = {"training": {"nmt / plain": 1.81, "nmt / JoeyNMT": 1.0}, "batch_1_beam_1": {"nmt int8 / nmt": 1.4}}
    assert list(falls(before, now)) == []
    now = {"training": {"nmt / plain": 1.79, "nmt / OpenNMT-py": 1.6}, "batch_1_beam_1": {"nmt int8 / nmt": 1.3}}
    slower = ["training: nmt / plain was 2.00, and is 1.79", "batch_1_beam_1: nmt int8 / nmt was 1.50, and is 1.30"]
    assert list(falls(before, now)) == (slower if natively else slower[:1])


def test_a_record_is_kept_beside_those_of_other_machines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    keep_record(path, "one", {"training": {"nmt / plain": 2.0}})
    keep_record(path, "other", {"training": {"nmt / plain": 3.0}})
    keep_record(path, "one", {"training": {"nmt / Eole": 4.0}, "batch_1_beam_1": {"nmt / Eole": 1.0}})
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "one": {"training": {"nmt / plain": 2.0, "nmt / Eole": 4.0}, "batch_1_beam_1": {"nmt / Eole": 1.0}},
        "other": {"training": {"nmt / plain": 3.0}},
    }


def test_ratios_are_medians_of_rounds() -> None:
    training = {"nmt": [2.0, 4.0, 9.0], "plain": [1.0, 4.0, 3.0]}
    decoding = {"batch_1_beam_1": {"OpenNMT-py": [1.0], "nmt int8": [3.0], "nmt": [2.0]}}
    assert ratios(Rounds(training, decoding, {})) == {
        "training": {"nmt / plain": 2.0},
        "batch_1_beam_1": {"nmt / OpenNMT-py": 2.0, "nmt int8 / nmt": 1.5, "nmt int8 / OpenNMT-py": 3.0},
    }
