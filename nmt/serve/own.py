"""Our own API under /v1: everything that a translation has."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from nmt.errors import UserError
from nmt.inference.quality_flags import flags_of
from nmt.inference.request import TranslateOptions
from nmt.inference.translation import Translation
from nmt.serve.models import Served
from nmt.serve.texts import Desk, Refused
from nmt.shown import json_line

SAFE = ("beam_size", "length_penalty", "coverage_penalty", "link_share", "min_length", "max_length", "max_ratio",
        "allow_empty", "replace_unknown", "no_repeat_ngram")  # fmt: skip


class Asked(BaseModel):
    """Describe what to translate, and how. Only the text is required."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[list[str], Field(min_length=1, description="Texts; each line of a text is translated by itself")]
    run: Annotated[str, Field(description="Name of a run, from /v1/runs; the first one if it is left out")] = ""
    prefix: Annotated[list[str] | None, Field(description="Beginning of each translation, of its first line")] = None
    n_best: int = 1
    sample: bool = False
    mbr: int = 0
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    words: str = "scripts"
    alternatives: Annotated[int, Field(description="Likeliest words at each position")] = 0
    trace: Annotated[bool, Field(description="Every hypothesis of the search")] = False
    heads: Annotated[bool, Field(description="Attention of each head, if the model has several")] = False
    pieces: Annotated[bool, Field(description="Attention between subwords too")] = False
    decoding: Annotated[dict[str, int | float | bool], Field(description=f"Any of {', '.join(SAFE)}")] = {}


class AskedLearning(BaseModel):
    """Describe a line whose translation is wanted from each snapshot of a run."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(description="One line")]
    run: str = ""
    words: str = "scripts"


def make_router(desk: Desk) -> APIRouter:
    """Make the paths of our own API."""
    router = APIRouter(prefix="/v1", tags=["nmt"])

    def run_of(name: str) -> Served:
        if name and name not in desk.models.runs:
            raise Refused(404, f"run {name!r} is not served here; GET /v1/runs has those that are")
        return desk.models.runs[name] if name else desk.models.first

    @router.get("/runs")
    async def runs() -> list[dict[str, Any]]:
        return [
            {
                "name": run.name,
                "source": run.source,
                "target": run.target,
                "attention": run.translator.attends,
                "beam_size": run.translator.settings.beam_size,
                "length_penalty": run.translator.settings.length_penalty,
                "example": run.example,
                "calibrated": run.translator.confidence is not None,
                "snapshots": run.snapshots,
                "reloads": run.reloads,
                "problem": run.problem,
            }
            for run in desk.models.runs.values()
        ]

    def options_of(asked: Asked) -> TranslateOptions:
        if unknown := [name for name in asked.decoding if name not in SAFE]:
            raise Refused(422, f"decoding.{unknown[0]}: must be one of {', '.join(SAFE)}")
        given = asked.model_dump(exclude={"text", "run", "prefix", "decoding", "sample", "pieces"})
        return TranslateOptions.of(sample=asked.sample, details=True, changes=asked.decoding, **given)

    def shown(line: Translation, run: Served, words: str, *, pieces: bool = False) -> dict[str, Any]:
        return {**line.to_dict(pieces=pieces), "flags": flags_of(line, run.translator, words)}

    @router.post("/translate")
    async def translate(asked: Asked) -> dict[str, Any]:
        run = run_of(asked.run)
        if asked.prefix is not None and len(asked.prefix) != len(asked.text):
            raise Refused(422, "prefix: give one for each text, empty for none")
        options = options_of(asked)
        started = time.perf_counter()
        texts = [plain(text) for text in asked.text]
        prefixes = asked.prefix and [plain(text) for text in asked.prefix]
        found = await desk.translate(run, texts, options, prefixes)
        return {
            "run": run.name,
            "source": run.source,
            "target": run.target,
            "seconds": round(time.perf_counter() - started, 4),
            "translations": [[shown(line, run, asked.words, pieces=asked.pieces) for line in lines] for lines in found],
        }

    @router.post("/stream")
    async def stream(asked: Asked) -> StreamingResponse:
        """Translate one long text: a JSON object per line, as soon as it is there, and one with `done` at the end."""
        run, options = run_of(asked.run), options_of(asked)
        if len(asked.text) != 1 or asked.prefix is not None:
            raise Refused(422, "text: give one text, without a prefix; /v1/translate takes several")
        text = plain(asked.text[0])
        desk.check([text], options)
        started = time.perf_counter()

        async def rows() -> AsyncIterator[str]:
            number = 0
            try:
                async for found in desk.stream(run, text, options):
                    for line in found:
                        number += 1
                        yield json_line({"line": number, **shown(line, run, asked.words, pieces=asked.pieces)}) + "\n"
            except UserError as error:
                yield json_line({"error": str(error)}) + "\n"
                return
            yield (
                json_line({"done": number, "run": run.name, "seconds": round(time.perf_counter() - started, 4)}) + "\n"
            )

        return StreamingResponse(rows(), media_type="application/x-ndjson")

    @router.post("/learning")
    async def learning(asked: AskedLearning) -> dict[str, Any]:
        """Translate a line with each snapshot that training kept (training.snapshots), and with the run's model."""
        run, text = run_of(asked.run), plain(asked.text)
        if "\n" in text:
            raise Refused(422, "text: give one line")
        if not run.snapshots:
            raise Refused(404, f"run {run.name!r} has no snapshots; train with training.snapshots=8")
        options = TranslateOptions.of(details=True, words=asked.words, changes={"beam_size": 1})
        found = []
        for step in (*run.snapshots, None):
            translator = await run_in_threadpool(run.snapshot, step) if step is not None else run.translator
            [[line]] = await desk.translate(run, [text], options, translator=translator)
            found.append({"step": step, "translation": shown(line, run, asked.words)})
        return {"run": run.name, "source": run.source, "target": run.target, "steps": found}

    return router


def plain(text: str) -> str:
    """Return a text without lone surrogates, which JSON may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode("utf-8")
