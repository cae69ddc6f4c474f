"""Two scoring versions side by side: for organizers as API, page and command; the public sees one board."""

import re

import pytest
from fastapi.testclient import TestClient

from backend.models.challenge import Challenge
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import comparison, rescoring, versions
from backend.results.drafts import Change, draft
from backend.results.schemas import Comparison
from tests.unit.backend.browsing import visitor
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import World

API = "/api/v1/challenges/demo"


@pytest.fixture
def boss(world: World) -> User:
    return world.person("boss", "organizer")


@pytest.fixture
def two_versions(world: World, boss: User) -> dict[str, Submission]:
    """Gap leads while a missing normal case scores 0, and is last once it scores as badly as possible."""
    world.challenge(missing="zero")
    ada = world.person("ada")
    rows = {
        "Gap": ranked(world, "Gap", ada, skill=0.9, absent=[0]),
        "Middle": ranked(world, "Middle", ada, skill=0.45),
        "Weak": ranked(world, "Weak", ada, skill=0.3),
    }
    add_version(world, Change(missing="worst"), "It must not pay to leave cases out.")
    return rows


def add_version(world: World, change: Change, reason: str = "why not") -> None:
    with world.read() as session:
        drafted = draft(session, session.get_one(Challenge, "demo"), change, reason, "boss")
    rescoring.add_version(world.platform.database, drafted)


def use(world: World, number: int) -> None:
    with world.write() as session:
        versions.make_current(session, versions.numbered(session, "demo", number))


def compared(world: World, boss: User, task: str = "pixel", old: int = 1, new: int = 2) -> Comparison:
    with world.read() as session:
        return comparison.compare(session, session.get_one(Challenge, "demo"), task, old, new, boss)


def test_who_moved_is_said_in_words(world: World, boss: User, two_versions: dict[str, Submission]) -> None:
    told = compared(world, boss)
    assert [(move.team, move.old_place, move.new_place, move.movement) for move in told.moves] == [
        ("Middle", 2, 1, "up 1"),
        ("Weak", 3, 2, "up 1"),
        ("Gap", 1, 3, "down 2"),
    ]
    assert told.tau == pytest.approx(-1 / 3)
    assert [row.team for row in told.old.rows] == ["Gap", "Middle", "Weak"]
    same = compared(world, boss, new=1)
    assert {move.movement for move in same.moves} == {"same place"}
    assert same.tau == 1


def test_a_rank_correlation_that_is_undefined_says_why(
    world: World, boss: User, two_versions: dict[str, Submission]
) -> None:
    told = compared(world, boss, "sample")
    assert (told.moves, told.tau) == ([], None)
    assert "two competitors" in str(told.tau_undefined_because)


def test_the_public_sees_the_current_version_only_and_a_new_one_once_it_is_used(
    client: TestClient, world: World, boss: User, two_versions: dict[str, Submission]
) -> None:
    organizer, ada = world.token(boss), {"Authorization": world.token(world.person("eve"))["Authorization"]}

    def board(headers: dict[str, str], more: str = "", status: int = 200) -> dict[str, object]:
        answer = client.get(f"{API}/leaderboard?task=pixel{more}", headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    before = board(ada)
    assert (before["scoring"]["number"], before["scoring"]["origin"]) == (1, None)
    assert before == board({}) == board(ada, "&scoring=1")
    refused, absent = board(ada, "&scoring=2", 403), board(ada, "&scoring=99", 403)
    assert refused == absent == board({}, "&scoring=2", 403)
    assert board(organizer, "&scoring=2")["rows"][0]["team"] == "Middle"
    board(organizer, "&scoring=99", 404)
    use(world, 2)
    after = board(ada)
    assert after["scoring"]["number"] == 2
    assert [row["team"] for row in after["rows"]] == ["Middle", "Weak", "Gap"]
    assert after == board(ada, "&scoring=2")
    board(ada, "&scoring=1", 403)
    csv = client.get(f"{API}/leaderboard?task=pixel&format=csv&scoring=1", headers=organizer).text
    assert csv.splitlines()[1].startswith("1,Gap")


def test_versions_are_listed_for_organizers_and_the_public_one_for_everybody(
    client: TestClient, world: World, boss: User, two_versions: dict[str, Submission]
) -> None:
    add_version(world, Change(batch_size=2, arrangement_seed=9), "smaller batches")
    path = f"{API}/scoring-versions"
    everything = client.get(path, headers=world.token(boss)).json()
    assert [(item["number"], item["current"]) for item in everything] == [(1, True), (2, False), (3, False)]
    assert everything[1]["policy"]["pixel"]["missing"] == "worst"
    assert everything[2]["origin"]["drawn"] == ["pixel"]
    assert (everything[2]["origin"]["arrangement_seed"], everything[2]["origin"]["created_by"]) == (9, "boss")
    assert "hidden" not in str(everything)
    (public,) = client.get(path).json()
    assert (public["number"], public["reason"], public["origin"]) == (1, "as registered", None)
    assert public["since"] is not None
    assert client.get(path, headers=world.token(world.person("eve"))).json() == [public]
    assert client.get("/api/v1/challenges/absent/scoring-versions").status_code == 404


def test_the_comparison_is_for_organizers(
    client: TestClient, world: World, boss: User, two_versions: dict[str, Submission]
) -> None:
    path = f"{API}/scoring-versions/compare?task=pixel&old=1&new=2"
    told = client.get(path, headers=world.token(boss)).json()
    assert told == compared(world, boss).model_dump(mode="json")
    assert client.get(path).status_code == 401
    assert client.get(path, headers=world.token(world.person("eve"))).status_code == 403
    assert client.get(path.replace("new=2", "new=3"), headers=world.token(boss)).status_code == 404
    assert client.get(path.replace("new=2", "new=0"), headers=world.token(boss)).status_code == 422


def test_the_page_puts_both_boards_side_by_side_and_marks_who_moved_with_words(
    client: TestClient, world: World, boss: User, two_versions: dict[str, Submission]
) -> None:
    organizer = visitor(client).sign_in("boss")
    page = organizer.get("/organize/demo/scoring?task=pixel")
    rows = re.findall(r'<tr( class="moved")?>\s*<th><a[^>]*>(\w+)</a></th>\s*<td>([\w ]+)</td>', page)
    assert [(bool(moved), team, words) for moved, team, words in rows] == [
        (True, "Middle", "up 1"),
        (True, "Weak", "up 1"),
        (True, "Gap", "down 2"),
    ]
    assert "It must not pay to leave cases out." in page
    assert "-0.333" in page or "−0.333" in page
    assert 'class="moved"' not in visitor(client).sign_in("boss").get(
        "/organize/demo/scoring?task=pixel&new=1"
    )
    assert "No submission was ranked yet" in visitor(client).sign_in("boss").get("/organize/demo/scoring")
    visitor(client).sign_in("ada").get("/organize/demo/scoring", 403)


def test_pages_for_everybody_name_the_public_version_and_its_rules(
    client: TestClient, world: World, two_versions: dict[str, Submission]
) -> None:
    board, challenge = "/challenges/demo/leaderboard?task=pixel", "/challenges/demo"
    before = visitor(client).get(board)
    assert "Scoring version 1" in before
    assert "as registered" in before
    assert "scores zero" in before
    assert "scores as badly as possible" not in visitor(client).get(challenge)
    assert "/organize" not in before
    use(world, 2)
    after = visitor(client).get(board)
    assert "Scoring version 2" in after
    assert "It must not pay to leave cases out." in after
    assert "scores as badly as possible" in after
    assert "scores zero" not in visitor(client).get(challenge)
