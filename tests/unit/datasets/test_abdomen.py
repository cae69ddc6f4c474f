from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.populations import abdomen, abdomen_tissues
from datasets.populations.subject import Subject
from tests.unit.datasets.conftest import EXTENT_MM

LABELS = abdomen.LABELS
SIDES = 48


@cache
def person(
    seed: int = 0,
    sides: int = SIDES,
    condition: tuple[tuple[str, float], ...] = (),
    variant: str | None = None,
    slab: int = 64,
) -> Subject:
    spacing = tuple(mm / sides for mm in EXTENT_MM["abdomen"])
    rng = np.random.default_rng(seed)
    return abdomen.draw(rng, (sides,) * 3, spacing, dict(condition), variant, slab=slab)


def volume_ml(subject: Subject, name: str) -> float:
    return float(np.sum(subject.labels == LABELS[name]) * np.prod(subject.spacing_mm) / 1000)


@pytest.mark.parametrize("slab", [1, 7, 16])
def test_the_size_of_the_slabs_changes_no_bit(slab: int) -> None:
    whole, sliced = person(slab=SIDES), person(slab=slab)
    assert np.array_equal(whole.image, sliced.image)
    assert np.array_equal(whole.labels, sliced.labels)
    assert np.array_equal(whole.foreground, sliced.foreground)


def test_each_slice_has_noise_of_its_own_that_other_slices_do_not_change() -> None:
    image = np.zeros((24, 20, 40), np.float32)
    full = abdomen.with_noise(np.random.default_rng(5), image.copy(), 0.02)
    part = abdomen.with_noise(np.random.default_rng(5), image[..., :19], 0.02)
    assert np.array_equal(full[..., :19], part)
    assert abs(np.corrcoef(full[..., 3].ravel(), full[..., 4].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("shape", [(64, 64), (63, 50), (50, 63)])
def test_the_noise_lacks_low_frequencies_and_has_the_asked_deviation(shape: tuple[int, int]) -> None:
    noise = abdomen.with_noise(np.random.default_rng(0), np.zeros((*shape, 60), np.float32), 0.02)
    assert noise.std() == pytest.approx(0.02, rel=0.02)
    power = (np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2).mean(axis=2)
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij"))
    low, middle, lower = (
        power[(radius > a) & (radius < b)].mean() for a, b in ((0.09, 0.11), (0.18, 0.22), (0.04, 0.06))
    )
    assert low / lower == pytest.approx(2 * np.exp(-2 * (0.1**2 - 0.05**2) / 0.38**2), rel=0.25)
    assert middle > low


def test_one_person_looks_the_same_in_coarse_and_fine_voxels() -> None:
    coarse, fine = person(3, 48), person(3, 96)
    densities = np.interp(fine.image, abdomen_tissues.GREY, abdomen_tissues.HOUNSFIELD)
    averaged = np.interp(
        densities.reshape(48, 2, 48, 2, 48, 2).mean(axis=(1, 3, 5)),
        abdomen_tissues.HOUNSFIELD,
        abdomen_tissues.GREY,
    )
    inside = coarse.foreground
    assert np.abs(coarse.image - averaged)[inside].mean() < 0.015
    assert np.corrcoef(coarse.image[inside], averaged[inside])[0, 1] > 0.985
    for name in ("liver", "kidneys", "colon-gas", "lung"):
        assert volume_ml(coarse, name) == pytest.approx(volume_ml(fine, name), rel=0.12)


# From textbooks of anatomy; wide enough for small and large people of both sexes.
RANGES = {
    "liver_ml": (800, 2400), "spleen_ml": (50, 400), "kidneys_ml": (150, 560), "pancreas_ml": (30, 190),
    "gallbladder_ml": (8, 100), "stomach_ml": (50, 700), "colon_gas_ml": (450, 2600), "lung_ml": (1000, 4200),
    "width_mm": (250, 385),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_organs_have_the_size_that_textbooks_give(seed: int) -> None:
    properties = person(seed).properties
    for name, (low, high) in RANGES.items():
        value = properties[name]
        assert isinstance(value, float)
        assert low < value < high, name


@pytest.mark.parametrize("seed", range(3))
def test_solid_organs_are_in_one_piece_and_inside_the_body(seed: int) -> None:
    subject = person(seed)
    for name in ("liver", "spleen", "bladder"):
        pieces, count = ndimage.label(subject.labels == LABELS[name])
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        assert sizes.max() > 0.97 * sizes.sum()
    organs = [LABELS[name] for name in ("liver", "spleen", "kidneys", "small-bowel", "colon-gas", "bone")]
    assert subject.foreground[np.isin(subject.labels, organs)].all()


@pytest.mark.parametrize(("variant", "upwards"), [("supine", 1), ("prone", -1)])
def test_gas_stands_over_fluid_and_the_body_lies_on_its_table(variant: str, upwards: int) -> None:
    subject = person(1, variant=variant)
    heights = upwards * np.arange(SIDES)
    gas, fluid, table, body = (
        float(np.mean(heights[np.nonzero(where)[1]]))
        for where in (
            *(subject.labels == LABELS[name] for name in ("colon-gas", "colon-fluid", "table")),
            subject.foreground,
        )
    )
    assert fluid < gas
    assert table < body
    assert subject.properties["position"] == variant


@pytest.mark.parametrize(
    ("key", "factor", "name", "low", "high"),
    [
        ("liver", 1.5, "liver", 1.2, 1.6),
        ("spleen", 2.0, "spleen", 1.4, 2.2),
        ("kidneys", 0.5, "kidneys", 0.35, 0.7),
        ("aorta", 2.2, "aorta", 1.2, 4.0),
        ("gas", 1.0, "colon-gas", 1.3, 4.0),
    ],
)
def test_a_condition_changes_what_it_names_and_leaves_the_person_the_same(
    key: str, factor: float, name: str, low: float, high: float
) -> None:
    plain, ill = person(2), person(2, condition=((key, factor),))
    assert low < volume_ml(ill, name) / volume_ml(plain, name) < high
    assert outside_of_change(plain, ill).mean() > (0.6 if key == "gas" else 0.85)
    assert ill.properties["age"] == plain.properties["age"]
    assert ill.noise == plain.noise


def outside_of_change(plain: Subject, ill: Subject) -> NDArray[np.bool_]:
    either = plain.foreground | ill.foreground
    same: NDArray[np.bool_] = (np.abs(plain.image - ill.image) < 0.02)[either]
    return same


def test_ascites_fills_the_flanks_with_fluid() -> None:
    assert volume_ml(person(2), "ascites") == 0
    assert volume_ml(person(2, condition=(("ascites", 1.0),)), "ascites") > 500


def test_a_neutral_condition_is_no_condition() -> None:
    neutral = person(2, condition=(("liver", 1.0), ("gas", 0.0)))
    assert np.array_equal(neutral.image, person(2).image)


@pytest.mark.parametrize("arguments", [{"condition": {"wings": 2.0}}, {"variant": "standing"}])
def test_an_unknown_condition_or_variant_is_named(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"wings|standing"):
        abdomen.draw(np.random.default_rng(0), (8, 8, 8), (40, 40, 50), **arguments)


def test_the_window_keeps_gas_lung_fat_organs_and_bone_apart() -> None:
    tissues = abdomen_tissues.Tissues(enhanced=0.0, steatosis=0.0, bone_density=1.0, tagging=400)
    values = [tissues.gas, tissues.lung, tissues.fat, tissues.fluid, tissues.muscle, tissues.marrow]
    greys = np.interp([*values, tissues.cortical], abdomen_tissues.HOUNSFIELD, abdomen_tissues.GREY)
    assert (np.diff(greys) > 0.03).all()
    assert greys[0] > 0.02


def test_every_label_is_known_and_harmless_findings_are_counted() -> None:
    subject = person(0)
    assert set(np.unique(subject.labels)) <= set(LABELS.values())
    assert LABELS["air"] == 0
    found = ("plaques", "renal_cysts", "liver_cysts", "gallstones", "diverticula", "phleboliths")
    some = [person(seed).properties for seed in range(6)]
    assert any(float(properties[name]) > 0 for properties in some for name in found)
