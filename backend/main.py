"""The application: routers, pages, and the one place where errors become answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from backend.accounts import routes as accounts
from backend.accounts import team_routes as teams
from backend.accounts.dependencies import PlatformOf
from backend.audit import routes as audit
from backend.challenges import routes as challenges
from backend.config import Settings
from backend.errors import BadInput, MoodarenaError
from backend.guard import Guard
from backend.intake import blob_routes as blobs
from backend.intake import routes as intake
from backend.intake import uploads
from backend.organizing import routes as organizing
from backend.platform import Platform
from backend.results import routes as results
from backend.web import assets, pages
from backend.web.assets import STATIC
from backend.web.rendering import render_error as render_page

API = "/api/v1"
# Volumes and archives are compressed already, and a range of one must stay a range.
NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")


def create_app(platform: Platform | None = None) -> FastAPI:
    """The ASGI application on a platform, which is opened from the environment if none is given."""
    opened = platform or Platform.open(Settings())
    app = FastAPI(
        title="moodarena",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.platform = opened
    app.add_middleware(Guard, render=render_error, secure=opened.settings.secure_cookies)
    app.add_middleware(GZipMiddleware, compresslevel=6, exclude_content_types=NOT_COMPRESSED)
    app.add_exception_handler(MoodarenaError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.include_router(_api())
    app.include_router(pages.router)
    app.mount("/static", assets.Files(directory=STATIC, check_dir=False), name="static")
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix=API)
    for room in (accounts, teams, challenges, intake, blobs, results, organizing, audit):
        api.include_router(room.router)
    api.add_api_route("/health", health, methods=["GET"], tags=["health"])
    return api


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    platform: Platform = app.state.platform
    assets.tell_what_is_missing()
    await run_in_threadpool(uploads.remove_expired, platform.database, platform.storage)
    yield


def health(platform: PlatformOf, response: Response) -> dict[str, object]:
    """Whether the server can do its work; 503 when it cannot reach its database."""
    try:
        with platform.database.read() as session:
            session.execute(select(1))
    except SQLAlchemyError:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "unavailable", "database": False}
    return {"status": "ok", "database": True}


async def render_error(request: Request, error: MoodarenaError) -> Response:
    """The answer to a request that failed: JSON from the API, a page from everywhere else."""
    if not request.url.path.startswith(("/api/", "/static/")):
        return await render_page(request, error)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    content = {"error": {"code": error.code, "message": error.message, "facts": error.facts}}
    return JSONResponse(content, status_code=error.status, headers=headers)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MoodarenaError)
    return await render_error(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    # What was sent is not repeated: it may be a password.
    assert isinstance(error, RequestValidationError)
    fields = [{"at": ".".join(map(str, item["loc"])), "problem": item["msg"]} for item in error.errors()]
    summary = "; ".join(f"{field['at']}: {field['problem']}" for field in fields)
    return await render_error(request, BadInput("invalid_request", summary, fields=fields))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    plain = MoodarenaError(phrase.lower().replace(" ", "_"), str(error.detail))
    plain.status = error.status_code
    response = await render_error(request, plain)
    response.headers.update(error.headers or {})
    return response
