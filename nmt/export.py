"""`nmt export`: a run for those who only translate, smaller and faster."""

from collections.abc import Callable
from pathlib import Path

import torch

from nmt import run as runs
from nmt.data.lexicon import learn_lexicon
from nmt.data.prepare import prepare
from nmt.decoding.shortlist import Shortlist
from nmt.derived import check_new, save_derived
from nmt.errors import DataError
from nmt.model import int8


def export(
    run: Path, out: Path, *, eight_bits: bool, shortlist: int, command: list[str], say: Callable[[str], None]
) -> None:
    """Without checkpoints and logs; with weights in 8 bits if asked, and with a shortlist of so many translations of
    each source piece, which is learnt from the training data."""
    check_new(out)
    loaded = runs.load_run(run, torch.device("cpu"))
    if shortlist:
        say("learning the shortlist")
        data = prepare(loaded.settings, say)
        if tuple(each.model for each in data.subwords) != tuple(each.model for each in loaded.subwords):
            raise DataError(f"{run}: the subwords of its data are others now; export where it was trained")
        sizes = [len(each) for each in loaded.subwords]
        runs.save_shortlist(out, Shortlist.of(learn_lexicon(data.train, *sizes), shortlist, sizes[0]), loaded)
    weights = runs.named_weights(loaded.model)
    save_derived(
        out, loaded, int8.pack(weights) if eight_bits else weights, {"command": command, "export_of": str(run)}
    )
