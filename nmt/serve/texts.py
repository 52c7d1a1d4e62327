"""Texts of requests -> lines -> translations -> texts."""

import asyncio
from collections.abc import Sequence
from typing import Any

from nmt.decoding.request import TranslateOptions
from nmt.decoding.service import TranslationService
from nmt.decoding.translator import Translation
from nmt.errors import UserError
from nmt.serve.limits import Limits
from nmt.serve.models import Models, Served


class Refused(UserError):
    """Refuse a request. `code` is the HTTP status."""

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(problem)
        self.code = code


class Desk:
    """Take texts, check them against the limits and have them translated."""

    def __init__(self, models: Models, service: TranslationService, limits: Limits, *, keyed: bool = False) -> None:
        """`keyed`: clients need an API key."""
        self.keyed = keyed
        self.models, self.service, self.limits = models, service, limits
        self.translated = 0  # characters

    def check(self, texts: Sequence[str], options: TranslateOptions) -> None:
        """Raise Refused if a limit is exceeded."""
        limits = self.limits
        count = sum(text.count("\n") + 1 for text in texts)
        if count > limits.max_texts:
            raise Refused(413, f"{count:,} texts or lines are more than --max-texts {limits.max_texts:,} allows")
        length = sum(map(len, texts))
        if length > limits.max_chars:
            raise Refused(
                413, f"text of {length:,} characters exceeds text limit of {limits.max_chars:,} (--max-chars)"
            )
        widest = max(options.n_best, options.mbr, int(options.changes.get("beam_size", 0)))
        if widest > limits.max_beam:
            raise Refused(422, f"a beam, n_best or mbr of {widest:,} is more than --max-beam {limits.max_beam} allows")
        if options.alternatives > limits.max_alternatives:
            most = limits.max_alternatives
            raise Refused(422, f"alternatives: {options.alternatives} are more than --max-alternatives {most} allows")

    async def translate(
        self, run: Served, texts: Sequence[str], options: TranslateOptions, prefixes: Sequence[str] | None = None
    ) -> list[list[Translation]]:
        """Return the translations of the lines of each text."""
        self.check(texts, options)
        parts = [text.replace("\r\n", "\n").replace("\0", " ").split("\n") for text in texts]
        lines = [line for part in parts for line in part]
        begun = None  # a prefix is that of the first line of its text
        if prefixes is not None:
            begun = [one for text, part in zip(prefixes, parts, strict=True) for one in [text, *[""] * (len(part) - 1)]]
        future = self.service.submit(run.translator, lines, options, begun)
        try:
            translated: list[Translation] = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        found = iter(translated)
        self.translated += sum(map(len, texts))
        return [[next(found) for _ in part] for part in parts]


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
