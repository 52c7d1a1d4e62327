"""Translation for many who ask at once: one thread computes, and takes what is asked for together as one batch."""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from nmt.errors import UserError
from nmt.inference.free_cores import FreeCores
from nmt.inference.parallel import own_threads
from nmt.inference.request import TranslateOptions
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator

PATIENCE = 0.25  # share of the time of a batch that its clients have to ask again, so that the next is as large
SHARE = 32  # lines of one request that are translated before others have their turn
BATCH = 256  # lines that are translated together


class Busy(UserError):
    """Signal that more is asked for than the queue holds."""


class Late(UserError):
    """Signal that the time that a request may take is over."""


@dataclass
class _Job:
    translator: Translator
    lines: list[str]
    prefixes: list[str]
    options: TranslateOptions
    deadline: float
    future: "Future[list[Translation]]" = field(default_factory=Future)
    done: list[Translation] = field(default_factory=list)
    progress: Callable[[list[Translation]], None] | None = None

    def joins(self, other: "_Job") -> bool:
        """Return whether two requests may be computed together. What is drawn depends on the number of the line."""
        same = self.translator is other.translator and self.options.same_search(other.options)
        return same and not (self.options.drawn or self.options.mbr)

    def fail(self, error: Exception) -> None:
        """End the request with an error, unless it has ended. One that is cancelled at this moment stays cancelled."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class TranslationService:
    """Own the thread that translates. Close it to finish what has begun.

    While other programs need the cores, it computes with fewer threads than the translator was made for.
    """

    def __init__(self, *, queue: int = 256, seconds: float = 0.0) -> None:
        """`queue`: requests that may wait; `seconds` that a request may take, 0: any."""
        self.queue, self.seconds = queue, seconds
        self._jobs: deque[_Job] = deque()
        self._computing: list[_Job] = []
        self._changed = threading.Condition()
        self._closing = False
        self._cores = FreeCores()
        self._expected, self._until = 1, 0.0  # requests that are likely to come together, and the time to wait for them
        self._thread = threading.Thread(target=self._work, name="nmt-translate", daemon=True)
        self._thread.start()
        atexit.register(self._abandon)  # a program that ends while a thread computes with torch is aborted

    @property
    def waiting(self) -> int:
        """Return the number of requests in the queue."""
        return len(self._jobs)

    def submit(
        self,
        translator: Translator,
        lines: Sequence[str],
        options: TranslateOptions,
        prefixes: Sequence[str] | None = None,
        progress: Callable[[list[Translation]], None] | None = None,
    ) -> "Future[list[Translation]]":
        """Return the translations to come. `progress` gets those that are there, some at a time, in their order.

        Raises Busy if too much waits, ConfigError if the model cannot do what is asked.
        """
        options.settings(translator.settings, attends=translator.attends)
        deadline = time.monotonic() + self.seconds if self.seconds else float("inf")
        job = _Job(translator, list(lines), list(prefixes or [""] * len(lines)), options, deadline, progress=progress)
        with self._changed:
            if self._closing:
                raise Busy("the server is shutting down; ask again later")
            if len(self._jobs) >= self.queue:  # what nobody waits for makes room
                self._jobs = deque(each for each in self._jobs if not each.future.cancelled())
            if len(self._jobs) >= self.queue:
                raise Busy(f"{len(self._jobs):,} requests are waiting, and --max-queue allows no more; ask again later")
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self, seconds: float = 30.0) -> None:
        """Take no more requests, and finish those that wait."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        if not self._thread.is_alive():
            atexit.unregister(self._abandon)

    def _abandon(self) -> None:
        """Cancel all requests, and wait for the end of the step that a search is at."""
        with self._changed:
            for job in (*self._jobs, *self._computing):
                job.future.cancel()
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closing)
                patience = max(0.0, self._until - time.monotonic())
                self._changed.wait_for(lambda: self._closing or self._company() >= self._expected, patience)
                if not self._jobs:
                    return
                # Drop what nobody waits for.
                now = time.monotonic()
                for job in [job for job in self._jobs if job.future.cancelled() or now > job.deadline]:
                    self._jobs.remove(job)
                    job.fail(self._late())
                if not self._jobs:
                    continue
                # Take the first request and those that may join it.
                first = self._jobs[0]
                jobs, lines = [first], min(SHARE, len(first.lines) - len(first.done))
                for job in list(self._jobs)[1:]:
                    more = min(SHARE, len(job.lines) - len(job.done))
                    if job.joins(first) and lines + more <= BATCH:
                        jobs.append(job)
                        lines += more
                for job in jobs:
                    self._jobs.remove(job)
                self._computing = jobs
            started = time.monotonic()
            self._translate(jobs)
            with self._changed:  # whoever has an answer may ask again, and joins those that wait already
                now, self._computing = time.monotonic(), []
                self._until = now + PATIENCE * (now - started)
                self._expected = self._company() + sum(job.future.done() for job in jobs)

    def _company(self) -> int:
        """Return how many of the requests that wait can be computed together with the first of them."""
        return sum(place == 0 or job.joins(self._jobs[0]) for place, job in enumerate(self._jobs))

    def _check(self, jobs: list[_Job]) -> None:
        """Fail the requests that are out of time; the others go on. Raise Late if none is left that anybody waits for.

        A search calls this before each step, from several threads if it has several batches.
        """
        with self._changed:
            for job in jobs:
                if time.monotonic() > job.deadline:
                    job.fail(self._late())
        if all(job.future.done() for job in jobs):
            raise self._late()

    def _late(self) -> Late:
        limit = f"--max-seconds allows {self.seconds:g} seconds for a request"
        return Late(f"not translated in time: {limit}; send less text")

    def _translate(self, jobs: list[_Job]) -> None:
        parts = [slice(len(job.done), len(job.done) + SHARE) for job in jobs]
        lines = [line for job, part in zip(jobs, parts, strict=True) for line in job.lines[part]]
        prefixes = [text for job, part in zip(jobs, parts, strict=True) for text in job.prefixes[part]]
        options = [job.options for job, part in zip(jobs, parts, strict=True) for _ in job.lines[part]]
        first = jobs[0]
        try:
            found = iter(
                first.translator.translate(
                    lines,
                    first_line=len(first.done) + 1,
                    prefixes=prefixes if any(prefixes) else None,
                    options=options,
                    check=lambda: self._check(jobs),
                    threads=self._cores.threads(first.translator.threads or own_threads()),
                )
            )
        except Exception as error:
            if len(jobs) == 1:
                first.fail(error)
                return
            for job in jobs:  # one of them is at fault: each by itself
                if not job.future.done():
                    self._translate([job])
            return
        for job, part in zip(jobs, parts, strict=True):
            new = [next(found) for _ in job.lines[part]]
            if job.future.done():  # out of time, or nobody waits for it
                continue
            job.done += new
            try:
                if job.progress:
                    job.progress(new)
            except Exception as error:  # of the caller's own code: it ends this request, not the thread
                job.fail(error)
                continue
            if len(job.done) < len(job.lines):  # the rest waits behind the others
                with self._changed:
                    self._jobs.append(job)
                    self._changed.notify()
            elif job.future.set_running_or_notify_cancel():
                job.future.set_result(job.done)
