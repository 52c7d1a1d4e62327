"""Fast paths: one table, each equal to its plain reference, chosen by thresholds that belong to a thread or a run."""

import json
import re
import threading
import time
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import pytest
import torch
from reliability.job import call, make_workplace, run
from torch import Tensor

import nmt
from nmt import calibration, calibration_cache, config
from nmt.config import ModelSettings
from nmt.errors import DataError
from nmt.inference.free_cores import FreeCores
from nmt.inference.parallel import computing_with
from nmt.kernels import FAST_PATHS, Thresholds, reference, using
from nmt.kernels.choice import NEVER, in_use, thresholds, uses
from nmt.kernels.cross_entropy import cross_entropy, smoothed
from nmt.kernels.deferred_gradients import deferred_gradients, linear
from nmt.kernels.lstm import LSTM, packs_sequences
from nmt.kernels.packed import Packed, PackedWeights, cached_packing
from nmt.kernels.topk import topk
from nmt.model import make_model
from nmt.model.int8 import Int8Linear
from nmt.precision import computing_in
from nmt.runs import store
from nmt.training.thresholds import thresholds_of_run

MEASURED = {1: Thresholds(1, 1)}


# The table -----------------------------------------------------------------------------------------------------------


def test_each_fast_path_asks_the_table() -> None:
    for name, path in FAST_PATHS.items():
        assert f'uses("{name}")' in Path(str(import_module(path.module).__file__)).read_text(encoding="utf-8"), name


def test_a_reference_is_for_its_context_and_thread_alone() -> None:
    elsewhere: list[bool] = []
    with reference("topk"):
        assert not uses("topk") and uses("packed")
        with reference():
            assert not any(uses(name) for name in FAST_PATHS)
        other = threading.Thread(target=lambda: elsewhere.append(uses("topk")))
        other.start()
        other.join()
    assert elsewhere == [True] and all(uses(name) for name in FAST_PATHS)
    with pytest.raises(ValueError, match="no fast path top-k; there are packed, "), reference("top-k"):
        pass


@pytest.mark.parametrize("changes", [{"decoder": "luong"}, {"decoder": "bahdanau"}, {"attention": "additive"}])
def test_loss_and_gradients_are_those_of_the_reference(changes: dict[str, str]) -> None:
    """In double precision for the gradients, and in float32 with everything packed."""
    torch.manual_seed(1)
    model = make_model(ModelSettings(embedding=8, hidden=8, **changes), 30, 30).eval()
    source = torch.tensor([[4, 5, 6, 7], [8, 9, 0, 0]])
    target, output = torch.tensor([[2, 10, 11], [2, 12, 13]]), torch.tensor([10, 11, 3, 12, 13, 3])

    def gradients() -> list[Tensor]:
        decoded = model(source, target)
        loss = cross_entropy(decoded.features.flatten(0, 1), model.generator.output, smoothed(output, 0.1))
        return [loss, *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)]

    with using(MEASURED):
        fast = gradients()
    with reference():
        plain = gradients()
    for one, other in zip(fast, plain, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_translations_are_those_of_the_reference(tiny_run: Path) -> None:
    lines = ["a man rides a bike", "two dogs", "a", "the cat sleeps on the sofa near the window"] * 3
    translator = nmt.load(tiny_run, device="cpu", threads=2)
    translator.speed = {1: Thresholds(1, 1), 2: Thresholds(1, 1)}
    for beam in (1, 4):
        fast = translator.translate(lines, beam_size=beam)
        with reference():
            plain = translator.translate(lines, beam_size=beam)
        assert [each.text for each in fast] == [each.text for each in plain]
        torch.testing.assert_close(
            torch.tensor([each.score for each in fast]), torch.tensor([each.score for each in plain])
        )


def test_8_bits_are_close_to_their_reference_and_the_largest_are_the_same() -> None:
    torch.manual_seed(3)
    layer, rows = Int8Linear(torch.randn(48, 64), torch.randn(48)), torch.randn(5, 64)
    values = torch.randn(3, 1000)
    with reference():
        plain, largest = layer(rows), topk(values, 4)
    torch.testing.assert_close(layer(rows), plain, rtol=0.05, atol=0.2)
    assert all(torch.equal(one, other) for one, other in zip(topk(values, 4), largest, strict=True))


# Packed weights are never stale ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["write", "replace", "optimizer"])
def test_a_weight_that_changed_is_packed_again(change: str) -> None:
    torch.manual_seed(4)
    weight, rows = torch.nn.Parameter(torch.randn(16, 8)), torch.randn(3, 8)
    kept = PackedWeights()

    def found() -> Tensor:
        with torch.no_grad(), using(MEASURED), cached_packing(kept), deferred_gradients():
            return linear(rows, weight, None)

    found()
    assert len(kept) == 1
    if change == "write":
        with torch.no_grad():
            weight.mul_(2)
    elif change == "replace":
        weight.data = torch.randn(16, 8)
    else:
        weight.grad = torch.ones_like(weight)
        torch.optim.AdamW([weight], fused=True).step()
    torch.testing.assert_close(found(), rows @ weight.detach().t())


def test_an_inference_tensor_has_no_version_and_is_not_kept() -> None:
    with torch.inference_mode():
        weight, rows = torch.nn.Parameter(torch.randn(16, 8), requires_grad=False), torch.randn(3, 8)
        kept = PackedWeights()
        for _ in range(2):
            with using(MEASURED), cached_packing(kept), deferred_gradients():
                torch.testing.assert_close(linear(rows, weight, None), rows @ weight.t())
            weight.mul_(2)
        assert len(kept) == 0


needs_packed_sequences = pytest.mark.skipif(
    not packs_sequences(torch.float32), reason="the oneDNN of this torch cannot pack the weights of an LSTM"
)


def run_encoder_layer(layer: LSTM, lengths: list[int], kept: PackedWeights | None) -> list[Tensor]:
    """Run over sentences of these lengths; with packed weights if there is a place to keep them."""
    torch.manual_seed(5)
    inputs = torch.randn(len(lengths), max(lengths), layer.input_size)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    with torch.no_grad(), nullcontext() if kept is None else cached_packing(kept):
        outputs, state = layer.padded(inputs, mask, lengths)
    return [outputs, *state]


@needs_packed_sequences
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("lengths", [[1], [7], [6, 6, 6], [5, 1, 9, 2]])
def test_sequences_with_packed_weights_are_torchs_own(lengths: list[int], bidirectional: bool, precision: str) -> None:
    torch.manual_seed(6)
    layer, kept = LSTM(20, 12, bidirectional), PackedWeights()
    with computing_in(precision, torch.device("cpu")):
        expected = run_encoder_layer(layer, lengths, None)
        for _ in range(2):
            for one, other in zip(run_encoder_layer(layer, lengths, kept), expected, strict=True):
                torch.testing.assert_close(one, other)
    assert len(kept) == 1


@needs_packed_sequences
def test_sequences_are_packed_again_after_a_change_and_not_at_all_for_gradients() -> None:
    torch.manual_seed(7)
    layer, kept = LSTM(20, 12, bidirectional=True), PackedWeights()
    before = run_encoder_layer(layer, [4, 3], kept)
    with torch.no_grad():
        layer.bias_hh_l0_reverse.add_(1)  # type: ignore[union-attr, operator]
    after = run_encoder_layer(layer, [4, 3], kept)
    assert not torch.allclose(before[0], after[0])
    for one, other in zip(after, run_encoder_layer(layer, [4, 3], None), strict=True):
        torch.testing.assert_close(one, other)
    with cached_packing(kept):
        outputs, _ = layer.padded(torch.randn(1, 2, 20), torch.ones(1, 2, dtype=torch.bool), [2])
    assert outputs.requires_grad
    with reference("packed"), torch.no_grad(), cached_packing(empty := PackedWeights()):
        layer.padded(torch.randn(1, 2, 20), torch.ones(1, 2, dtype=torch.bool), [2])
    assert len(empty) == 0


# Calibration ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which calibrations are kept."""
    monkeypatch.setenv("NMT_CACHE", str(tmp_path))
    monkeypatch.delenv("NMT_CALIBRATION")
    monkeypatch.setattr(calibration, "SHAPES", ((8, 8), (16, 8)))
    monkeypatch.setattr(calibration, "MOST_WEIGHTS", 2)
    monkeypatch.setattr(calibration, "SEARCHED", ModelSettings(embedding=32, hidden=32))
    monkeypatch.setattr(calibration, "VOCABULARY", 100)
    return tmp_path


def test_thresholds_follow_from_the_times() -> None:
    """By hand: packed is faster from 2,000 multiplications on; one slip in the middle changes nothing."""
    times = [(500, 1.0, 2.0), (1000, 1.0, 1.1), (2000, 2.0, 1.0), (3000, 2.0, 2.1), (4000, 3.0, 1.0)]
    measured = [calibration.Measured(1, work, 1, plain, packed) for work, plain, packed in times]
    assert calibration._threshold(measured, NEVER) == 2000
    assert calibration._threshold(measured, 1500) == 1500  # which chooses the same
    assert calibration._threshold([each._replace(packed=9.0) for each in measured], 1) == NEVER
    found = calibration.Calibration(Thresholds(2000, NEVER, "bf16"), measured)
    shown = calibration.lines(found, 1)
    limits = "one row: from 2,000 multiplications on; several rows: never"
    assert f"{limits}; no padding of rows; decoding.precision=auto: bf16" in shown[0]
    assert [line.rpartition("chosen ")[2] for line in shown[2:]] == ["plain", "plain", "packed", "packed", "packed"]


def test_few_rows_are_padded_where_that_is_faster() -> None:
    """By hand: of the products with one row, one is much faster with more, and one a little slower."""
    one = [calibration.Measured(1, 100, 10, 3.0, 2.0, 1.0), calibration.Measured(1, 10, 10, 1.0, 1.0, 1.1)]
    several = [calibration.Measured(5, 100, 10, 3.0, 2.0)]
    least, measured = calibration._choose_padding(one + several)
    assert least == calibration.PADDED
    assert [each.packed for each in measured] == [1.0, 1.1, 2.0]
    assert (
        "; fewer than 5 rows padded to 5; "
        in calibration.lines(calibration.Calibration(Thresholds(min_rows=least), measured), 1)[0]
    )
    slower = [each._replace(padded=2 * each.packed) for each in one]
    assert calibration._choose_padding(slower + several) == (1, slower + several)


def test_the_fastest_search_decides_the_precision(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_search_times", lambda clock: {"float32": 2.0, "bf16": 1.0, "int8": 1.5})
    found = calibration.calibrate(1)
    assert found.thresholds.precision == "bf16"
    assert "a beam search: float32 2000.0 ms, bf16 1000.0 ms, int8 1500.0 ms" in calibration.lines(found, 1)


def test_searches_are_measured_in_every_precision_of_the_cpu_and_draw_nothing(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "precisions_of", lambda device: ["bf16", "int8"])
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    assert calibration._search_times(time.perf_counter).keys() == {"float32", "bf16", "int8"}
    assert torch.equal(torch.rand(3), expected)


def test_long_work_measures_once_and_short_work_never(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    assert calibration_cache.for_short_work(1, said.append) == {}
    found = calibration_cache.for_long_work(1, said.append)
    monkeypatch.setattr(calibration_cache, "calibrate", lambda threads: pytest.fail("measured again"))
    assert calibration_cache.for_long_work(1, said.append) == calibration_cache.for_short_work(1, said.append) == found
    assert found.keys() == {1} and not said
    monkeypatch.setenv("NMT_CALIBRATION", "off")
    assert calibration_cache.for_long_work(1, said.append) == {}


def test_what_a_busy_machine_measured_is_not_kept(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {1: calibration.Calibration(Thresholds(1, 2)), 2: calibration.Calibration(Thresholds(3, 4), others=1.0)}
    monkeypatch.setattr(calibration_cache, "calibrate", lambda threads: measured[threads])
    said: list[str] = []
    assert calibration_cache.for_long_work(2, said.append) == {1: Thresholds(1, 2)}
    assert said == [
        "note: other programs used 1.0 of the cores while nmt calibrated; it uses what it measured with one thread"
    ]
    assert calibration_cache.for_short_work(2, pytest.fail) == {1: Thresholds(1, 2)}
    measured[2] = measured[2]._replace(others=0.2)
    assert calibration_cache.for_long_work(2, pytest.fail)[2] == Thresholds(3, 4)
    assert calibration_cache.for_short_work(2, pytest.fail)[2] == Thresholds(3, 4)


def test_a_calibration_counts_the_cores_of_others(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one thread, what it computes itself is measured: others do not matter."""
    monkeypatch.setattr(FreeCores, "lacking", lambda self, threads: 0.7)
    assert calibration.calibrate(1).disturbance == ""
    assert calibration.calibrate(2).disturbance == "other programs used 0.7 of the cores while nmt calibrated"
    found = call("bench", "--calibrate", "--threads", "2")
    assert found.status == 0
    assert found.errors == (
        "note: other programs used 0.7 of the cores while nmt calibrated; it does not keep the result; "
        "measure again when they have ended\n"
    )
    assert calibration_cache.for_short_work(2, pytest.fail).keys() == {1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no json", "the calibration is ignored: .*not a JSON object.*measure again: nmt bench --calibrate"),
        (b"[" * 5000, "the calibration is ignored: .*measure again: nmt bench --calibrate"),
        (b" " * 20_000, "the calibration is ignored: .*at most 10,000.*measure again: nmt bench --calibrate"),
        ({"cpu": "another"}, "is of another machine, and ignored; measure again: nmt bench --calibrate"),
        ({"rows": 0}, "damaged, and ignored; measure again: nmt bench --calibrate"),
        ({"rows": True}, "damaged, and ignored"),
        ({"one_row": 1e9}, "damaged, and ignored"),
        ({"one_row": 2**62 + 1}, "damaged, and ignored"),
        ({"precision": "int4"}, "damaged, and ignored"),
        ({"min_rows": 0}, "damaged, and ignored"),
        ({"min_rows": 9}, "damaged, and ignored"),
        ({"min_rows": 5.0}, "damaged, and ignored"),
        ({"precision": ["int8"]}, "damaged, and ignored"),
    ],
)
def test_a_file_that_does_not_fit_is_ignored_with_a_line(workplace: Path, content: bytes | dict, said: str) -> None:
    path = calibration_cache.file_of(1)
    if isinstance(content, dict):
        content = json.dumps({**calibration_cache.machine(1), **Thresholds()._asdict(), **content}).encode()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    lines: list[str] = []
    assert calibration_cache.read(1, lines.append) is None
    assert len(lines) == 1
    assert re.search(said, lines[0])
    assert calibration_cache.for_long_work(1, lines.append).keys() == {1}  # measured again
    assert calibration_cache.read(1, pytest.fail) is not None


def test_a_cache_that_cannot_be_written_is_a_note(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "file").touch()
    monkeypatch.setenv("NMT_CACHE", str(workplace / "file"))
    lines: list[str] = []
    assert calibration_cache.for_long_work(1, lines.append).keys() == {1}
    assert lines and all("calibration" in line for line in lines)


def test_bench_shows_and_keeps_a_calibration(workplace: Path) -> None:
    found = call("bench", "--calibrate", "--threads", "1")
    assert found.status == 0
    assert re.match(r"packed products on .*, 1 thread, torch .*: one row: .*; several rows: ", found.output)
    assert found.output.count(" us, chosen ") == 2 * len(calibration.ROWS)
    assert calibration_cache.read(1, pytest.fail) is not None
    refused = "error: bench: --calibrate has no effect on a config, --reference or --json; give it alone\n"
    assert call("bench", "--calibrate", "--reference") == (2, "", refused)
    assert call("bench", "--reference", "--threads", "2").errors == (
        "error: --threads: needs --calibrate; to measure a config, set threads=N\n"
    )


def test_a_long_text_is_worth_a_calibration(workplace: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "text").write_text("a man\na dog\n")
    words = ("translate", tiny_run, "-i", workplace / "text", "--threads", "1", "--device", "cpu")
    assert call(*words).status == 0
    assert calibration_cache.read(1, pytest.fail) is None
    monkeypatch.setattr(import_module("nmt.cli.translate"), "MANY", 2)
    assert call(*words).status == 0
    assert calibration_cache.read(1, pytest.fail) is not None


def test_thresholds_depend_on_the_number_of_threads() -> None:
    measured = {1: Thresholds(1, 2), 4: Thresholds(5, 6)}
    with using(measured):
        for threads, wanted in ((1, 1), (2, 1), (3, 4), (4, 4)):
            with computing_with(threads):
                assert thresholds() == measured[wanted]
        assert in_use() == measured
    assert in_use() == {} and thresholds() == Thresholds()


# A run keeps its thresholds -------------------------------------------------------------------------------------------


def test_a_run_resumes_with_the_thresholds_that_it_began_with(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit: stopped, resumed where the calibration has changed meanwhile, and compared with an unbroken run."""
    packed: list[int] = []
    plain_init = Packed.__init__

    def counted(self: Packed, *arguments: object, **options: object) -> None:
        packed.append(1)
        plain_init(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Packed, "__init__", counted)
    monkeypatch.setattr("nmt.training.thresholds.LONG_STEPS", 2)
    monkeypatch.setattr(calibration_cache, "calibrate", lambda threads: calibration.Calibration(Thresholds(1, 1)))
    place, same = make_workplace(workplace / "place"), ["training.schedule=constant", "training.validate_every=8"]
    run(place, place / "whole", *same, "training.max_steps=8")
    assert packed
    run(place, place / "stopped", *same, "training.max_steps=4")
    assert json.loads((place / "stopped" / store.KERNELS).read_text())["packed"]["1"] == {
        "one_row": 1,
        "rows": 1,
        "min_rows": 1,
    }
    for file in (workplace / calibration_cache.FOLDER).iterdir():
        file.unlink()
    monkeypatch.setattr(calibration_cache, "calibrate", lambda threads: pytest.fail("measured again"))
    run(place, place / "stopped", *same, "training.max_steps=8")
    assert torch.equal(_weights(place / "whole"), _weights(place / "stopped"))


def _weights(folder: Path) -> Tensor:
    loaded = store.load_run(folder, torch.device("cpu"))
    return torch.cat([part.detach().flatten() for part in loaded.model.parameters()])


def test_old_short_and_shared_runs_have_the_defaults(
    tiny_run: Path, tiny_config: Path, tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration_cache, "calibrate", lambda threads: calibration.Calibration(Thresholds(1, 1)))
    short, long = (config.load(tiny_config, [f"training.max_steps={steps}"]) for steps in (4, 5000))
    cpu = torch.device("cpu")
    assert thresholds_of_run(tiny_run, long, cpu, print, alone=True) == {}  # has checkpoints and no record
    new = tmp_path / "new"
    assert thresholds_of_run(new, short, cpu, print, alone=True) == {}
    assert thresholds_of_run(new, long, cpu, print, alone=False) == {}
    assert thresholds_of_run(new, long, torch.device("cuda"), print, alone=True) == {}
    assert thresholds_of_run(new, long, cpu, print, alone=True)[1] == Thresholds(1, 1)
    new.mkdir()
    (new / store.KERNELS).write_text('{"packed": {"1": {"rows": 7, "one_row": 5}}}')  # as older runs have it
    assert thresholds_of_run(new, long, cpu, print, alone=True) == {1: Thresholds(5, 7)}
    for record in ('{"packed": {"1": {"rows": -1, "one_row": 5}}}', '{"packed": {"x": {}}}', "{}"):
        (new / store.KERNELS).write_text(record)
        with pytest.raises(DataError, match=r"kernels.json: damaged; copy the run again, or remove the file"):
            thresholds_of_run(new, long, cpu, print, alone=True)
