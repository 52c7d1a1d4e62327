"""Starting: a translation imports only what it needs, reads the weights once and draws none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nmt
from nmt import config
from nmt.runs import store, weights

# What other commands need, or what only long texts, tables, scores and plots need. Each takes from 5 ms to seconds.
UNNEEDED = {
    "sacrebleu", "scipy", "pandas", "sklearn", "matplotlib", "networkx", "triton", "torch._dynamo", "torch._inductor",
    "torch.distributed.elastic", "fastapi", "uvicorn", "xml.sax", "beartype", "py3langid", "nmt.training", "nmt.serve",
    "nmt.report", "nmt.evaluation", "nmt.data.documents", "nmt.data.formats", "nmt.data.prepare", "nmt.check",
    "nmt.benchmark",
}  # fmt: skip
TRANSLATE = """
import runpy, sys
try:
    runpy.run_module("nmt", run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_translating_a_line_imports_nothing_that_it_does_not_need(tiny_run: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "-c", "import sys, torch; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    found = subprocess.run(
        [sys.executable, "-c", TRANSLATE, "translate", str(tiny_run)],
        input="a man\n", capture_output=True, text=True, check=True, env={**os.environ, "NMT_CHECK_SHAPES": "0"},
    )  # fmt: skip
    assert found.stdout.count("\n") == 1
    imported = set(found.stderr.split()) - set(plain.stdout.split())
    assert "nmt.inference.search" in imported
    assert not imported & UNNEEDED


def test_a_run_is_read_once(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are hashed once, the settings are parsed once, and no weight is drawn before it is overwritten."""
    counts = {"hash": 0, "load": 0}

    def counted(module: object, name: str, key: str) -> None:
        original = getattr(module, name)

        def call(*arguments: object, **options: object) -> object:
            counts[key] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    counted(weights, "tensors_hash", "hash")
    counted(config, "load", "load")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    nmt.load(tiny_run)
    assert counts == {"hash": 1, "load": 1}
    assert torch.equal(torch.get_rng_state(), before)


def test_loaded_weights_are_those_of_the_file(tiny_run: Path) -> None:
    """Each parameter has its values, tied ones are one tensor, and layers of torch use them."""
    loaded = store.load_run(tiny_run, torch.device("cpu"))
    stored, _ = weights.read_weights(tiny_run, store.WEIGHTS)
    named = dict(loaded.model.named_parameters())
    assert named.keys() == stored.keys()
    assert all(torch.equal(named[name], stored[name]) for name in stored)
    for layer in loaded.model.modules():
        if isinstance(layer, torch.nn.RNNBase):
            parameters = {id(part) for part in layer.parameters(recurse=False)}
            assert {id(part) for part in layer._flat_weights} == parameters
    assert not any(part.is_meta for part in [*named.values(), *loaded.model.buffers()])
    assert all(part.requires_grad for part in named.values())


def test_the_garbage_collector_scans_seldom_and_not_at_exit() -> None:
    """Else it scans all objects that importing torch created, again and again."""
    code = """
import gc, sys
gc.freeze = lambda: print("frozen")
from nmt.cli import main
sys.argv = ["nmt", "--version"]
try:
    main()
finally:
    print(gc.get_threshold()[0])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, threshold, at_the_end = found.stdout.split("\n")[:3]
    assert int(threshold) > 10_000 and at_the_end == "frozen"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_loading_leaves_no_thread_pool_behind(tiny_run: Path) -> None:
    """Else a program that loads in one thread and translates in another is slower: see `load_translator`."""
    code = f"""
import os, time, torch
from nmt import api
tasks = lambda: len(os.listdir("/proc/self/task"))
torch.set_num_threads(2)
load = api._load
def computing(*values):  # with several threads, as the weights of a model that is not tiny need
    torch.rand(1000, 1000).exp_()
    return load(*values)
api._load = computing
before = tasks()
api.load_translator({str(tiny_run)!r}, threads=2)
end = time.monotonic() + 20
while tasks() > before and time.monotonic() < end:  # they need a moment to end
    time.sleep(0.01)
print(tasks() - before)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
