"""Run commands as jobs: of a Slurm cluster, or beside each other on this machine. submitit does both; install it with
the extra `slurm`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.errors import ConfigError, extra

CLUSTERS = ("slurm", "local")


class Command:
    """A command that may be stopped and started again: training saves on SIGTERM, and resumes."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self.words, self.folder = list(words), folder

    def __call__(self) -> int:
        """Run the command, and return its exit status. SIGTERM of the job reaches it, as both are in one group."""
        own = {key: value for key, value in os.environ.items() if key not in {"RANK", "WORLD_SIZE", "LOCAL_RANK"}}
        return subprocess.run(self.words, cwd=self.folder, env=own).returncode

    def checkpoint(self, *_: object) -> object:
        """Say what to submit in place of a job that Slurm takes away: the same command, which resumes."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def run_jobs(
    commands: Sequence[Sequence[str]], folder: Path, cluster: str, *, at_once: int = 1, hours: float = 4, gpus: int = 0,
    more: Sequence[str] = (),
) -> list[int]:  # fmt: skip
    """Run every command as a job and return their exit statuses, in order. Logs go to `folder`.

    At most `at_once` jobs run at a time. `more` are options of Slurm such as `partition=gpu`. Raises ConfigError if
    submitit is missing, if there is no such cluster, or if an option is not KEY=VALUE.
    """
    try:
        import cloudpickle
        import submitit
    except ImportError:
        raise ConfigError(f"jobs need submitit; {extra('slurm')}") from None
    options = dict(word.partition("=")[::2] for word in more)
    if "" in options or not all("=" in word for word in more):
        raise ConfigError("an option of Slurm is written KEY=VALUE, such as partition=gpu")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a job does not have this folder on its path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        raise ConfigError(f"cluster {cluster}: {error}; use one of {', '.join(CLUSTERS)}") from None
    executor.update_parameters(timeout_min=int(hours * 60), gpus_per_node=gpus)
    if cluster == "slurm":
        executor.update_parameters(
            slurm_array_parallelism=at_once, **{f"slurm_{key}": value for key, value in options.items()}
        )
        with executor.batch():
            jobs = [executor.submit(Command(words, Path.cwd())) for words in commands]
        return [_status(job) for job in jobs]
    statuses: dict[int, int] = {}
    waiting, running = list(enumerate(commands)), {}
    while waiting or running:
        while waiting and len(running) < at_once:
            index, words = waiting.pop(0)
            running[index] = executor.submit(Command(words, Path.cwd()))
        done = next((index for index, job in running.items() if job.done()), None)
        if done is None:
            next(iter(running.values())).wait()
        else:
            statuses[done] = _status(running.pop(done))
    return [statuses[index] for index in range(len(commands))]


def _status(job: "object") -> int:
    """Wait for a job. One that died without an answer counts as failed; its log says why."""
    import submitit

    try:
        return int(job.result())  # type: ignore[attr-defined]
    except submitit.core.utils.UncompletedJobError as error:
        print(f"warning: job {job.job_id}: {str(error).splitlines()[0]}", file=sys.stderr)  # type: ignore[attr-defined]
        return 1
