"""Training from the command line, and what goes into an image."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reference_methods.__main__ import main
from reference_methods.images import LEARNING, METHODS, NETWORKS, ROOT, MissingWeights, build, write_context
from tests.unit.reference_methods import scans

SCRIPTS = [f"run_{task}_{dataset}.sh" for task in ("pixel", "sample") for dataset in ("abdom", "brain")]
IN_THE_IMAGE = {"nibabel", "numpy", "reference_methods"}
WITH_TORCH = {"scipy", "torch"}


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


# A network takes seconds to import, and its other two scripts run in its image: tests/integration.
RUN_HERE = [
    (name, script)
    for name in METHODS
    for script in (("run_pixel_brain.sh", "run_sample_abdom.sh") if name in NETWORKS else SCRIPTS)
]


@pytest.mark.parametrize(("name", "script"), RUN_HERE)
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
def test_an_image_imports_nothing_that_it_does_not_hold(name: str) -> None:
    held = IN_THE_IMAGE | (WITH_TORCH if name in NETWORKS else set())
    waiting, seen = [f"reference_methods.{name}.predict"], set()
    while waiting:
        module = waiting.pop()
        source = ROOT.parent.joinpath(*module.split(".")).with_suffix(".py")
        if module in seen or not source.is_file():
            continue
        seen.add(module)
        imported = imports_of(source)
        assert {name.split(".")[0] for name in imported} - sys.stdlib_module_names <= held, source
        waiting += [name for name in imported if name.startswith("reference_methods.")]
    assert f"reference_methods.{name}.predict" in seen


def imports_of(source: Path) -> set[str]:
    """Modules that a file imports; names that come from one count as modules of it too."""
    imported = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return imported


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


def test_a_network_without_settings_for_a_dataset_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans.write(tmp_path / "knee" / "knee_train" / "0.nii.gz", np.zeros(scans.SHAPE, np.float32))
    assert main(["train", "fpi", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "fpi has no settings for the dataset knee" in capsys.readouterr().err


def test_missing_weights_end_the_command_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["build", "voxel_statistics", "--weights", str(tmp_path), "--data", str(tmp_path / "none")]) == 1
    )
    assert "python -m reference_methods train voxel_statistics" in capsys.readouterr().err


def test_a_context_is_not_written_over_another(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_context("constant", weights, tmp_path)
