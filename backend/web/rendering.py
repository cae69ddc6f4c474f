"""From services to HTML: the template environment, words and figures as people read them, and errors."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from backend.accounts.dependencies import csrf_token, identify
from backend.errors import MoodarenaError
from backend.models.submission import FINAL_STATES
from backend.models.user import User
from backend.web import assets

STATE_WORDS = {
    "verify": "checking the image",
    "toy": "running toy cases",
    "test": "running hidden cases",
    "score": "scoring",
    "ranked": "ranked",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "withdrawn": "withdrawn",
    "waiting": "waiting",
    "running": "running",
    "done": "done",
}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def page(
    request: Request, template: str, user: User | None, status: int = 200, **context: Any
) -> HTMLResponse:
    """A rendered page. Templates get `user`, `path`, and `csrf()` for the hidden field of every form."""
    html = _environment.get_template(template).render(
        context | {"user": user, "path": request.url.path, "csrf": lambda: csrf_token(request)}
    )
    return HTMLResponse(html, status_code=status)


def see(path: str) -> RedirectResponse:
    """After a form was handled: look there, with GET."""
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)


def local_path(path: str) -> str:
    """`path` if it leads to a page of ours, else the first page: nobody is sent to strangers."""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_ours else "/"


async def render_error(request: Request, error: MoodarenaError) -> Response:
    """The page of a request that failed; who is not signed in is asked to, if that is all."""
    if error.status == HTTPStatus.UNAUTHORIZED and request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see(f"/sign-in?{urlencode({'next': here})}")
    user = await run_in_threadpool(_who, request)
    return page(request, "error.html", user, error.status, error=error, title=_title(error.status))


def _who(request: Request) -> User | None:
    try:
        identity = identify(request)
    except (MoodarenaError, SQLAlchemyError):
        return None
    if identity is None:
        return None
    request.state.csrf = identity.csrf
    return identity.user


def _title(status: int) -> str:
    match status:
        case 401 | 403:
            return "Not allowed"
        case 404:
            return "Nothing here"
        case _ if status >= 500:
            return "Our fault"
        case _:
            return "That did not work"


def _date(seconds: float | datetime | None) -> str:
    if seconds is None:
        return "–"
    moment = seconds if isinstance(seconds, datetime) else datetime.fromtimestamp(seconds, UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _machine_date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(count: int | None) -> str:
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.3g} {_UNITS[unit]}"


def _away(moment: datetime | float, now: float) -> str:
    """How far a moment is from now: "in 12 days", "5 h ago"."""
    seconds = (moment.timestamp() if isinstance(moment, datetime) else moment) - now
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * length or unit == "min":
            number = round(abs(seconds) / length)
            text = f"{number} {unit}s" if unit == "day" else f"{number} {unit}"
            return f"in {text}" if seconds >= 0 else f"{text} ago"
    raise AssertionError("every time has a unit")


def _with_code(text: str) -> Markup:
    """A sentence whose words in backticks are code."""
    parts = text.split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _figure(value: float | None, decimals: int = 3) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _outcomes(totals: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in totals.items() if count) or "–"
    )


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {
        "date": _date,
        "machine_date": _machine_date,
        "duration": _duration,
        "size": _size,
        "figure": _figure,
        "away": _away,
        "with_code": _with_code,
        "ordinal": _ordinal,
        "outcomes": _outcomes,
        "words": lambda state: STATE_WORDS.get(state, state),
    }
    environment.filters.update(filters)
    environment.globals["final_states"] = FINAL_STATES
    environment.globals["assets_built"] = assets.built
    return environment


_environment = _make_environment()
