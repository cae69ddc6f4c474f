"""Where a voxel comes to lie: in the same place in the body, whatever way round it was stored."""

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.importers.grid import Grid, canonical, check_same_place
from datasets.importers.raw import Raw, Unusable

SHAPE, SPACING = (30, 28, 32), (4.0, 5.0, 4.5)


def _turned(*degrees: float) -> NDArray[np.float64]:
    made = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        made = turn @ made
    return made


STORED = {
    "anisotropic": np.diag([3.0, 2.0, 6.0]),
    "flipped": np.diag([-3.0, -3.0, 4.0]),
    "negative determinant": np.diag([-3.0, 3.0, 4.0]),
    "permuted": np.array([[0, 0, 4.0], [3.0, 0, 0], [0, 3.0, 0]]),
    "permuted and flipped": np.array([[0, -3.0, 0], [0, 0, 4.0], [-3.0, 0, 0]]),
    "oblique": _turned(12, -20, 7) @ np.diag([3.0, 3.0, 4.0]),
    "oblique, permuted, negative": _turned(20, 5, -9) @ np.array([[0, 3.0, 0], [-3.0, 0, 0], [0, 0, 4.0]]),
    "sheared by a tilted gantry": np.array([[3.0, 0, 0], [0, 3.0, 1.2], [0, 0, 4.0]]),
}


def _scan(
    linear: NDArray[np.float64], sides: tuple[int, int, int] = (36, 34, 30)
) -> tuple[Raw, NDArray[np.float64]]:
    """A soft blob beside the middle, and where that is from the middle in millimetres."""
    sides = (36, 34, 30)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, (-50, 70, 20)
    middle = affine[:3, :3] @ ((np.array(sides) - 1) / 2) + affine[:3, 3]
    aside = np.array([14.0, -9.0, 11.0])
    places = np.einsum("ab,bxyz->axyz", affine[:3, :3], np.indices(sides)) + affine[:3, 3, None, None, None]
    distance = np.square(places - (middle + aside)[:, None, None, None]).sum(axis=0)
    return Raw(np.exp(-distance / (2 * 9.0**2)).astype(np.float32), affine), aside


def _centre(image: NDArray[np.floating], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Of mass, from the middle, in millimetres."""
    lie = np.indices(image.shape).reshape(3, -1)
    mean = (lie * image.ravel()).sum(axis=1) / image.sum()
    return (mean - (np.array(image.shape) - 1) / 2) * spacing


@pytest.mark.parametrize("stored", STORED)
def test_a_voxel_lands_where_it_lay_in_millimetres(stored: str) -> None:
    raw, aside = _scan(STORED[stored])
    made = Grid(SHAPE, SPACING, resample=True).fit(raw)
    assert made.shape == SHAPE
    assert _centre(np.where(made > 0.05, made, 0), SPACING) == pytest.approx(aside, abs=0.35)
    assert made.max() == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("stored", STORED)
def test_a_mask_lands_on_its_scan(stored: str) -> None:
    raw, aside = _scan(STORED[stored])
    grid = Grid(SHAPE, SPACING, resample=True)
    mask = grid.fit_mask(Raw((raw.data > 0.5).astype(np.float32), raw.affine))
    image = grid.fit(raw) > 0.5
    assert _centre(mask.astype(float), SPACING) == pytest.approx(aside, abs=1.2)
    assert 2 * (mask & image).sum() / (mask.sum() + image.sum()) > 0.85


@pytest.mark.parametrize("stored", ["flipped", "negative determinant", "permuted", "permuted and flipped"])
def test_without_interpolation_voxels_are_only_put_in_order(stored: str) -> None:
    raw, _ = _scan(STORED[stored])
    turned = canonical(raw)
    spacing = tuple(float(step) for step in np.diag(turned.affine)[:3])
    assert min(spacing) > 0
    made = Grid(turned.data.shape, spacing).fit(raw)
    expected = nibabel.as_closest_canonical(nibabel.Nifti1Image(raw.data, raw.affine))
    assert np.array_equal(made, np.asarray(expected.dataobj))
    resampled = Grid(turned.data.shape, spacing, resample=True).fit(raw)
    assert np.array_equal(made, resampled)


def test_another_shape_spacing_or_stacking_is_refused_unless_resampling_was_asked_for() -> None:
    raw, _ = _scan(np.diag([3.0, 3.0, 4.0]))
    with pytest.raises(Unusable, match=r"has shape \(36, 34, 30\).*--resample"):
        Grid((36, 34, 31), (3, 3, 4)).fit(raw)
    with pytest.raises(Unusable, match=r"spacing of 3 × 3 × 4 mm, the challenge 3 × 3 × 4.2 mm"):
        Grid((36, 34, 30), (3, 3, 4.2)).fit(raw)
    sheared, _ = _scan(STORED["sheared by a tilted gantry"])
    with pytest.raises(Unusable, match="not stacked straight"):
        Grid((36, 34, 30), (3, 3, 4.1761)).fit(sheared)


def test_beyond_its_border_a_scan_has_its_lowest_value_and_inside_nothing_is_lost() -> None:
    raw = Raw(np.full((10, 10, 10), 7, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    raw.data[5, 5, 5] = 3
    made = Grid((20, 10, 10), (2, 2, 2), resample=True).fit(raw)
    assert np.all(made[:5] == 3)
    assert np.all(made[15:] == 3)
    assert np.allclose(made[5:15], raw.data, atol=1e-2)


def test_what_was_stripped_stays_exactly_empty_after_interpolation() -> None:
    data = np.zeros((30, 30, 30), np.float32)
    data[8:22, 8:22, 8:22] = 100
    made = Grid((31, 29, 33), (1.9, 2.1, 1.8), resample=True).fit(Raw(data, np.diag([2.0, 2.0, 2.0, 1.0])))
    corners = made[:6, :6, :6]
    assert np.all(corners == 0)
    assert made[made > 0].min() > 20


def test_widening_voxels_averages_instead_of_picking() -> None:
    noise = np.random.default_rng(0).normal(10, 1, (48, 48, 48)).astype(np.float32)
    made = Grid((12, 12, 12), (4, 4, 4), resample=True).fit(Raw(noise, np.eye(4)))
    assert made.mean() == pytest.approx(10, abs=0.1)
    assert made.std() < 0.3


def test_a_mask_of_another_shape_or_place_is_told_from_one_stored_the_other_way_round() -> None:
    image = Raw(np.zeros((10, 12, 14), np.float32), np.diag([2.0, 2.0, 3.0, 1.0]))
    flipped = np.diag([-2.0, 2.0, 3.0, 1.0])
    flipped[0, 3] = 18.0
    check_same_place(Raw(image.data, flipped), image)
    with pytest.raises(Unusable, match=r"the mask has shape \(10, 12, 13\)"):
        check_same_place(Raw(image.data[..., :13], image.affine), image)
    moved = image.affine.copy()
    moved[2, 3] = 7.0
    with pytest.raises(Unusable, match=r"up to 7\.0 mm beside its scan"):
        check_same_place(Raw(image.data, moved), image)
