"""DeepL's API, version 2, for the clients that let their user choose the server."""

from typing import Any

from fastapi import APIRouter, Request

from nmt.inference.request import TranslateOptions
from nmt.serve.libretranslate import detect, texts_of, values_of
from nmt.serve.texts import Desk, Refused, text_of


def make_router(desk: Desk) -> APIRouter:
    """The paths of DeepL."""
    router, models = APIRouter(prefix="/v2", tags=["DeepL"]), desk.models

    @router.post("/translate")
    async def translate(request: Request) -> dict[str, Any]:
        values = await values_of(request)
        texts = texts_of(values, "text")
        target = values.get("target_lang")
        if not isinstance(target, str):
            raise Refused(400, "target_lang: give a language such as FR")
        for name in ("tag_handling", "glossary_id"):
            if values.get(name):
                raise Refused(400, f"{name}: is not supported by this server; leave it out")
        source = values.get("source_lang") or detect(" ".join(texts), models)[0]
        run = models.find(str(source), target) or (
            None
            if values.get("source_lang")
            else next((each for each in models.runs.values() if models.find(each.source, target) is each), None)
        )
        if run is None:
            raise Refused(400, f"source_lang {source} with target_lang {target} is not supported")
        found = await desk.translate(run, texts, TranslateOptions(attention=False))
        return {
            "translations": [
                {"detected_source_language": run.source.upper(), "text": text_of(lines), "billed_characters": len(text)}
                for text, lines in zip(texts, found, strict=True)
            ]
        }

    @router.get("/languages")
    async def languages(type: str = "source") -> list[dict[str, Any]]:
        codes = models.sources if type == "source" else {code for each in models.sources.values() for code in each}
        return [{"language": code.upper(), "name": code, "supports_formality": False} for code in sorted(codes)]

    @router.get("/usage")
    async def usage() -> dict[str, int]:
        return {"character_count": desk.translated, "character_limit": 10**12}

    return router
