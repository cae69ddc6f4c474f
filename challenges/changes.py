"""A challenge whose organizers changed something since: settings laid over the YAML, and the reveal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from challenges.spec import Challenge, ChallengeError


class BadChange(ChallengeError):
    """Settings do not make a challenge; `problems` says why by the name of the setting."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.problems = dict(problems)


def value_of(challenge: Challenge, name: str) -> Any:
    """The value of a setting by its dotted name, as plain JSON."""
    group, _, key = name.rpartition(".")
    owner = getattr(challenge, group) if group else challenge
    return owner.model_dump(mode="json", include={key})[key]


def changed(challenge: Challenge, settings: Mapping[str, Any]) -> Challenge:
    """The challenge with settings of dotted names in place of its own, checked anew as a whole.

    Raises:
        BadChange: a setting may not be changed, or what comes out means nothing.
    """
    fixed = [name for name in settings if name not in challenge.organizers_may_change]
    if fixed:
        raise BadChange({name: "may not be changed in this challenge" for name in fixed})
    if not settings:
        return challenge
    tree = challenge.model_dump(mode="json", by_alias=True)
    for name, value in settings.items():
        group, _, key = name.rpartition(".")
        (tree[group] if group else tree)[key] = value
    try:
        return Challenge.model_validate(tree)
    except ValidationError as error:
        raise BadChange(_problems(error, settings)) from error


def _problems(error: ValidationError, settings: Mapping[str, Any]) -> dict[str, str]:
    """By setting; what is wrong with a whole group is said of each setting in it."""
    found: dict[str, str] = {}
    for item in error.errors():
        where = ".".join(str(step) for step in item["loc"])
        message = str(item["msg"]).removeprefix("Value error, ")
        about = [name for name in settings if name == where or name.startswith(f"{where}." if where else "")]
        found |= {name: message for name in about or [where]}
    return found


def revealed(challenge: Challenge, at: datetime) -> Challenge:
    """The challenge as it is once its organizers published the board, `at` a moment that is over.

    From then on everything is public that the reveal makes public, whatever date the rules name.
    """
    dates, publication = challenge.dates, challenge.publication
    reveal = at if dates.reveal is None else min(at, dates.reveal)
    shown = "after_reveal" if publication.leaderboard == "organizers" else publication.leaderboard
    return challenge.model_copy(
        update={
            "dates": dates.model_copy(update={"reveal": reveal}),
            "publication": publication.model_copy(update={"leaderboard": shown}),
        }
    )
