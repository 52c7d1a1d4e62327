"""Calibrate the model and write the report after training. A failure here is a warning: the training is done."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

from nmt.allocation import sparing_memory
from nmt.errors import UserError
from nmt.evaluation.outputs import load_outputs
from nmt.report.contents import Loader, gather, keep_calibration
from nmt.report.page import write
from nmt.runs.store import REPORT


def finish(run: Path, say: Callable[[str], None], threads: int | None = None) -> None:
    """Calibrate a run's model and write its report, without translating anything again."""
    load = Loader(threads=threads)
    gc.collect()  # reference cycles may still hold the trainer and its tensors
    try:
        with sparing_memory():
            outputs = load_outputs(run)
            keep_calibration(run, outputs, load)
            write(gather(run, load=load), run / REPORT)
    except (UserError, OSError) as error:
        say(f"warning: {run / REPORT}: not written: {error}; the model is complete; try again with: nmt report {run}")
    except Exception as error:  # a bug here must not cost a training
        say(
            f"warning: {run / REPORT}: not written: {type(error).__name__}: {error}; the model is complete; "
            f"for the whole traceback: nmt report {run}"
        )
    else:
        say(f"report: {os.path.relpath(run / REPORT)}")
