"""What organizers change of a challenge while it runs: settings that its YAML names, kept beside the YAML."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.audit.service import demand, record
from backend.errors import BadInput, Conflict, NotFound
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results import versions
from challenges import spec
from challenges.changes import BadChange, changed, value_of

Kind = Literal["line", "text", "moment", "count", "flag", "choice"]
NAMES: tuple[str, ...] = get_args(spec.Changeable)
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Field:
    """How a setting is asked for; `most` is the longest text or the largest number."""

    label: str
    kind: Kind
    most: int = 1_000_000
    choices: tuple[str, ...] = ()


FIELDS: dict[str, Field] = {
    "title": Field("Title", "line", 200),
    "description": Field("Description", "text", 5000),
    "dates.opens": Field("Counted submissions open", "moment"),
    "dates.closes": Field("Counted submissions close", "moment"),
    "dates.reveal": Field("Reveal", "moment"),
    "counted.per_team_and_task": Field("Counted submissions per team and task", "count"),
    "toy.per_team_and_hour": Field("Toy submissions per team and hour", "count"),
    "teams.approval": Field("Teams need an approval", "flag"),
    "teams.max_members": Field("Most members of a team", "count"),
    "publication.leaderboard": Field("Leaderboard", "choice", choices=("live", "after_reveal", "organizers")),
    "publication.own_score": Field("A team's own scores", "choice", choices=("live", "after_reveal")),
    "publication.decimals": Field("Decimals of figures", "count", 6),
    "publication.aliases": Field("Aliases instead of team names until the reveal", "flag"),
}


class BadSetting(BadInput):
    """Some values cannot be used; `problems` says why, by setting."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        super().__init__("setting_invalid", f"{told}.", problems=dict(problems))
        self.problems = dict(problems)


@dataclass(frozen=True)
class Setting:
    """One setting: what the YAML says of it, and what it is now."""

    name: str
    written: Any
    present: Any

    @property
    def field(self) -> Field:
        return FIELDS[self.name]

    @property
    def is_changed(self) -> bool:
        return bool(self.written != self.present)


@dataclass(frozen=True)
class Change:
    """What a setting was, and what it becomes."""

    name: str
    before: Any
    after: Any

    @property
    def field(self) -> Field:
        return FIELDS[self.name]


def settings_of(challenge: Challenge) -> list[Setting]:
    """All that organizers may change in a challenge."""
    written, present = challenge.written, _present(challenge)
    return [
        Setting(name, value_of(written, name), value_of(present, name))
        for name in NAMES
        if name in written.organizers_may_change
    ]


def planned(
    challenge: Challenge, values: Mapping[str, Any], reset: Collection[str] = ()
) -> tuple[list[Change], spec.Challenge]:
    """What would change, and the rules then; `reset` are settings that become those of the YAML again.

    Raises:
        NotFound: there is no such setting.
        Conflict: the YAML does not allow to change it.
        BadSetting: a value cannot be used.
    """
    _check_names(challenge, {*values, *reset})
    _check_words(values)
    wanted = {name: value for name, value in {**challenge.settings, **values}.items() if name not in reset}
    try:
        before, after = _present(challenge), changed(challenge.written, wanted)
    except BadChange as error:
        raise BadSetting(error.problems) from error
    changes = [Change(name, value_of(before, name), value_of(after, name)) for name in NAMES]
    return [one for one in changes if one.before != one.after], after


def change(
    session: Session,
    challenge_id: str,
    actor: User,
    values: Mapping[str, Any],
    reset: Collection[str] = (),
    reason: str = "",
) -> list[Change]:
    """Change settings, each with an entry in the audit log; the changes that there were.

    Raises:
        NotFound: there is no such challenge or setting.
        Conflict: the YAML does not allow to change it.
        BadSetting: a value cannot be used.
        BadInput: no reason is given.
    """
    reason = demand(reason)
    versions.lock(session, challenge_id)
    query = select(Challenge).where(Challenge.id == challenge_id).execution_options(populate_existing=True)
    if (challenge := session.scalar(query)) is None:
        raise NotFound("no_such_challenge", "There is no such challenge.")
    changes, after = planned(challenge, values, reset)
    kept = {name: value_of(after, name) for name in {*challenge.settings, *values} - {*reset}}
    challenge.settings = {
        name: value for name, value in sorted(kept.items()) if value != value_of(challenge.written, name)
    }
    challenge.title = after.title
    for one in changes:
        told = {"before": one.before, "after": one.after}
        record(session, actor, "setting.change", challenge_id, one.name, reason, **told)
    session.flush()
    return changes


def refit(session: Session, challenge: Challenge, actor: User | str) -> dict[str, Any]:
    """After a new YAML: drop the settings that it does not let organizers change; what was dropped.

    Raises:
        BadInput: those that stay make no challenge with the new YAML.
    """
    allowed: Collection[str] = challenge.written.organizers_may_change
    dropped = {name: value for name, value in challenge.settings.items() if name not in allowed}
    kept = {name: value for name, value in challenge.settings.items() if name in allowed}
    try:
        challenge.title = changed(challenge.written, kept).title
    except BadChange as error:
        raise BadInput(
            "settings_differ",
            f"What organizers have changed does not go with this YAML: {error}. First take that back with "
            f"`python -m backend challenge set {challenge.id} SETTING --as-in-yaml --reason TEXT`.",
        ) from error
    if dropped:
        challenge.settings = kept
    for name, value in dropped.items():
        reason = "the YAML was registered anew and does not let organizers change this"
        after = value_of(challenge.written, name)
        record(session, actor, "setting.change", challenge.id, name, reason, before=value, after=after)
    session.flush()
    return dropped


def read(name: str, text: str) -> Any:
    """What somebody typed for a setting, as plain JSON; an empty date means that there is no bound.

    Raises:
        NotFound: there is no such setting.
        BadSetting: it cannot be read.
    """
    if name not in FIELDS:
        raise NotFound("no_such_setting", f"There is no setting {name}; there are {', '.join(NAMES)}.")
    text, kind = text.replace("\r\n", "\n").strip(), FIELDS[name].kind
    match kind:
        case "moment":
            return _moment(name, text)
        case "count":
            return _count(name, text)
        case "flag":
            return _flag(name, text)
        case _:
            return text


def _moment(name: str, text: str) -> str | None:
    if text.casefold() in ("", "null", "none"):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSetting({name: "write a moment like 2020-09-07T23:59:59Z"}) from error
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:9]) <= FIELDS[name].most:
        raise BadSetting({name: f"write a whole number from 1 to {FIELDS[name].most}"})
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.casefold() not in YES + NO:
        raise BadSetting({name: "write true or false"})
    return text.casefold() in YES


def _present(challenge: Challenge) -> spec.Challenge:
    """The rules without what a publication of the board makes of them."""
    return changed(challenge.written, challenge.settings)


def _check_names(challenge: Challenge, names: Collection[str]) -> None:
    for name in sorted(names):
        if name not in FIELDS:
            raise NotFound("no_such_setting", f"There is no setting {name}; there are {', '.join(NAMES)}.")
        if name not in challenge.written.organizers_may_change:
            raise Conflict(
                "setting_fixed",
                f"{name} may not be changed in this challenge; its YAML does not list it under "
                "`organizers_may_change`.",
            )


def _check_words(values: Mapping[str, Any]) -> None:
    problems = {}
    for name in ("title", "description"):
        text, most = values.get(name), FIELDS[name].most
        if isinstance(text, str) and not (0 < len(text) <= most and _printable(name, text)):
            problems[name] = f"write 1 to {most} printable characters"
    if problems:
        raise BadSetting(problems)


def _printable(name: str, text: str) -> bool:
    return (text if FIELDS[name].kind == "line" else text.replace("\n", "")).isprintable()
