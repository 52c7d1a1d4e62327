"""Translation of whole files, as clients of LibreTranslate send them. They are kept in memory; no name that a client
gives is ever a path."""

import secrets

from fastapi import APIRouter, Request, Response

from nmt.inference.request import TranslateOptions
from nmt.serve.libretranslate import FILES, check_direction, named_text, run_of, values_of
from nmt.serve.texts import Desk, Refused, text_of

MOST_FILES = 20  # translated files that wait to be fetched


def make_router(desk: Desk) -> APIRouter:
    """Make the paths for files."""
    router = APIRouter(tags=["LibreTranslate"])
    made: dict[str, tuple[str, str]] = {}  # by a secret that only the client knows: name and text

    @router.post("/translate_file")
    async def translate_file(request: Request) -> dict[str, str]:
        values = await values_of(request, files=True)
        check_direction(values)
        name, text = named_text(values.get("file"), FILES)
        run, _ = run_of(desk.models, values["source"], values["target"], [text])
        if name.endswith(".html"):
            [found] = await desk.translate_html(run, [text])
        else:
            [lines] = await desk.translate(run, [text], TranslateOptions(attention=False))
            found = text_of(lines)
        ticket = secrets.token_urlsafe(16)
        while len(made) >= MOST_FILES:
            del made[next(iter(made))]
        made[ticket] = (name, found)
        return {"translatedFileUrl": str(request.url_for("download_file", ticket=ticket))}

    @router.get("/download_file/{ticket}")
    async def download_file(ticket: str) -> Response:
        if ticket not in made:
            raise Refused(404, f"no such file; the last {MOST_FILES} translated files are kept")
        name, text = made[ticket]
        kind = "text/html" if name.endswith(".html") else "text/plain"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": "sandbox"}
        return Response(text.encode(), media_type=f"{kind}; charset=utf-8", headers=headers)

    return router
