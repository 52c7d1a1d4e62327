"""Translation of whole files, as clients of LibreTranslate send them. They are kept in memory; no name that a client
gives is ever a path."""

import re
import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from nmt.config.values import is_text_encoding
from nmt.data.documents import document_of
from nmt.data.encodings import AUTO
from nmt.data.opening import kind_of
from nmt.errors import DataError
from nmt.inference.request import TranslateOptions
from nmt.serve.libretranslate import FILES, HTML, TEXT, check_direction, run_of, values_of
from nmt.serve.models import Served
from nmt.serve.texts import Desk, Refused, text_of
from nmt.shown import amount, counted

MOST_FILES, MOST_BYTES = 20, 100_000_000  # translated files that wait to be fetched; the newest is always kept
DETECTED = 2000  # characters or bytes of a file that its language is detected by
MEDIA = {TEXT: "text/plain; charset=utf-8", HTML: "text/html; charset=utf-8"}


def make_router(desk: Desk) -> APIRouter:
    """Make the paths for files."""
    router = APIRouter(tags=["LibreTranslate"])
    made: dict[str, tuple[str, bytes]] = {}  # by a name that only the client knows: format and content

    @router.post("/translate_file")
    async def translate_file(request: Request) -> dict[str, Any]:
        """Translate a file of one of the formats in /frontend/settings. Options of `nmt translate` for files are form
        fields: column, field, format, encoding, overwrite."""
        values = await values_of(request, files=True)
        check_direction(values)
        given, content = values["file"] if isinstance(values.get("file"), tuple) else ("", b"")
        ending = next((each for each in FILES if given.lower().endswith(each)), None)
        if ending is None:
            raise Refused(400, f"file: send one, as multipart/form-data; {', '.join(FILES)} are supported")
        if kind := kind_of(content[:4096]):
            raise Refused(400, f"file: {kind}, not text; {', '.join(FILES)} are supported")
        format_name = str(values.get("format") or FILES[ending])
        if format_name not in FILES.values():
            raise Refused(400, f"format: must be one of {', '.join(dict.fromkeys(FILES.values()))}")
        run, _ = run_of(desk.models, values["source"], values["target"], [content[:DETECTED].decode("utf-8", "ignore")])
        if format_name in {TEXT, HTML}:
            translated, notes = await _plain(desk, run, content, format_name), list[str]()
        else:
            translated, notes = await _document(desk, run, content, ending, format_name, values)
        language = run.target if re.fullmatch(r"[\w-]+", run.target, re.ASCII) else "translated"
        name = f"{secrets.token_urlsafe(16)}.{language}{ending}"
        made[name] = (format_name, translated)
        while len(made) > 1 and (len(made) > MOST_FILES or sum(len(each) for _, each in made.values()) > MOST_BYTES):
            del made[next(iter(made))]
        return {"translatedFileUrl": str(request.url_for("download_file", name=name)), "notes": notes}

    @router.get("/download_file/{name}")
    async def download_file(name: str) -> Response:
        if name not in made:
            raise Refused(404, f"no such file; the last {MOST_FILES} translated files are kept")
        format_name, content = made[name]
        ending = name.partition(".")[2]
        headers = {"Content-Disposition": f'attachment; filename="translated.{ending}"'}
        headers["Content-Security-Policy"] = "sandbox"
        return Response(content, media_type=MEDIA.get(format_name, "application/octet-stream"), headers=headers)

    return router


async def _plain(desk: Desk, run: Served, content: bytes, format_name: str) -> bytes:
    """Translate a text file line by line, or HTML with its tags."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(400, "file: is not text in UTF-8; save it as UTF-8") from None
    if format_name == HTML:
        [found] = await desk.translate_markup(run, [text])
    else:
        [lines] = await desk.translate(run, [text], TranslateOptions(attention=False))
        found = text_of(lines)
    return found.encode()


async def _document(
    desk: Desk, run: Served, content: bytes, ending: str, format_name: str, values: dict[str, Any]
) -> tuple[bytes, list[str]]:
    """Fill in the translations of a document. Returns it with what the user should know."""
    given = [values.get("column") or [], values.get("field") or []]
    columns = tuple(str(each) for one in given for each in (one if isinstance(one, list) else [one]))
    overwrite = str(values.get("overwrite", "")).lower() in {"1", "true", "yes", "on"}
    encoding = str(values.get("encoding") or AUTO)
    name = Path(f"file{ending}")  # for messages
    if encoding != AUTO and not is_text_encoding(encoding):
        raise Refused(400, "encoding: must be auto, or an encoding such as windows-1252, shift_jis or gb18030")
    try:
        document = await run_in_threadpool(
            document_of, name, content, format_name, (run.source, run.target), columns, overwrite, encoding
        )
        texts = document.texts
        found = await desk.translate(run, texts, TranslateOptions(attention=False)) if texts else []
        translated = await run_in_threadpool(document.filled, [text_of(lines) for lines in found])
    except DataError as error:
        options = "; here, an option such as --column 1 is a form field: column=1" if "--" in str(error) else ""
        raise Refused(400, f"{error}{options}") from None
    done = "every text has its translation already, so nothing is changed; overwrite=1 translates all again"
    if texts:
        done = f"{amount(len(texts), 'text')} translated; review them"
    return translated, [done, *(counted(note, count) for note, count in document.notes.items() if count)]
