"""`nmt train`: from settings to a trained run. An existing run is resumed from its newest checkpoint."""

import json
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from nmt import __version__, config
from nmt.allocation import bound_allocator
from nmt.config import Settings
from nmt.data.background import BackgroundFailed
from nmt.data.corpora import HELD_OUT, held_out_files
from nmt.data.early import EarlyStart
from nmt.data.guide import guide_of
from nmt.data.prepare import Prepared, prepare
from nmt.device import choose_device, describe
from nmt.distributed import ALONE, Ranks
from nmt.errors import DataError, NotSaved
from nmt.evaluation.outputs import count_words, load_outputs, save_outputs
from nmt.files import copy_file, remove_leftovers, shown_path, write_atomic
from nmt.kernels import using
from nmt.precision import with_precision
from nmt.runs import store
from nmt.runs.weights import named_weights, subwords_hash
from nmt.training.batch_size import with_batch_tokens
from nmt.training.batches import EpochBatches
from nmt.training.checkpoint import list_checkpoints, load_newest
from nmt.training.distillation import check_subwords, teacher_cache
from nmt.training.early_start import RestOfText, early_start, run_statistics
from nmt.training.footprint import largest_file, new_model
from nmt.training.initialization import Initialization, Origins, find_vectors, load_origins
from nmt.training.lock import RunFolder, owned
from nmt.training.log import Log, NoLog
from nmt.training.provenance import (
    check_data_unchanged,
    provenance,
    read_provenance,
    report_changes,
    versions,
)
from nmt.training.report import introduce, show_result
from nmt.training.resume import (
    check_start,
    check_subwords_of,
    config_is_current,
    with_earlier_defaults,
    with_recorded_choices,
)
from nmt.training.signals import Interrupted, Signals
from nmt.training.state import share_state
from nmt.training.stopping import Stop
from nmt.training.thresholds import record, thresholds_of_run
from nmt.training.track import Tracking, check_trackers
from nmt.training.trainer import Trainer
from nmt.training.validation import validation_sets


class TrainResult(NamedTuple):
    """Hold the result of `train`."""

    run: Path
    stop: Stop
    signal: int = 0  # that stopped it; 0: training is finished


def train(
    settings: Settings,
    command: list[str],
    changed_data: bool = False,
    files: Mapping[str, str] | None = None,
    ranks: Ranks = ALONE,
) -> TrainResult:
    """Train a run, or resume it.

    With `changed_data`, resume even if the text has changed. `files`, {name: text}, are stored in the run as well. All
    `ranks` train together; the leader alone locks, logs and writes.
    Raise ConfigError and DataError before anything in the run has changed; NotSaved if the run cannot be written or its
    directory was moved.
    """
    folder = Path(settings.run)
    log, signals = Log() if ranks.leads else NoLog(), Signals()
    try:
        with ExitStack() as stack:
            run = RunFolder(folder)
            # The lock comes before anything is checked or read, so that nobody changes it in between.
            if ranks.leads:
                with _writing(folder):
                    run = stack.enter_context(owned(folder, log.warn))
            settings = with_recorded_choices(with_earlier_defaults(settings, folder), folder)
            _check_ranks_agree(settings, ranks)
            if ranks.leads:
                check_start(settings, folder)
                check_trackers(settings.training.track)
            device = choose_device(settings, ranks.local_rank)
            ranks.use(device)
            bound_allocator()
            log.say(f"nmt {__version__}, torch {torch.__version__}, {describe(device)}, run {shown_path(folder)}")
            settings = with_precision(settings, device, log.say)
            speed = thresholds_of_run(folder, settings, device, log.say, alone=ranks.size == 1)
            stack.enter_context(using(speed))
            with ranks.in_turn():
                # A run keeps its subwords, which a changed text would no longer yield.
                begun = bool(list_checkpoints(folder / store.CHECKPOINTS))
                origins = load_origins(settings, device, resumed=begun)
                known = store.with_subwords_of(folder, settings) if begun else origins.with_subwords(settings)
                early = early_start(settings, ranks)
                if early:
                    stack.callback(early.end)
                data = prepare(known, log.say, early)
            settings = with_batch_tokens(settings, data, device, log.say, ranks)
            with _writing(folder, run):
                trainer = _make_trainer(
                    settings, data, origins, command, device, log, signals, run, changed_data, ranks, early
                )
                for name, text in (files or {}).items() if ranks.leads else ():
                    write_atomic(run.path / name, text.encode())
            return _run(trainer, data, log, signals)
    finally:
        log.close()


def _check_ranks_agree(settings: Settings, ranks: Ranks) -> None:
    """Raise ConfigError if the ranks have other settings or packages. Where files are may differ between hosts."""
    placed = config.with_paths(settings, lambda _, path: Path(path).name).model_copy(
        update={"run": Path(settings.run).name, "threads": 0}
    )
    same = "all ranks of torchrun need the same command, config and packages"
    ranks.check_equal(versions() | config.flat(placed), same)


def _run(trainer: Trainer, data: Prepared, log: Log, signals: Signals) -> TrainResult:
    """Train until a limit is reached or a signal comes, and log the result."""
    folder, progress = Path(trainer.settings.run), trainer.progress
    metric = trainer.training.metric
    if trainer.finished() and (stop := trainer.stop()):
        log.say(f"already finished: {stop.text}")
        trainer.await_rest()
        show_result(progress, metric, folder, log)
        return TrainResult(folder, stop)
    if (names := trainer.training.track) and trainer.ranks.leads:
        log.tracking = Tracking(names, trainer.owned.path, config.flat(trainer.settings), log.warn)
    if progress.step:
        log.record("resume", step=progress.step)
    try:
        with signals:
            stop = trainer.run()
    except Interrupted:
        log.say(f"stopped at step {trainer.progress.step:,}, saved; run the same command again to resume")
        return TrainResult(folder, Stop("signal", "stopped"), signals.received)
    except BackgroundFailed:
        log.say(
            f"stopped at step {trainer.progress.step:,}, saved; fix the cause below, then run the same command "
            "again to resume (with --changed-data if you have changed the text)"
        )
        raise
    log.say(f"finished: {stop.text}")
    progress = trainer.progress  # another one, if training was rolled back
    if trainer.ranks.leads:  # the report needs how often the words of the kept translations are in the training text
        try:
            if outputs := load_outputs(trainer.owned.path):
                counts = count_words(data.train, data.subwords.target, outputs.words_seen())
                save_outputs(trainer.owned.path, replace(outputs, **counts))
        except (OSError, DataError) as error:
            log.warn(f"{store.OUTPUTS}: cannot write: {error}; nmt report will lack scores by word frequency")
    log.record("end", step=progress.step, seconds=progress.seconds, **_peak_memory(trainer.device))
    show_result(progress, metric, folder, log)
    return TrainResult(folder, stop)


def _peak_memory(device: torch.device) -> dict[str, int]:
    """Return the most bytes that this process has held, in memory and on its device."""
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    return found | ({"peak_device_memory": torch.cuda.max_memory_allocated(device)} if device.type == "cuda" else {})


@contextmanager
def _writing(folder: Path, run: RunFolder | None = None) -> Iterator[None]:
    """Turn an OSError while the first files of a run are written into NotSaved."""
    try:
        yield
    except OSError as error:
        if run is not None:
            run.check()
        raise NotSaved(f"{folder}: cannot write: {error.strerror}; training has not started") from None


def _make_trainer(
    settings: Settings,
    data: Prepared,
    origins: Origins,
    command: list[str],
    device: torch.device,
    log: Log,
    signals: Signals,
    run: RunFolder,
    changed_data: bool,
    ranks: Ranks,
    early: EarlyStart | None,
) -> Trainer:
    """Return a trainer, at the start or at the newest checkpoint of its run.

    Everything is read and checked first; nothing in the run changes until it can be trained.
    """
    # What the run has, what training reads, and whether they belong together.
    run.check()
    folder, sizes = Path(settings.run), [len(subword) for subword in data.subwords]
    checkpoints = folder / store.CHECKPOINTS
    newest = load_newest(checkpoints, log.say, largest_file(settings, sizes)) if ranks.leads else None
    state = share_state(newest, ranks)
    if state is not None:
        check_subwords_of(state, data.subwords, folder)
    same_text = state is not None and state.progress.text == data.text
    known = store.load_statistics(folder) if same_text else None
    statistics, for_validation = run_statistics(data, known, early, ranks)
    sets = validation_sets(settings, data, for_validation)
    initial = Initialization()
    if state is None:
        initial = Initialization(origins.initial, find_vectors(settings, data.subwords, log.say))
    check_subwords(origins.teachers, data.subwords)
    now = provenance(settings, data, initial.run, origins.teachers, command, device)
    ranks.check_equal(
        {**now["data"], "subword model": subwords_hash(data.subwords)},
        "the ranks must read the same files, and see the same run directory",
    )
    before = {} if newest is None else read_provenance(folder)
    changed = ranks.share([] if newest is None else check_data_unchanged(before, now, changed_data))

    # The model with its first weights, and its batches.
    torch.manual_seed(settings.training.seed)
    model = new_model(settings, sizes, device)
    initial.apply(model, log.say)
    ranks.share_tensors(list(named_weights(model).values()))
    with ranks.in_turn():
        soft_targets = teacher_cache(origins.teachers, data.train, device, log.say) if origins.teachers else None
        links = guide_of(data, settings.training, log.say)
    batches = EpochBatches(data.train, settings, data.subwords, soft_targets, data.weights, links)
    rest = RestOfText(early, data, run, log) if early and early.encoding and ranks.leads else None
    trainer = Trainer(settings, model, batches, sets, device, log, signals, run, ranks, rest)
    if state is not None:
        trainer.restore(state)
    if (folder / HELD_OUT).is_symlink():
        raise DataError(
            f"{folder / HELD_OUT}: a symbolic link; held-out text must be stored inside the run; copy the folder here"
        )

    # The files of the run. Nothing in it has changed up to here: what cannot be trained leaves no trace of itself.
    if ranks.leads:
        run.check()
        log.open(run.path, run.check)
        store.save_statistics(run.path, statistics)
        _write_files(run, settings, data, fresh=state is None)
        counted = early is not None and data.train.complete and before.get("pairs") != now["pairs"]
        if state is None or changed or counted or before.get("paths") != now["paths"]:
            write_atomic(run.path / store.PROVENANCE, json.dumps(before | now, indent=1).encode())
        introduce(settings, data, model, sets, log.say)
    ranks.barrier()
    if state is None:
        trainer.begin(data.text, initial.frozen(settings.training))
    else:
        report_changes(before, now, changed, log.say)
        trainer.resume(data.text, same_files=not changed)
    log.forget_after(trainer.progress.step, len(trainer.progress.validations))
    return trainer


def _write_files(run: RunFolder, settings: Settings, data: Prepared, *, fresh: bool) -> None:
    """Write config, subword models and held-out text into the run, as far as they are not there yet."""
    remove_leftovers(run.path, store.FILES)
    if fresh or not config_is_current(settings, run.folder):
        write_atomic(run.path / store.CONFIG, config.dump(config.portable(settings, run.folder)).encode())
    if fresh:
        store.save_subwords(run.path, data.subwords)
        if chosen := record():
            write_atomic(run.path / store.KERNELS, chosen)
    for part, text in data.held_out.texts.items():
        for file, name in zip(text.files, held_out_files(run.path, settings.data, part), strict=True):
            copy_file(file, name)
