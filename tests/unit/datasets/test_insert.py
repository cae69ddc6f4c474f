"""What becomes of crumbs, of masks that are too thin, and of noise that was in the scan already."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.grain import remake_noise
from datasets.anomalies.insert import (
    NotVisibleError,
    alter_globally,
    drop_crumbs,
    insert_local,
    visible_change,
)
from datasets.anomalies.scene import Scene
from datasets.finalise import finalise
from datasets.plan import POPULATIONS
from datasets.populations.subject import Subject

NOISE = 0.02
SIDES = 32
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Pieces:
    """Boxes, each a corner and sides, that are brighter by 0.3."""

    name: ClassVar[str] = "pieces"
    group: ClassVar[str] = "corruptions"
    boxes: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...] = ()

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: str) -> "Pieces":
        return cls()

    def apply(self, scene: Scene) -> Image:
        image = scene.subject.image.copy()
        for corner, sides in self.boxes:
            image[tuple(slice(c, c + n) for c, n in zip(corner, sides, strict=True))] += np.float32(0.3)
        return image


def _with(*boxes: tuple[tuple[int, int, int], tuple[int, int, int]]) -> type[Pieces]:
    class Chosen(Pieces):
        @classmethod
        def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: str) -> Pieces:
            return Pieces(boxes)

    return Chosen


def _scan(grainy: bool = False, seed: int = 0) -> Subject:
    image = np.full((SIDES,) * 3, 0.5, np.float32)
    if grainy:
        image += np.random.default_rng(seed).normal(0, NOISE, image.shape).astype(np.float32)
    return Subject(image, np.ones(image.shape, bool), NOISE, stripped=False, grainy=grainy)


def test_crumbs_beside_an_anomaly_are_restored_and_larger_pieces_stay() -> None:
    large, second, crumb = ((4, 4, 4), (14, 14, 14)), ((24, 24, 24), (4, 4, 4)), ((4, 4, 26), (3, 3, 2))
    where = Scene(_scan())
    altered = insert_local(_with(large, second, crumb), np.random.default_rng(0), where, "easy")
    assert altered.mask is not None
    assert altered.parameters["voxels"] == altered.mask.sum() == 14**3 + 4**3
    assert altered.image[5, 5, 5] == altered.image[25, 25, 25] == np.float32(0.8)
    assert np.array_equal(altered.image[4:7, 4:7, 26:28], where.subject.image[4:7, 4:7, 26:28])


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros((20, 20, 20), bool)
    mask[2:12, 2:12, 2:12] = True
    mask[12:14, 12:14, 12:14] = True
    whole = mask.copy()
    drop_crumbs(mask)
    assert np.array_equal(mask, whole)


def test_nothing_is_dropped_from_an_empty_mask() -> None:
    mask = np.zeros((5, 5, 5), bool)
    drop_crumbs(mask)
    assert not mask.any()


@pytest.mark.parametrize("sides", [(2, 3, 3), (1, 1, 30), (1, 1, 19)])
def test_an_anomaly_that_the_finaliser_could_take_away_is_drawn_again(sides: tuple[int, int, int]) -> None:
    with pytest.raises(NotVisibleError):
        insert_local(_with(((1, 1, 1), sides)), np.random.default_rng(0), Scene(_scan()), "easy")


def test_what_is_inserted_is_left_by_the_finaliser_whatever_its_shift() -> None:
    subject = _scan()
    altered = insert_local(_with(((9, 9, 9), (1, 5, 6))), np.random.default_rng(0), Scene(subject), "easy")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        finished = finalise(POPULATIONS["abdomen"], subject, altered.image, altered.mask, rng)
        assert finished.mask is not None
        assert finished.mask.sum() >= 8


def test_noise_that_was_only_carried_elsewhere_is_no_visible_change() -> None:
    subject = _scan(grainy=True)
    other = np.roll(subject.image, 3, axis=0)
    assert visible_change(subject.image, other, NOISE).mean() > 0.3
    assert visible_change(subject.image, other, NOISE, grain=NOISE).mean() < 1e-3


def test_noise_that_was_added_is_a_visible_change() -> None:
    subject = _scan(grainy=True)
    louder = subject.image.copy()
    louder[8:24, 8:24, 8:24] += np.random.default_rng(5).normal(0, 4 * NOISE, (16, 16, 16)).astype(np.float32)
    mask = visible_change(subject.image, louder, NOISE, grain=NOISE)
    assert mask[10:22, 10:22, 10:22].mean() > 0.98
    assert not mask[:4].any()


def test_the_mask_of_a_change_in_a_noisy_scan_is_where_it_is() -> None:
    where = Scene(_scan(grainy=True))
    altered = insert_local(_with(((8, 8, 8), (10, 10, 10))), np.random.default_rng(0), where, "easy")
    assert altered.mask is not None
    assert altered.mask[9:17, 9:17, 9:17].all()
    assert altered.mask.sum() < 14**3
    assert np.array_equal(altered.image[~altered.mask], where.subject.image[~altered.mask])


def test_smoothed_noise_is_made_anew_and_other_noise_is_left_alone() -> None:
    before = _scan(grainy=True).image
    after = ndimage.gaussian_filter(before, 1.0).astype(np.float32)
    after[:16] = before[:16]
    remake_noise(before, after, np.ones(after.shape, bool), NOISE, np.random.default_rng(1))
    assert _fine(after[18:]) == pytest.approx(_fine(before[18:]), rel=0.1)
    assert np.abs(after[:10] - before[:10]).max() < 0.5 * NOISE
    assert np.abs(after[:10] - before[:10]).mean() < 0.1 * NOISE


def test_voxels_that_had_no_noise_get_none() -> None:
    before = np.zeros((20, 20, 20), np.float32)
    after = before.copy()
    remake_noise(before, after, np.ones(after.shape, bool), NOISE, np.random.default_rng(1))
    assert not after.any()


def test_a_warped_noisy_scan_keeps_its_noise_and_a_blurred_one_does_not() -> None:
    where = Scene(_scan(grainy=True))

    class Smooth(Pieces):
        def apply(self, scene: Scene) -> Image:
            return ndimage.gaussian_filter(scene.subject.image, 1.0) + np.float32(0.1)

        @classmethod
        def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: str) -> Pieces:
            return cls()

    class Alteration(Smooth):
        group: ClassVar[str] = "alterations"

    warped, blurred = (alter_globally(kind, np.random.default_rng(0), where, "easy").image
                       for kind in (Smooth, Alteration))  # fmt: skip
    assert _fine(warped) == pytest.approx(_fine(where.subject.image), rel=0.1)
    assert _fine(blurred) < 0.5 * _fine(where.subject.image)


def test_a_finished_scan_that_came_with_noise_has_as_much_as_before() -> None:
    subject, population = _scan(grainy=True), POPULATIONS["brain"]
    for seed in range(3):
        image = finalise(population, subject, subject.image, None, np.random.default_rng(seed)).image
        gain = image.mean() / subject.image.mean()
        assert image.std() / gain == pytest.approx(NOISE, rel=0.1)


def _fine(image: Image) -> float:
    return float((image - ndimage.gaussian_filter(image, 1.0)).std())
