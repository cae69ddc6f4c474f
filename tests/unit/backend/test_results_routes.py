import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from backend.models.submission import Submission
from backend.models.user import User
from backend.results.events import changes, list_changes
from tests.unit.backend.world import SECRETS, SIDE, World


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)


def cell(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """Middle of one voxel in an enlarged picture."""
    factor = len(picture) // SIDE
    return picture[row * factor + factor // 2, column * factor + factor // 2]


def test_a_submission_is_told_as_the_api_promises(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    told = client.get(f"/api/v1/submissions/{toy.id}", headers=world.token(ada)).json()
    assert {
        "id",
        "challenge",
        "team",
        "kind",
        "task",
        "title",
        "state",
        "created_at",
        "finished_at",
        "image_id",
        "warnings",
        "failure",
        "transitions",
        "runs",
        "toy",
        "scores",
        "queue_position",
    } <= set(told)
    assert told["team"]["name"] == "Alpha"
    assert told["toy"][0]["cases"][1]["has_view"] is True
    assert told["runs"][0]["log"] == "hello from toy_1.nii.gz\n"


def test_lists_come_in_pages_with_a_cursor(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    headers = world.token(ada)
    world.submission(world.team("Beta"), world.person("eve"))
    first = client.get("/api/v1/submissions?challenge=demo&limit=1", headers=headers).json()
    assert [item["id"] for item in first["items"]] == [toy.id]
    assert first["next"] is None
    assert client.get("/api/v1/submissions?everybody=true", headers=headers).json()["items"] == []
    boss = world.token(world.person("boss", "organizer"))
    assert len(client.get("/api/v1/submissions?everybody=true", headers=boss).json()["items"]) == 2
    assert client.get("/api/v1/submissions").status_code == 401


def test_the_leaderboard_is_public_as_json_and_csv(client: TestClient, world: World, ada: User) -> None:
    world.ranked(world.team("Alpha"), ada, "sample", {"brain": 0.25, "abdom": 0.5})
    path = "/api/v1/challenges/demo/leaderboard?task=sample"
    board = client.get(path).json()
    assert board["datasets"] == ["brain", "abdom"]
    assert board["rows"][0]["ap"] == {"brain": 0.25, "abdom": 0.5}
    table = client.get(path + "&format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[1].startswith("1,Alpha,0.25,1")
    assert client.get("/api/v1/challenges/demo/leaderboard?task=nope").status_code == 404
    assert client.get("/api/v1/challenges/demo/leaderboard").status_code == 422


def test_the_stream_of_a_submission_that_is_over_ends_after_one_event(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    world.moved(toy, "toy", "score", "finished")
    answer = client.get(f"/api/v1/submissions/{toy.id}/events", headers=world.token(ada))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: state") == 1
    data = json.loads(answer.text.partition("data: ")[2].splitlines()[0])
    assert data["state"] == "finished"
    assert all(run["log"] is None for run in data["runs"])


def test_a_stream_tells_changes_only_and_holds_no_connection_meanwhile(
    world: World, ada: User, toy: Submission
) -> None:
    async def story() -> list[str]:
        stream = changes(world.platform.database, toy.id, ada)
        states = [await told(stream)]
        pool = world.platform.database.engine.pool
        assert pool.checkedout() == 0
        world.moved(toy, "toy")
        states.append(await told(stream))
        world.moved(toy, "toy", "cancelled")
        return [*states, *[json.loads(str(event.data))["state"] async for event in stream]]

    async def told(stream: AsyncIterator[object]) -> str:
        event = await asyncio.wait_for(anext(stream), 10)
        return str(json.loads(event.data)["state"])

    assert asyncio.run(story()) == ["verify", "toy", "cancelled"]


def test_the_stream_of_a_list_tells_every_change_and_ends_when_all_is_over(
    world: World, ada: User, toy: Submission
) -> None:
    async def story() -> list[list[str]]:
        stream = list_changes(world.platform.database, "demo", ada)
        told = [await states(anext(stream))]
        assert world.platform.database.engine.pool.checkedout() == 0
        world.moved(toy, "toy", "failed")
        return [*told, *[_states(event) async for event in stream]]

    async def states(event: Awaitable[object]) -> list[str]:
        return _states(await asyncio.wait_for(event, 10))

    assert asyncio.run(story()) == [["verify"], ["failed"]]


def _states(event: Any) -> list[str]:
    return [item["state"] for item in json.loads(str(event.data))["items"]]


def test_the_stream_of_a_list_is_of_the_viewers_team_only(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    eve = world.token(world.person("eve"))
    answer = client.get("/api/v1/challenges/demo/submissions/events", headers=eve)
    assert answer.text.count("event: state") == 1
    assert toy.id not in answer.text
    assert client.get("/api/v1/challenges/absent/submissions/events", headers=eve).status_code == 404
    assert client.get("/api/v1/challenges/demo/submissions/events").status_code == 401


def test_a_stream_ends_when_the_viewer_may_no_longer_see(world: World, ada: User, toy: Submission) -> None:
    eve = world.person("eve")

    async def story() -> list[object]:
        return [event async for event in changes(world.platform.database, toy.id, eve)]

    assert asyncio.run(story()) == []


def test_no_event_holds_anything_of_hidden_cases(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    world.set(toy, kind="counted", task="pixel")
    world.hidden_shard(toy, 0)
    world.hidden_shard(toy, 1, state="failed", failure_code="crashed", failure_message="opaque1 crashed")
    world.moved(toy, "toy", "test", "failed")
    for path in ("", "/events"):
        text = client.get(f"/api/v1/submissions/{toy.id}{path}", headers=world.token(ada)).text
        assert not [secret for secret in SECRETS if secret in text]


def test_pictures_show_scan_map_truth_and_their_overlay_at_the_hottest_slice(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    headers = world.token(ada)
    at = f"/api/v1/submissions/{toy.id}/toy/pixel/brain/toy_1.nii.gz/2"
    shown = {
        layer: client.get(f"{at}/hottest.webp?layer={layer}", headers=headers)
        for layer in ("image", "map", "mask", "overlay")
    }
    for answer in shown.values():
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"].startswith("private")
    by_layer = {layer: pixels(answer.content) for layer, answer in shown.items()}
    # The anomaly is at x 9..12, y 5..8: rows count from the last y down, columns are x.
    inside, outside, edge = (SIDE - 1 - 6, 10), (SIDE - 1 - 12, 2), (SIDE - 1 - 5, 9)
    assert cell(by_layer["mask"], *inside).min() > 240
    assert cell(by_layer["mask"], *outside).max() < 15
    assert cell(by_layer["map"], *inside).min() > 200
    assert cell(by_layer["map"], *outside).max() < 15
    assert cell(by_layer["image"], *inside).mean() > cell(by_layer["image"], *outside).mean() + 60
    red, green, blue = cell(by_layer["overlay"], *edge)
    assert red < 60 < 180 < green < blue + 40
    cold = pixels(client.get(f"{at}/0.webp?layer=map", headers=headers).content)
    assert cold.max() < 15


def test_a_task_without_maps_shows_the_scan_only(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    headers = world.token(ada)
    at = f"/api/v1/submissions/{toy.id}/toy/sample/abdom/toy_1.nii.gz/2"
    assert client.get(f"{at}/hottest.webp?layer=image", headers=headers).status_code == 200
    assert client.get(f"{at}/hottest.webp?layer=overlay", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("pixel/brain/toy_1.nii.gz/3/1.webp", 422),
        ("pixel/brain/toy_1.nii.gz/2/16.webp", 422),
        ("pixel/brain/toy_1.nii.gz/2/-1.webp", 422),
        ("pixel/brain/toy_1.nii.gz/2/1.webp?layer=secret", 422),
        ("pixel/abdom/toy_1.nii.gz/2/1.webp", 404),
        ("pixel/brain/secret1brain.nii.gz/2/1.webp", 404),
        ("pixel/brain/hidden1brain/2/1.webp", 404),
        ("pixel/brain/..%2F..%2Fetc%2Fpasswd/2/1.webp", 404),
    ],
)
def test_there_are_pictures_of_slices_of_the_own_toy_cases_only(
    client: TestClient, world: World, ada: User, toy: Submission, path: str, status: int
) -> None:
    world.set(toy, kind="counted", task="pixel")
    world.hidden_shard(toy, 1)
    answer = client.get(f"/api/v1/submissions/{toy.id}/toy/{path}", headers=world.token(ada))
    assert answer.status_code == status


def test_the_page_of_a_case_opens_at_the_hottest_slice_and_steps_without_javascript(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    at = f"/submissions/{toy.id}/toy/pixel/brain/toy_1.nii.gz"
    headers = world.token(ada)
    html = client.get(at, headers=headers).text
    assert f"/api/v1{at}/2/10.webp?layer=overlay" in html
    assert f'href="{at}?axis=2&amp;slice=9"' in html
    assert f"/api/v1{at}/0/15.webp?layer=mask" in client.get(f"{at}?axis=0&slice=15", headers=headers).text
    assert client.get(f"{at}?axis=0&slice=16", headers=headers).status_code == 422
