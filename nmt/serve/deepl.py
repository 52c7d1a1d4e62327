"""DeepL's API, version 2, for the clients that let their user choose the server."""

from typing import Any

from fastapi import APIRouter, Request

from nmt.inference.request import TranslateOptions
from nmt.languages import name_of
from nmt.serve.html_text import HTML, Markup
from nmt.serve.libretranslate import detect, texts_of, values_of
from nmt.serve.texts import Desk, Refused, text_of

MOST_TAGS = 100  # names in ignore_tags or splitting_tags


def make_router(desk: Desk) -> APIRouter:
    """Make the paths of DeepL."""
    router, models = APIRouter(prefix="/v2", tags=["DeepL"]), desk.models

    @router.post("/translate")
    async def translate(request: Request) -> dict[str, Any]:
        values = await values_of(request)
        texts = texts_of(values, "text")
        target = values.get("target_lang")
        if not isinstance(target, str):
            raise Refused(400, "target_lang: give a language such as FR")
        for name in ("glossary_id", "style_id", "custom_instructions", "translation_memory_id"):
            if values.get(name):
                raise Refused(400, f"{name}: is not supported by this server; leave it out")
        if values.get("formality") in ("more", "less"):
            raise Refused(400, "formality: is not supported by this server; prefer_more and prefer_less are ignored")
        handling = values.get("tag_handling") or ""
        if handling not in ("", "html", "xml"):
            raise Refused(400, "tag_handling: must be html or xml")
        markup = HTML if handling == "html" else None  # what the tags of the texts mean; None for plain text
        if handling == "xml":
            blocks, kept = _names(values, "splitting_tags"), _names(values, "ignore_tags")
            markup = Markup(blocks=blocks, void=(), kept=kept)
        source = values.get("source_lang") or detect(" ".join(texts), models)[0]
        run = models.find(str(source), target) or (
            None
            if values.get("source_lang")
            else next((each for each in models.runs.values() if models.find(each.source, target) is each), None)
        )
        if run is None:
            raise Refused(400, f"source_lang {source} with target_lang {target} is not supported")
        if markup:
            found = await desk.translate_markup(run, texts, markup)
        else:
            found = [text_of(each) for each in await desk.translate(run, texts, TranslateOptions(attention=False))]
        return {
            "translations": [
                {"detected_source_language": run.source.upper(), "text": translated, "billed_characters": len(text)}
                for text, translated in zip(texts, found, strict=True)
            ]
        }

    @router.get("/languages")
    async def languages(request: Request) -> list[dict[str, Any]]:
        """List the source languages; with `type=target`, in the query or in the body, the target languages."""
        targets = (await values_of(request)).get("type") == "target"
        codes = {code for each in models.sources.values() for code in each} if targets else models.sources
        return [
            {"language": code.upper(), "name": name_of(code), "supports_formality": False} for code in sorted(codes)
        ]

    @router.get("/usage")
    async def usage() -> dict[str, int]:
        return {"character_count": desk.translated, "character_limit": 10**12}

    @router.get("/glossary-language-pairs")
    async def glossary_languages() -> dict[str, list]:
        return {"supported_languages": []}

    @router.get("/glossaries")
    async def glossaries() -> dict[str, list]:
        return {"glossaries": []}

    return router


def _names(values: dict[str, Any], name: str) -> set[str]:
    """Return tag names, which come as a list or between commas. Raises Refused."""
    given = values.get(name) or []
    given = given.split(",") if isinstance(given, str) else given
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Refused(400, f"{name}: must be a list of names of tags")
    names = {each.strip().lower() for one in given for each in one.split(",") if each.strip()}
    if len(names) > MOST_TAGS:
        raise Refused(400, f"{name}: {len(names):,} names are more than the {MOST_TAGS} that are allowed")
    return names
