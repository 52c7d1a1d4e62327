"""Translation for many who ask at once: a few threads compute, and a line joins the search that is running."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from nmt.errors import ConfigError, UserError
from nmt.inference.parallel import compute_with, own_threads
from nmt.inference.request import TranslateOptions, texts_of
from nmt.inference.running import RunningTranslation
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator

WORKERS = 4  # at most; Python runs between the products, one thread at a time
ROOM = 32  # lines that a worker translates at once
TOGETHER = 4  # lines that are not spread over several workers
TURN = 8  # lines of one request that join a search before others have their turn
SHARE = 32  # lines of one request in a batch of its own
BATCH = 256  # lines of such a batch


class Busy(UserError):
    """Signal that more is asked for than the queue holds."""


class Late(UserError):
    """Signal that the time that a request may take is over."""


@dataclass(eq=False)
class _Job:
    translator: Translator
    lines: list[str]
    prefixes: list[str]
    options: TranslateOptions
    deadline: float
    future: "Future[list[Translation]]" = field(default_factory=Future)
    progress: Callable[[list[Translation]], None] | None = None
    taken: int = 0  # lines that a worker has
    found: dict[int, Translation] = field(default_factory=dict)  # by the number of the line
    told: int = 0  # lines that `progress` got

    def __post_init__(self) -> None:
        self.joinable = self.translator.joinable(self.options) and not any(self.prefixes)

    @property
    def left(self) -> int:
        """Return the number of lines that no worker has."""
        return len(self.lines) - self.taken

    def like(self, other: "_Job") -> bool:
        """Return whether two requests may be computed together. What is drawn depends on the number of the line."""
        same = self.translator is other.translator and self.options.same_search(other.options)
        return same and not (self.options.drawn or self.options.mbr)

    def take(self, most: int) -> range:
        """Return the numbers of the next lines."""
        first, self.taken = self.taken, min(self.taken + most, len(self.lines))
        return range(first, self.taken)

    def put(self, found: dict[int, Translation]) -> None:
        """Add translations. Tell of those that are there in their order, and end the request with the last."""
        if self.future.done():  # out of time, or nobody waits for it
            return
        self.found |= found
        if self.progress:
            new = []
            while self.told in self.found:
                new.append(self.found[self.told])
                self.told += 1
            try:
                if new:
                    self.progress(new)
            except Exception as error:  # of the caller's own code: it ends this request, not the worker
                self.fail(error)
                return
        if len(self.found) == len(self.lines) and self.future.set_running_or_notify_cancel():
            self.future.set_result([self.found[number] for number in range(len(self.lines))])

    def fail(self, error: Exception) -> None:
        """End the request with an error, unless it has ended. One that is cancelled at this moment stays cancelled."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


_Line = tuple[_Job, int]  # a request and the number of one of its lines


@dataclass(eq=False)
class _Search:
    """Hold a search that is running, and the requests that have lines in it."""

    first: _Job  # which stands for all that ask for the same search
    running: RunningTranslation[_Line] | None = None  # made by the worker
    jobs: dict[_Job, set[int]] = field(default_factory=dict)  # the lines of each that are not translated yet


@dataclass(eq=False)
class _Worker:
    searches: list[_Search] = field(default_factory=list)
    busy: bool = False
    owed: float = 0.0  # seconds that its searches have before it translates another batch

    @property
    def lines(self) -> int:
        """Return how many lines are translated."""
        return sum(len(lines) for search in self.searches for lines in search.jobs.values())


class TranslationService:
    """Own the threads that translate. Close it to finish what has begun.

    Each worker takes a step of its searches, returns the lines that are done, and adds lines that wait. What no running
    search can take, such as samples or a given prefix, is translated in batches in between.
    """

    def __init__(self, *, queue: int = 256, seconds: float = 0.0, threads: int = 0) -> None:
        """`queue`: requests that may wait; `seconds` that a request may take, 0: any; `threads` of the CPU that
        compute, 0: as many as torch has. Each worker has its share of them, and the first one has all while the others
        are idle."""
        self.queue, self.seconds, self.threads = queue, seconds, threads or own_threads()
        self._jobs: deque[_Job] = deque()  # those with lines that no worker has
        self._changed = threading.Condition()
        self._closing = False
        self._workers = [_Worker() for _ in range(min(self.threads, WORKERS))]
        self._threads = [
            threading.Thread(target=self._work, args=(worker,), name=f"nmt-translate-{number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        for thread in self._threads:
            thread.start()

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

        Raises Busy if too much waits, ConfigError if the model cannot do what is asked, or if lines or prefixes are not
        texts, one prefix for each line.
        """
        lines, given = texts_of(lines, "lines"), texts_of(prefixes or [""] * len(lines), "prefixes")
        if len(given) != len(lines):
            raise ConfigError(f"prefixes: {len(given):,} for {len(lines):,} lines; give one for each, empty for none")
        options.settings(translator.settings, attends=translator.attends)
        deadline = time.monotonic() + self.seconds if self.seconds else math.inf
        job = _Job(translator, lines, given, options, deadline, progress=progress)
        with self._changed:
            if self._closing:
                raise Busy("the server is shutting down; ask again later")
            if len(self._jobs) >= self.queue:
                self._end_unwanted(list(self._jobs))  # which may make room
            if len(self._jobs) >= self.queue:
                raise Busy(f"{len(self._jobs):,} requests are waiting, and --max-queue allows no more; ask again later")
            if job.lines:
                self._jobs.append(job)
                self._changed.notify_all()
            else:
                job.put({})
        return job.future

    def close(self, seconds: float = 30.0) -> None:
        """Take no more requests, and finish those that wait."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    # What a worker does -----------------------------------------------------------------------------------------------

    def _work(self, worker: _Worker) -> None:
        while self._turn(worker):
            pass

    def _turn(self, worker: _Worker) -> bool:
        """Wait for something to do and do a little of it. Return False when the service closes and nothing is left."""
        with self._changed:
            worker.busy = bool(worker.searches)
            self._changed.wait_for(lambda: worker.searches or (self._jobs and self._may_begin(worker)) or self._closing)
            if not worker.searches and not self._jobs:  # closing
                return False
            worker.busy = True
            self._end_unwanted([*self._jobs, *(job for search in worker.searches for job in search.jobs)])
            joining, batch = self._take(worker)
            alone = worker is self._workers[0] and not any(each.busy for each in self._workers[1:])
            if self._jobs:
                self._changed.notify_all()  # what is left may be for another
        compute_with(self.threads if alone else max(1, self.threads // len(self._workers)))
        began = time.monotonic()
        if batch:
            self._translate(batch)
            worker.owed = time.monotonic() - began
            began = time.monotonic()
        for search in list(worker.searches):
            self._advance(worker, search, joining.get(search, []))
        worker.owed -= time.monotonic() - began
        return True

    def _may_begin(self, worker: _Worker) -> bool:
        """Return whether all workers before this one are busy. So the first one translates what comes alone: only one
        thread may ever compute with all threads, since GNU OpenMP keeps a pool for each that did, and lets the threads
        of all pools sleep between two products once they are more than the cores."""
        return all(each.busy for each in self._workers[: self._workers.index(worker)])

    def _room(self, worker: _Worker) -> int:
        """Return how many more lines a worker takes: no more than its share of all there are."""
        lines = sum(job.left for job in self._jobs) + sum(each.lines for each in self._workers)
        return min(ROOM, max(TOGETHER, math.ceil(lines / len(self._workers)))) - worker.lines

    def _end_unwanted(self, jobs: Sequence[_Job]) -> None:
        """Fail the requests that are out of time, and forget those that wait and that nobody waits for."""
        now = time.monotonic()
        for job in jobs:
            if now > job.deadline:
                job.fail(self._late())
            if job.future.done() and job in self._jobs:
                self._jobs.remove(job)

    def _take(self, worker: _Worker) -> tuple[dict[_Search, list[_Line]], dict[_Job, range]]:
        """Take lines of the requests that wait, in turns: those that join a search, and those of one batch. After a
        batch, the searches have as much time as it took before the next one."""
        joining: dict[_Search, list[_Line]] = {}
        room = self._room(worker)
        while room > 0:
            searching = bool(worker.searches) or any(job.joinable for job in self._jobs)
            ready = [job for job in self._jobs if job.joinable or not (searching and worker.owed > 0)]
            if not ready:
                break
            job = min(ready, key=lambda each: each.taken - len(each.found))  # the least in work
            self._jobs.remove(job)
            if not job.joinable:
                batch = {job: job.take(SHARE)}
                count = len(batch[job])
                for other in [each for each in self._jobs if each.like(job) and not each.joinable]:
                    if count + min(SHARE, other.left) <= BATCH:
                        self._jobs.remove(other)
                        batch[other] = other.take(SHARE)
                        count += len(batch[other])
                self._jobs.extend(each for each in batch if each.left)
                return joining, batch
            search = next((each for each in worker.searches if each.first.like(job)), None)
            if search is None:
                search = _Search(job)
                worker.searches.append(search)
            numbers = job.take(min(TURN, room))
            search.jobs.setdefault(job, set()).update(numbers)
            joining.setdefault(search, []).extend((job, number) for number in numbers)
            room -= len(numbers)
            if job.left:
                self._jobs.append(job)
        return joining, {}

    def _advance(self, worker: _Worker, search: _Search, new: Sequence[_Line]) -> None:
        """Add lines to a search, take a step, and return what is translated."""
        try:
            if search.running is None:
                search.running = RunningTranslation(search.first.translator, search.first.options)
            if any(job.future.done() for job in search.jobs):
                with self._changed:
                    search.jobs = {job: lines for job, lines in search.jobs.items() if not job.future.done()}
                search.running.drop(lambda line: line[0] in search.jobs)
            lines = [(job, number) for job, number in new if job in search.jobs]
            search.running.add([((job, number), job.lines[number], job.options) for job, number in lines])
            translated = search.running.advance()
        except Exception as error:
            with self._changed:
                worker.searches.remove(search)
                if len(search.jobs) == 1:
                    next(iter(search.jobs)).fail(error)
                    return
            for job, numbers in search.jobs.items():  # one of them is at fault: each by itself
                self._translate({job: sorted(numbers)})
            return
        found: dict[_Job, dict[int, Translation]] = {}
        for (job, number), translation in translated:
            found.setdefault(job, {})[number] = translation
        with self._changed:
            for job, lines_of_job in found.items():
                job.put(lines_of_job)
                search.jobs[job].difference_update(lines_of_job)
                if not search.jobs[job]:
                    del search.jobs[job]
            if not search.jobs:
                worker.searches.remove(search)

    def _translate(self, batch: Mapping[_Job, Sequence[int]]) -> None:
        """Translate the lines of some requests as one batch."""
        jobs = list(batch)
        lines = [(job, number) for job, numbers in batch.items() for number in numbers]
        prefixes = [job.prefixes[number] for job, number in lines]
        try:
            found = jobs[0].translator.translate(
                [job.lines[number] for job, number in lines],
                first_line=batch[jobs[0]][0] + 1,  # what is drawn for a line depends on its number
                prefixes=prefixes if any(prefixes) else None,
                options=[job.options for job, _ in lines],
                check=lambda: self._check(jobs),
            )
        except Exception as error:
            if len(jobs) == 1:
                with self._changed:  # another worker may end the same request
                    jobs[0].fail(error)
                return
            for job in jobs:  # one of them is at fault: each by itself
                if not job.future.done():
                    self._translate({job: batch[job]})
            return
        with self._changed:
            left = iter(found)
            for job, numbers in batch.items():
                job.put({number: next(left) for number in numbers})

    def _check(self, jobs: Sequence[_Job]) -> None:
        """Fail the requests that are out of time; the others go on. Raise Late if none is left that anybody waits for.

        A search calls this before each step, from several threads if it has several batches.
        """
        with self._changed:
            self._end_unwanted([*self._jobs, *jobs])
        if all(job.future.done() for job in jobs):
            raise self._late()

    def _late(self) -> Late:
        limit = f"--max-seconds allows {self.seconds:g} seconds for a request"
        return Late(f"not translated in time: {limit}; send less text")
