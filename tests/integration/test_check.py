"""`moodarena check` with a real engine: the walk that a participant takes before handing anything in."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from submissions import kit, loops
from submissions.engine import Engine
from tests.command import Person
from tests.images import build, busybox
from tests.integration.arena import PIXEL, SAMPLE, all_scripts, spec_text


@pytest.fixture
def demo(tmp_path: Path, scans: Path) -> Path:
    """A starter kit as `moodarena download demo --part toy` leaves it."""
    folder = tmp_path / "demo"
    for dataset in ("brain", "abdom"):
        for part in ("toy", "toy_label"):
            shutil.copytree(scans / dataset / part, folder / dataset / part)
    # Its base image needs more memory than the shell scripts of other tests.
    (folder / kit.SPEC).write_text(spec_text(memory="268_435_456"), encoding="utf-8")
    return folder


@pytest.fixture
def person(tmp_path: Path, engine: docker.DockerClient) -> Iterator[Person]:
    """Somebody who leaves nothing behind in the engine."""
    yield Person(tmp_path / "home")
    checks = Engine(namespace="check")
    assert not checks.containers()
    assert not checks.volumes()
    assert not checks.images()


def archive_of(folder: Path, scripts: dict[str, str]) -> Path:
    files = {f"workspace/{name}": f"#!/bin/sh\n{text}".encode() for name, text in scripts.items()}
    busybox.write_archive(folder / "image.tar", "check", files)
    return folder / "image.tar"


def test_a_brain_only_image_is_fine_for_toys_and_told_what_a_counted_one_needs(
    demo: Path, person: Person, base_image: str, tmp_path: Path
) -> None:
    tag, out = build.build("brain_only"), tmp_path / "report"
    ended = person.types("check", tag, "--data", str(demo), "--report", str(out), "--json")
    assert ended.code == 0, ended.err
    found = ended.json
    assert found["fine"]
    assert [(run["task"], run["dataset"]) for run in found["scripts"]] == [
        ("sample", "brain"),
        ("pixel", "brain"),
    ]
    for run in found["scripts"]:
        assert run["outcomes"] == {"scored": 4}
        assert 0 < run["average_precision"] <= 1
        assert run["wall_seconds"] > 0
    assert found["incomplete"] == {
        "sample": ["/workspace/run_sample_abdom.sh"],
        "pixel": ["/workspace/run_pixel_abdom.sh"],
    }
    assert "A counted submission of pixel needs /workspace/run_pixel_abdom.sh as well." in ended.err
    reported = json.loads((out / "report.json").read_text(encoding="utf-8"))
    reached = [task["results"][0]["entrants"][0]["average_precision"]["value"] for task in reported["tasks"]]
    assert reached == [pytest.approx(run["average_precision"]) for run in found["scripts"]]


def test_a_crashing_image_is_refused_with_its_log(demo: Path, person: Person, base_image: str) -> None:
    ended = person.types("check", build.build("crashing"), "--data", str(demo), "--task", "sample", "--json")
    assert ended.code == 1
    assert {run["failure"]["code"] for run in ended.json["scripts"]} == {"crashed"}
    assert "crashing: the model file is not there" in ended.err


def test_a_wrong_shape_is_told_in_slices(demo: Path, person: Person, base_image: str) -> None:
    ended = person.types("check", build.build("wrong_shape"), "--data", str(demo), "--task", "pixel")
    assert ended.code == 1
    assert "15 slices written, 16 expected" in ended.err


def test_an_archive_is_loaded_for_the_check_only(demo: Path, person: Person, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, all_scripts())
    ended = person.types("check", str(archive), "--data", str(demo), "--json")
    assert ended.code == 0, ended.err
    assert len(ended.json["scripts"]) == 4
    perfect = {run["average_precision"] for run in ended.json["scripts"] if run["task"] == "sample"}
    assert perfect == {0.75}, "equal scores put the one normal case of four among the abnormal ones"


def test_without_root_the_quota_is_memory_said_in_one_line_and_as_exact(
    demo: Path, person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = 'dd if=/dev/zero of="$2/flood" bs=64k count=1000; '
    archive = archive_of(tmp_path, {"run_sample_brain.sh": SAMPLE, "run_pixel_brain.sh": flood + PIXEL})
    exact = person.types("check", str(archive), "--data", str(demo), "--json")
    monkeypatch.setattr(loops, "missing", lambda: "root is needed for an exact limit")
    ended = person.types("check", str(archive), "--data", str(demo), "--json")
    assert ended.err.count("root is needed for an exact limit") == 1
    for outcome in (exact, ended):
        sample, pixel = outcome.json["scripts"]
        assert sample["outcomes"] == {"scored": 4}
        assert pixel["failure"]["code"] == "output_full"
        assert outcome.code == 1


def test_an_archive_that_the_platform_would_turn_away_is_turned_away_here(
    demo: Path, person: Person, tmp_path: Path
) -> None:
    cut = archive_of(tmp_path, all_scripts())
    cut.write_bytes(cut.read_bytes()[:100_000])
    ended = person.types("check", str(cut), "--data", str(demo), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "archive_unreadable")
    assert "docker save" in ended.err


def test_an_image_without_any_entry_script_names_them(demo: Path, person: Person, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"main.sh": SAMPLE})
    ended = person.types("check", str(archive), "--data", str(demo), "--task", "pixel", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "script_missing")
    assert "/workspace/run_pixel_brain.sh" in ended.err


def test_an_image_that_is_not_there_is_a_plain_sentence(demo: Path, person: Person) -> None:
    ended = person.types("check", "nobody/has-this:1", "--data", str(demo), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (5, "no_image")
