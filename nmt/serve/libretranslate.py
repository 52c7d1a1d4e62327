"""LibreTranslate's API, as its clients use it: JSON, form or query string; a text or a list of texts."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from nmt.data.documents import DOCUMENTS
from nmt.inference.request import TranslateOptions
from nmt.languages import language_of, name_of
from nmt.serve.models import Models, Served
from nmt.serve.texts import Desk, Refused, plain_values, text_of

TEXT, HTML = "text", "html"
# What /translate_file takes: endings of names, with their formats.
FILES = {
    ".txt": TEXT,
    ".html": HTML,
    ".htm": HTML,
    **{ending: name for name, kind in DOCUMENTS.items() for ending in kind.endings},
}


async def values_of(request: Request, *, files: bool = False) -> dict[str, Any]:
    """Return the values of a request, from query string and body. A name given twice in a form is a list. With `files`,
    `file` is the name and the content of an uploaded file."""
    values: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        try:
            form = await request.form()
        except Exception:
            raise Refused(400, "the form cannot be read") from None
        for name in form:
            uploaded = form.get(name)
            if isinstance(uploaded, UploadFile):
                if files and name == "file":
                    values["file"] = (uploaded.filename or "", await uploaded.read())
                continue
            given = [str(value) for value in form.getlist(name)]
            values[name] = given[0] if len(given) == 1 else given
        await form.close()
    elif body.strip():
        try:
            values |= plain_values(json.loads(body.decode("utf-8")))
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON in UTF-8") from None
    return values


def texts_of(values: dict[str, Any], name: str) -> list[str]:
    """Return the texts of a request. Raises Refused if there are none, or if they are not texts."""
    found = values.get(name)
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Refused(400, f"Invalid request: missing {name} parameter: a text, or a list of texts")
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def detect(texts: str, models: Models) -> tuple[str, float]:
    """Detect the language of a text. Returns it with a confidence from 0 to 100."""
    sources = sorted(models.sources)
    if len(sources) == 1 and not texts.strip():
        return sources[0], 0.0
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return sources[0], 0.0
    global _identifier  # noqa: PLW0603
    if _identifier is None:
        _identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    language, probability = _identifier.classify(texts[:2000])
    return str(language), round(float(probability) * 100, 1)


_identifier: Any = None


def check_direction(values: dict[str, Any]) -> None:
    """Raise Refused if a request names no source or no target language."""
    for name in ("source", "target"):
        if not isinstance(values.get(name), str) or not values[name]:
            raise Refused(400, f"Invalid request: missing {name} parameter")


def run_of(models: Models, source: str, target: str, texts: list[str]) -> tuple[Served, dict[str, Any] | None]:
    """Find the run of a direction, and what was detected for `auto`. Raises Refused if none is served."""
    detected = None
    if source == "auto":
        language, confidence = detect(" ".join(texts), models)
        detected = {"language": language, "confidence": confidence}
        source = (
            language
            if models.find(language, target)
            else next(
                (code for code, targets in models.sources.items() if (language_of(target) or target) in targets), ""
            )
        )
    run = models.find(source, target)
    if run is None:
        raise Refused(400, f"{source or 'auto'} to {target} is not supported; GET /languages has what is")
    return run, detected


def make_router(desk: Desk) -> APIRouter:
    """Make the paths of LibreTranslate."""
    router, models = APIRouter(tags=["LibreTranslate"]), desk.models

    @router.post("/translate")
    async def translate(request: Request) -> dict[str, Any]:
        values = await values_of(request)
        texts = texts_of(values, "q")
        check_direction(values)
        try:
            others = int(values.get("alternatives") or 0)
        except (TypeError, ValueError, OverflowError):
            raise Refused(400, "alternatives: must be a whole number") from None
        if not 0 <= others <= desk.limits.max_alternatives:
            raise Refused(422, f"alternatives: 0 to --max-alternatives {desk.limits.max_alternatives} are allowed")
        if values.get("format", "text") not in ("text", "html"):
            raise Refused(400, "format: must be text or html")
        run, detected = run_of(models, values["source"], values["target"], texts)
        several = isinstance(values["q"], list)
        if values.get("format") == "html":
            if others:
                raise Refused(400, "alternatives: are not supported with format=html; leave one of them out")
            found, best = [], await desk.translate_markup(run, texts)
        else:
            found = await desk.translate(run, texts, TranslateOptions(n_best=others + 1, attention=False))
            best = [text_of(lines) for lines in found]
        answer: dict[str, Any] = {"translatedText": best if several else best[0]}
        if detected:
            answer["detectedLanguage"] = [detected] * len(texts) if several else detected
        if others:
            ranks = [[text_of(lines, rank) for rank in range(1, others + 1)] for lines in found]
            answer["alternatives"] = ranks if several else ranks[0]
        return answer

    @router.post("/suggest")
    async def suggest() -> None:
        raise Refused(403, "Suggestions are disabled on this server")

    @router.get("/spec")
    async def spec(request: Request) -> dict[str, Any]:
        found: dict[str, Any] = request.app.openapi()
        return {**found, "info": {**found["info"], "title": desk.title}}

    @router.post("/detect")
    async def detect_language(request: Request) -> list[dict[str, Any]]:
        [text, *_] = texts_of(await values_of(request), "q")
        desk.check([text], TranslateOptions())
        language, confidence = detect(text, models)
        return [{"confidence": confidence, "language": language}]

    @router.get("/languages")
    async def languages() -> list[dict[str, Any]]:
        codes = dict.fromkeys([*models.sources, *(target for each in models.sources.values() for target in each)])
        return [{"code": code, "name": name_of(code), "targets": models.sources.get(code, [])} for code in codes]

    @router.get("/frontend/settings")
    async def settings() -> dict[str, Any]:
        first = models.first
        return {
            "charLimit": desk.limits.max_chars,
            "keyRequired": desk.keyed,
            "apiKeys": desk.keyed,
            "suggestions": False,
            "supportedFilesFormat": list(FILES),
            "frontendTimeout": 500,
            "language": {
                "source": {"code": first.source, "name": name_of(first.source)},
                "target": {"code": first.target, "name": name_of(first.target)},
            },
        }

    return router
