"""Our own API under /v1: everything that a translation has."""

import time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from nmt.decoding.quality_flags import flags_of
from nmt.decoding.request import TranslateOptions
from nmt.serve.models import Served
from nmt.serve.texts import Desk, Refused

SAFE = ("beam_size", "length_penalty", "coverage_penalty", "min_length", "max_length", "max_ratio", "allow_empty",
        "replace_unknown", "no_repeat_ngram")  # fmt: skip


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
    decoding: Annotated[dict[str, int | float | bool], Field(description=f"Any of {', '.join(SAFE)}")] = {}


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
                "reloads": run.reloads,
                "problem": run.problem,
            }
            for run in desk.models.runs.values()
        ]

    @router.post("/translate")
    async def translate(asked: Asked) -> dict[str, Any]:
        run = run_of(asked.run)
        if asked.prefix is not None and len(asked.prefix) != len(asked.text):
            raise Refused(422, "prefix: give one for each text, empty for none")
        if unknown := [name for name in asked.decoding if name not in SAFE]:
            raise Refused(422, f"decoding.{unknown[0]}: must be one of {', '.join(SAFE)}")
        given = asked.model_dump(exclude={"text", "run", "prefix", "decoding", "sample"})
        options = TranslateOptions.of(sample=asked.sample, details=True, changes=asked.decoding, **given)
        started = time.perf_counter()
        texts = [text.encode("utf-8", "replace").decode("utf-8") for text in asked.text]
        found = await desk.translate(run, texts, options, asked.prefix)
        return {
            "run": run.name,
            "source": run.source,
            "target": run.target,
            "seconds": round(time.perf_counter() - started, 4),
            "translations": [
                [{**line.to_dict(), "flags": flags_of(line, run.translator, asked.words)} for line in lines]
                for lines in found
            ],
        }

    return router
