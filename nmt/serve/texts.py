"""Texts of requests -> lines -> translations -> texts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

from nmt.errors import UserError
from nmt.inference.request import TranslateOptions
from nmt.inference.service import TranslationService
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator
from nmt.serve.html_text import HTML, Markup, Segment, filled, segments_of
from nmt.serve.limits import Limits
from nmt.serve.models import Models, Served


class Refused(UserError):
    """Refuse a request. `code` is the HTTP status."""

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(problem)
        self.code = code


class Desk:
    """Take texts, check them against the limits and have them translated."""

    def __init__(
        self, models: Models, service: TranslationService, limits: Limits, *, keyed: bool = False, title: str = "nmt"
    ) -> None:
        """`keyed`: clients need an API key. `title`: that of /spec, by which some clients know a server."""
        self.keyed, self.title = keyed, title
        self.models, self.service, self.limits = models, service, limits
        self.translated = 0  # characters

    def check(self, texts: Sequence[str], options: TranslateOptions, prefixes: Sequence[str] = ()) -> None:
        """Raise Refused if a limit is exceeded."""
        limits = self.limits
        count = sum(text.count("\n") + 1 for text in texts)
        if count > limits.max_texts:
            raise Refused(413, f"{count:,} texts or lines are more than --max-texts {limits.max_texts:,} allows")
        length = sum(map(len, texts)) + sum(map(len, prefixes))
        if length > limits.max_chars:
            raise Refused(
                413, f"text of {length:,} characters exceeds text limit of {limits.max_chars:,} (--max-chars)"
            )
        widest = max(options.n_best, options.mbr, int(options.changes.get("beam_size", 0)))
        if widest > limits.max_beam:
            raise Refused(422, f"a beam, n_best or mbr of {widest:,} is more than --max-beam {limits.max_beam} allows")
        most = limits.max_length
        for name, allowed in (("max_length", most), ("min_length", most), ("max_ratio", most / 100)):
            if options.changes.get(name, 0) > allowed:
                part = "" if allowed == most else f" ({allowed:g} for max_ratio)"
                raise Refused(422, f"decoding.{name}: is more than --max-length {most:,} allows{part}")
        if max(map(len, prefixes), default=0) > most:
            raise Refused(413, f"prefix: has more characters than --max-length {most:,} allows")
        if options.alternatives > limits.max_alternatives:
            most = limits.max_alternatives
            raise Refused(422, f"alternatives: {options.alternatives} are more than --max-alternatives {most} allows")

    async def translate(
        self,
        run: Served,
        texts: Sequence[str],
        options: TranslateOptions,
        prefixes: Sequence[str] | None = None,
        translator: Translator | None = None,
    ) -> list[list[Translation]]:
        """Return the translations of the lines of each text, by the run's model or by another `translator`."""
        self.check(texts, options, prefixes or ())
        parts = [lines_of(text) for text in texts]
        lines = [line for part in parts for line in part]
        begun = None  # a prefix is that of the first line of its text
        if prefixes is not None:
            begun = [one for text, part in zip(prefixes, parts, strict=True) for one in [text, *[""] * (len(part) - 1)]]
        future = self.service.submit(translator or run.translator, lines, options, begun)
        try:
            translated: list[Translation] = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        found = iter(translated)
        self.translated += sum(map(len, texts))
        return [[next(found) for _ in part] for part in parts]

    async def translate_markup(self, run: Served, texts: Sequence[str], markup: Markup = HTML) -> list[str]:
        """Return texts with tags, with translations in place of what they say."""
        options = TranslateOptions(attention=True)
        self.check(texts, options)
        parts = await run_in_threadpool(lambda: [segments_of(text, markup) for text in texts])
        wanted = [part.text for each in parts for part in each if isinstance(part, Segment)]
        found = iter(await self.translate(run, wanted, options) if wanted else [])

        def put_in(segment: Segment) -> str:
            lines = next(found)
            return filled(segment, text_of(lines), lines[0].alignment)

        return await run_in_threadpool(
            lambda: ["".join(part if isinstance(part, str) else put_in(part) for part in each) for each in parts]
        )

    async def stream(self, run: Served, text: str, options: TranslateOptions) -> AsyncIterator[list[Translation]]:
        """Yield the translations of the lines of a text in their order, some at a time, as soon as they are there.

        A client that goes away ends the translation.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[list[Translation]] = asyncio.Queue()
        lines = lines_of(text)

        def tell(found: list[Translation]) -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(ready.put_nowait, found)

        future = self.service.submit(run.translator, lines, options, progress=tell)
        ended = asyncio.ensure_future(asyncio.wrap_future(future))
        left = len(lines)
        try:
            while left:
                next_ones = asyncio.ensure_future(ready.get())
                await asyncio.wait({next_ones, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not next_ones.done():
                    next_ones.cancel()
                    ended.result()  # raises what went wrong
                    next_ones = asyncio.ensure_future(ready.get())
                found = await next_ones
                left -= len(found)
                yield found
            self.translated += len(text)
        finally:
            future.cancel()
            ended.cancel()


def lines_of(text: str) -> list[str]:
    """Return the lines of a text of a request."""
    return text.replace("\r\n", "\n").replace("\0", " ").split("\n")


def text_of(lines: Sequence[Translation], rank: int = 0) -> str:
    """Join the translations of the lines of a text; `rank` 0 is the best."""
    return "\n".join(
        line.candidates[min(rank, len(line.candidates) - 1)].text if line.candidates else line.text for line in lines
    )


def plain_values(values: Any) -> dict[str, Any]:
    """Return a JSON object. Raises Refused for anything else."""
    if not isinstance(values, dict):
        raise Refused(400, "the body must be a JSON object")
    return values
