"""Settings that organizers change, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from backend.accounts.dependencies import Organizer, PlatformOf
from backend.challenges import service, settings

router = APIRouter()


class SettingView(BaseModel):
    """A setting that may be changed: as the YAML has it, and as it is now."""

    name: str
    written: Any
    present: Any


class Changes(BaseModel):
    """New values by name; `reset` are settings that become those of the YAML again."""

    values: Annotated[dict[str, Any], Field(max_length=len(settings.NAMES))] = {}
    reset: Annotated[list[str], Field(max_length=len(settings.NAMES))] = []
    reason: Annotated[str, Field(max_length=1000)]


@router.get("/{challenge}/settings")
def list_settings(challenge: str, user: Organizer, platform: PlatformOf) -> list[SettingView]:
    """All settings that may be changed. For organizers."""
    with platform.database.read() as session:
        found = settings.settings_of(service.get(session, challenge))
    return [SettingView(name=one.name, written=one.written, present=one.present) for one in found]


@router.patch("/{challenge}/settings")
def change_settings(
    challenge: str, changes: Changes, user: Organizer, platform: PlatformOf
) -> list[SettingView]:
    """Change settings that the YAML lets organizers change. For organizers."""
    with platform.database.write() as session:
        settings.change(session, challenge, user, changes.values, changes.reset, changes.reason)
    return list_settings(challenge, user, platform)
