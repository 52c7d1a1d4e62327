"""What a training keeps on disk: checkpoints, and the best weights as the run's model; also when the disk is full."""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from nmt import run as runs
from nmt.config import Settings
from nmt.data.subword import Subwords
from nmt.errors import NotSaved
from nmt.files import write_atomic
from nmt.training.checkpoint import best_names, list_checkpoints, load_checkpoint, prune, save_checkpoint
from nmt.training.state import Progress, TrainState


class Keeper:
    """`warn` says what could not be written; training goes on, and the next time it may be possible."""

    def __init__(self, settings: Settings, subwords: Subwords, warn: Callable[[str], None]) -> None:
        self.settings, self.subwords, self.warn = settings, subwords, warn
        self.model = Path(settings.run) / runs.WEIGHTS
        self.folder = Path(settings.run) / runs.CHECKPOINTS
        self._unpublished = False  # the best weights could not be written

    def save(self, state: TrainState, *, last: bool = False) -> None:
        """A checkpoint; those that are no longer needed go. Raises NotSaved if the `last` one cannot be written."""
        training = self.settings.training
        try:
            save_checkpoint(self.folder, state)
            if self._unpublished:
                self._publish_best(state.progress)
            best = best_names(state.progress, training.metric, training.keep_best)
            prune(self.folder, best, training.keep_last)
        except OSError as error:
            problem = f"{self.folder}: cannot save step {state.progress.step:,}: {error.strerror}; {self.kept()}"
            if last:
                raise NotSaved(f"{problem}; make room, and the same command goes on from there") from None
            self.warn(f"{problem}; training goes on")

    def kept(self) -> str:
        checkpoints = list_checkpoints(self.folder)
        return f"{checkpoints[-1].name} is kept" if checkpoints else "there is no checkpoint yet"

    def best(self, progress: Progress) -> list[Path]:
        """The checkpoints with the best scores that are kept, the best first."""
        training = self.settings.training
        paths = [self.folder / name for name in best_names(progress, training.metric, training.keep_best)]
        return [path for path in paths if path.is_dir()]

    def publish(self, weights: Mapping[str, Tensor]) -> None:
        """These weights become the run's model."""
        try:
            self._write_model(weights)
            self._unpublished = False
        except OSError as error:
            self._unpublished = True
            self.warn(f"{self.model}: cannot write: {error.strerror}; training goes on")

    def _publish_best(self, progress: Progress) -> None:
        """Makes up for a model that could not be written, from its checkpoint. Raises OSError if it cannot yet."""
        for path in self.best(progress)[:1]:
            state = load_checkpoint(path)
            self._write_model(state.average or state.weights)
            self._unpublished = False

    def _write_model(self, weights: Mapping[str, Tensor]) -> None:
        write_atomic(self.model, runs.pack_weights(weights, self.settings, self.subwords))
