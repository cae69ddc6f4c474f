"""For organizers: results with their provenance as one file, and who took one before."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service as challenges
from backend.errors import MoodarenaError
from backend.models.audit import AuditEntry
from backend.models.user import User
from backend.platform import Platform
from backend.results import crate
from backend.results.export import ACTION, items_of
from backend.results.export_routes import attached
from backend.results.reveal import state_of
from backend.web.rendering import page

router = APIRouter(prefix="/organize/{challenge}/export")
SHOWN = 20
"""Exports of before that are listed; the audit log has all."""


@router.get("")
def show_export(challenge: str, request: Request, user: Organizer, platform: PlatformOf) -> Response:
    return _page(challenge, request, user, platform)


@router.post("")
def export(
    challenge: str,
    request: Request,
    user: Organizer,
    platform: PlatformOf,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    try:
        return attached(crate.export(platform.database, challenge, user, reason))
    except MoodarenaError as error:
        return _page(challenge, request, user, platform, error, reason)


def _page(
    challenge: str,
    request: Request,
    user: User,
    platform: Platform,
    error: MoodarenaError | None = None,
    reason: str = "",
) -> Response:
    made = select(AuditEntry).where(AuditEntry.challenge_id == challenge, AuditEntry.action == ACTION)
    with platform.database.read() as session:
        found = challenges.get(session, challenge)
        items, state, rules = items_of(session, found), state_of(found), found.spec
        before = session.scalars(made.order_by(AuditEntry.id.desc()).limit(SHOWN)).all()
    context = {"rules": rules, "items": items, "before": before, "state": state, "reason": reason}
    return page(request, "organize_export.html", user, error.status if error else 200, error=error, **context)
