"""`dataset gallery` and `dataset statistics` as an operator types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from challenges.spec import load
from datasets.build import build
from datasets.populations.registry import POPULATIONS
from tests.unit.datasets import cheap_people
from tests.unit.datasets.conftest import CHALLENGES, SECRET

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(POPULATIONS, "brain", cheap_people)
    build(cheap_people.challenge_of(load(CHALLENGES / "demo.yaml")), SECRET, tmp_path / "scans")
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    return tmp_path


def test_a_gallery_lies_beside_the_datasets_with_their_statistics(folder: Path) -> None:
    command = ["dataset", "gallery", str(folder / "scans"), "--secret-file", str(folder / "secret"), "--json"]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {"page": str(folder / "scans/gallery/gallery.html"), "kinds": {"brain": 2}, "no_twins": []}
    assert "textured-solid" in Path(told["page"]).read_text()
    names = sorted(path.name for path in (folder / "scans/gallery").iterdir())
    assert names == ["gallery.html", "statistics.csv", "statistics.json"]


def test_without_the_secret_there_is_a_page_and_a_sentence(folder: Path) -> None:
    result = runner.invoke(app, ["dataset", "gallery", str(folder / "scans"), "--out", str(folder / "page")])
    assert result.exit_code == 0, result.output
    assert "no scans before the anomaly, since no secret was given" in result.stdout
    assert (folder / "page/gallery.html").is_file()


def test_statistics_need_no_scans(folder: Path) -> None:
    for scan in folder.rglob("*.nii.gz"):
        scan.unlink()
    result = runner.invoke(app, ["dataset", "statistics", str(folder / "scans")])
    assert result.exit_code == 0, result.output
    assert "brain, age: " in result.stdout
    assert (folder / "scans/gallery/statistics.csv").is_file()


@pytest.mark.parametrize("command", ["gallery", "statistics"])
def test_a_folder_that_holds_no_dataset_is_refused_with_a_sentence(tmp_path: Path, command: str) -> None:
    result = runner.invoke(app, ["dataset", command, str(tmp_path)])
    assert result.exit_code != 0
    assert "dataset build" in f"{result.output}{result.exception}"
