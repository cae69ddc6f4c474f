"""Results by category: for everybody once all is over, and of no group so small that it tells of a case."""

import csv
import io

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from backend.models.challenge import Challenge
from backend.models.submission import Submission
from backend.results import board_categories, disclosure, reporting
from backend.results.board_categories import categories
from backend.results.reveal import carry_out
from tests.unit.backend.browsing import visitor
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import World

PAGE = "/challenges/demo/leaderboard/categories?task=pixel"
API = f"/api/v1{PAGE}"


@pytest.fixture
def entered(world: World) -> list[Submission]:
    world.challenge(consensus="mean_of_places\n  bootstraps: 100")
    ada = world.person("ada")
    rows = [ranked(world, name, ada, skill=skill) for name, skill in (("Best", 0.9), ("Weak", 0.3))]
    compute(world)
    return rows


def compute(world: World) -> None:
    while reporting.work(world.platform.database):
        pass


def reveal(world: World) -> None:
    with world.write() as session:
        text = session.get_one(Challenge, "demo").spec_text
        text = text.replace("reveal: null", "reveal: 2020-10-08T00:00:00Z")
        session.execute(update(Challenge).values(spec_text=text))


def test_before_the_reveal_only_organizers_see_them(
    world: World, entered: list[Submission], client: TestClient
) -> None:
    for who in (visitor(client), visitor(client).sign_in("ada")):
        page = who.get(PAGE, 403)
        assert "are published when the organizers decide so" in page
        assert "sphere" not in page
        assert who.client.get(API).status_code == 403
        assert "leaderboard/categories" not in who.get("/challenges/demo/leaderboard?task=pixel")
    world.person("boss", "organizer")
    assert "Only organizers see this now" in visitor(client).sign_in("boss").get(PAGE)


def test_small_groups_are_not_shown_and_not_named(
    world: World, entered: list[Submission], client: TestClient
) -> None:
    reveal(world)
    page = visitor(client).get(PAGE)
    assert "none has 5 abnormal cases" in page
    assert "sphere" not in page
    told = client.get(API).json()
    assert [panel["rows"] for panel in told["panels"]] == [[]] * 4
    assert client.get(f"{API}&format=csv").status_code == 404


def test_the_heat_map_has_the_teams_and_order_of_the_board_and_rounded_figures(
    world: World, entered: list[Submission], client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_categories, "LEAST", 2)
    reveal(world)
    assert "leaderboard/categories?task=pixel" in visitor(client).get(
        "/challenges/demo/leaderboard?task=pixel"
    )
    page = visitor(client).get(PAGE)
    assert "sphere (2 + 2): Best 1.00" in page
    assert "hidden1" not in page
    told = client.get(API).json()
    assert told["state"] == "computed"
    for panel in told["panels"]:
        assert [column["title"] for column in panel["columns"]][-3:] == ["Best", "Weak", "Median"]
        for value in (panel["rows"][0][f"team.{row.id}"] for row in entered):
            assert value == round(value, 3)
    text = client.get(f"{API}&panel=kind-abdom&format=csv").text
    assert next(csv.reader(io.StringIO(text)))[:3] == ["Kind", "Abnormal", "Normal"]
    sorted_ = client.get(f"{API}&panel=kind-abdom&sort=median").json()
    assert sorted_["panels"][3]["id"] == "kind-abdom"
    assert client.get(f"{API}&panel=kind-abdom&sort=x").status_code == 422
    world.set(entered[1], state="cancelled")
    assert "newer ones are being computed" in visitor(client).get(PAGE)


def test_before_the_first_report_the_page_says_so(world: World, client: TestClient) -> None:
    world.challenge()
    reveal(world)
    assert "Nobody has a place yet" in visitor(client).get(PAGE)
    ranked(world, "Best", world.person("ada"))
    assert "are being computed" in visitor(client).get(PAGE)
    visitor(client).get("/challenges/demo/leaderboard/categories?task=absent", 404)


def test_once_the_board_is_frozen_later_submissions_are_in_no_heat_map(
    world: World, entered: list[Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_categories, "LEAST", 2)
    monkeypatch.setattr(reporting, "REST", 0.0)
    boss, ada = world.person("boss", "organizer"), world.person("eve")
    with world.write() as session:
        carry_out(session, "demo", "freeze", boss, "the end")
    ranked(world, "Late", ada, skill=0.6)
    compute(world)
    with world.read() as session:
        told = categories(session, session.get_one(Challenge, "demo"), "pixel", boss)
    assert told.state == "computed"
    columns = [column for panel in told.panels if panel.table for column in panel.table.columns]
    assert {column.title for column in columns if column.of_team} == {"Best", "Weak"}


def test_while_aliases_are_in_force_nobody_reads_a_name(
    world: World, entered: list[Submission], client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disclosure, "categories_are_public", lambda *_: True)
    with world.write() as session:
        text = session.get_one(Challenge, "demo").spec_text
        hiding = text.replace("aliases: false", "aliases: true")
        session.execute(update(Challenge).values(spec_text=hiding))
    monkeypatch.setattr(board_categories, "LEAST", 2)
    page, told = visitor(client).get(PAGE), client.get(API).text
    with world.read() as session:
        aliases = [row.team.alias for row in session.query(Submission)]
    for alias in aliases:
        assert alias in page
        assert alias in told
    assert "Best" not in page + told
