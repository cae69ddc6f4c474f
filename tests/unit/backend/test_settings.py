"""Settings that the YAML lets organizers change: laid over it, checked as a whole, told in the audit log."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.challenges import service, settings
from backend.errors import BadInput, Conflict, NotFound
from backend.models.audit import AuditEntry
from backend.models.challenge import Challenge
from backend.models.user import User
from challenges import spec
from challenges.changes import BadChange, changed, value_of
from tests.unit.backend.world import ROOT, World

DEMO = spec.load(ROOT / "challenges" / "demo.yaml")
YEAR_2030 = "2030-01-01T00:00:00Z"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    url = request.getfixturevalue("fresh_postgres_url") if request.param == "postgres" else ""
    with World.open(tmp_path, database_url=url) as world:
        world.challenge()
        yield world


@pytest.fixture
def boss(world: World) -> User:
    return world.person("boss", "organizer")


def change(world: World, boss: User, *reset: str, reason: str = "so decided", **values: Any) -> list[Any]:
    named = {name.replace("__", "."): value for name, value in values.items()}
    with world.write() as session:
        return settings.change(session, "demo", boss, named, reset, reason)


def rules(world: World) -> spec.Challenge:
    with world.read() as session:
        found: Challenge = session.get_one(Challenge, "demo")
        return found.spec


def entries(world: World) -> list[AuditEntry]:
    with world.read() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


@pytest.mark.parametrize("name", settings.NAMES)
def test_every_setting_has_a_value_and_a_field(name: str) -> None:
    assert name in settings.FIELDS
    everything = DEMO.model_copy(update={"organizers_may_change": settings.NAMES})
    assert changed(everything, {name: value_of(DEMO, name)}) == everything


def test_only_what_the_yaml_names_can_be_changed() -> None:
    with pytest.raises(BadChange, match="may not be changed"):
        changed(DEMO, {"ranking.seed": 7})
    with pytest.raises(BadChange, match="may not be changed"):
        changed(DEMO.model_copy(update={"organizers_may_change": ()}), {"title": "Another"})


def test_the_yaml_names_nothing_that_figures_or_runs_hang_on() -> None:
    text = (ROOT / "challenges" / "demo.yaml").read_text()
    with pytest.raises(spec.ChallengeError, match="organizers_may_change"):
        spec.parse(text.replace("  - dates.closes\n", "  - limits.memory\n"))


def test_a_change_is_in_force_everywhere_and_in_the_yaml_that_participants_get(
    world: World, boss: User
) -> None:
    change(world, boss, dates__closes=YEAR_2030, title="A title: with a colon", reason="more time")
    assert rules(world).dates.closes == datetime(2030, 1, 1, tzinfo=UTC)
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        assert (challenge.title, challenge.written.title) == ("A title: with a colon", DEMO.title)
        public = spec.parse(service.public_spec(challenge))
    assert (public.title, public.dates) == ("A title: with a colon", rules(world).dates)


def test_each_change_is_in_the_audit_log_with_before_and_after(world: World, boss: User) -> None:
    change(world, boss, dates__closes=YEAR_2030, teams__max_members=3, reason="more time")
    change(world, boss, teams__max_members=3)
    change(world, boss, "dates.closes", reason="after all not")
    told = [(one.actor, one.action, one.subject, one.reason, one.details) for one in entries(world)]
    assert told == [
        ("boss", "setting.change", "dates.closes", "more time", {"before": None, "after": YEAR_2030}),
        ("boss", "setting.change", "teams.max_members", "more time", {"before": 10, "after": 3}),
        ("boss", "setting.change", "dates.closes", "after all not", {"before": YEAR_2030, "after": None}),
    ]
    with world.read() as session:
        assert session.get_one(Challenge, "demo").settings == {"teams.max_members": 3}


def test_what_makes_no_challenge_is_refused_and_nothing_is_changed(world: World, boss: User) -> None:
    for values, problems in (
        ({"dates__closes": "soon"}, {"dates.closes"}),
        ({"teams__max_members": 0, "title": ""}, {"title"}),
        ({"teams__max_members": 0}, {"teams.max_members"}),
        ({"title": "two\nlines"}, {"title"}),
    ):
        with pytest.raises(settings.BadSetting) as refusal:
            change(world, boss, **values)
        assert set(refusal.value.problems) == problems
    with pytest.raises(BadInput, match="Say why"):
        change(world, boss, title="Another", reason=" ")
    with pytest.raises(NotFound, match="no setting"):
        change(world, boss, limits__memory=1)
    with pytest.raises(Conflict, match="may not be changed"):
        change(world, boss, dates__opens=YEAR_2030)
    assert entries(world) == []
    assert rules(world) == DEMO


def test_what_is_typed_is_read() -> None:
    assert settings.read("dates.closes", "2020-09-07T23:59:59") == "2020-09-07T23:59:59Z"
    assert settings.read("dates.closes", "2020-09-08T01:59:59+02:00") == "2020-09-07T23:59:59Z"
    assert settings.read("dates.closes", "") is None
    assert settings.read("teams.max_members", "3") == 3
    assert settings.read("teams.approval", "true") is True
    for name, text in (("dates.closes", "soon"), ("teams.max_members", "³"), ("teams.approval", "perhaps")):
        with pytest.raises(settings.BadSetting):
            settings.read(name, text)
    with pytest.raises(NotFound):
        settings.read("limits.memory", "1")


# --- a newer YAML ---


def test_what_a_newer_yaml_does_not_allow_is_dropped_and_told(world: World, boss: User) -> None:
    change(world, boss, dates__closes=YEAR_2030, title="Another")
    text = (ROOT / "challenges" / "demo.yaml").read_text()
    with world.write() as session:
        challenge = session.get_one(Challenge, "demo")
        challenge.spec_text = text.replace("  - title\n", "")
        assert settings.refit(session, challenge, boss) == {"title": "Another"}
    assert rules(world).dates.closes == datetime(2030, 1, 1, tzinfo=UTC)
    assert rules(world).title == DEMO.title
    last = entries(world)[-1]
    assert (last.subject, last.details) == ("title", {"before": "Another", "after": DEMO.title})


def test_a_yaml_that_contradicts_what_was_changed_is_refused_with_the_remedy(
    world: World, boss: User
) -> None:
    change(world, boss, dates__closes=YEAR_2030)
    text = (ROOT / "challenges" / "demo.yaml").read_text()
    with world.read() as session:
        challenge = session.get_one(Challenge, "demo")
        challenge.spec_text = text.replace("opens: null", "opens: 2031-01-01T00:00:00Z")
        with pytest.raises(BadInput, match="challenge set demo SETTING --as-in-yaml"):
            settings.refit(session, challenge, boss)
    assert rules(world).dates.closes == datetime(2030, 1, 1, tzinfo=UTC)
