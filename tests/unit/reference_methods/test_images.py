"""Training from the command line, and what goes into an image."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reference_methods.__main__ import main
from reference_methods.images import LEARNING, METHODS, ROOT, MissingWeights, build, write_context
from tests.unit.reference_methods import scans

SCRIPTS = [f"run_{task}_{dataset}.sh" for task in ("pixel", "sample") for dataset in ("abdom", "brain")]
IN_THE_IMAGE = {"nibabel", "numpy", "reference_methods"}


@pytest.mark.parametrize("name", METHODS)
def test_a_context_holds_the_four_entry_scripts_and_a_dockerfile(
    name: str, weights: Path, tmp_path: Path
) -> None:
    write_context(name, weights / name, tmp_path / "context")
    workspace = tmp_path / "context" / "workspace"
    assert sorted(path.name for path in workspace.glob("*.sh")) == SCRIPTS
    assert (tmp_path / "context" / "Dockerfile").is_file()
    learned = ["abdom.npz", "brain.npz"] if name in LEARNING else []
    assert sorted(path.name for path in workspace.glob("weights/*")) == learned


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_entry_script_writes_predictions(name: str, script: str, weights: Path, tmp_path: Path) -> None:
    write_context(name, weights / name, tmp_path / "context")
    workspace = tmp_path / "context" / "workspace"
    source = tmp_path / "with space"
    scans.write(source / "a.nii.gz", scans.normal(np.random.default_rng(11)))
    target = tmp_path / "pred"
    target.mkdir()
    # The weights are where the image has them, so this process must say where they are instead.
    text = (workspace / script).read_text().replace('"$2"', f'"$2" --weights "{workspace}/weights"')
    environment = {"PYTHONPATH": str(workspace), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", text, "sh", source, target], check=True, env=environment, cwd=tmp_path)
    expected = "a.nii.gz.txt" if "sample" in script else "a.nii.gz"
    assert [path.name for path in target.iterdir()] == [expected]


@pytest.mark.parametrize("name", METHODS)
def test_an_image_needs_numpy_and_nibabel_only(name: str) -> None:
    sources = [*(ROOT / name).glob("*.py"), *(ROOT / "common").glob("*.py")]
    for source in sources:
        imported = set()
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
        assert imported - sys.stdlib_module_names <= IN_THE_IMAGE, source


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(12)
    scans.write_training(tmp_path / "data", generator, count=3)
    for out in ("one", "two"):
        assert (
            main(["train", "histogram", "--data", str(tmp_path / "data"), "--out", str(tmp_path / out)]) == 0
        )
    assert (tmp_path / "one/brain.npz").read_bytes() == (tmp_path / "two/brain.npz").read_bytes()


def test_a_method_that_learns_nothing_trains_to_no_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "constant", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "learns nothing" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_training_without_scans_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "histogram", "--data", str(tmp_path)]) == 1
    assert "DATASET_train" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(LEARNING))
def test_no_image_is_built_without_weights(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=f"abdom.npz.*brain.npz.*train {name}"):
        build(name, tmp_path)


def test_missing_weights_end_the_command_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "voxel_statistics", "--weights", str(tmp_path)]) == 1
    assert "python -m reference_methods train voxel_statistics" in capsys.readouterr().err


def test_a_context_is_not_written_over_another(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_context("constant", weights, tmp_path)
