"""From files to one result per case; no case is left out."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from sqlalchemy import select

from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from scoring.histograms import VoxelHistogram, absent_histogram
from submissions.contract import Outcome
from tests.unit.backend.world import SIDE, World
from worker.blobs import Blobs
from worker.collection import Collector
from worker.keeping import Kept

NAMES = {f"hidden{number}brain": f"{number}{number}ff.nii.gz" for number in range(4)}


def collector(
    world: World, task: str, stage: str = "test", kept: Kept | None = None, **more: object
) -> Collector:
    world.challenge()
    names = NAMES if stage == "test" else {"toy0brain": "toy_0.nii.gz", "toy1brain": "toy_1.nii.gz"}
    run = Run(
        id=7,
        submission_id="s",
        stage=stage,
        task=task,
        dataset="brain",
        cases=[{"id": key, "name": name} for key, name in names.items()],
    )
    with world.read() as session:
        spec = session.get_one(Challenge, "demo").spec
        manifest = session.scalars(select(DatasetVersion).filter_by(name="brain")).one().manifest
    blobs = Blobs(world.platform.settings, world.platform.storage)
    return Collector(run, spec.tasks[task], spec.entry, manifest, blobs, kept=kept, **more)


def write_map(path: Path, scores: np.ndarray) -> None:
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(scores, np.eye(4)).to_bytes()))


def test_every_case_gets_the_outcome_that_its_file_deserves(world: World, tmp_path: Path) -> None:
    for name, text in (("00ff", "0.25"), ("11ff", "nan"), ("22ff", "seven")):
        (tmp_path / f"{name}.nii.gz.txt").write_text(text)
    results = collector(world, "sample").collect(tmp_path)
    assert [(result.case_id, result.outcome) for result in results] == [
        ("hidden0brain", "scored"),
        ("hidden1brain", "not_finite"),
        ("hidden2brain", "unreadable"),
        ("hidden3brain", "missing"),
    ]
    assert [result.score for result in results] == [0.25, None, None, None]


@pytest.mark.parametrize("unfinished", [Outcome.CRASHED, Outcome.TIMED_OUT])
def test_cases_without_output_say_how_the_container_ended(
    world: World, tmp_path: Path, unfinished: Outcome
) -> None:
    (tmp_path / "00ff.nii.gz.txt").write_text("1")
    (tmp_path / "11ff.nii.gz.txt").write_text("")
    results = collector(world, "sample", unfinished=unfinished).collect(tmp_path)
    assert [result.outcome for result in results] == ["scored", "unreadable", unfinished, unfinished]


def test_scores_outside_the_range_are_clipped(world: World, tmp_path: Path) -> None:
    (tmp_path / "00ff.nii.gz.txt").write_text("-3")
    (tmp_path / "11ff.nii.gz.txt").write_text("1.5")
    assert [result.score for result in collector(world, "sample").collect(tmp_path)][:2] == [0.0, 1.0]


def test_maps_become_histograms_and_absent_ones_those_of_the_policy(world: World, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_map(tmp_path / "11ff.nii.gz", rng.random((SIDE, SIDE, SIDE)).astype(np.float32))
    write_map(tmp_path / "00ff.nii.gz", np.zeros((SIDE, SIDE, SIDE - 1), np.float32))
    first, second, *_ = collector(world, "pixel").collect(tmp_path)
    assert (first.outcome, first.detail) == ("wrong_shape", f"{SIDE - 1} slices written, {SIDE} expected")
    none = absent_histogram(np.zeros((SIDE, SIDE, SIDE), np.bool_), "zero")
    assert VoxelHistogram.from_bytes(first.statistic or b"").to_bytes() == none.to_bytes()
    assert VoxelHistogram.from_bytes(second.statistic or b"").positives.sum() == 4 * 4 * 3
    assert second.view_sha256 is None


def test_toy_maps_are_published_for_their_pages(world: World, tmp_path: Path) -> None:
    scores = np.full((SIDE, SIDE, SIDE), 0.5, np.float32)
    scores[3] = 7
    write_map(tmp_path / "toy_0.nii.gz", scores)
    result = collector(world, "pixel", "toy").collect(tmp_path)[0]
    stored = world.platform.storage.path(str(result.view_sha256)).read_bytes()
    view = np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(stored)).dataobj)
    assert view.dtype == np.uint8
    assert (view[3] == 255).all()
    assert (view[4] == 128).all()


def test_kept_predictions_are_copied_and_put_in_place_only_when_told(world: World, tmp_path: Path) -> None:
    output, target = tmp_path / "output", tmp_path / "kept"
    output.mkdir()
    (output / "00ff.nii.gz.txt").write_text("0.25")
    (output / "11ff.nii.gz.txt").write_text("nan")
    with Kept(tmp_path / "staging", target) as kept:
        collector(world, "sample", kept=kept).collect(output)
        assert not target.exists()
        kept.put_in_place()
    assert {file.name: file.read_text() for file in target.iterdir()} == {"hidden0brain.nii.gz.txt": "0.25"}
    assert not (tmp_path / "staging").exists()


def test_predictions_of_a_lost_lease_are_not_kept(world: World, tmp_path: Path) -> None:
    (tmp_path / "00ff.nii.gz.txt").write_text("0.25")
    with Kept(tmp_path / "staging", tmp_path / "kept") as kept:
        collector(world, "sample", kept=kept).collect(tmp_path)
    assert not (tmp_path / "staging").exists()
    assert not (tmp_path / "kept").exists()


def test_a_case_without_a_mask_is_our_fault_and_says_so(world: World, tmp_path: Path) -> None:
    reader = collector(world, "pixel")
    case = reader._cases["hidden0brain"].model_copy(update={"mask": None})
    reader._cases["hidden0brain"] = case
    with pytest.raises(ValueError, match="has no mask; build the dataset again"):
        reader.collect(tmp_path)
