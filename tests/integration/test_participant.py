"""A participant's whole walk, typed as `moodarena` commands, with real application, worker and containers."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from backend.main import create_app
from submissions.client import Client, Progress
from submissions.responses import Upload
from submissions.wire import NoConnection
from tests.command import Person
from tests.images import busybox
from tests.integration.arena import PASSWORD, Arena, all_scripts
from tests.live import serving


@pytest.fixture
def url(arena: Arena) -> Iterator[str]:
    with serving(create_app(arena.platform)) as address:
        yield address


@pytest.fixture
def person(tmp_path: Path, url: str) -> Person:
    somebody = Person(tmp_path / "home")
    somebody.types(
        "signup", url, "--name", "bert", "--email", "bert@example.org", answers=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert somebody.types("team", "create", "demo", "bert's").code == 0
    return somebody


@pytest.fixture
def archive(tmp_path: Path, engine: docker.DockerClient) -> Path:
    path = tmp_path / "mine.tar"
    files = {f"workspace/{name}": text.encode() for name, text in all_scripts().items()}
    busybox.write_archive(path, "participant", files)
    return path


def test_from_a_download_to_a_place_on_the_leaderboard(
    arena: Arena, person: Person, archive: Path, tmp_path: Path
) -> None:
    demo = str(tmp_path / "demo")
    fetched = person.types("download", "demo", "--out", demo, "--json")
    assert fetched.code == 0, fetched.err
    assert "brain/toy_label/sample/toy_0.nii.gz.txt" in fetched.json["files"]
    assert not [name for name in fetched.json["files"] if "test" in name]
    checked = person.types("check", str(archive), "--data", demo, "--json")
    assert checked.code == 0, checked.err
    arena.worker()
    toy = person.types("submit", str(archive), "--challenge", "demo", "--watch")
    assert toy.code == 0, toy.err
    assert "Toy, pixel on abdom" in toy.out
    words = ("submit", str(archive), "--challenge", "demo", "--kind", "counted", "--task", "sample", "--json")
    submission = person.types(*words).json["id"]
    assert person.types("status", submission, "--watch").code == 0
    found = person.types("results", submission, "--json").json
    locally = {(run["task"], run["dataset"]): run["average_precision"] for run in checked.json["scripts"]}
    on_the_platform = {(toy["task"], toy["dataset"]): toy["average_precision"] for toy in found["toy"]}
    assert on_the_platform == {pair: locally[pair] for pair in on_the_platform}
    assert {score["dataset"] for score in found["scores"]} == {"brain", "abdom"}
    [row] = person.types("leaderboard", "demo", "--task", "sample", "--json").json["sample"]["rows"]
    assert (row["place"], row["team"]) == (1, "bert's")


def test_a_second_download_fetches_only_what_is_lacking_or_damaged(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    words = ("download", "demo", "--out", str(folder), "--part", "toy")
    assert person.types(*words).code == 0
    kept, damaged, partial = (folder / f"brain/toy/toy_{number}.nii.gz" for number in range(3))
    whole = partial.read_bytes()
    damaged.write_bytes(b"damaged")
    partial.with_name(f".{partial.name}.part").write_bytes(whole[:100])
    partial.unlink()
    before = kept.stat().st_mtime_ns
    assert person.types(*words).code == 0
    assert kept.stat().st_mtime_ns == before
    assert damaged.read_bytes() != b"damaged"
    assert partial.read_bytes() == whole
    assert not list(folder.rglob("*.part"))


def test_an_upload_that_was_cut_short_goes_on(
    person: Person, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_chunk_only(client: Client, upload: Upload, path: Path, progress: Progress) -> Upload:
        client._send_chunk(upload.model_copy(update={"chunk": 100_000}), path, progress)
        raise NoConnection("the line broke")

    words = ("submit", str(archive), "--challenge", "demo", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(Client, "continue_upload", first_chunk_only)
        assert person.types(*words).code == 4
    ended = person.types(*words)
    assert ended.code == 0, ended.err
    assert "Going on with an upload that was cut short at 97.7 KiB" in ended.err
    assert ended.json["state"] == "verify"
    again = person.types(*words)
    assert "Going on" not in again.err, "what was submitted is not gone on with"


def test_a_counted_submission_needs_its_task_and_all_datasets(
    person: Person, tmp_path: Path, engine: docker.DockerClient
) -> None:
    path = tmp_path / "brain.tar"
    scripts = {name: text for name, text in all_scripts().items() if "brain" in name}
    busybox.write_archive(
        path, "brain", {f"workspace/{name}": text.encode() for name, text in scripts.items()}
    )
    words = ("submit", str(path), "--challenge", "demo", "--kind", "counted", "--json")
    assert person.types(*words).json["error"]["code"] == "task_missing"
    ended = person.types(*words, "--task", "pixel")
    assert (ended.code, ended.json["error"]["code"]) == (1, "script_missing")
    assert "/workspace/run_pixel_abdom.sh" in ended.err
    assert person.types("status", "--json").json == []
