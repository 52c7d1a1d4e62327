"""What training keeps on disk: checkpoints, and the best weights exported as the run's model; also when the disk is
full."""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from nmt.config import Settings
from nmt.data.subword import Subwords
from nmt.errors import DataError, NotSaved
from nmt.evaluation.outputs import Outputs, save_outputs
from nmt.files import is_folder, write_atomic
from nmt.runs import store
from nmt.runs.weights import pack_weights, read_weights
from nmt.training.average import checkpoint_weights, mean_weights
from nmt.training.checkpoint import (
    best_names,
    checkpoint_name,
    list_checkpoints,
    load_checkpoint,
    prune,
    save_checkpoint,
)
from nmt.training.lock import RunFolder
from nmt.training.state import Progress, TrainState, Validation


class CheckpointManager:
    """Save checkpoints and export the best model; `warn` reports what could not be written, and training continues.

    Before each write it checks that the run directory is still `owned`, and it writes through the open directory, so
    that nothing is ever written into a directory that took its place. It reads by name.
    """

    def __init__(self, settings: Settings, subwords: Subwords, warn: Callable[[str], None], owned: RunFolder) -> None:
        self.settings, self.subwords, self.warn, self.owned = settings, subwords, warn, owned
        self.model = Path(settings.run) / store.WEIGHTS
        self.folder = Path(settings.run) / store.CHECKPOINTS
        self.export_due = False  # the run's model is not that of the best validation

    def save(self, state: TrainState, *, last: bool = False) -> None:
        """Save a checkpoint and delete those that are no longer needed.

        Raise NotSaved if the `last` one cannot be written.
        """
        training, folder = self.settings.training, self.owned.path / store.CHECKPOINTS
        self.owned.check()
        try:
            save_checkpoint(folder, state)
            if self.export_due:
                self._export_kept(state.progress)
            best = best_names(state.progress, training.metric, training.keep_best)
            prune(folder, best, training.keep_last)
        except OSError as error:
            self.owned.check()
            problem = f"{self.folder}: cannot save step {state.progress.step:,}: {error.strerror}; {self.kept()}"
            if last:
                raise NotSaved(f"{problem}; free some space, then run the same command again to resume") from None
            self.warn(f"{problem}; training continues")

    def kept(self) -> str:
        """Say which checkpoint is the newest one kept, for messages."""
        checkpoints = list_checkpoints(self.folder)
        return f"{checkpoints[-1].name} is kept" if checkpoints else "there is no checkpoint yet"

    def best(self, progress: Progress) -> list[Path]:
        """Return the kept checkpoints with the best scores, best first."""
        training = self.settings.training
        paths = [self.folder / name for name in best_names(progress, training.metric, training.keep_best)]
        return [path for path in paths if is_folder(path)]

    def mean_of_best(self, progress: Progress) -> dict[str, Tensor]:
        """Return the mean of the best checkpoints, skipping damaged ones; empty if there is none."""
        weights = checkpoint_weights(self.best(progress), self.warn)
        return mean_weights(list(weights.values())) if weights else {}

    def export_best(self, weights: Mapping[str, Tensor], progress: Progress) -> None:
        """Export these weights, which the newest validation scored, as the run's model."""
        try:
            self._write_model(weights, _name(progress, progress.validations[-1]))
        except OSError as error:
            self.owned.check()
            self.export_due = True
            self.warn(f"{self.model}: cannot write: {error.strerror}; training continues")

    def exported(self) -> dict[str, Tensor]:
        """Return the weights of the run's model; empty if the file is missing or damaged."""
        try:
            return read_weights(self.model.parent, self.model.name)[0]
        except DataError:
            return {}

    def keep_outputs(self, outputs: Outputs) -> None:
        """Keep the translations of the best model, for the report of the run."""
        self.owned.check()
        try:
            save_outputs(self.owned.path, outputs)
        except OSError as error:
            self.warn(
                f"{store.OUTPUTS}: cannot write: {error.strerror}; the report will lack examples; training continues"
            )

    def export_pending(self, progress: Progress) -> None:
        """Export the best model if that was not done before training ended. Raise OSError if it cannot be written."""
        best = progress.best(self.settings.training.metric)
        if best is None:
            return
        name = _name(progress, best)
        # A model that is newer than all checkpoints stays, since training is yet to come to it again.
        try:
            exported = read_weights(self.model.parent, self.model.name)[1].get("validation", name)
        except DataError:
            exported = ""  # missing or damaged: it is written again
        self.export_due = exported < name
        if self.export_due:
            self._export_kept(progress)

    def _export_kept(self, progress: Progress) -> None:
        """Export the best of the kept checkpoints: the disk may have been too full for the best one."""
        best, kept = progress.best(self.settings.training.metric), self.best(progress)
        if best is None or not kept or best.held:  # then the model is there, or lost
            return
        if best.averaged and (mean := self.mean_of_best(progress)):
            self._write_model(mean, _name(progress, best))
            return
        try:
            state = load_checkpoint(kept[0])
        except DataError as error:
            self.warn(f"{error}; {self.model} was left unchanged")
            self.export_due = False
        else:
            self._write_model(state.average or state.weights, kept[0].name)

    def _write_model(self, weights: Mapping[str, Tensor], validation: str) -> None:
        content = pack_weights(weights, self.settings, self.subwords, validation)
        self.owned.check()
        write_atomic(self.owned.path / store.WEIGHTS, content)
        self.export_due = False


def _name(progress: Progress, validation: Validation) -> str:
    """Return the name of the checkpoint saved after a validation."""
    return checkpoint_name(validation.step, progress.validations.index(validation) + 1)
