"""`nmt export`: a run for those who only translate, smaller and faster."""

from collections.abc import Callable
from pathlib import Path

import torch

from nmt.data.lexicon import learn_lexicon
from nmt.data.prepare import prepare
from nmt.inference.shortlist import Shortlist
from nmt.model import int8
from nmt.runs import store
from nmt.runs.derive import check_new, save_derived
from nmt.runs.store import LoadedRun
from nmt.runs.weights import named_weights


def export(
    run: Path, out: Path, *, eight_bits: bool, shortlist: int | None, command: list[str], say: Callable[[str], None]
) -> None:
    """Export a run for translation: without checkpoints and logs, with 8-bit weights if `eight_bits`.

    `shortlist` is the number of translations per source token in a shortlist learnt from the training data. Without it,
    the shortlist of the run is exported, if there is one.
    """
    check_new(out)
    loaded = store.load_run(run, torch.device("cpu"))
    found = _learn(loaded, shortlist, say) if shortlist else store.load_shortlist(loaded)
    weights = named_weights(loaded.model)
    notes = {"command": command, "export_of": str(run)}
    save_derived(out, loaded, int8.pack(weights) if eight_bits else weights, notes, found)


def _learn(run: LoadedRun, count: int, say: Callable[[str], None]) -> Shortlist:
    """Learn a shortlist with the subwords of the run: its settings would not always give them again."""
    say("learning the shortlist")
    data = prepare(store.with_subwords_of(run.path, run.settings), say)
    sizes = [len(each) for each in run.subwords]
    return Shortlist.of(learn_lexicon(data.train, *sizes), count, sizes[0])
