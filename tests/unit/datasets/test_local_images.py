"""What is special about each kind of image; what holds for all kinds is in test_kinds."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.anomalies.images.kinds import KINDS
from datasets.anomalies.images.lettering import Lettering
from datasets.anomalies.images.materials import MATERIALS, brightness_of
from datasets.anomalies.images.outlines import LETTERS, OUTLINES, outline_depth, writing_distance
from datasets.anomalies.images.picture import Picture
from datasets.anomalies.images.pictures import PICTURES, look
from datasets.anomalies.images.planes import stamped
from datasets.anomalies.images.silhouette import Silhouette, with_silhouette
from datasets.anomalies.images.textured_solid import TexturedSolid, with_solid
from datasets.anomalies.scene import Scene
from tests.unit.datasets.conftest import scene

SIDES, CENTRE = 41, (20, 19, 21)


@lru_cache
def _scene(population: str) -> Scene:
    return scene(population, 3, 40)


def _grey(value: float = 0.5) -> NDArray[np.float32]:
    return np.full((SIDES,) * 3, value, np.float32)


def _places(count: int = 101) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    line = np.linspace(-1.2, 1.2, count, dtype=np.float32)
    u, v = np.meshgrid(line, line, indexing="ij")
    return u, v


def _at(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_there_are_at_least_three() -> None:
    assert len({kind.name for kind in KINDS}) >= 3


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_has_detail_fits_its_frame_and_follows_from_its_pattern(name: str) -> None:
    u, v = _places()
    brightness, cover = look(name, 5, u, v)
    assert (brightness.dtype, cover.dtype) == (np.float32, np.float32)
    assert brightness[cover > 0.5].std() > 0.1
    assert 0 <= brightness.min() <= brightness.max() <= 1
    assert cover.max() == pytest.approx(1, abs=1e-3)
    assert not cover[np.hypot(u, v) > 1.42].any()
    assert np.array_equal(look(name, 5, u, v)[0], brightness)
    assert not np.array_equal(look(name, 6, u, v)[0], brightness)


@pytest.mark.parametrize("name", sorted(OUTLINES))
def test_an_outline_fills_its_field_and_its_depth_grows_by_one_a_step_at_most(name: str) -> None:
    assert np.abs(OUTLINES[name]).max() == pytest.approx(1.0, abs=0.05)
    u, v = _places()
    depth = outline_depth(name, u, v)
    assert 0.1 < (depth > 0).mean() < 0.5
    assert depth.max() > 0.1
    step = float(u[1, 0] - u[0, 0])
    assert np.abs(np.diff(depth, axis=0)).max() < 1.1 * step
    assert np.abs(outline_depth(name, *_at_corners(name))).max() < 0.03


def _at_corners(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    u, v = zip(*OUTLINES[name], strict=True)
    return _at(*u), _at(*v)


def test_what_is_inside_a_key_is_inside() -> None:
    depth = outline_depth("key", _at(-0.6, 0.2, 0.2, 0.9, 1.2), _at(0.0, 0.0, 0.5, -0.3, 0.0))
    assert list(depth > 0) == [True, True, False, True, False]
    assert depth[1] == pytest.approx(0.13, abs=0.02)


def test_letters_have_the_width_that_they_are_given() -> None:
    u, v = _places()
    for text in (*LETTERS, "HEM4"):
        line = writing_distance(text, u, v) < 0.03
        assert line.any()
        assert np.abs(u[line]).max() <= 1.03
        assert np.abs(v[line]).max() <= 1.03
    assert writing_distance("L", _at(-0.667), _at(0.3)) == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_something_flat_changes_only_as_many_slices_as_it_is_thick(axis: int) -> None:
    altered = stamped(_grey(), CENTRE, axis, 3.0, 8.0, 0.3, lambda u, v: (u * 0 + 0.9, (v * 0 + 1)))
    changed = np.flatnonzero((altered != 0.5).any(axis=tuple({0, 1, 2} - {axis})))
    assert list(changed) == [CENTRE[axis] - 1, CENTRE[axis], CENTRE[axis] + 1]
    assert altered[CENTRE] == pytest.approx(0.9)


def test_a_picture_shows_the_brightness_of_its_motif_around_its_intensity() -> None:
    picture = Picture(CENTRE, 2, 12.0, 3.0, 0.0, "bricks", 1, 0.5, 0.4, 1.0)
    u, v = _places(25)
    value, cover = picture.paint(u, v)
    assert value == pytest.approx(0.5 + 0.4 * (look("bricks", 1, u, v)[0] - 0.5))
    assert np.array_equal(cover, look("bricks", 1, u, v)[1])


def test_lettering_is_a_thin_line_of_one_grey_value() -> None:
    letters = Lettering(CENTRE, 2, 14.0, 1.0, 0.0, "H", 2.0, 0.8, 1.0)
    where = _grey(0.3)
    altered = stamped(where, CENTRE, 2, 1.0, 14.0, 0.0, letters.paint)
    changed = altered != where
    assert 0.02 < changed[:, :, CENTRE[2]].mean() < 0.25
    assert altered.max() == pytest.approx(0.8)


def test_a_silhouette_is_as_deep_as_stated_soft_and_textured_about_its_intensity() -> None:
    thing = Silhouette(CENTRE, "fish", 2, (0.0, 0.0, 0.0), 12.0, 5.0, 1.5, 0.7, 0.03, 3, 1.0)
    altered = with_silhouette(_grey(), thing)
    depth = np.flatnonzero((altered != 0.5).any(axis=(0, 1)))
    assert 10 <= depth.size <= 13
    inside = altered[12:24, 18:21, 19:24]
    assert inside.mean() == pytest.approx(0.7, abs=0.025)
    assert inside.std() == pytest.approx(0.03, abs=0.015)
    edge = np.abs(altered[:, :, CENTRE[2]] - 0.6) < 0.05
    assert edge.sum() > 10


def test_turning_a_silhouette_about_its_own_axis_keeps_its_volume_and_depth() -> None:
    volumes = []
    for angle in (0.0, 1.0):
        thing = Silhouette(CENTRE, "hand", 2, (0.0, 0.0, angle), 12.0, 5.0, 1.5, 0.9, 0.0, 3, 1.0)
        altered = with_silhouette(_grey(), thing)
        assert np.flatnonzero((altered != 0.5).any(axis=(0, 1))).size <= 13
        volumes.append(float((altered - 0.5).sum()))
    assert volumes[1] == pytest.approx(volumes[0], rel=0.03)


@pytest.mark.parametrize("material", MATERIALS)
def test_a_solid_has_the_volume_of_its_ellipsoid_and_is_not_of_one_grey(material: str) -> None:
    solid = TexturedSolid(CENTRE, (11.0, 9.0, 10.0), (0.4, 1.0, 2.0), 2.0, material, 2, 0.5, 0.8, 0.05, 1.0)
    altered = with_solid(_grey(0.0), solid)
    changed = altered > 0
    assert changed.sum() == pytest.approx(4 / 3 * np.pi * 11 * 9 * 10, rel=0.05)
    assert altered[changed].std() > 0.1
    places = np.argwhere(changed) - CENTRE
    assert np.linalg.norm(places, axis=1).max() <= 11.5


def test_a_material_goes_on_through_the_depth_of_a_solid() -> None:
    u, v = _places(31)
    for material in ("wood", "marble", "cells"):
        front, behind = (brightness_of(material, 4, u, v, np.full_like(u, w)) for w in (0.0, 0.02))
        other = brightness_of(material, 5, u, v, np.zeros_like(u))
        assert np.abs(front - behind).mean() < 0.1 < np.abs(front - other).mean()


def test_a_hard_picture_lets_its_host_through() -> None:
    where = _scene("abdomen")
    drawn = [Picture.draw(np.random.default_rng(seed), where, "hard") for seed in range(20)]
    assert {picture.axis for picture in drawn} == {0, 1, 2}
    assert len({picture.motif for picture in drawn}) > 2
    assert all(picture.opacity <= 0.6 and picture.contrast <= 0.45 for picture in drawn)
