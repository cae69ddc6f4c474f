"""What organizers learn from results: every question with its figure and table, down to a single case."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from sklearn.metrics import average_precision_score

from backend.models.submission import Submission
from backend.results import reporting
from backend.results.report_view import QUESTIONS
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.evaluated import analysed, mask_of, ranked
from tests.unit.backend.world import SIDE, World

AT = "/organize/demo/analysis"
API = "/api/v1/challenges/demo"
CASE = "/organize/demo/cases/pixel/brain/hidden1brain"
PICTURE = f"{API}/cases/pixel/brain/hidden1brain/2"
SKILLS = {"Best": 0.9, "Middling": 0.5, "Weak": 0.2}


def enter(world: World) -> dict[str, Submission]:
    """Three teams a task, one without a prediction for a case, and a toy result."""
    world.challenge(consensus="mean_of_places\n  bootstraps: 100\n  seed: 0")
    world.analysis_sets()
    ada = world.person("ada")
    rows = {}
    for task in ("sample", "pixel"):
        for name, skill in SKILLS.items():
            absent = (1,) if name == "Weak" else ()
            row = ranked(world, f"{name} {task}", ada, task=task, skill=skill, absent=absent)
            analysed(world, row, skill)
            rows[f"{name} {task}"] = row
    world.toy_results(rows["Best pixel"])
    return rows


def compute(world: World) -> None:
    while reporting.work(world.platform.database):
        pass


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, Submission]]]:
    """A challenge whose report is there, for tests that only look."""
    with World.open(tmp_path_factory.mktemp("analysis") / "platform") as world:
        rows = enter(world)
        compute(world)
        world.person("boss", "organizer")
        yield world, rows


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """That of the module, unless a test changes it."""
    if "looked_at" in request.fixturenames:
        yield request.getfixturevalue("looked_at")[0]
        return
    with World.open(tmp_path / "platform") as world:
        yield world


@pytest.fixture
def computed(looked_at: tuple[World, dict[str, Submission]]) -> dict[str, Submission]:
    return looked_at[1]


@pytest.fixture
def boss(request: pytest.FixtureRequest, world: World, client: TestClient) -> Visitor:
    if "looked_at" not in request.fixturenames:
        world.person("boss", "organizer")
    return visitor(client).sign_in("boss")


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_every_question_has_figures_and_the_same_as_tables(
    boss: Visitor, computed: dict[str, Submission], task: str
) -> None:
    overview = boss.get(f"{AT}?task={task}")
    for slug, text in QUESTIONS.items():
        assert text in overview
        page = boss.get(f"{AT}/{slug}?task={task}")
        assert '<svg xmlns="http://www.w3.org/2000/svg"' in page, slug
        assert "The same as a table" in page
        told = boss.client.get(f"{API}/analysis/{slug}?task={task}").json()
        assert (told["state"], told["question"]) == ("computed", slug)
        for panel in told["panels"]:
            assert panel["title"] in page
            if panel["undefined"]:
                continue
            text = boss.client.get(f"{API}/analysis/{slug}?task={task}&panel={panel['id']}&format=csv").text
            rows = list(csv.reader(io.StringIO(text)))
            assert len(rows) == 1 + len(panel["rows"]), panel["id"]


def test_tables_are_sorted_by_the_address(boss: Visitor, computed: dict[str, Submission]) -> None:
    wish = "task=pixel&panel=values-brain&sort=ap"
    page = boss.get(f"{AT}/stability?{wish}&order=asc")
    assert 'aria-sort="ascending"' in page
    for order, expected in (("asc", "Weak pixel"), ("", "Best pixel")):
        told = boss.client.get(f"{API}/analysis/stability?{wish}&order={order}").json()
        [panel] = [one for one in told["panels"] if one["id"] == "values-brain"]
        assert panel["rows"][0]["team"] == expected
    boss.get(f"{AT}/stability?task=pixel&panel=values-brain&sort=nothing", 422)
    boss.get(f"{AT}/stability?task=pixel&panel=nothing&sort=ap", 422)
    boss.get(f"{AT}/nothing?task=pixel", 404)
    boss.get(f"{AT}/stability?task=nothing", 404)


def test_a_cell_of_the_heat_map_leads_to_its_cases_and_they_to_the_case(
    boss: Visitor, computed: dict[str, Submission]
) -> None:
    page = boss.get(f"{AT}/categories?task=pixel")
    link = "/organize/demo/cases?task=pixel&amp;dataset=brain&amp;grouping=kind&amp;group=sphere"
    assert f'<a href="{link}" aria-label="sphere (2 + 2), Best pixel: ' in page
    listed = boss.get(link.replace("&amp;", "&"))
    for number in range(4):
        assert f'href="/organize/demo/cases/pixel/brain/hidden{number}brain"' in listed
    assert "abdom</a>" not in listed
    story = boss.get(CASE)
    assert all(f"{name} pixel" in story for name in SKILLS)
    assert "missing" in story
    assert "the hardest of 2" in story
    [easier] = re.findall(r'href="([^"]+)">Easier case', story)
    assert "2nd hardest of 2" in boss.get(easier)
    assert "How hard" not in boss.get(CASE.replace("hidden1", "hidden0"))  # normal: no voxel to find


def test_the_figures_of_a_case_are_scikit_learns(
    world: World, boss: Visitor, computed: dict[str, Submission]
) -> None:
    told = boss.client.get(f"{API}/cases?task=pixel&dataset=brain&label=abnormal&sort=case").json()
    assert [row["case"] for row in told["rows"]] == ["hidden1brain", "hidden3brain"]
    rng = np.random.default_rng(sum(map(ord, "Best pixel")))
    scores = {}
    for number in range(4):
        mask = mask_of(number % 2)
        scores[number] = np.float16(0.9 * mask + (1 - 0.9) * rng.random(mask.shape))
    key = f"team.{computed['Best pixel'].id}"
    for row, number in zip(told["rows"], (1, 3), strict=True):
        expected = average_precision_score(mask_of(1).ravel(), scores[number].ravel())
        assert row[key] == pytest.approx(expected)
    weak = f"team.{computed['Weak pixel'].id}"
    assert told["rows"][0][weak] == pytest.approx(mask_of(1).mean())  # absent: every voxel alike
    assert told["rows"][0]["notes"] == {weak: "missing"}


def test_cases_are_filtered_sorted_and_the_same_for_programs(
    boss: Visitor, computed: dict[str, Submission]
) -> None:
    def ids(**wish: str) -> list[str]:
        answer = boss.client.get(f"{API}/cases", params={"task": "sample", **wish})
        assert answer.status_code == 200, answer.text
        return [row["case"] for row in answer.json()["rows"]]

    assert len(ids()) == 8
    assert set(ids(dataset="brain")) == {f"hidden{number}brain" for number in range(4)}
    assert set(ids(label="normal")) == {f"hidden{n}{name}" for n in (0, 2) for name in ("brain", "abdom")}
    assert ids(outcome="absent") == ids(outcome="absent", sort="mean", order="asc")
    assert set(ids(outcome="absent")) == {"hidden1brain", "hidden1abdom"}
    told = boss.client.get(f"{API}/cases?task=sample&sort=spread&order=").json()["rows"]
    spreads = [row["spread"] for row in told]
    assert spreads == sorted(spreads, reverse=True)
    assert ids(sort="case")[0] == "hidden0abdom"
    assert boss.client.get(f"{API}/cases?task=sample&dataset=absent").status_code == 422
    assert boss.client.get(f"{API}/cases?task=sample&dataset=brain&grouping=kind&group=x").status_code == 422
    assert boss.client.get(f"{API}/cases?task=sample&grouping=x&group=x").status_code == 422
    text = boss.client.get(f"{API}/cases?task=sample&dataset=brain&format=csv").text
    head, *rows = csv.reader(io.StringIO(text))
    assert (len(rows), head[0], head[-1]) == (4, "Case", "Weak sample: remark")


def test_pages_say_in_what_state_the_report_is(world: World, boss: Visitor) -> None:
    entered = enter(world)
    assert "computes the first report" in boss.get(AT)
    assert boss.client.get(f"{API}/report").status_code == 409
    assert boss.client.get(f"{API}/analysis/stability").json()["panels"] == []
    boss.get(CASE, 404)
    compute(world)
    assert "from exactly the results of now" in boss.get(AT)
    answer = boss.client.get(f"{API}/report")
    assert answer.headers["x-state"] == "computed"
    assert answer.json()["kind"] == "challenge"
    world.set(entered["Weak pixel"], state="cancelled")
    assert "a newer report is being computed" in boss.get(AT)
    assert "Weak pixel" in boss.get(f"{AT}/stability?task=pixel")


def test_an_empty_challenge_and_an_impossible_report_look_as_such(
    world: World, boss: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.challenge("empty")
    assert "Nobody has a place yet" in boss.get("/organize/empty/analysis")
    boss.get("/organize/absent/analysis", 404)
    ada = world.person("ada")
    world.challenge()
    ranked(world, "Alone", ada, task="sample")

    def fails(study: object) -> object:
        raise ValueError("a figure cannot show nan")

    with monkeypatch.context() as patch:
        patch.setattr(reporting, "analyse", fails)
        compute(world)
    page = boss.get(f"{AT}/stability")
    assert "There can be no report of these results" in page
    assert "a figure cannot show nan" in page


def test_pictures_of_hidden_cases_are_for_organizers_and_for_no_cache(
    boss: Visitor, client: TestClient, computed: dict[str, Submission]
) -> None:
    answer = boss.client.get(f"{PICTURE}/11.webp?layer=mask")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "private, no-store"
    assert boss.client.get(f"{PICTURE}/99.webp").status_code == 422
    assert boss.client.get(f"{PICTURE}/11.webp?layer=map").status_code == 404
    assert boss.client.get(f"{API}/cases/pixel/brain/absent/2/1.webp").status_code == 404
    assert f'src="{PICTURE}/10.webp?layer=image"' in boss.get(CASE)  # where the truth begins
    assert "does not keep anomaly maps" in boss.get(CASE)
    ada, nobody = visitor(client).sign_in("ada"), visitor(client)
    for path in (
        AT,
        f"{AT}/cases",
        "/organize/demo/cases",
        CASE,
        f"{PICTURE}/11.webp",
        f"{API}/report",
        f"{API}/analysis/cases",
        f"{API}/cases",
        CASE.replace("hidden1brain", "absent"),
        f"{API}/cases/pixel/brain/absent/2/1.webp",
    ):
        refused = ada.client.get(path)
        assert refused.status_code == 403, path
        assert "hidden1" not in refused.text
        assert nobody.client.get(path, follow_redirects=False).status_code in (303, 401), path


def keep(world: World, submission: Submission, content: bytes) -> Path:
    """What a worker keeps of a prediction for the first abnormal case."""
    folder = world.platform.storage.scratch("predictions") / submission.id / "pixel" / "brain"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "hidden1brain.nii.gz"
    path.write_bytes(content)
    return path


def test_kept_anomaly_maps_are_shown_and_damaged_ones_are_not(
    world: World, boss: Visitor, computed: dict[str, Submission]
) -> None:
    heat = np.zeros((SIDE, SIDE, SIDE), np.float32)
    heat[9:13, 5:9, 10:13] = 1.0
    best, weak = computed["Best pixel"], computed["Weak pixel"]
    keep(world, best, gzip.compress(nibabel.Nifti1Image(heat, np.eye(4)).to_bytes()))
    keep(world, weak, b"no volume at all")
    page = boss.get(CASE)
    assert f"layer=overlay&amp;submission={best.id}" in page
    shown = boss.client.get(f"{PICTURE}/11.webp?layer=map&submission={best.id}")
    assert shown.status_code == 200
    assert shown.content != boss.client.get(f"{PICTURE}/2.webp?layer=map&submission={best.id}").content
    assert boss.client.get(f"{PICTURE}/11.webp?layer=map&submission={weak.id}").status_code == 404
    for other in ("../..", "x" * 24, computed["Middling pixel"].id):
        params = {"layer": "map", "submission": other}
        assert boss.client.get(f"{PICTURE}/11.webp", params=params).status_code == 404
