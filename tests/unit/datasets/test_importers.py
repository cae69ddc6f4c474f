"""Scans of others become a dataset just as one that was built: whole imports of small folders."""

import gzip
import json
import pickle
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from challenges.spec import Challenge, Dataset
from datasets import manifest, volume
from datasets.anomalies.insert import alter_globally, insert_local
from datasets.anomalies.kinds import SHIPPED
from datasets.anomalies.scene import Scene
from datasets.build import BuildError, build, verify
from datasets.importers import anatomy, importing
from datasets.importers.deal import DealError
from datasets.importers.grid import Grid
from datasets.importers.importing import Imported, ImportFailed, Request, import_dataset
from datasets.importers.intensities import to_unit
from datasets.importers.job import ImportJob, make_as_is
from datasets.importers.layouts import LayoutError
from datasets.importers.layouts import mood as mood_layout
from datasets.importers.layouts import normal as normal_layout
from datasets.importers.prepare import How, prepare
from datasets.importers.raw import Unusable
from datasets.plan import PlanError
from datasets.populations.subject import Subject
from datasets.seeds import Seeds
from tests.unit.datasets import imported_scans as scans
from tests.unit.datasets.conftest import SECRET
from tests.unit.datasets.imported_scans import SIDES, SPACING

GRID = Grid(SIDES, SPACING)
MR = How(GRID, "robust", "MR")
COUNTS = {"training": 3, "toy_abnormal": 1, "toy_normal": 1, "test": {"sample": 4, "pixel": 4}}


def challenge_of(demo: Challenge, slug: str = "brain", **changes: Any) -> Challenge:
    """The demo with one dataset of the size of the scans here."""
    known = demo.datasets["brain"].model_dump() | {"shape": SIDES, "spacing_mm": SPACING, "cases": COUNTS}
    return demo.model_copy(update={"datasets": {slug: Dataset.model_validate(known | changes)}})


@pytest.fixture(scope="module")
def challenge(demo: Challenge) -> Challenge:
    return challenge_of(demo)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the original challenge hands it out, with test cases."""
    root = tmp_path_factory.mktemp("original") / "brain"
    for number in range(3):
        scans.nifti(root / f"brain_train/0000{number}.nii.gz", scans.body(number) / 700)
    for part, count in (("toy", 2), ("test", 4)):
        for number in range(count):
            name, abnormal = f"{part}_{number}.nii.gz", number % 2
            mask = scans.lesion(number) * np.uint8(abnormal)
            image = scans.body(10 * count + number) / 700 + 0.1 * mask
            scans.nifti(root / part / name, image.astype(np.float32))
            scans.nifti(root / f"{part}_label/pixel/{name}", mask, np.diag([-4.0, 3.5, 5.0, 1.0]))
            (root / f"{part}_label/sample").mkdir(exist_ok=True)
            (root / f"{part}_label/sample/{name}.txt").write_text(f"{abnormal}\n")
    return root.parent


@pytest.fixture(scope="module")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a case, an image of several weightings and a mask of several numbers."""
    root = tmp_path_factory.mktemp("lesions")
    for number in range(3):
        case = root / f"grade/Case_{number}/Case_{number}"
        for weighting in ("t1", "t1ce", "t2"):
            scans.nifti(case.with_name(f"{case.name}_{weighting}.nii.gz"), scans.body(number))
        scans.nifti(case.with_name(f"{case.name}_seg.nii.gz"), 4 * scans.lesion(number))
    return root


@pytest.fixture(scope="module")
def normals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("normals")
    for number in range(7):
        scans.nifti(root / f"person {number}/anat.nii.gz", scans.body(100 + number))
    return root


def imported(challenge: Challenge, out: Path, request: Request, **more: Any) -> Imported:
    slug = next(iter(challenge.datasets))
    made = import_dataset(challenge, slug, SECRET, out, request, **more)
    verify(out / slug, made.manifest)
    assert manifest.read(out / slug / "manifest.json") == made.manifest
    return made


def mood(source: Path, **more: Any) -> Request:
    return Request("mood", source, How(GRID, "unit", "MR"), **more)


@pytest.fixture(scope="module")
def from_original(
    challenge: Challenge, original: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Imported, Path]:
    out = tmp_path_factory.mktemp("imported")
    return imported(challenge, out, mood(original)), out


def test_the_original_layout_keeps_its_parts_labels_masks_and_values(
    from_original: tuple[Imported, Path], original: Path
) -> None:
    made, out = from_original
    described = made.manifest
    assert [len(described.cases_of(part)) for part in ("training", "toy", "test")] == [3, 2, 4]
    assert (made.skipped, made.left, made.notes) == ([], [], [])
    sources = {one["case"]: one for one in json.loads((out / "brain/import.json").read_text())["scans"]}
    for case in described.cases:
        name = sources[case.id]["name"]
        stored = volume.read(out / "brain" / case.image.path).data
        given = volume.read(original / "brain" / name).data
        assert np.abs(stored - np.clip(given, 0, 1)).max() <= 0.5 / volume.LEVELS + 1e-6
        if case.mask:
            label = original / f"brain/{case.part}_label/pixel/{Path(name).name}"
            assert np.array_equal(volume.read(out / "brain" / case.mask.path).data, volume.read(label).data)
            assert case.label == int(volume.read(label).data.any())
            assert (case.parameters.get("voxels", 0) > 0) == bool(case.label)
    assert [case.name for case in described.cases_of("toy")] == ["toy_0.nii.gz", "toy_1.nii.gz"]
    assert {case.kind for case in described.cases if case.label} == {"lesion"}
    for known in (case.properties for case in described.cases):
        assert known.keys() == {"modality", "slice_mm", "anatomy_ml", "noise"}
        assert (known["modality"], known["slice_mm"]) == ("MR", 5.0)
    assert len({(case.properties["anatomy_ml"], case.properties["noise"]) for case in described.cases}) == 9


def test_imported_files_tell_no_more_than_built_ones(from_original: tuple[Imported, Path]) -> None:
    made, out = from_original
    files = [out / "brain" / case.image.path for case in made.manifest.cases]
    assert len({gzip.decompress(path.read_bytes())[:352] for path in files}) == 1
    assert {path.stat().st_mtime for path in files} == {volume.WRITTEN_AT}
    for case in made.manifest.cases_of("test"):
        assert len(case.name) == len("0123456789abcdef0123.nii.gz")
    arranged = made.manifest.arrangements["pixel"]
    assert all(sorted(c for batch in one for c in batch) == sorted(arranged[0][0]) for one in arranged)
    assert not (out / "brain/.import").exists()
    assert not (out / "brain/problems.txt").exists()


def test_the_same_secret_deals_alike_and_another_one_otherwise(
    from_original: tuple[Imported, Path], challenge: Challenge, original: Path, tmp_path: Path
) -> None:
    made, _ = from_original
    assert imported(challenge, tmp_path / "same", mood(original)).manifest == made.manifest
    other = import_dataset(challenge, "brain", b"quite another secret", tmp_path / "other", mood(original))
    assert other.manifest.version != made.manifest.version
    names = {case.name for case in made.manifest.cases_of("test")}
    assert not names & {case.name for case in other.manifest.cases_of("test")}


def test_what_worker_processes_get_can_be_sent_to_them(challenge: Challenge, original: Path) -> None:
    """As `spawn` does it; starting real ones would take most of this file's time."""
    found = mood_layout(original, "brain").scans[0]
    assert pickle.loads(pickle.dumps(partial(prepare, how=MR))).keywords == {"how": MR}
    assert pickle.loads(pickle.dumps(found)) == found
    job = ImportJob(challenge, "brain", Seeds(SECRET), original, about=("one",))
    assert pickle.loads(pickle.dumps((job, make_as_is)))[0].version == job.version


def test_the_abdomen_may_be_called_colon_and_what_lacks_is_noted(
    demo: Challenge, original: Path, tmp_path: Path
) -> None:
    shutil.copytree(original / "brain/brain_train", tmp_path / "data/colon/colon_train")
    shutil.copytree(original / "brain/toy", tmp_path / "data/colon/toy")
    shutil.copytree(original / "brain/toy_label", tmp_path / "data/colon/toy_label")
    made = imported(challenge_of(demo, "abdom"), tmp_path / "out", mood(tmp_path / "data"))
    assert made.notes == [
        "abdom: 0 test cases, the challenge file says 4; `challenge add` will refuse a dataset without any"
    ]
    with pytest.raises(LayoutError, match="brain_train"):
        imported(challenge_of(demo), tmp_path / "none", mood(tmp_path))


def test_what_cannot_be_used_is_named_all_at_once_and_left_out_only_if_asked_to(
    challenge: Challenge, original: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data/brain"
    shutil.copytree(original / "brain", root)
    (root / "brain_train/00007.nii.gz").write_bytes(b"not a volume")
    shutil.copy(root / "brain_train/00000.nii.gz", root / "brain_train/00008.nii.gz")
    scans.nifti(root / "brain_train/00009.nii.gz", scans.body(9, (20, 22, 20)) / 700)
    scans.nifti(root / "toy/toy_8.nii.gz", scans.body(8) / 700)
    scans.nifti(root / "toy/toy_9.nii.gz", scans.body(9) / 700)
    scans.nifti(root / "toy_label/pixel/toy_9.nii.gz", 3 * scans.lesion(9))
    (root / "test_label/sample/test_7.nii.gz.txt").write_text("1\n")
    with pytest.raises(ImportFailed, match=r"(?s)6 cannot be used.*--go-on") as failed:
        imported(challenge, tmp_path / "out", mood(tmp_path / "data"))
    expected = {
        "brain_train/00007.nii.gz": "cannot be read as NIfTI",
        "brain_train/00008.nii.gz": "shows the same voxels as brain_train/00000.nii.gz",
        "brain_train/00009.nii.gz": "has shape (20, 22, 20)",
        "toy/toy_8.nii.gz": "has no usable label",
        "toy/toy_9.nii.gz": "is not binary: values from 0 to 3",
        "test_label/sample/test_7.nii.gz.txt": "a label without a scan",
    }
    for name, reason in expected.items():
        assert any(line.startswith(name) and reason in line for line in str(failed.value).splitlines())
    assert not (tmp_path / "out/brain/manifest.json").exists()
    made = imported(challenge, tmp_path / "out", mood(tmp_path / "data", go_on=True))
    assert {problem.name for problem in made.skipped} == set(expected)
    assert len(made.manifest.cases) == 9
    listed = (tmp_path / "out/brain/problems.txt").read_text().splitlines()
    assert len(listed) == len(json.loads((tmp_path / "out/brain/import.json").read_text())["skipped"]) == 6


def test_labels_and_masks_that_contradict_each_other_are_refused_and_a_global_anomaly_needs_no_mask(
    challenge: Challenge, original: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data/brain"
    shutil.copytree(original / "brain", root)
    (root / "test_label/sample/test_1.nii.gz.txt").write_text("0\n")
    (root / "test_label/sample/test_2.nii.gz.txt").write_text("1\n")
    with pytest.raises(ImportFailed, match=r"test/test_1.nii.gz: its label says normal, but its mask marks"):
        imported(challenge, tmp_path / "out", mood(tmp_path / "data"))
    (root / "test_label/sample/test_1.nii.gz.txt").write_text("1\n")
    made = imported(challenge, tmp_path / "out", mood(tmp_path / "data")).manifest
    only_sample = [case for case in made.cases_of("test") if case.tasks == ("sample",)]
    assert [(case.label, case.category, case.mask) for case in only_sample] == [(1, "global", None)]


def test_an_import_that_was_cut_short_reads_nothing_twice(
    challenge: Challenge, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = importing.make_as_is

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importing, "make_as_is", ended)
        with pytest.raises(KeyboardInterrupt):
            imported(challenge, tmp_path, mood(original))
    kept = {path: path.stat().st_ino for path in (tmp_path / "brain/.import").iterdir()}
    assert len([path for path in kept if path.suffix == ".json"]) == 9

    def seen(job: Any, case: Any) -> Any:
        assert {path: path.stat().st_ino for path in (tmp_path / "brain/.import").iterdir()} == kept
        return written(job, case)

    monkeypatch.setattr(importing, "make_as_is", seen)
    assert len(imported(challenge, tmp_path, mood(original)).manifest.cases) == 9


def test_lesions_with_masks_become_the_abnormal_cases_beside_normal_scans(
    challenge: Challenge, lesions: Path, normals: Path, tmp_path: Path
) -> None:
    request = Request("brats", lesions, MR, (normals,), kind="glioma")
    made = imported(challenge, tmp_path, request)
    described = made.manifest
    abnormal = [case for case in described.cases if case.label]
    assert [len(described.cases_of(part)) for part in ("training", "toy", "test")] == [3, 2, 4]
    assert {(case.kind, case.category) for case in abnormal} == {("glioma", "local")}
    assert len(abnormal) == 3
    assert len(made.left) == 1
    sources = {
        one["case"]: one["name"] for one in json.loads((tmp_path / "brain/import.json").read_text())["scans"]
    }
    for case in described.cases:
        assert ("_t2.nii.gz" in sources[case.id]) == bool(case.label)
        if case.label and case.mask:
            number = int(sources[case.id].split("Case_")[1][0])
            assert np.array_equal(volume.read(tmp_path / "brain" / case.mask.path).data, scans.lesion(number))
    assert len(set(sources.values())) == 9


def test_folders_as_in_the_stroke_challenges_are_paired_too(challenge: Challenge, tmp_path: Path) -> None:
    for number in range(2):
        one, other = tmp_path / f"old/{number}", tmp_path / f"new/sub-{number}/ses-1"
        scans.nifti(one / f"VSD.O.MR_T2.{number}/VSD.O.MR_T2.{number}.nii", scans.body(number))
        scans.nifti(one / f"VSD.O.OT.9{number}/VSD.O.OT.9{number}.nii", scans.lesion(number))
        scans.nifti(other / f"dwi/sub-{number}_dwi.nii.gz", scans.body(number))
        derived = tmp_path / f"new/derivatives/sub-{number}/ses-1"
        scans.nifti(derived / f"sub-{number}_msk.nii.gz", scans.lesion(number))
    for folder, words in (("old", ("", "")), ("new", ("dwi", "msk"))):
        found = importing._found(Request("isles", tmp_path / folder, MR, image=words[0], mask=words[1]), "x")
        assert found.problems == []
        assert len(found.scans) == 2
        for one in found.scans:
            assert one.mask is not None
            assert one.image.name.split("/")[0] in one.mask.name
    (tmp_path / "old/1/VSD.O.OT.91/VSD.O.OT.91.nii").unlink()
    (problem,) = importing._found(Request("isles", tmp_path / "old", MR), "x").problems
    assert "no mask" in problem.reason


def test_too_few_scans_are_refused_with_what_lacks(
    challenge: Challenge, lesions: Path, tmp_path: Path
) -> None:
    with pytest.raises(DealError, match=r"6 normal scans \(training 3, toy 1, test 2\), and 0 can be used"):
        imported(challenge, tmp_path, Request("brats", lesions, MR))


# Anomalies in imported normal scans


@pytest.fixture(scope="module")
def hospital(demo: Challenge) -> Challenge:
    analysis = {"size_series": {"radius": 4, "steps": 2}}
    anomalies = {"local": ["contrast-change", "poisson-patch"], "global": ["smooth-warp"]}
    return challenge_of(
        demo, population="imported", anomalies=anomalies, difficulties=("easy",), analysis=analysis,
        cases=COUNTS | {"test": {"sample": 4, "pixel": 2}},
    )  # fmt: skip


def test_normal_scans_get_anomalies_each_person_once(
    hospital: Challenge, normals: Path, tmp_path: Path
) -> None:
    with pytest.raises(DealError, match=r"10 normal scans \(training 3, toy 2, test 4, analysis 1\), and 7"):
        imported(hospital, tmp_path / "few", Request("normal", normals, MR))
    for number in range(7, 11):
        scans.nifti(tmp_path / f"more/{number}.nii", scans.body(100 + number))
    request = Request("normal", normals, MR, (tmp_path / "more",))
    made = imported(hospital, tmp_path / "out", request)
    described = made.manifest
    assert {case.kind for case in described.cases_of("test")} == {None, "contrast-change", "smooth-warp"}
    assert [case.label for case in described.analysis_sets()["size-series"]] == [0, 1]
    sources = json.loads((tmp_path / "out/brain/import.json").read_text())["scans"]
    shown = [one["name"] for one in sources]
    assert len(set(shown)) == len(shown) - 1 == 10  # the series shows one person twice
    assert len(made.left) == 1
    assert all(case.properties["modality"] == "MR" for case in described.cases)
    assert build(hospital, SECRET, tmp_path / "out") == {"brain": described}
    with pytest.raises(BuildError, match="dataset import … --dataset brain"):
        build(hospital, SECRET, tmp_path / "elsewhere")


def test_of_a_patient_with_several_series_one_must_be_named(tmp_path: Path) -> None:
    for patient in ("one", "two"):
        for described in ("soft tissue 1 mm", "bone 1 mm"):
            data = np.rint(scans.hounsfield(len(described), (9, 10, 9)))
            scans.dicom(tmp_path / patient / described[:4], data, patient, described)
    scans.dicom(
        tmp_path / "nobody", np.rint(scans.hounsfield(7, (9, 10, 9))), "", "soft", StudyInstanceUID=""
    )
    found = normal_layout(tmp_path)
    assert [scan.image.name for scan in found.scans] == ["nobody (soft)"]
    assert len(found.problems) == 2
    assert "'one' has 2 series ['bone 1 mm', 'soft tissue 1 mm']" in found.problems[0].reason
    chosen = normal_layout(tmp_path, "Soft")
    assert chosen.problems == []
    assert sorted(scan.image.name for scan in chosen.scans) == [
        "nobody (soft)", "one/soft (soft tissue 1 mm)", "two/soft (soft tissue 1 mm)",
    ]  # fmt: skip


def test_labels_of_tissues_are_not_asked_of_imported_scans(
    hospital: Challenge, challenge: Challenge, normals: Path, tmp_path: Path
) -> None:
    assert "poisson-patch" in SHIPPED.suiting("local", "imported")
    assert "infarct" not in SHIPPED.suiting("local", "imported")
    with pytest.raises(PlanError, match="'imported'"):
        imported(challenge, tmp_path, Request("normal", normals, MR))
    brain = hospital.datasets["brain"].model_copy(update={"anomalies": {"local": ["infarct"]}})
    with pytest.raises(PlanError, match="suits no imported"):
        imported(
            hospital.model_copy(update={"datasets": {"brain": brain}}),
            tmp_path,
            Request("normal", normals, MR),
        )


SUITING = [
    pytest.param(category, name, id=f"{category}-{name}")
    for category in ("local", "global")
    for name in SHIPPED.suiting(category, "imported")
]


@pytest.fixture(scope="module")
def strangers() -> tuple[Subject, Subject]:
    """Two people with noise in their scans and no labels."""
    made = []
    for seed in (0, 1):
        image = to_unit(scans.body(seed, (40, 44, 42)), "robust")
        inside = anatomy.foreground(image, False)
        made.append(Subject(image, inside, anatomy.noise(image, inside), False, grainy=True))
    return made[0], made[1]


@pytest.mark.parametrize(("category", "name"), SUITING)
def test_every_kind_that_suits_can_be_put_into_an_imported_scan(
    strangers: tuple[Subject, Subject], category: Any, name: str
) -> None:
    kind = SHIPPED.of(category)[name]
    insert = insert_local if category == "local" else alter_globally
    altered = insert(kind, np.random.default_rng(3), Scene(*strangers), "easy")
    assert np.isfinite(altered.image).all()
    assert (altered.mask is not None) == (category == "local")


# What is known of a scan without labels


def test_noise_is_estimated_and_a_body_is_told_from_air_and_table() -> None:
    image = to_unit(scans.body(5, (60, 64, 62), noise=20.0), "robust")
    gain = image.max() / scans.body(5, (60, 64, 62), noise=20.0).max()
    image[:, :3] = 0.5  # a table
    inside = anatomy.foreground(image, False)
    assert anatomy.noise(image, inside) == pytest.approx(20 * gain, rel=0.25)
    assert not inside[:, :3].any()
    assert inside[30, 32, 31]
    assert 0.12 < inside.mean() < 0.3


def test_a_stripped_scan_has_its_anatomy_to_the_voxel_with_what_it_encloses() -> None:
    image = scans.body(2, (40, 40, 40), noise=0)
    within = image > 0
    image[20, 20, 20] = 0
    image[0, 0, 0] = 5  # a speck
    assert np.array_equal(anatomy.foreground(image, True), within)


@pytest.mark.parametrize(
    ("data", "scale", "reason"),
    [
        (scans.body(0), "hounsfield", "are not Hounsfield units"),
        (scans.body(0) - 300, "robust", "negative, which no magnitude is"),
        (scans.body(0), "unit", "not 0 and 1"),
    ],
)
def test_grey_values_of_another_scale_are_refused(data: np.ndarray, scale: Any, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        to_unit(data.copy(), scale)


def test_hounsfield_units_become_grey_as_in_generated_abdomens_or_in_a_window() -> None:
    data = np.array([[[-1024, -200, 300, 1500]]], np.float32)
    assert to_unit(data.copy(), "hounsfield").ravel() == pytest.approx([0.032, 0.18, 0.82, 0.99])
    assert to_unit(data.copy(), "hounsfield", (-200, 300)).ravel() == pytest.approx([0, 0, 1, 1])
