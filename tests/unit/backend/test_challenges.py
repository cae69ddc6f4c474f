import hashlib
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.challenges import service
from backend.errors import BadInput, Conflict, NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.scoring import ScoringVersion
from backend.results import versions
from challenges import spec
from datasets import manifest as manifests
from datasets.manifest import Case, File, Manifest
from tests.unit.backend.world import ROOT, World

TEXT = (ROOT / "challenges" / "demo.yaml").read_text()
API = "/api/v1/challenges/demo"


def write(folder: Path, path: str, content: bytes) -> File:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def write_case(folder: Path, dataset: str, part: Any, name: str, label: Any) -> Case:
    image = f"{dataset}_train" if part == "training" else part
    tasks = () if part == "training" else ("sample", "pixel")
    mask = write(folder, f"{part}_label/pixel/{name}", f"mask {dataset} {name}".encode()) if tasks else None
    return Case(
        id=f"id-{dataset}-{name}",
        part=part,
        name=name,
        tasks=tasks,
        label=label,
        image=write(folder, f"{image}/{name}", f"{dataset} {part} {name}".encode()),
        mask=mask,
        kind="sphere" if label else None,
        category="local" if label else None,
        parameters={"radius": 7} if label else {},
    )


def write_datasets(root: Path, version: str = "v1") -> dict[str, Manifest]:
    """Both datasets of the demo, their files being a few bytes each."""
    built = {}
    for dataset, declared in spec.parse(TEXT).datasets.items():
        folder = root / dataset
        cases = (
            write_case(folder, dataset, "training", "00000.nii.gz", None),
            write_case(folder, dataset, "toy", "toy_0.nii.gz", 1),
            write_case(folder, dataset, "toy", "toy_1.nii.gz", 0),
            write_case(folder, dataset, "test", f"{dataset}f00d.nii.gz", 1),
        )
        batches = {"pixel": [[[f"id-{dataset}-{dataset}f00d.nii.gz"]]]}
        built[dataset] = Manifest(
            challenge="demo",
            dataset=dataset,
            version=version,
            shape=declared.shape,
            cases=cases,
            arrangements=batches,
        )
        manifests.write(built[dataset], folder / "manifest.json")
    return built


def register(world: World, data: Path, **more: Any) -> None:
    with world.write() as session:
        service.register(session, world.platform.storage, TEXT, data, **more)


@pytest.fixture
def registered(world: World, tmp_path: Path) -> dict[str, Manifest]:
    built = write_datasets(tmp_path / "data")
    register(world, tmp_path / "data")
    return built


def test_every_file_of_every_case_lies_in_storage(world: World, registered: dict[str, Manifest]) -> None:
    for manifest in registered.values():
        for case in manifest.cases:
            for file in filter(None, (case.image, case.mask)):
                stored = world.platform.storage.path(file.sha256).read_bytes()
                assert hashlib.sha256(stored).hexdigest() == file.sha256


def test_participants_get_training_toy_and_toy_labels_and_nothing_else(
    world: World, client: TestClient, registered: dict[str, Manifest]
) -> None:
    ada = world.token(world.person("ada"))
    items = client.get(f"{API}/files", headers=ada).json()["items"]
    brain = {item["path"]: item["part"] for item in items if item["dataset"] == "brain"}
    assert brain == {
        "brain/brain_train/00000.nii.gz": "training",
        "brain/toy/toy_0.nii.gz": "toy",
        "brain/toy/toy_1.nii.gz": "toy",
        "brain/toy_label/pixel/toy_0.nii.gz": "toy_label",
        "brain/toy_label/pixel/toy_1.nii.gz": "toy_label",
        "brain/toy_label/sample/toy_0.nii.gz.txt": "toy_label",
        "brain/toy_label/sample/toy_1.nii.gz.txt": "toy_label",
    }
    for item in items:
        answer = client.get(f"{API}/files/{item['path']}", headers=ada)
        assert answer.status_code == 200
        assert len(answer.content) == item["size"]
        assert hashlib.sha256(answer.content).hexdigest() == item["sha256"]
    assert client.get(f"{API}/files/brain/toy_label/sample/toy_0.nii.gz.txt", headers=ada).text == "1\n"


@pytest.mark.parametrize(
    "path",
    [
        "brain/test/brainf00d.nii.gz",
        "brain/test_label/pixel/brainf00d.nii.gz",
        "brain/manifest.json",
        "brain/toy/../test/brainf00d.nii.gz",
        "brain/toy/%2e%2e/test/brainf00d.nii.gz",
        "brain%2Ftest%2Fbrainf00d.nii.gz",
        "../../moodarena.db",
        "/etc/passwd",
    ],
)
def test_a_hidden_file_answers_exactly_as_one_that_does_not_exist(
    world: World, client: TestClient, registered: dict[str, Manifest], path: str
) -> None:
    ada = world.token(world.person("ada"))
    hidden = client.get(f"{API}/files/{path}", headers=ada)
    absent = client.get(f"{API}/files/brain/toy/absent.nii.gz", headers=ada)
    assert hidden.status_code == absent.status_code == 404
    if hidden.request.url.path.startswith(f"{API}/files/"):
        assert hidden.content == absent.content


def test_strangers_get_no_files(client: TestClient, registered: dict[str, Manifest]) -> None:
    assert client.get(f"{API}/files").status_code == 401
    assert client.get(f"{API}/files/brain/toy/toy_0.nii.gz").status_code == 401


def test_a_download_can_be_resumed(world: World, client: TestClient, registered: dict[str, Manifest]) -> None:
    path, ada = f"{API}/files/brain/toy/toy_0.nii.gz", world.token(world.person("ada"))
    whole = client.get(path, headers=ada)
    rest = client.get(path, headers=ada | {"Range": "bytes=4-", "If-Range": whole.headers["etag"]})
    assert rest.status_code == 206
    assert rest.content == whole.content[4:]
    changed = client.get(path, headers=ada | {"Range": "bytes=4-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)


def test_neither_yaml_nor_view_tell_the_kinds_of_hidden_anomalies(
    client: TestClient, registered: dict[str, Manifest]
) -> None:
    text = client.get(f"{API}/spec").text
    told = spec.parse(text)
    meant = spec.parse(TEXT)
    assert told.entry == meant.entry
    assert told.limits == meant.limits
    view = client.get(API)
    assert view.json()["versions"] == {"brain": "v1", "abdom": "v1"}
    listed = {
        kind for dataset in meant.datasets.values() for kinds in dataset.anomalies.values() for kind in kinds
    }
    for answer in (text, view.text):
        hidden = {*listed, *spec.HIDDEN_SETTINGS, "anomaly_path"}
        assert not {word for word in hidden if word in answer}


def test_a_new_version_takes_the_place_of_the_old_one_which_stays_readable(
    world: World, tmp_path: Path, registered: dict[str, Manifest]
) -> None:
    write_datasets(tmp_path / "newer", "v2")
    register(world, tmp_path / "newer")
    with world.read() as session:
        versions = session.query(DatasetVersion).filter_by(name="brain").order_by("version").all()
        assert [(row.version, row.current) for row in versions] == [("v1", False), ("v2", True)]
        assert versions[0].manifest == registered["brain"]


def test_registering_the_same_again_changes_nothing(
    world: World, tmp_path: Path, registered: dict[str, Manifest]
) -> None:
    register(world, tmp_path / "data")
    with world.read() as session:
        assert session.query(Challenge).count() == 1
        assert session.query(DatasetVersion).filter_by(current=True).count() == 2
        assert session.query(DatasetVersion).count() == 2


def test_one_version_cannot_mean_two_things(
    world: World, tmp_path: Path, registered: dict[str, Manifest]
) -> None:
    case = write_case(tmp_path / "data/brain", "brain", "test", "another.nii.gz", 0)
    changed = registered["brain"].model_copy(update={"cases": (*registered["brain"].cases, case)})
    manifests.write(changed, tmp_path / "data/brain/manifest.json")
    with pytest.raises(Conflict) as refused:
        register(world, tmp_path / "data")
    assert refused.value.code == "version_differs"


@pytest.mark.parametrize("damage", ["absent", "changed"])
def test_a_file_that_is_not_what_the_manifest_says_stops_the_registration(
    world: World, tmp_path: Path, damage: str
) -> None:
    built = write_datasets(tmp_path / "data")
    path = tmp_path / "data/abdom" / built["abdom"].cases[-1].image.path
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(b"something else")
    with pytest.raises(BadInput) as refused:
        register(world, tmp_path / "data")
    assert str(path) in refused.value.message
    with world.read() as session:
        assert session.query(Challenge).count() == 0


def test_a_manifest_of_another_challenge_or_none_at_all_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="dataset build"):
        register(world, tmp_path)
    built = write_datasets(tmp_path / "data")
    other = built["brain"].model_copy(update={"challenge": "mood"})
    manifests.write(other, tmp_path / "data/brain/manifest.json")
    with pytest.raises(BadInput, match="mood"):
        register(world, tmp_path / "data")


def test_a_mistake_in_the_yaml_names_its_line(world: World, tmp_path: Path) -> None:
    with world.write() as session, pytest.raises(BadInput, match=r"line \d+"):
        service.register(session, world.platform.storage, TEXT.replace("id: demo", "id: Demo!"), tmp_path)


def numbers(world: World) -> list[tuple[int, bool]]:
    with world.read() as session:
        return [(item.number, item.current) for item in versions.everything(session, "demo")]


def with_rules(text: str) -> str:
    return text.replace("batch_size: 4", "batch_size: 2")


def test_rules_of_scoring_may_change_until_something_is_scored(
    world: World, tmp_path: Path, registered: dict[str, Manifest]
) -> None:
    assert numbers(world) == [(1, True)]
    register(world, tmp_path / "data")
    assert numbers(world) == [(1, True)]
    with world.write() as session:
        service.register(session, world.platform.storage, with_rules(TEXT), tmp_path / "data")
    assert numbers(world) == [(1, False), (2, True)]


def test_rules_of_scoring_are_never_changed_in_silence_under_figures_that_are_there(
    world: World, tmp_path: Path, registered: dict[str, Manifest]
) -> None:
    world.ranked(world.team("Alpha"), world.person("ada"), "sample", {"brain": 0.5})
    with pytest.raises(Conflict, match="scoring new demo --rules FILE") as refused, world.write() as session:
        service.register(session, world.platform.storage, with_rules(TEXT), tmp_path / "data")
    assert refused.value.code == "scoring_differs"
    with world.read() as session:
        assert session.get_one(Challenge, "demo").spec_text == TEXT
    rules = versions.policy_of(spec.parse(with_rules(TEXT)))
    with world.write() as session:
        versions.add(session, ScoringVersion(challenge_id="demo", policy=rules, reason="x", created_by="x"))
    for text in (with_rules(TEXT), TEXT):  # the rules of either version, in whichever order
        with world.write() as session:
            service.register(session, world.platform.storage, text, tmp_path / "data")
        assert numbers(world) == [(1, True), (2, False)]


def test_a_starter_kit_is_handed_out_as_it_was_given(
    world: World, client: TestClient, tmp_path: Path
) -> None:
    write_datasets(tmp_path / "data")
    write(tmp_path / "kit", "template/Dockerfile", b"FROM scratch\n")
    write(tmp_path / "kit", "template/__pycache__/x.pyc", b"no")
    register(world, tmp_path / "data", kit=tmp_path / "kit")
    ada = world.token(world.person("ada"))
    items = client.get(f"{API}/files", headers=ada).json()["items"]
    assert [item["path"] for item in items if item["part"] == "kit"] == ["kit/template/Dockerfile"]
    assert client.get(f"{API}/files/kit/template/Dockerfile", headers=ada).text == "FROM scratch\n"


def test_an_absent_challenge_is_not_found(world: World, client: TestClient) -> None:
    assert client.get("/api/v1/challenges/absent").json()["error"]["code"] == "no_such_challenge"
    with world.read() as session, pytest.raises(NotFound):
        service.get(session, "absent")


def test_challenges_are_listed(client: TestClient, registered: dict[str, Manifest]) -> None:
    page = client.get("/api/v1/challenges").json()
    assert [item["id"] for item in page["items"]] == ["demo"]
    assert page["next"] is None
