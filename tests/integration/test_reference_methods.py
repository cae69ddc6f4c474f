"""The reference methods as images, run as strangers' containers are."""

import time
from collections.abc import Iterator
from pathlib import Path

import docker
import numpy as np
import pytest

from reference_methods.__main__ import main
from reference_methods.images import METHODS, build
from tests.images.build import build as build_test_image
from tests.unit.reference_methods import scans

pytestmark = pytest.mark.engine

CASES = ["a.nii.gz", "b.nii.gz"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A tag for every method, built from weights learned here."""
    data, weights = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("weights")
    scans.write_training(data, np.random.default_rng(13), count=4)
    tags = {}
    for name in METHODS:
        learning = ["--data", str(data), "--out", str(weights / name), "--steps", "2"]
        assert main(["train", name, *learning]) == 0
        tags[name] = build(name, weights / name, f"moodarena-test/{name}:latest")
    yield tags
    engine = docker.from_env()
    for tag in tags.values():
        engine.images.remove(tag, force=True)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two cases to read, and a folder that anybody may write to."""
    source, target = tmp_path / "data", tmp_path / "pred"
    generator = np.random.default_rng(14)
    scans.write(source / CASES[0], scans.normal(generator))
    scans.write(source / CASES[1], scans.abnormal(generator))
    target.mkdir()
    target.chmod(0o777)
    return source, target


def run(image: str, script: str, folders: tuple[Path, Path]) -> str:
    """Run one entry script with the platform's restrictions that matter to a method; its log."""
    source, target = folders
    log: bytes = docker.from_env().containers.run(
        image,
        ["sh", f"/workspace/{script}", "/mnt/data", "/mnt/pred"],
        volumes={
            str(source): {"bind": "/mnt/data", "mode": "ro"},
            str(target): {"bind": "/mnt/pred", "mode": "rw"},
        },
        user="65534:65534",
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": "size=64m"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit="1g",
        remove=True,
        stderr=True,
    )
    return log.decode()


@pytest.mark.parametrize("name", METHODS)
def test_a_sample_script_scores_both_cases(
    name: str, images: dict[str, str], folders: tuple[Path, Path]
) -> None:
    run(images[name], "run_sample_brain.sh", folders)
    written = {path.name: float(path.read_text()) for path in folders[1].iterdir()}
    assert sorted(written) == [f"{case}.txt" for case in CASES]
    assert all(0 <= score <= 1 for score in written.values())


@pytest.mark.parametrize("name", METHODS)
def test_a_pixel_script_writes_both_maps(
    name: str, images: dict[str, str], folders: tuple[Path, Path]
) -> None:
    run(images[name], "run_pixel_abdom.sh", folders)
    assert sorted(path.name for path in folders[1].iterdir()) == CASES
    for case in CASES:
        scores = scans.read(folders[1] / case)
        assert scores.shape == scans.SHAPE
        assert scores.min() >= 0
        assert scores.max() <= 1


def test_a_methods_context_builds_with_the_plain_command(tmp_path: Path) -> None:
    assert main(["context", "constant", "--out", str(tmp_path / "context")]) == 0
    tag = "moodarena-test/from-context:latest"
    docker.from_env().images.build(path=str(tmp_path / "context"), tag=tag, rm=True)
    docker.from_env().images.remove(tag)


def test_the_brain_only_image_has_scripts_for_the_brain_alone(folders: tuple[Path, Path]) -> None:
    tag = build_test_image("brain_only")
    run(tag, "run_pixel_brain.sh", folders)
    assert sorted(path.name for path in folders[1].iterdir()) == CASES
    with pytest.raises(docker.errors.ContainerError) as failure:
        run(tag, "run_pixel_abdom.sh", folders)
    assert "run_pixel_abdom.sh" in str(failure.value.stderr)


def test_the_crashing_image_crashes_with_a_message(folders: tuple[Path, Path]) -> None:
    with pytest.raises(docker.errors.ContainerError) as failure:
        run(build_test_image("crashing"), "run_sample_brain.sh", folders)
    assert failure.value.exit_status == 1
    assert "model file is not there" in str(failure.value.stderr)


def test_the_wrong_shape_image_writes_one_slice_too_few(folders: tuple[Path, Path]) -> None:
    run(build_test_image("wrong_shape"), "run_pixel_brain.sh", folders)
    x, y, z = scans.SHAPE
    assert scans.read(folders[1] / CASES[0]).shape == (x, y, z - 1)


def test_the_slow_image_is_still_there_after_a_while() -> None:
    container = docker.from_env().containers.run(
        build_test_image("slow"), ["sh", "/workspace/run_pixel_brain.sh"], detach=True, network_mode="none"
    )
    try:
        time.sleep(1)
        container.reload()
        assert container.status == "running"
    finally:
        container.remove(force=True)
