"""Two submissions beside each other: who may see them, and what may be compared."""

import re

import pytest
from fastapi.testclient import TestClient

from backend.errors import BadInput, NotFound
from backend.models.run import Run
from backend.models.score import Score
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import side_by_side
from backend.results.side_by_side import SideBySide
from tests.unit.backend.browsing import visitor
from tests.unit.backend.world import World, merged


@pytest.fixture
def team(world: World, ada: User) -> Team:
    return world.team("Alpha", ada)


@pytest.fixture
def two(world: World, ada: User, team: Team) -> tuple[Submission, Submission]:
    """Of one team, both ranked at the sample level, both with toy cases of two tasks."""
    rows = [
        world.ranked(team, ada, "sample", {"brain": brain, "abdom": 0.5}, title=title)
        for title, brain in (("older", 0.5), ("newer", 0.75))
    ]
    for row in rows:
        world.toy_results(row)
        world.toy_results(row, "sample", "abdom")
    return rows[0], rows[1]


def compared(world: World, user: User, first: str, second: str) -> SideBySide:
    with world.read() as session:
        return side_by_side.compare(session, first, second, merged(session, user))


def test_differences_are_second_less_first(
    world: World, ada: User, two: tuple[Submission, Submission]
) -> None:
    both = compared(world, ada, two[0].id, two[1].id)
    assert {row.dataset: row.difference for row in both.figures} == {"brain": 0.25, "abdom": 0.0}
    assert {(toys.task, toys.dataset): len(toys.cases) for toys in both.toys} == {
        ("pixel", "brain"): 2,
        ("sample", "abdom"): 2,
    }
    by_case = both.toys[1].cases[1]
    assert (by_case.name, by_case.difference) == ("toy_1.nii.gz", 0.0)
    assert both.chosen("", "", "") == (both.toys[0], both.toys[0].cases[1])
    with pytest.raises(NotFound):
        both.chosen("pixel", "brain", "toy_9.nii.gz")


def test_other_versions_of_the_cases_are_not_compared(
    world: World, ada: User, two: tuple[Submission, Submission]
) -> None:
    with world.write() as session:
        of_second = {"submission_id": two[1].id}
        session.query(Run).filter_by(stage="toy", dataset="brain", **of_second).update(
            {"dataset_version": "v0"}
        )
        session.query(Score).filter_by(stage="test", dataset="brain", **of_second).update(
            {"dataset_version": "v0"}
        )
    both = compared(world, ada, two[0].id, two[1].id)
    figures = {row.dataset: (row.comparable, row.difference) for row in both.figures}
    assert figures == {"brain": (False, None), "abdom": (True, 0.0)}
    # Cases of a version that is not there any more are not known, so that nothing of them is shown.
    assert [(toys.task, toys.same, len(toys.cases)) for toys in both.toys] == [
        ("pixel", False, 0),
        ("sample", True, 2),
    ]


def test_only_what_one_may_see_is_compared(
    world: World, client: TestClient, ada: User, two: tuple[Submission, Submission]
) -> None:
    eve = world.person("eve")
    hers = world.submission(world.team("Eve's", eve), eve)
    for first, second in ((two[0].id, hers.id), (hers.id, two[0].id), (two[0].id, "absent")):
        with pytest.raises(NotFound):
            compared(world, ada, first, second)
    page = visitor(client).sign_in("ada")
    page.get(f"/submissions/compare?a={two[0].id}&b={hers.id}", status=404)
    page.get(f"/submissions/compare?a={hers.id}", status=404)
    assert hers.id not in page.get(f"/submissions/compare?a={two[0].id}")
    boss = world.person("boss", "organizer")
    assert compared(world, boss, two[0].id, hers.id).second.id == hers.id
    assert client.get("/submissions/compare", follow_redirects=False).status_code == 303


def test_one_submission_or_two_challenges_are_refused(
    world: World, client: TestClient, ada: User, two: tuple[Submission, Submission]
) -> None:
    world.challenge("other")
    elsewhere = world.submission(world.team("Alpha", ada, challenge="other"), ada)
    for second, word in ((two[0].id, "one submission twice"), (elsewhere.id, "two challenges")):
        with pytest.raises(BadInput, match=word):
            compared(world, ada, two[0].id, second)
        text = (
            visitor(client).sign_in("ada").get(f"/submissions/compare?a={two[0].id}&b={second}", status=422)
        )
        assert word in text
        assert '<select name="b">' in text


def test_the_page_says_what_both_did_and_draws_without_script(
    world: World, client: TestClient, two: tuple[Submission, Submission]
) -> None:
    first, second = two
    page = visitor(client).sign_in("ada")
    text = page.get(f"/submissions/compare?a={first.id}&b={second.id}")
    assert "+0.250" in text
    assert "±0" in text
    assert "Both ran on the same version of these cases." in text
    for row in two:
        assert f"/submissions/{row.id}/toy/pixel/brain/toy_1.nii.gz/2/10.webp?layer=overlay" in text
    following = re.search(r'href="([^"]+)" aria-label="Slice after"', text)
    assert following is not None
    text = page.get(following[1].replace("&amp;", "&"))
    assert "toy_1.nii.gz/2/11.webp" in text
    other = f"/submissions/compare?a={first.id}&b={second.id}&task=sample&dataset=abdom&case=toy_0.nii.gz"
    text = page.get(f"{other}&axis=1&slice=3")
    assert text.count("toy_0.nii.gz/1/3.webp?layer=image") == 2
    assert "no anomaly map" in text or "missing" in text


def test_scores_that_are_withheld_stay_so(world: World, client: TestClient) -> None:
    world.challenge("closed", own_score="after_reveal")
    ada = world.person("bea")
    team = world.team("Beta", ada, challenge="closed")
    first, second = (world.ranked(team, ada, "sample", {"brain": ap, "abdom": ap}) for ap in (0.123, 0.456))
    text = visitor(client).sign_in("bea").get(f"/submissions/compare?a={first.id}&b={second.id}")
    assert "published" in text
    assert "0.123" not in text
    assert "0.333" not in text


def test_who_has_one_submission_is_told_what_to_do(world: World, client: TestClient, ada: User) -> None:
    assert "no two submissions" in visitor(client).sign_in("ada").get("/submissions/compare")
