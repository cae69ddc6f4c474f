"""For organizers: settings that the challenge's YAML lets them change, beside what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select
from starlette.datastructures import FormData

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.challenges import settings
from backend.challenges.settings import BadSetting
from backend.db import now
from backend.errors import MoodarenaError
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.platform import Platform
from backend.results import disclosure
from backend.web.rendering import page, see
from challenges import spec

router = APIRouter(prefix="/organize/{challenge}/settings")


@dataclass(frozen=True)
class Asked:
    """What a form says: texts by setting, settings to reset, why, and whether that was looked at before."""

    texts: Mapping[str, str] = field(default_factory=dict)
    reset: tuple[str, ...] = ()
    reason: str = ""
    confirmed: bool = False


async def asked(request: Request) -> Asked:
    """The form of the page; fields have the names of settings."""
    form: FormData = await request.form()
    given = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return Asked(
        texts={name: given[name] for name in settings.NAMES if name in given},
        reset=tuple(value for value in form.getlist("reset") if isinstance(value, str)),
        reason=given.get("reason", ""),
        confirmed=given.get("step") == "change",
    )


@router.get("")
def show_settings(challenge: str, request: Request, user: Organizer, platform: PlatformOf) -> Response:
    return _page(challenge, request, user, platform)


@router.post("")
def change_settings(
    challenge: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    form: Annotated[Asked, Depends(asked)],
) -> Response:
    """First what would change is shown; the same form, confirmed, changes it."""
    try:
        values = _values(form)
        if not form.confirmed:
            return _page(challenge, request, user, platform, form, values=values)
        with platform.database.write() as session:
            settings.change(session, challenge, user, values, form.reset, form.reason)
    except MoodarenaError as error:
        return _page(challenge, request, user, platform, form, error)
    return see(f"/organize/{challenge}/settings")


def _values(form: Asked) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in form.texts.items():
        try:
            values[name] = settings.read(name, text)
        except BadSetting as error:
            problems |= error.problems
    problems = {name: problem for name, problem in problems.items() if name not in form.reset}
    if problems:
        raise BadSetting(problems)
    return {name: value for name, value in values.items() if name not in form.reset}


def _page(
    challenge: str,
    request: Request,
    user: User,
    platform: Platform,
    form: Asked | None = None,
    error: MoodarenaError | None = None,
    values: Mapping[str, Any] | None = None,
) -> Response:
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        rows, rules, yaml = settings.settings_of(found), found.spec, challenges.spec_in_force(found)
        moment = session.scalars(select(now())).one()
        changes, becomes = _planned(found, moment, values, form)
    problems = error.problems if isinstance(error, BadSetting) else {}
    context = {"rows": rows, "form": form or Asked(), "changes": changes, "becomes": becomes, "yaml": yaml}
    context |= {"rules": rules, "error": error, "problems": problems}
    return page(request, "organize_settings.html", user, error.status if error else 200, **context)


def _planned(
    challenge: Challenge, moment: float, values: Mapping[str, Any] | None, form: Asked | None
) -> tuple[list[settings.Change] | None, list[tuple[str, bool, bool]]]:
    """What would change, and of what the reveal is about what would be shown or hidden."""
    if values is None or form is None:
        return None, []
    changes, after = settings.planned(challenge, values, form.reset)
    if challenge.frozen is not None and challenge.frozen.published_at is not None:
        return changes, []  # everything is public until that is undone
    return changes, _shown_otherwise(challenge.spec, after, moment)


def _shown_otherwise(
    before: spec.Challenge, after: spec.Challenge, moment: float
) -> list[tuple[str, bool, bool]]:
    now_, then = disclosure.disclosed(before, moment), disclosure.disclosed(after, moment)
    return [(what, now_[what], then[what]) for what in now_ if now_[what] != then[what]]
