"""What a team is told of its toy maps: average precision as scored and as written, and a warning."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.user import User
from tests.unit.backend.browsing import visitor
from tests.unit.backend.world import World

SENTENCE = "spread them over [0, 1]"
FIGURES = {
    "distinct": 38,
    "average_precision": 0.444444,
    "exact_average_precision": 0.503333,
    "collapse": SENTENCE,
}


@pytest.fixture
def submission(world: World) -> Submission:
    """A toy submission of ada's, one of whose maps collapses when it is rounded."""
    world.challenge()
    ada = world.person("ada")
    submission = world.submission(world.team("Alpha", ada), ada)
    world.toy_results(submission)
    with world.read() as session:
        scored = session.scalars(select(CaseResult).filter_by(outcome="scored")).one()
    world.set(scored, figures=FIGURES)
    return submission


def test_the_interface_tells_both_figures_and_the_warning_of_each_toy_case(
    client: TestClient, world: World, submission: Submission
) -> None:
    with world.read() as session:
        headers = world.token(session.scalars(select(User)).one())
    toy = client.get(f"/api/v1/submissions/{submission.id}", headers=headers).json()["toy"]
    missing, scored = toy[0]["cases"]
    told = ("average_precision", "exact_average_precision", "warning")
    assert [scored[name] for name in told] == [0.444444, 0.503333, SENTENCE]
    assert [missing[name] for name in told] == [None, None, None]


def test_the_pages_show_both_figures_and_the_warning(client: TestClient, submission: Submission) -> None:
    ada = visitor(client).sign_in("ada")
    listed = ada.get(f"/submissions/{submission.id}")
    alone = ada.get(f"/submissions/{submission.id}/toy/pixel/brain/toy_1.nii.gz")
    for page in (listed, alone):
        for expected in ("0.444", "0.503", "as written", SENTENCE):
            assert expected in page, expected
    assert "as written" not in ada.get(f"/submissions/{submission.id}/toy/pixel/brain/toy_0.nii.gz")
