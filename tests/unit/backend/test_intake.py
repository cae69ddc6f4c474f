import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.intake import operations, service, uploads
from backend.models.run import Outbox, Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission, Transition
from backend.models.team import Team
from backend.models.upload import Upload
from backend.models.user import User
from tests.unit.backend.world import World

CONTENT = b"an archive"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Submit = Callable[..., tuple[int, dict[str, Any]]]


def complete_upload(world: World, user: User, challenge: str = "demo", **values: Any) -> str:
    upload = Upload(
        **{
            "user_id": user.id,
            "challenge_id": challenge,
            "file_name": "image.tar",
            "size": len(CONTENT),
            "offset": len(CONTENT),
            "sha256": DIGEST,
            "state": "complete",
            "expires_at": 1e12,
        }
        | values
    )
    world.add(upload)
    uploads.path_of(world.platform.storage, upload.id).write_bytes(CONTENT)
    return upload.id


@pytest.fixture
def ada(world: World) -> User:
    return world.person("ada")


@pytest.fixture
def submit(world: World, client: TestClient, ada: User) -> Submit:
    headers = world.token(ada)

    def post(**changed: Any) -> tuple[int, dict[str, Any]]:
        body = {"challenge": "demo", "kind": "counted", "task": "pixel", "title": "first try"} | changed
        if "upload" not in body:
            body["upload"] = complete_upload(world, ada, body["challenge"])
        answer = client.post("/api/v1/submissions", json=body, headers=headers)
        return answer.status_code, answer.json()

    return post


def error(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def test_a_submission_waits_for_its_verification_in_one_transaction(
    world: World, ada: User, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.challenge()
    world.team("Alpha", ada)
    owed: list[int] = []

    def send_task(*arguments: Any, **options: Any) -> None:
        with world.read() as session:
            owed.append(session.query(Outbox).count())

    monkeypatch.setattr(world.platform.celery, "send_task", send_task)
    status, told = submit()
    assert (status, told["state"], told["task"], told["title"]) == (201, "verify", "pixel", "first try")
    with world.read() as session:
        submission = session.get_one(Submission, told["id"])
        assert (submission.archive_sha256, submission.archive_size) == (DIGEST, len(CONTENT))
        [run] = session.query(Run).all()
        assert (run.stage, run.lane, run.state) == ("verify", "toy", "waiting")
        [step] = session.query(Transition).all()
        assert (step.after, step.cause) == ("verify", "submitted")
        assert session.query(Outbox).count() == 0
    assert owed == [1]
    assert world.platform.storage.path(DIGEST).read_bytes() == CONTENT


def test_a_broker_that_is_away_does_not_lose_the_submission(
    world: World, ada: User, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise ConnectionError("no broker")

    world.challenge()
    world.team("Alpha", ada)
    monkeypatch.setattr(world.platform.celery, "send_task", refuse)
    assert submit()[0] == 201
    with world.read() as session:
        assert session.query(Outbox).count() == 1


def test_an_upload_is_submitted_once(world: World, ada: User, submit: Submit) -> None:
    world.challenge()
    world.team("Alpha", ada)
    upload = complete_upload(world, ada)
    assert submit(upload=upload)[0] == 201
    assert error(submit(upload=upload)) == (409, "upload_not_complete")


def test_the_same_archive_may_be_submitted_again_and_lies_in_storage_once(
    world: World, ada: User, submit: Submit
) -> None:
    world.challenge()
    world.team("Alpha", ada)
    assert [submit(task=task)[0] for task in ("pixel", "sample")] == [201, 201]
    assert world.platform.storage.has(DIGEST)
    assert list(uploads.path_of(world.platform.storage, "x").parent.iterdir()) == []


@pytest.mark.parametrize("state", ["open", "rejected", "used"])
def test_only_a_complete_upload_can_be_submitted(world: World, ada: User, submit: Submit, state: str) -> None:
    world.challenge()
    world.team("Alpha", ada)
    upload = complete_upload(world, ada, state=state)
    assert error(submit(upload=upload)) == (409, "upload_not_complete")


def test_nobody_submits_what_somebody_else_uploaded(world: World, ada: User, submit: Submit) -> None:
    world.challenge()
    world.team("Alpha", ada)
    upload = complete_upload(world, world.person("bob"))
    assert error(submit(upload=upload)) == (404, "no_such_upload")


def test_an_upload_is_for_the_challenge_it_was_made_for(world: World, ada: User, submit: Submit) -> None:
    for name in ("demo", "other"):
        world.challenge(name)
        world.team("Alpha", ada, challenge=name)
    upload = complete_upload(world, ada, "other")
    assert error(submit(upload=upload)) == (409, "upload_elsewhere")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"task": None}, "task_missing"),
        ({"task": "voxel"}, "task_unknown"),
        ({"kind": "toy", "task": "voxel"}, "task_unknown"),
        ({"kind": "practice"}, "invalid_request"),
        ({"title": "line\nbreak"}, "title"),
    ],
)
def test_what_cannot_be_run_is_refused_and_the_upload_is_kept(
    world: World, ada: User, submit: Submit, changed: dict[str, Any], code: str
) -> None:
    world.challenge()
    world.team("Alpha", ada)
    upload = complete_upload(world, ada)
    assert error(submit(upload=upload, **changed)) == (422, code)
    assert submit(upload=upload)[0] == 201


def test_a_toy_submission_needs_no_task(world: World, ada: User, submit: Submit) -> None:
    world.challenge()
    world.team("Alpha", ada)
    assert submit(kind="toy", task=None)[1]["task"] is None
    assert submit(kind="toy", task="sample")[1]["task"] == "sample"


def test_without_a_team_or_its_approval_nothing_is_submitted(world: World, ada: User, submit: Submit) -> None:
    world.challenge()
    assert error(submit()) == (404, "no_team")
    team = world.team("Alpha", ada)
    world.set(team, approved_at=None)
    assert error(submit()) == (403, "team_not_approved")
    assert error(submit(kind="toy")) == (403, "team_not_approved")


def test_a_task_has_a_quota_that_cancelled_runs_and_our_failures_do_not_use_up(
    world: World, ada: User, submit: Submit
) -> None:
    world.challenge(per_team_and_task="2")
    team = world.team("Alpha", ada)
    free = [submit()[1]["id"] for _ in range(2)]
    refused = submit()
    assert error(refused) == (409, "quota_exceeded")
    assert refused[1]["error"]["facts"] == {"used": 2, "allowed": 2}
    assert submit(task="sample")[0] == 201
    assert submit(kind="toy")[0] == 201
    for submission, values in zip(
        free, ({"state": "cancelled"}, {"state": "failed", "failure_ours": True}), strict=True
    ):
        with world.write() as session:
            for name, value in values.items():
                setattr(session.get_one(Submission, submission), name, value)
        answer = submit()
        assert answer[0] == 201
        assert error(submit()) == (409, "quota_exceeded")
    with world.write() as session:
        session.get_one(Submission, answer[1]["id"]).state = "failed"
    assert error(submit()) == (409, "quota_exceeded")
    with world.read() as session:
        rules = service.challenges.get(session, "demo").spec
        assert service.quota(session, rules, team, "pixel").left == 0
        assert service.quota(session, rules, team, "sample").left == 1


def test_counted_submissions_are_taken_between_the_dates_and_toy_ones_always(
    world: World, ada: User, submit: Submit
) -> None:
    soon, past = "2990-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
    for name, dates, code in (
        ("early", {"opens": soon}, "not_open_yet"),
        ("late", {"closes": past}, "closed"),
    ):
        world.challenge(name, **dates)
        world.team("Alpha", ada, challenge=name)
        assert error(submit(challenge=name)) == (409, code)
        assert submit(challenge=name, kind="toy")[0] == 201


def test_a_team_makes_so_many_toy_submissions_an_hour(world: World, ada: User, submit: Submit) -> None:
    world.challenge(per_team_and_hour="2")
    world.team("Alpha", ada)
    first, _ = (submit(kind="toy")[1]["id"] for _ in range(2))
    assert error(submit(kind="toy")) == (429, "too_many_toy")
    with world.write() as session:
        session.get_one(Submission, first).created_at -= 3601
    assert submit(kind="toy")[0] == 201
    assert error(submit(kind="toy")) == (429, "too_many_toy")


@pytest.mark.parametrize("state", ["verify", "toy", "test", "score"])
def test_a_submission_can_be_cancelled_in_every_state(
    world: World, client: TestClient, ada: User, state: str
) -> None:
    world.challenge()
    submission = world.submission(world.team("Alpha", ada), ada, state=state)
    waiting = world.run(submission, "test", shard=0)
    running = world.run(submission, "test", shard=1, state="running")
    done = world.run(submission, "test", shard=2, state="done")
    headers = world.token(ada)
    for _ in range(2):
        answer = client.post(f"/api/v1/submissions/{submission.id}/cancel", headers=headers)
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    with world.read() as session:
        row = session.get_one(Submission, submission.id)
        assert row.finished_at is not None
        assert [(step.before, step.after) for step in row.transitions[1:]] == [(state, "cancelled")]
        assert "ada" in row.transitions[-1].cause
        states = {run.id: (run.state, run.cancel_requested) for run in session.query(Run)}
    assert states == {
        waiting.id: ("cancelled", True),
        running.id: ("running", True),
        done.id: ("done", False),
    }


@pytest.mark.parametrize("state", ["ranked", "finished", "failed"])
def test_what_is_over_cannot_be_cancelled(world: World, client: TestClient, ada: User, state: str) -> None:
    world.challenge()
    submission = world.submission(world.team("Alpha", ada), ada, state=state)
    answer = client.post(f"/api/v1/submissions/{submission.id}/cancel", headers=world.token(ada))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_over")


def test_only_the_team_and_organizers_can_cancel(world: World, client: TestClient, ada: User) -> None:
    world.challenge()
    submission = world.submission(world.team("Alpha", ada), ada)
    eve = world.person("eve")
    world.team("Beta", eve)
    path = f"/api/v1/submissions/{submission.id}/cancel"
    hidden = client.post(path, headers=world.token(eve))
    absent = client.post("/api/v1/submissions/absent/cancel", headers=world.token(eve))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.content == absent.content
    orga = world.token(world.person("orga", "organizer"))
    assert client.post(path, headers=orga).json()["state"] == "cancelled"


def test_an_operator_runs_a_submission_again_from_the_beginning(world: World, ada: User) -> None:
    world.challenge()
    world.platform.storage.put(iter([CONTENT]))
    submission = world.submission(world.team("Alpha", ada), ada, archive_sha256=DIGEST, task="pixel")
    world.toy_results(submission)
    world.moved(submission, "toy", "failed")
    world.set(submission, failure_code="platform", failure_ours=True, finished_at=5.0)
    with world.write() as session:
        operations.rerun(session, world.platform.storage, submission.id, "boss")
    with world.read() as session:
        row = session.get_one(Submission, submission.id)
        assert (row.state, row.failure_code, row.failure_ours, row.finished_at) == (
            "verify",
            None,
            False,
            None,
        )
        assert [run.stage for run in session.query(Run)] == ["verify"]
        assert session.query(CaseResult).count() == session.query(Score).count() == 0
        assert session.query(Outbox).count() == 1
        assert row.transitions[-1].cause == "run again by an operator"


def test_a_team_of_another_challenge_does_not_count(world: World, ada: User, submit: Submit) -> None:
    world.challenge()
    world.challenge("other")
    world.team("Alpha", ada, challenge="other")
    assert error(submit()) == (404, "no_team")
    with world.read() as session:
        assert session.query(Team).count() == 1
