"""`dataset import` as an operator types it."""

import json
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from backend.cli import app
from backend.commands.dataset_import import _how
from challenges.spec import load
from tests.unit.datasets import imported_scans as scans

runner = CliRunner()
DEMO = Path(__file__).parents[3] / "challenges/demo.yaml"


@pytest.fixture(scope="module")
def yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with a dataset of imported livers."""
    path = tmp_path_factory.mktemp("challenge") / "my.yaml"
    tree = YAML(typ="rt").load(DEMO.read_text())
    brain = tree["datasets"]["brain"]
    brain |= {"population": "imported", "shape": list(scans.SIDES), "spacing_mm": [4.0, 3.5, 5.0]}
    brain["cases"] = {"training": 2, "toy_abnormal": 1, "toy_normal": 1, "test": {"sample": 2, "pixel": 2}}
    brain["anomalies"] = {"local": ["silhouette"]}
    tree["datasets"] = {"liver": brain}
    with path.open("w") as stream:
        YAML().dump(tree, stream)
    return path


def test_a_folder_of_dicom_series_becomes_a_dataset_with_anomalies(
    yaml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOODARENA_DATA", str(tmp_path / "platform"))
    for number in range(6):
        data = np.rint(scans.hounsfield(number, (24, 22, 21)))
        scans.dicom(tmp_path / f"pacs/{number}", data, patient=f"p{number}", step=(0, 0, 5))
    (tmp_path / "pacs/damaged.nii.gz").write_bytes(b"nothing")
    command = [
        "dataset", "import", str(tmp_path / "pacs"), "--as", "normal", "--challenge", str(yaml),
        "--dataset", "liver", "--out", str(tmp_path / "out"), "--resample", "--json",
    ]  # fmt: skip
    refused = runner.invoke(app, [*command, "--modality", "CT"])
    assert refused.exit_code != 0
    assert "damaged.nii.gz: cannot be read as NIfTI" in str(refused.exception)
    assert "--go-on" in str(refused.exception)
    result = runner.invoke(app, [*command, "--modality", "CT", "--go-on"])
    assert result.exit_code == 0, result.output + str(result.exception)
    told = json.loads(result.stdout)
    assert told["cases"] == {"training": 2, "toy": 2, "test": 2, "analysis": 0}
    assert [one["name"] for one in told["skipped"]] == ["damaged.nii.gz"]
    assert (tmp_path / "out/liver/manifest.json").exists()
    assert (tmp_path / "platform/secrets/demo").stat().st_mode & 0o077 == 0
    mixed = runner.invoke(app, [*command, "--modality", "MR", "--go-on"])
    assert "6 normal scans" in str(mixed.exception)
    assert "and 0 can be used" in str(mixed.exception)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--dataset", "knee"], "choose from ['liver']"),
        (["--dataset", "liver"], "--modality CT or --modality MR"),
        (["--dataset", "liver", "--modality", "CT", "--window", "5", "5"], "is empty"),
        (["--dataset", "liver", "--modality", "CT", "--secret-file", "/nowhere"], "There is no secret"),
    ],
)
def test_what_was_not_said_is_asked_for(yaml: Path, tmp_path: Path, changes: list[str], message: str) -> None:
    command = ["dataset", "import", str(tmp_path), "--as", "normal", "--challenge", str(yaml)]
    result = runner.invoke(app, [*command, "--out", str(tmp_path / "out"), *changes])
    assert result.exit_code != 0
    assert message in f"{result.output}{result.exception}"


def test_the_population_tells_what_scans_are_and_the_layout_what_their_values_are() -> None:
    demo = load(DEMO)
    brain = _how(demo, "brain", "brats", None, None, None, False)
    assert (brain.modality, brain.scale) == ("MR", "robust")
    abdomen = _how(demo, "abdom", "normal", None, None, (-150, 250), True)
    assert (abdomen.modality, abdomen.scale, abdomen.window) == ("CT", "hounsfield", (-150, 250))
    assert abdomen.grid.resample
    assert _how(demo, "abdom", "mood", None, None, None, False).scale == "unit"
    assert _how(demo, "brain", "mood", None, "robust", None, False).scale == "robust"
