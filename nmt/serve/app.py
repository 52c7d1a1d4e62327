"""The application: routes, who may ask, and what is answered when something is wrong."""

import hmac
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from nmt import __version__
from nmt.errors import UserError
from nmt.inference.service import Busy, Late, TranslationService
from nmt.serve import deepl, libretranslate, own, whole_files
from nmt.serve.access_log import AccessLog
from nmt.serve.limits import Access, Limits
from nmt.serve.models import Models
from nmt.serve.texts import Desk, Refused

STATIC = Path(__file__).parent / "static"
PUBLIC = ("/", "/health", "/frontend/settings")  # need no key
PUBLIC_FOLDERS = ("/static/", "/download_file/")  # a translated file has a name that only its client knows
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def make_app(
    models: Models,
    limits: Limits | None = None,
    access: Access | None = None,
    log: AccessLog | None = None,
    title: str = "nmt",
) -> FastAPI:
    """Make the application that serves some runs. When it shuts down, it finishes the requests it has begun."""
    limits, access = limits or Limits(), access or Access()
    service = TranslationService(queue=limits.max_queue, seconds=limits.max_seconds)
    desk = Desk(models, service, limits, keyed=bool(access.keys), title=title)
    log = log or AccessLog(None)
    counts: Counter[str] = Counter()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        models.watch()
        yield
        models.close()
        service.close()

    app = FastAPI(title="nmt", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        failure: Exception | None = None
        try:
            response = await _checked(request, call, limits, access)
        except Refused as error:
            response = _answer(error.code, str(error))
        except ClientDisconnect:
            response = _answer(400, "the request was not complete")
        except Exception as error:  # a bug: counted and logged, and shown below
            response, failure = _answer(500, "the server failed; its log says why"), error
        counts[f'nmt_requests_total{{status="{response.status_code}"}}'] += 1
        seconds = time.perf_counter() - started
        counts["nmt_seconds_total"] += seconds  # type: ignore[assignment]
        log.write(
            client=request.client.host if request.client else "",
            method=request.method,
            path=request.url.path,
            status=response.status_code,
            seconds=round(seconds, 4),
            bytes=len(getattr(request, "_body", b"")),
        )
        if failure:
            traceback.print_exception(failure)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    async def on_error(_: Request, error: Exception) -> Response:
        return _answer(_status(error), str(error))

    async def on_http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _answer(error.status_code, str(error.detail))

    async def on_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return _answer(422, f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}")

    app.add_exception_handler(UserError, on_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "waiting": service.waiting}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> str:
        lines = [f"{name} {value:g}" for name, value in sorted(counts.items())]
        return "\n".join([*lines, f"nmt_queue {service.waiting}", f"nmt_characters_total {desk.translated}", ""])

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    for part in (libretranslate, whole_files, deepl, own):
        app.include_router(part.make_router(desk))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _checked(
    request: Request, call: Callable[[Request], Awaitable[Response]], limits: Limits, access: Access
) -> Response:
    """Answer a request, if its host, origin, key and size allow it."""
    host = request.headers.get("host", "").rpartition(":")
    name = host[0] if host[1] and host[2].isdigit() else request.headers.get("host", "")
    if "*" not in access.hosts and name.lower() not in {each.lower() for each in access.hosts}:
        raise Refused(400, f"Host {name!r} is not served here; start nmt serve with --allow-host {name}")
    origin = request.headers.get("origin", "")
    allowed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin in access.cors else {}
    if request.method == "OPTIONS" and allowed:
        allowed |= {"Access-Control-Allow-Headers": "Content-Type, Authorization", "Access-Control-Allow-Methods": "*"}
        return Response(status_code=204, headers=allowed)
    length = request.headers.get("content-length", "0")
    body = bytearray()
    if length.isdigit() and int(length) > limits.max_body:
        raise Refused(413, f"a body of {int(length):,} bytes is more than --max-body {limits.max_body:,} allows")
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.max_body:
            raise Refused(413, f"the body is more than --max-body {limits.max_body:,} bytes allow")
    request._body = bytes(body)  # for those who read it next
    path = request.url.path
    public = path in PUBLIC or path.startswith(PUBLIC_FOLDERS)
    if access.keys and not public:  # a key may be in a header, the query string or the body
        given = [request.headers.get("authorization", "").rpartition(" ")[2], request.query_params.get("api_key", "")]
        if request.method == "POST":
            with suppress(Refused):
                given.append(str((await libretranslate.values_of(request)).get("api_key", "")))
        pairs = [(one.encode("utf-8", "replace"), key.encode()) for one in given for key in access.keys]
        equal = [hmac.compare_digest(one, key) for one, key in pairs]  # all of them: it takes the same time for any key
        if not any(equal):
            raise Refused(403, "Invalid API key")
    response = await call(request)
    response.headers.update(allowed)
    return response


def _status(error: Exception) -> int:
    if isinstance(error, Refused):
        return error.code
    return 429 if isinstance(error, Busy) else 503 if isinstance(error, Late) else 422


def _answer(code: int, problem: str) -> JSONResponse:
    """Answer with an error as the clients of LibreTranslate (`error`) and of DeepL (`message`) read it."""
    retry = {"Retry-After": "1"} if code in {429, 503} else {}
    return JSONResponse({"error": problem, "message": problem}, code, retry)
