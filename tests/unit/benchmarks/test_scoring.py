"""The benchmark of scoring at small size: everybody reaches the same figure, and ratios are told right."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sklearn.metrics import average_precision_score

from benchmarks import ours
from benchmarks.figures import (
    BESIDE_FLOOR,
    BESIDE_TWO,
    IN_DOUBLE,
    Work,
    figures,
    largest_difference,
    taken_in_turns,
)
from benchmarks.measure import Cost
from benchmarks.original import average_precision_of_batch
from benchmarks.plan import BATCHES, Job, Plan, jobs
from benchmarks.volumes import SHARES, Paths, write_batches
from scoring.masks import Mask

ROOT = Path(__file__).parents[3]
SMALL = Plan(cases=6, size=24, large=32, repeats=1, slow_repeats=1, torchmetrics=False, thorough=True)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    return jobs(SMALL, tmp_path_factory.mktemp("predictions"), np.random.default_rng(3))


@pytest.fixture
def batch(tmp_path: Path) -> Paths:
    return write_batches(tmp_path, [("masked", "float32")], 6, 24, np.random.default_rng(5))[
        "masked", "float32"
    ]


def here(job: Job) -> Cost:
    """What the work gives when it is done in this process; its costs are made up."""
    assert callable(job.prepare)
    return Cost(job.prepare(*job.arguments)(), cpu_s=1, wall_s=1, peak_mb=1)


def test_everybody_reaches_the_same_average_precision_of_every_batch_and_volume(planned: list[Job]):
    measured = {job.work: here(job) for job in planned if job.repeats and job.cores == 1}
    told = {work.contender for work in measured}
    assert told == {
        "ours",
        "floor",
        BESIDE_FLOOR,
        "original",
        "ours, a large volume",
        "exact by us",
        "exact by scikit-learn",
    }
    assert {(work.kind, work.dtype) for work in measured if work.contender == "original"} == set(BATCHES)
    assert all(0 < measured[Work("ours", *one)].value < 1 for one in BATCHES)
    assert largest_difference(measured, IN_DOUBLE) <= 1e-12


def test_the_floor_inflates_every_byte(planned: list[Job]):
    sizes = {job.work: here(job).value for job in planned if job.work.contender == "floor"}
    for kind, dtype in BATCHES:
        assert sizes[Work("floor", kind, dtype)] == 6 * (352 + 24**3 * np.dtype(dtype).itemsize)


def test_the_floor_is_taken_beside_us_on_every_kind_of_predictions(planned: list[Job]):
    ratios = taken_in_turns(
        {job.work: [here(job)] for job in planned if job.work.contender == BESIDE_FLOOR}, BESIDE_FLOOR
    )
    assert set(ratios) == {Work("ours", *one) for one in BATCHES}
    assert all(0 < ratio < np.inf for ratio in ratios.values())


def test_two_processes_reach_the_same_as_one(batch: Paths):
    assert 0 < ours.one_process_over_two(batch.predictions, batch.masks)() < np.inf


def test_predictions_are_compressed_at_level_1_and_filled_by_their_share(tmp_path: Path):
    kinds = [(kind, "float32") for kind in SHARES]
    batches = write_batches(tmp_path, kinds, 2, 48, np.random.default_rng(1))
    for (kind, _), paths in batches.items():
        voxels = np.asanyarray(nibabel.load(paths.predictions[0]).dataobj)
        assert np.count_nonzero(voxels) / voxels.size == pytest.approx(SHARES[kind], rel=0.15)
        assert voxels.min() >= 0
        assert voxels.max() < 1
        # XFL of the gzip header: 4 says that the fastest compression was used.
        assert Path(paths.predictions[0]).read_bytes()[8] == 4


def test_masks_are_the_labels_and_some_cases_are_normal(batch: Paths):
    masks = [Mask.from_bytes(Path(path).read_bytes()).array() for path in batch.masks]
    labels = [np.asanyarray(nibabel.load(path).dataobj) == 1 for path in batch.labels]
    assert all(map(np.array_equal, masks, labels))
    assert [bool(mask.any()) for mask in masks] == [True] * 4 + [False] * 2


def test_the_original_counts_what_it_cannot_use_as_zeros(batch: Paths, tmp_path: Path):
    scores = [np.asanyarray(nibabel.load(path).dataobj).astype(np.float16) for path in batch.predictions]
    labels = [np.asanyarray(nibabel.load(path).dataobj) == 1 for path in batch.labels]
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)), tmp_path / "other.nii.gz")
    (tmp_path / "damaged.nii.gz").write_bytes(Path(batch.predictions[0]).read_bytes()[:5000])
    files = ["missing.nii.gz", "other.nii.gz", "damaged.nii.gz"]
    given = [str(tmp_path / name) for name in files] + batch.predictions[3:]
    scores[:3] = [np.zeros_like(scores[0])] * 3
    expected = average_precision_score(np.ravel(labels), np.ravel(scores))
    assert average_precision_of_batch(given, batch.labels) == pytest.approx(expected, abs=1e-15)


def test_figures_are_ratios_of_cpu_times_and_the_least_favourable_ones_where_no_kind_is_named():
    def took(cpu: float, wall: float = 0, peak: float = 0, value: float = 0.5) -> Cost:
        return Cost(value, cpu, wall, peak)

    measured = {
        Work("ours", "masked"): took(2, 4, 150),
        Work("ours", "dense", "float64"): took(3, 3, 160),
        Work("floor", "masked"): took(1.9, value=99),
        Work("original", "masked"): took(150, peak=9900, value=0.5 + 1e-13),
        Work("ours, a large volume", "masked"): took(1, peak=155, value=0.1),
        Work("exact by us", "masked"): took(0.1),
        Work("exact by us", "dense"): took(0.2),
        Work("exact by scikit-learn", "masked"): took(2),
        Work("exact by scikit-learn", "dense"): took(3),
    }
    beside = [took(9, value=ratio) for ratio in (1.5, 1.25, 1.1)]
    two = {
        Work(BESIDE_TWO, "masked"): [took(9, value=2)],
        Work(BESIDE_TWO, "dense", "float64"): [took(9, value=ratio) for ratio in (1.9, 1.5, 1.875)],
    }
    told = figures(
        measured,
        taken_in_turns({Work(BESIDE_FLOOR, "masked"): beside, **two}, BESIDE_FLOOR),
        taken_in_turns(two, BESIDE_TWO),
    )
    assert told.pop("largest_difference") == pytest.approx(1e-13, rel=0.01)
    assert told == {
        "speedup_masked": 75,
        "floor_ratio_masked": 1.25,
        "float32_speedup_masked": 20,
        "float32_speedup_dense": 15,
        "float32_speedup": 15,
        "two_processes_masked": 2,
        "two_processes_dense_float64": pytest.approx(1.875),
        "two_processes": pytest.approx(1.875),
        "peak_mb": 160,
        "peak_mb_512": 155,
        "original_peak_mb": 9900,
    }


def test_what_only_methods_and_benchmarks_need_is_pinned_and_pinned_once():
    def pins(path: Path) -> dict[str, Requirement]:
        lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
        named = (Requirement(line) for line in lines if line and not line.startswith("-r "))
        return {canonicalize_name(pin.name): pin for pin in named}

    platform = pins(ROOT / "requirements.lock")
    methods, extra = (pins(ROOT / room / "requirements.lock") for room in ("reference_methods", "benchmarks"))
    assert "torch" in methods
    assert "torchmetrics" in extra
    assert "-r ../reference_methods/requirements.lock" in (ROOT / "benchmarks/requirements.lock").read_text()
    pinned = [*methods.items(), *extra.items()]
    assert all(re.fullmatch(r"==[\d.]+", str(pin.specifier)) for _, pin in pinned)
    assert len({name for name, _ in [*pinned, *platform.items()]}) == len(pinned) + len(platform)


@pytest.mark.slow
def test_the_script_ends_with_one_line_of_json():
    command = [sys.executable, "benchmarks/scoring.py", "--quick", "--without-torchmetrics"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    for kind in SHARES:
        assert {f"speedup_{kind}", f"floor_ratio_{kind}", f"two_processes_{kind}"} <= set(told)
    assert {"peak_mb", "peak_mb_512", "original_peak_mb", "float32_speedup", "two_processes"} <= set(told)
    assert told["largest_difference"] <= 1e-12
