from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import binary_closing, distance_transform_edt

from datasets.populations import brain, brain_details, brain_head
from datasets.populations.brain import LABELS
from datasets.populations.brain_atlas import atlas
from datasets.populations.subject import NOTHING_UNUSUAL, Subject

EXTENT = (179.2, 201.6, 179.2)


@cache
def usual(seed: int = 0, sides: int = 36) -> Subject:
    return person(seed, sides)


def person(
    seed: int = 0,
    sides: int = 36,
    condition: Mapping[str, float] = NOTHING_UNUSUAL,
    variant: str | None = None,
    slab: int = 32,
    threads: int = 1,
) -> Subject:
    spacing = (EXTENT[0] / sides, EXTENT[1] / sides, EXTENT[2] / sides)
    rng = np.random.default_rng(seed)
    return brain.draw(rng, (sides,) * 3, spacing, condition, variant, slab, threads)


@cache
def after_a_healthy_person(seed: int) -> float:
    rng = np.random.default_rng(seed)
    brain.draw(rng, (8,) * 3, (24.0,) * 3)
    return float(rng.random())


def mean(subject: Subject, tissue: str) -> float:
    return float(subject.image[subject.labels == LABELS[tissue]].mean())


@pytest.mark.parametrize(("slab", "threads"), [(1, 1), (7, 2), (64, 1)])
def test_neither_slabs_nor_threads_change_a_bit(slab: int, threads: int) -> None:
    expected, other = usual(), person(slab=slab, threads=threads)
    for one, two in (
        (expected.image, other.image),
        (expected.labels, other.labels),
        (expected.foreground, other.foreground),
    ):
        assert one.tobytes() == two.tobytes()


def test_grey_values_follow_the_weighting_and_the_anatomy_does_not() -> None:
    t1, t2 = usual(), person(variant="t2")
    assert mean(t1, "ventricles") < mean(t1, "grey") - 0.15 < mean(t1, "white") - 0.3
    assert mean(t2, "white") < mean(t2, "grey") - 0.05 < mean(t2, "ventricles") - 0.2
    assert np.array_equal(t1.labels, t2.labels)
    assert (t1.properties["modality"], t2.properties["modality"]) == ("t1", "t2")


@pytest.mark.parametrize("seed", range(3))
def test_labels_cover_the_foreground_and_volumes_are_those_of_people(seed: int) -> None:
    subject = usual(seed)
    assert np.array_equal(subject.labels > 0, subject.foreground)
    assert set(np.unique(subject.labels)) <= {0, *LABELS.values()}
    properties = subject.properties
    assert 1000 < float(properties["brain_ml"]) < 2200
    assert 4 < float(properties["ventricles_ml"]) < 80
    assert 0.05 < float(properties["csf_fraction"]) < 0.3
    assert 0.05 < float(properties["contrast"]) < 0.4


def test_a_person_is_the_same_at_another_resolution() -> None:
    fine, coarse = person(sides=72).image, usual().image
    reduced = fine.reshape(36, 2, 36, 2, 36, 2).mean(axis=(1, 3, 5))
    assert np.corrcoef(reduced.ravel(), coarse.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    "condition", [{"ventricles_mm": 5.0}, {"atrophy": 0.6}, {"microcephaly": 0.8}, {"asymmetry": 0.1}]
)
def test_what_is_drawn_does_not_depend_on_condition_or_variant(condition: dict[str, float]) -> None:
    ill = np.random.default_rng(1)
    brain.draw(ill, (8,) * 3, (24.0,) * 3, condition, "t2")
    assert ill.random() == after_a_healthy_person(1)


def test_enlarged_ventricles_leave_everything_far_from_them_as_it_was() -> None:
    before, after = usual(), person(condition={"ventricles_mm": 5.0})
    assert float(after.properties["ventricles_ml"]) > 1.7 * float(before.properties["ventricles_ml"])
    away = distance_transform_edt(after.labels != LABELS["ventricles"], before.spacing_mm) > 42
    away &= before.foreground
    assert away.sum() > 0.1 * before.foreground.sum()
    assert np.abs(before.image - after.image)[away].max() < before.noise / 20
    assert (before.image == after.image)[away].mean() > 0.9
    assert (np.abs(before.image - after.image)[before.foreground] > 0.05).mean() < 0.35


def test_enlarged_ventricles_hold_fluid_and_no_trace_of_where_their_walls_were() -> None:
    labels = person(4, sides=64, condition={"ventricles_mm": 7.0}, variant="t2").labels
    ventricles = labels == LABELS["ventricles"]
    closed = binary_closing(ventricles, iterations=2)
    assert (closed & ~ventricles).sum() < 0.03 * ventricles.sum()


def test_atrophy_turns_tissue_into_fluid_within_the_same_skull() -> None:
    before, after = usual(), person(condition={"atrophy": 0.6})
    assert float(after.properties["csf_fraction"]) > 1.15 * float(before.properties["csf_fraction"])
    assert float(after.properties["brain_ml"]) == pytest.approx(
        float(before.properties["brain_ml"]), rel=0.01
    )


def test_microcephaly_scales_the_whole_brain() -> None:
    before, after = usual(), person(condition={"microcephaly": 0.8})
    share = float(after.properties["brain_ml"]) / float(before.properties["brain_ml"])
    assert share == pytest.approx(0.8**3, rel=0.06)


@pytest.mark.parametrize(("share", "bigger"), [(0.15, slice(18, None)), (-0.15, slice(None, 18))])
def test_asymmetry_makes_one_half_bigger(share: float, bigger: slice) -> None:
    before, after = usual().foreground, person(condition={"asymmetry": share}).foreground
    assert after[bigger].sum() > 1.1 * before[bigger].sum()
    halves = (after[:18].sum() - before[:18].sum(), after[18:].sum() - before[18:].sum())
    assert min(map(abs, halves)) < 0.25 * max(map(abs, halves))


@pytest.mark.parametrize("request_", [{"condition": {"fever": 1.0}}, {"variant": "flair"}])
def test_an_unknown_condition_or_variant_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"there is no (condition|variant)"):
        brain.draw(np.random.default_rng(0), (8,) * 3, (24.0,) * 3, **request_)


def test_the_lateral_ventricles_of_the_template_are_two_alike_of_the_usual_size() -> None:
    maps = atlas().maps[..., brain.kernels.VENTRICLE] < brain.kernels.ZERO
    middle = round(atlas().voxels(np.zeros(3))[0])
    left, right = maps[:middle].sum() / 1000, maps[middle + 1 :].sum() / 1000
    assert 10 < left + right < 30
    assert left == pytest.approx(right, rel=0.05)


def test_harmless_findings_are_as_frequent_as_in_healthy_people() -> None:
    rng = np.random.default_rng(5)
    found = [brain_details.extras(rng, atlas(), age)[1] for age in np.linspace(20, 85, 18)]
    assert 0.02 < np.mean([counts["cysts"] > 0 for counts in found]) < 0.4
    assert 0.2 < np.mean([counts["calcifications"] > 0 for counts in found]) < 0.8
    spots = [counts["white_matter_spots"] for counts in found]
    assert np.mean(spots[:6]) < 1 < np.mean(spots[-6:])


def test_vessels_are_thin_and_run_outside_white_matter() -> None:
    maps, _ = brain_details.extras(np.random.default_rng(0), atlas(), 50.0)
    vessels = maps[..., brain.kernels.VESSEL] > 128
    assert 1 < vessels.sum() / 1000 < 20
    assert (atlas().maps[..., brain.kernels.WHITE][vessels] < 128).all()


@pytest.fixture
def no_head(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(brain_head, "FOLDERS", (tmp_path,))
    brain_head.head.cache_clear()
    yield tmp_path
    brain_head.head.cache_clear()


def test_a_whole_head_without_colin_says_what_to_install(no_head: Path) -> None:
    with pytest.raises(brain_head.NoHead, match="apt-get install mricron-data"):
        person(sides=8, variant="t1-head")


def test_a_whole_head_has_fluid_bone_and_scalp_around_the_same_brain(no_head: Path) -> None:
    _stand_in(no_head)
    stripped, t1, t2 = usual(), person(variant="t1-head"), person(variant="t2-head")
    assert not t1.stripped
    assert t1.properties["head"] == "whole"
    deep = stripped.labels == LABELS["white"]
    assert (t1.labels[deep] == LABELS["white"]).all()
    assert np.abs(t1.image - stripped.image)[deep].mean() < 0.02
    assert mean(t1, "skull") < 0.3 < 0.6 < mean(t1, "scalp")
    assert mean(t2, "skull") < 0.3 < mean(t2, "csf")
    heights = [np.argwhere(t1.labels == LABELS[name])[:, 2].mean() for name in ("grey", "skull", "scalp")]
    assert heights == sorted(heights)
    assert np.array_equal(t1.labels > 0, t1.foreground)


def _stand_in(folder: Path) -> None:
    """A crown of the head: brain, 3 mm of fluid, bone and scalp in flat layers, air above."""
    height = np.arange(46, 116)
    layers = np.select([height < 78, height < 81, height < 88, height < 96], [120, 20, 12, 200], 0)
    whole = np.zeros((90, 100, height.size), np.uint8)
    whole[8:-8, 8:-8] = layers
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-45, -65, height[0])
    only = np.where(np.arange(height.size) < 78 - height[0], whole, 0).astype(np.uint8)
    for name, data in (("ch2", whole), ("ch2bet", only)):
        nibabel.Nifti1Image(data, affine).to_filename(folder / f"{name}.nii.gz")
