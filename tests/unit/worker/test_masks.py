"""Masks as a node keeps them: made from a volume once, and again when a file is damaged."""

import logging
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from backend.models.challenge import DatasetVersion
from datasets.manifest import Case
from datasets.volume import VolumeError
from scoring.masks import Mask
from tests.unit.backend.world import SIDE, World
from worker.blobs import Blobs
from worker.masks import Masks

TRUTH = np.zeros((SIDE, SIDE, SIDE), np.bool_)
TRUTH[9:13, 5:9, 10:13] = True


@pytest.fixture
def cases(world: World) -> dict[str, Case]:
    world.challenge()
    with world.read() as session:
        manifest = session.scalars(select(DatasetVersion).filter_by(name="brain")).one().manifest
    return {case.id: case for case in manifest.cases}


def masks_of(world: World, folder: Path) -> Masks:
    return Masks(Blobs(world.platform.settings, world.platform.storage), folder)


def test_a_mask_is_what_the_volume_says(world: World, cases: dict[str, Case], tmp_path: Path) -> None:
    masks = masks_of(world, tmp_path / "masks")
    assert masks.of(cases["hidden1brain"]) == Mask.of(TRUTH)
    assert masks.of(cases["hidden0brain"]) == Mask.of(np.zeros_like(TRUTH))


def test_the_second_time_no_volume_is_read(world: World, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["hidden1brain"]
    masks_of(world, tmp_path).of(case)
    world.platform.storage.delete(digest(case))
    assert masks_of(world, tmp_path).of(case) == Mask.of(TRUTH)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [digest(case)]


@pytest.mark.parametrize("left", [b"", b"half of it", b"MAMK\x01" + bytes(60)])
def test_a_damaged_file_is_told_and_made_anew(
    world: World, cases: dict[str, Case], tmp_path: Path, caplog: pytest.LogCaptureFixture, left: bytes
) -> None:
    case, folder = cases["hidden1brain"], tmp_path / "masks"
    folder.mkdir()
    (folder / digest(case)).write_bytes(left)
    caplog.set_level(logging.WARNING)
    assert masks_of(world, folder).of(case) == Mask.of(TRUTH)
    assert "is made anew" in caplog.text
    assert Mask.from_bytes((folder / digest(case)).read_bytes()) == Mask.of(TRUTH)


def test_what_is_no_volume_leaves_no_mask(world: World, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["hidden1brain"]
    assert case.mask is not None
    no_volume = {"sha256": world.platform.storage.put(iter([b"no volume"]))}
    broken = case.model_copy(update={"mask": case.mask.model_copy(update=no_volume)})
    with pytest.raises(VolumeError):
        masks_of(world, tmp_path / "masks").of(broken)
    assert not (tmp_path / "masks").exists()


def digest(case: Case) -> str:
    assert case.mask is not None
    return case.mask.sha256
