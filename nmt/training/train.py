"""`nmt train`: from settings to a trained run. An existing run is resumed from its newest checkpoint."""

import json
import math
import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nmt import __version__, config
from nmt.allocation import bound_allocator
from nmt.config import Settings
from nmt.data.corpora import HELD_OUT, held_out_files
from nmt.data.guide import guide
from nmt.data.prepare import Prepared, prepare
from nmt.data.statistics import TrainingStatistics, training_statistics
from nmt.data.unchanged import check_unchanged
from nmt.device import choose_device, describe
from nmt.distributed import ALONE, Ranks
from nmt.errors import DataError, NotSaved, OutOfMemory, is_out_of_memory
from nmt.evaluation.outputs import count_words, load_outputs, save_outputs
from nmt.files import copy_file, remove_leftovers, write_atomic
from nmt.inference.constraints import Constraints
from nmt.kernels import using
from nmt.languages import find_language
from nmt.memory import memory_at_hand
from nmt.metrics import LOSS, METRICS, signature, tokenizer_note
from nmt.model import Seq2Seq, make_model, model_shapes
from nmt.precision import with_precision
from nmt.runs import store
from nmt.runs.store import LoadedRun
from nmt.runs.weights import MAX_HEADER, named_weights, subwords_hash
from nmt.training.batches import EpochBatches
from nmt.training.checkpoint import list_checkpoints, load_newest
from nmt.training.distillation import check_subwords, load_teachers, teacher_cache, teacher_hashes
from nmt.training.initialization import (
    find_vectors,
    initialize_from_run,
    initialize_from_vectors,
    load_initial_run,
    run_identity,
    vector_hashes,
    with_inherited_subwords,
)
from nmt.training.lock import RunFolder, owned
from nmt.training.log import Log, NoLog, clock
from nmt.training.optimizer import memory_needed
from nmt.training.report import shown_scores
from nmt.training.resume import (
    check_data_unchanged,
    check_start,
    check_subwords_of,
    config_is_current,
    read_provenance,
    report_changes,
    with_earlier_defaults,
    with_recorded_precision,
)
from nmt.training.signals import Interrupted, Signals
from nmt.training.state import TrainState, share_state
from nmt.training.thresholds import record, thresholds_of_run
from nmt.training.track import Tracking, check_trackers
from nmt.training.trainer import Trainer
from nmt.training.validation import ValidationSet

VERSIONS = ("torch", "sentencepiece", "sacrebleu", "numpy", "safetensors")
SAME = "all ranks of torchrun need the same command, config and packages"


class TrainResult(NamedTuple):
    """Hold the result of `train`."""

    run: Path
    reason: str  # why training ended, or which signal stopped it
    signal: int = 0  # 0: training is finished


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
            settings = with_recorded_precision(with_earlier_defaults(settings, folder), folder)
            ranks.check_equal(_alike(settings), SAME)
            if ranks.leads:
                check_start(settings, folder)
                check_trackers(settings.training.track)
            device = choose_device(settings, ranks.local_rank)
            ranks.use(device)
            bound_allocator()
            log.say(f"nmt {__version__}, torch {torch.__version__}, {describe(device)}, run {_shown(folder)}")
            settings = with_precision(settings, device, log.say)
            speed = thresholds_of_run(folder, settings, device, log.say, alone=ranks.size == 1)
            stack.enter_context(using(speed))
            with ranks.in_turn():
                data = prepare(_with_known_subwords(folder, settings), log.say)
            with _writing(folder, run):
                trainer = _make_trainer(settings, data, command, device, log, signals, run, changed_data, ranks)
                for name, text in (files or {}).items() if ranks.leads else ():
                    write_atomic(run.path / name, text.encode())
            return _train(trainer, data, log, signals)
    finally:
        log.close()


def _alike(settings: Settings) -> dict[str, Any]:
    """Return what must be the same for all ranks before anything is read. Where files are may differ between hosts."""
    placed = config.with_paths(settings, lambda _, path: Path(path).name).model_copy(
        update={"run": Path(settings.run).name, "threads": 0}
    )
    versions = {"nmt": __version__} | {name: version(name) for name in VERSIONS}
    return versions | config.flat(placed)


def _with_known_subwords(folder: Path, settings: Settings) -> Settings:
    """Return settings with the subwords of the run, which a changed text would no longer yield, or of another run."""
    if list_checkpoints(folder / store.CHECKPOINTS):
        return store.with_subwords_of(folder, settings)
    return with_inherited_subwords(settings)


def _train(trainer: Trainer, data: Prepared, log: Log, signals: Signals) -> TrainResult:
    if trainer.finished():
        log.say(f"already finished: {trainer.stop_reason()}")
        _show_result(trainer, log)
        return TrainResult(Path(trainer.settings.run), trainer.stop_reason())
    if (names := trainer.training.track) and trainer.ranks.leads:
        log.tracking = Tracking(names, trainer.owned.path, config.flat(trainer.settings), log.warn)
    if trainer.progress.step:
        log.record("resume", step=trainer.progress.step)
    try:
        with signals:
            reason = trainer.run()
    except Interrupted:
        log.say(f"stopped at step {trainer.progress.step:,}, saved; run the same command again to resume")
        return TrainResult(Path(trainer.settings.run), "stopped", signals.received)
    log.say(f"finished: {reason}")
    if trainer.ranks.leads:
        _keep_word_counts(trainer, data)
    log.record("end", step=trainer.progress.step, seconds=trainer.progress.seconds, **_peak_memory(trainer.device))
    _show_result(trainer, log)
    return TrainResult(Path(trainer.settings.run), reason)


def _peak_memory(device: torch.device) -> dict[str, int]:
    """Return the most bytes that this process has held, in memory and on its device."""
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    return found | ({"peak_device_memory": torch.cuda.max_memory_allocated(device)} if device.type == "cuda" else {})


def _keep_word_counts(trainer: Trainer, data: Prepared) -> None:
    """Count how often the words of the kept translations occur in the training text, for the report."""
    run = trainer.owned.path
    try:
        if outputs := load_outputs(run):
            counts = count_words(data.train, data.subwords.target, outputs.words_seen())
            save_outputs(run, replace(outputs, **counts))
    except (OSError, DataError) as error:
        trainer.log.warn(f"{store.OUTPUTS}: cannot write: {error}; nmt report will lack scores by word frequency")


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
    command: list[str],
    device: torch.device,
    log: Log,
    signals: Signals,
    run: RunFolder,
    changed_data: bool,
    ranks: Ranks,
) -> Trainer:
    """Return a trainer, at the start or at the newest checkpoint of its run."""
    folder = Path(settings.run)
    run.check()
    newest = load_newest(folder / store.CHECKPOINTS, log.say, _largest_file(settings, data)) if ranks.leads else None
    state = share_state(newest, ranks)
    if state is not None:
        check_subwords_of(state, data.subwords, folder)
    statistics = _statistics(folder, data, state is not None and state.progress.text == data.text)
    validation = _validation_sets(settings, data, statistics)
    vectors = find_vectors(settings, data.subwords, log.say) if state is None else {}
    parent = load_initial_run(settings) if state is None else None
    teachers = load_teachers(settings, device)
    check_subwords(teachers, data.subwords)
    provenance = _provenance(settings, data, parent, teachers, command, device)
    ranks.check_equal(
        {**provenance["data"], "subword model": subwords_hash(data.subwords)},
        "the ranks must read the same files, and see the same run directory",
    )
    before = {} if newest is None else read_provenance(folder)
    changed = ranks.share([] if newest is None else check_data_unchanged(before, provenance, changed_data))
    torch.manual_seed(settings.training.seed)
    model = _new_model(settings, data, device)
    initialize_from_vectors(model, vectors)
    if parent is not None:
        initialize_from_run(model, parent)
        log.say(f"fine-tuning: initialized with the weights and subwords of {_shown(parent.path)}")
    ranks.share_tensors(list(named_weights(model).values()))
    with ranks.in_turn():
        known = teacher_cache(teachers, data.train, device, log.say) if teachers else None
        links = guide(data.train, data.subwords, log.say) if settings.training.guided_attention else None
    batches = EpochBatches(data.train, settings, data.subwords, known, data.weights, links)
    trainer = Trainer(settings, model, batches, validation, device, log, signals, run, ranks)
    trainer.progress.text = data.text
    if settings.training.freeze_vectors:
        trainer.freeze({side: found.ids.tolist() for side, found in vectors.items()})
    if (folder / HELD_OUT).is_symlink():
        raise DataError(
            f"{folder / HELD_OUT}: a symbolic link; held-out text must be stored inside the run; copy the folder here"
        )
    # Nothing in the run has changed up to here: what cannot be trained leaves no trace of itself.
    if ranks.leads:
        run.check()
        log.open(run.path, run.check)
        store.save_statistics(run.path, statistics)
        _write_files(run, settings, data, fresh=state is None)
        moved = before.get("paths") != provenance["paths"]
        if state is None or changed or moved:
            write_atomic(run.path / store.PROVENANCE, json.dumps(before | provenance, indent=1).encode())
        _introduce(trainer, data, log.say)
    ranks.barrier()
    if state is not None:
        report_changes(before, provenance, changed, log.say)
        _resume_from(trainer, state, log, changed)
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


def _resume_from(trainer: Trainer, state: TrainState, log: Log, changed: list[str]) -> None:
    """Continue from a checkpoint. `changed` are the files that differ from those the run was trained on."""
    text = trainer.progress.text
    if state.progress.text not in ("", text):
        log.say("note: the training text has changed since the last checkpoint: its epoch starts over")
        state.progress.batch = state.progress.window = 0
    state.progress.text = text
    trainer.carry_over_scores(state.progress, same_text=not changed)
    trainer.restore(state, trainer.checkpoints.folder)
    if trainer.ranks.leads:
        trainer.checkpoints.export_pending(trainer.progress)
    log.say(f"resuming from step {trainer.progress.step:,} (epoch {trainer.progress.epochs:.1f})")


def _new_model(settings: Settings, data: Prepared, device: torch.device) -> Seq2Seq:
    """Return a new model on the device.

    Raise OutOfMemory, before it is built, if it does not fit with gradients and optimizer state.
    """
    sizes = [len(subword) for subword in data.subwords]
    needed = memory_needed(settings.training, model_shapes(settings.model, sizes).values())
    too_large = OutOfMemory(
        f"the model does not fit into memory: {needed / 1e6:,.0f} MB with gradients and optimizer; "
        "set model.hidden, model.embedding or subword.vocab_size lower"
    )
    if device.type == "cpu" and needed > memory_at_hand():
        raise too_large
    try:
        return make_model(settings.model, *sizes).to(device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise too_large from None


def _largest_file(settings: Settings, data: Prepared) -> int:
    """Return an upper bound for the size of a checkpoint file, in bytes: an optimizer keeps two values per weight."""
    shapes = model_shapes(settings.model, [len(subword) for subword in data.subwords])
    return 3 * 8 * sum(math.prod(shape) for shape in shapes.values()) + 2 * MAX_HEADER


def _statistics(folder: Path, data: Prepared, same_text: bool) -> TrainingStatistics:
    """Return the statistics of the training pairs: those stored in the run, if its text is the same."""
    known = store.load_statistics(folder) if same_text else None
    return known or training_statistics(data.train, data.subwords)


def _validation_sets(settings: Settings, data: Prepared, statistics: TrainingStatistics) -> list[ValidationSet]:
    """Return the validation sets, the deciding one first. Raise ConfigError if its metric is not available here."""
    found = []
    constraints = Constraints.of(data.subwords.target, statistics.target_lengths)
    for source, dataset in data.valid_sets:
        lines = set(dataset.lines.tolist())
        pairs = [pair for pair in source.pairs() if pair.line in lines]
        check_unchanged(data.files, source.files)
        language = find_language(settings.data.target_language, settings.data.target, (pair.target for pair in pairs))
        found.append(ValidationSet(dataset, pairs, data.subwords, source.name, language, constraints))
    if settings.training.metric != LOSS:
        METRICS[settings.training.metric].make(found[0].language)  # before training: it may need what is not installed
    return found


def _introduce(trainer: Trainer, data: Prepared, say: Callable[[str], None]) -> None:
    settings = trainer.settings
    source, target = len(data.subwords.source), len(data.subwords.target)
    vocabulary = f"{source:,} tokens, joint" if data.subwords.joint else f"{source:,} and {target:,} tokens"
    say(
        f"{len(data.train):,} training and {len(data.valid):,} validation pairs, "
        f"{settings.data.source} -> {settings.data.target}; vocabulary of {vocabulary}"
    )
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    model = settings.model
    kind = f"{model.cell}, {model.decoder} decoder" if model.architecture == "recurrent" else model.architecture
    say(f"{kind}, {model.attention} attention: {parameters:,} parameters")
    for valid in trainer.validation_sets:
        metrics = valid.metrics(settings.training.metric)
        signatures = "; ".join(signature(metric, valid.language) for metric in metrics)
        say(f"validation: greedy search on {valid.name}, {len(valid.pairs):,} lines; {signatures}")
    language, sources = trainer.validation_sets[0].language, (pair.source for pair in trainer.validation_sets[0].pairs)
    source_language = find_language(settings.data.source_language, settings.data.source, sources)
    say(
        f"languages: {source_language or 'unknown'} -> {language or 'unknown'}; best checkpoint by "
        f"training.metric={settings.training.metric}"
    )
    if note := tokenizer_note(language):
        say(f"note: {note}")


def _show_result(trainer: Trainer, log: Log) -> None:
    best = trainer.progress.best(trainer.training.metric)
    if best is None:
        return
    origin = f"the checkpoint of step {best.step:,}"
    if best.averaged:
        origin = "the average of the best checkpoints"
    elif best.held:
        origin = "the earlier model, which was scored again with the new validation text or metric"
    elif not best.step:
        origin = "the initial model, since no later one is better"
    log.say(
        f"kept {origin}: validation {shown_scores(best.scores)}, "
        f"perplexity {best.perplexity:.2f} (greedy), after {clock(trainer.progress.seconds)} of training"
    )
    if skipped := trainer.progress.skipped:
        log.say(f"note: {skipped:,} updates were skipped because the loss or the gradient was not finite")
    run = _shown(Path(trainer.settings.run))
    log.say(f"model: {run}")
    log.say(f"  translate: echo 'Some text.' | nmt translate {run}")
    log.say(f"  evaluate:  nmt eval {run}")


def _shown(folder: Path) -> str:
    """Return a path as a user would type it from the current directory."""
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith("..") else relative


def _provenance(
    settings: Settings,
    data: Prepared,
    parent: LoadedRun | None,
    teachers: list[LoadedRun],
    command: list[str],
    device: torch.device,
) -> dict[str, Any]:
    return {
        "command": command,
        **({"parent": run_identity(parent)} if parent else {}),
        "data": data.hashes | vector_hashes(settings.training) | teacher_hashes(teachers),
        "paths": config.absolute_paths(settings),
        "left_out": data.notes,
        "pairs": {"train": len(data.train), "valid": len(data.valid)},
        "versions": {"nmt": __version__, "python": platform.python_version()}
        | {name: version(name) for name in VERSIONS},
        "device": describe(device),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
