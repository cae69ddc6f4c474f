"""From files to one result per case; no case is left out."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sqlalchemy import select

from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult
from scoring.histograms import VoxelHistogram, voxel_histogram
from submissions.contract import Outcome
from tests.unit.backend.world import SIDE, World
from worker.blobs import Blobs
from worker.collection import Collector
from worker.keeping import Kept
from worker.masks import MASKS, Masks

NAMES = {f"hidden{number}brain": f"{number}{number}ff.nii.gz" for number in range(4)}
TOY_NAMES = {"toy0brain": "toy_0.nii.gz", "toy1brain": "toy_1.nii.gz"}
TRUTH = np.zeros((SIDE, SIDE, SIDE), np.bool_)  # of the abnormal cases, which have odd numbers
TRUTH[9:13, 5:9, 10:13] = True
# Replaces a line of the pixel task's metric, which goes on below it.
WITH_OBJECTS = {"arrangements": "2\n      objects: {thresholds: [0.25, 0.5], min_volume_mm3: 0.0}"}


def collector(
    world: World,
    task: str,
    stage: str = "test",
    kept: Kept | None = None,
    challenge: dict[str, str] | None = None,
    **more: object,
) -> Collector:
    world.challenge(**(challenge or {}))
    run = Run(id=7, submission_id="s", stage=stage, task=task, dataset="brain", cases=cases_of(stage))
    return collector_of(world, run, kept=kept, **more)


def cases_of(stage: str) -> list[dict[str, str]]:
    names = NAMES if stage == "test" else TOY_NAMES
    return [{"id": key, "name": name} for key, name in names.items()]


def collector_of(world: World, run: Run, **more: object) -> Collector:
    with world.read() as session:
        spec = session.get_one(Challenge, "demo").spec
        manifest = session.scalars(select(DatasetVersion).filter_by(name="brain")).one().manifest
    blobs = Blobs(world.platform.settings, world.platform.storage)
    masks = Masks(blobs, world.platform.storage.scratch("work") / MASKS)
    return Collector(run, spec, manifest, blobs, masks, **more)


def statistic(result: CaseResult) -> VoxelHistogram:
    return VoxelHistogram.from_bytes(result.statistic or b"")


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


@pytest.mark.parametrize("missing", ["zero", "worst"])
def test_maps_become_histograms_and_absent_ones_are_kept_without_a_policy(
    world: World, tmp_path: Path, missing: str
) -> None:
    rng = np.random.default_rng(1)
    write_map(tmp_path / "00ff.nii.gz", np.zeros((SIDE, SIDE, SIDE - 1), np.float32))
    scores = rng.random((SIDE, SIDE, SIDE)).astype(np.float32)
    write_map(tmp_path / "11ff.nii.gz", scores)
    first, second, _, last = collector(world, "pixel", challenge={"missing": missing}).collect(tmp_path)
    assert (first.outcome, first.detail) == ("wrong_shape", f"{SIDE - 1} slices written, {SIDE} expected")
    assert statistic(first) == VoxelHistogram.absent(0, SIDE**3, "zero")
    assert statistic(second) == voxel_histogram(scores, TRUTH)
    assert second.figures == {"distinct": np.unique(scores.astype(np.float16)).size}
    assert second.view_sha256 is None
    assert (last.outcome, last.figures) == ("missing", {})
    assert statistic(last) == VoxelHistogram.absent(4 * 4 * 3, SIDE**3 - 4 * 4 * 3, "zero")


@pytest.mark.parametrize(("stage", "name"), [("toy", "toy_1.nii.gz"), ("test", "11ff.nii.gz")])
def test_objects_are_counted_where_the_challenge_asks_for_them(
    world: World, tmp_path: Path, stage: str, name: str
) -> None:
    write_map(tmp_path / name, np.where(TRUTH, 0.3, 0.0).astype(np.float32))
    results = collector(world, "pixel", stage, challenge=WITH_OBJECTS).collect(tmp_path)
    for result in results:
        absent = [0, 0, 1 if result.case_id[-6] in "13" else 0]
        there = {"0.25": [1, 0, 0], "0.5": [0, 0, 1]}
        expected = there if result.outcome == "scored" else {"0.25": absent, "0.5": absent}
        assert result.figures["objects"] == expected, result.case_id
    assert [result.outcome for result in results].count("scored") == 1


def test_toy_maps_tell_what_rounding_does_to_them(world: World, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    saturated = (1 - 1e-4 * rng.random(TRUTH.shape) + 5e-5 * TRUTH).astype(np.float64).clip(0, 1)
    for name in ("toy_0", "toy_1"):
        write_map(tmp_path / f"{name}.nii.gz", saturated)
    normal, abnormal = collector(world, "pixel", "toy").collect(tmp_path)
    exact = average_precision_score(TRUTH.ravel(), saturated.ravel())
    rounded = average_precision_score(TRUTH.ravel(), saturated.astype(np.float16).ravel())
    assert abnormal.figures["exact_average_precision"] == pytest.approx(exact, abs=1e-12)
    assert abnormal.figures["average_precision"] == pytest.approx(rounded, abs=1e-12)
    assert exact - rounded > 0.1
    assert "[0, 1]" in abnormal.figures["collapse"]
    told = ("average_precision", "exact_average_precision", "collapse")
    assert [normal.figures[name] for name in told] == [None, None, None]
    assert normal.figures["distinct"] < 10


def test_figures_survive_the_database(world: World, tmp_path: Path) -> None:
    write_map(tmp_path / "toy_1.nii.gz", np.where(TRUTH, 0.3, 0.1))
    world.challenge()
    user = world.person("anna")
    submission = world.submission(world.team("blue", user), user)
    run = world.run(submission, "toy", task="pixel", dataset="brain", cases=cases_of("toy"))
    world.add(*collector_of(world, run).collect(tmp_path))
    with world.read() as session:
        figures = {row.case_id: row.figures for row in session.scalars(select(CaseResult))}
    assert figures["toy1brain"]["average_precision"] == 1.0
    assert figures["toy0brain"] == {}


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
