"""What is special about each local corruption; what holds for all kinds is in test_kinds."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.anomalies.corruptions.contrast_change import ContrastChange, with_contrast
from datasets.anomalies.corruptions.copy_paste import CopyPaste, pasted
from datasets.anomalies.corruptions.kinds import KINDS
from datasets.anomalies.corruptions.local_blur import LocalBlur, noise_of, with_blur
from datasets.anomalies.corruptions.local_reflection import LocalReflection, feathered, mirrored
from datasets.anomalies.corruptions.local_shuffle import LocalShuffle
from datasets.anomalies.corruptions.local_twist import LocalTwist, twisted
from datasets.anomalies.corruptions.noise_burst import NoiseBurst, with_burst
from datasets.anomalies.corruptions.poisson_patch import (
    PoissonPatch,
    guidance_divergence,
    laplacian,
    smooth_size,
    solve,
)
from datasets.anomalies.corruptions.radial import Radial, pulled
from datasets.anomalies.corruptions.sink_deformation import SinkDeformation
from datasets.anomalies.corruptions.smooth_intensity import SmoothIntensity, with_change
from datasets.anomalies.corruptions.source_deformation import SourceDeformation
from datasets.anomalies.regions import depth_of, region_box, share_of
from datasets.anomalies.scene import Difficulty, Scene
from tests.unit.datasets.conftest import scene

CENTRE, SIDES = (15, 16, 17), 33
RADII = (9.0, 8.0, 10.0)
POWERS = st.floats(1.01, 5.0)
DEPTHS = np.linspace(0.001, 0.999, 200, dtype=np.float32)


@lru_cache
def _scene(population: str) -> Scene:
    return scene(population, 3, 40)


def _noise(seed: int = 0, sides: int = SIDES) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((sides,) * 3, dtype=np.float32)


def _grey(value: float = 0.5) -> NDArray[np.float32]:
    return np.full((SIDES,) * 3, value, np.float32)


def _ramp() -> NDArray[np.float32]:
    """Brightness is the first coordinate."""
    return np.broadcast_to(np.arange(SIDES, dtype=np.float32)[:, None, None], (SIDES,) * 3).copy()


def _depth(radii: tuple[float, float, float] = RADII) -> NDArray[np.float32]:
    return depth_of((slice(0, SIDES),) * 3, CENTRE, radii)


def sink(power: float) -> Radial:
    return SinkDeformation(CENTRE, RADII, power)


def source(power: float) -> Radial:
    return SourceDeformation(CENTRE, RADII, power)


def test_there_are_at_least_eight() -> None:
    assert len({kind.name for kind in KINDS}) >= 8


@given(POWERS)
def test_sink_and_source_take_values_from_inside_the_ellipsoid_and_keep_its_surface(
    power: float,
) -> None:
    for kind in (sink(power), source(power)):
        found = kind.come_from(DEPTHS)
        assert found.min() >= 0
        assert found.max() <= 1
        assert np.all(np.diff(found) >= -1e-6)
        assert kind.come_from(np.array([0, 1], np.float32)) == pytest.approx([0, 1])


@given(POWERS)
def test_a_sink_takes_from_farther_out_and_a_source_from_farther_in(power: float) -> None:
    assert np.all(sink(power).come_from(DEPTHS) >= DEPTHS - 1e-5)
    assert np.all(source(power).come_from(DEPTHS) <= DEPTHS + 1e-5)


def test_the_power_one_moves_nothing_and_both_agree_with_the_formula_on_a_ramp() -> None:
    still = pulled(_ramp(), CENTRE, RADII, sink(1.0).come_from)
    assert np.abs(still - _ramp()).max() < 1e-3
    swollen = pulled(_ramp(), CENTRE, (8.0, 8.0, 8.0), source(2.0).come_from)
    assert swollen[19, 16, 17] == pytest.approx(15 + 8 * 0.5**2, abs=0.02)
    drawn = pulled(_ramp(), CENTRE, (8.0, 8.0, 8.0), sink(2.0).come_from)
    assert drawn[19, 16, 17] == pytest.approx(15 + 8 * 0.75, abs=0.02)


@pytest.mark.parametrize("kind", [SinkDeformation, SourceDeformation])
def test_a_deformation_leaves_everything_outside_its_ellipsoid_alone(
    kind: type[SinkDeformation] | type[SourceDeformation],
) -> None:
    where = replace(_scene("abdomen"), subject=replace(_scene("abdomen").subject, image=_noise()))
    outside = _depth() >= 1
    altered = kind(CENTRE, RADII, 2.5).apply(where)
    assert np.array_equal(altered[outside], _noise()[outside])
    assert np.abs(altered - _noise())[~outside].mean() > 0.1


def test_a_twist_keeps_what_turning_about_its_axis_keeps_and_moves_the_rest() -> None:
    twist = LocalTwist(CENTRE, 9.0, 0, 1.0, 0.4)
    assert np.abs(twisted(_ramp(), twist) - _ramp()).max() < 0.02
    assert np.abs(twisted(_ramp().T.copy(), twist) - _ramp().T).max() > 2
    outside = _depth((9.0,) * 3) >= 1
    assert np.array_equal(twisted(_noise(), twist)[outside], _noise()[outside])


def test_the_core_of_a_twist_turns_by_its_angle() -> None:
    quarter = twisted(_ramp().transpose(1, 0, 2).copy(), LocalTwist(CENTRE, 10.0, 0, np.pi / 2, 0.5))
    assert quarter[15, 16, 20] == pytest.approx(16 - 3, abs=0.05)
    assert quarter[15, 20, 17] == pytest.approx(16, abs=0.05)


def test_mirroring_a_block_twice_gives_it_back_and_once_does_not() -> None:
    for axis in range(3):
        block = LocalReflection((4, 5, 6), (8, 7, 10), axis, 0.0, 1.0)
        once = mirrored(_noise(), block)
        assert np.array_equal(mirrored(once, block), _noise())
        assert np.array_equal(once[4:12, 5:12, 6:16], np.flip(_noise()[4:12, 5:12, 6:16], axis))


def test_a_feathered_block_is_mirrored_in_its_middle_and_hardly_at_its_faces() -> None:
    share = feathered((20, 20, 20), 4.0)
    assert share[10, 10, 10] == 1
    assert share[0].max() < 0.1
    block = LocalReflection((4, 4, 4), (20, 20, 20), 1, 4.0, 1.0)
    altered = mirrored(_noise(), block)
    assert np.array_equal(altered[8:20, 8:20, 8:20], _noise()[8:20, 8:20, 8:20][:, ::-1])


def test_a_smooth_change_has_its_amplitude_inside_and_falls_off_linearly() -> None:
    altered = with_change(_grey(), SmoothIntensity(CENTRE, (10.0,) * 3, (), 0.5, -0.2))
    depth, change = _depth((10.0,) * 3), altered - _grey()
    assert change[depth < 0.5] == pytest.approx(-0.2, abs=1e-6)
    ramp = (depth > 0.5) & (depth < 1)
    assert change[ramp] == pytest.approx(-0.2 * (1 - depth[ramp]) / 0.5, abs=1e-5)
    assert not change[depth >= 1].any()


def test_a_burst_has_the_deviation_that_it_states_and_no_mean() -> None:
    burst = NoiseBurst(CENTRE, (12.0,) * 3, (), 0.1, 0.08, 0.4, 7)
    change = (with_burst(_grey(), burst) - _grey())[_depth((12.0,) * 3) < 0.85]
    assert change.std() == pytest.approx(0.08, rel=0.05)
    assert abs(change.mean()) < 0.005
    other = with_burst(_grey(), replace(burst, pattern=8))
    assert not np.array_equal(other, with_burst(_grey(), burst))


def test_contrast_is_multiplied_and_the_regions_mean_stays() -> None:
    image = 0.5 + 0.1 * (_noise() - 0.5)
    for factor in (0.0, 0.5, 2.0):
        change = ContrastChange(CENTRE, RADII, (), 0.05, factor)
        altered, core = with_contrast(image, change), _depth() < 0.9
        assert altered[core].std() == pytest.approx(factor * image[core].std(), abs=2e-4)
        assert altered[core].mean() == pytest.approx(image[core].mean(), abs=1e-3)


def test_a_blur_takes_away_detail_and_keeps_the_mean_and_a_constant() -> None:
    blur = LocalBlur(CENTRE, RADII, (), 0.1, 1.5, 0.0, 0)
    core = _depth() < 0.85
    assert np.abs(with_blur(_grey(), blur) - 0.5).max() < 1e-6
    altered = with_blur(_noise(), blur)
    assert altered[core].std() < 0.15 * _noise()[core].std()
    assert altered[core].mean() == pytest.approx(_noise()[core].mean(), abs=0.01)


def test_a_scan_that_came_with_noise_keeps_as_much_of_it_where_it_is_blurred() -> None:
    rng = np.random.default_rng(0)
    image = _grey() + 0.05 * rng.standard_normal((SIDES,) * 3, dtype=np.float32)
    imported = replace(
        _scene("abdomen"),
        subject=replace(_scene("abdomen").subject, image=image, foreground=np.ones(image.shape, bool)),
        population="",
    )
    blur = LocalBlur.draw(rng, imported, "easy")
    assert blur.noise == pytest.approx(0.05, rel=0.1)
    placed = replace(blur, centre=CENTRE, radii=RADII, lumps=())
    core = _depth() < 0.7
    assert placed.apply(imported)[core].std() == pytest.approx(0.05, rel=0.1)
    assert LocalBlur.draw(rng, _scene("abdomen"), "easy").noise == 0


def test_noise_is_measured_beside_a_slope() -> None:
    rng = np.random.default_rng(1)
    slope = 0.02 * _ramp() + 0.03 * rng.standard_normal((SIDES,) * 3, dtype=np.float32)
    assert noise_of(slope) == pytest.approx(0.03, rel=0.05)


def test_a_paste_shows_the_source_in_its_middle_lifted_by_its_shift() -> None:
    piece = CopyPaste(CENTRE, (12, 14, 13), True, (6.0,) * 3, (), 0.2, 1.0, 0.1)
    altered = pasted(_grey(), 0.5 * _noise(), piece)
    assert altered[14:17, 15:18, 16:19] == pytest.approx(0.5 * _noise()[11:14, 13:16, 12:15] + 0.1)
    outside = _depth((6.0,) * 3) >= 1
    assert np.array_equal(altered[outside], _grey()[outside])


def test_a_piece_of_another_person_needs_one() -> None:
    piece = CopyPaste(CENTRE, CENTRE, True, RADII, (), 0.2, 1.0, 0.0)
    with pytest.raises(ValueError, match="needs a donor"):
        piece.apply(replace(_scene("abdomen"), donor=None))


def test_the_harder_a_shuffle_the_more_alike_are_the_blocks_that_change_places() -> None:
    def moved(difficulty: Difficulty) -> float:
        total = 0.0
        for seed in range(6):
            where = _scene("abdomen")
            shuffle = LocalShuffle.draw(np.random.default_rng(seed), where, difficulty)
            assert sorted(shuffle.order) == list(range(len(shuffle.order)))
            total += np.abs(shuffle.apply(where) - where.subject.image).sum() / len(shuffle.order)
        return total

    assert moved("hard") < moved("medium") < moved("easy")


@given(st.integers(4, 600))
def test_the_sides_of_a_patch_suit_the_sine_transform_and_are_hardly_shorter_than_wanted(wanted: int) -> None:
    side = smooth_size(wanted)
    rest = side - 1
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1
    assert 0.88 * wanted - 1 <= side <= wanted


def test_every_drawn_patch_has_such_sides() -> None:
    for seed in range(10):
        patch = PoissonPatch.draw(np.random.default_rng(seed), _scene("abdomen"), "medium")
        assert all(smooth_size(side) == side for side in patch.size)


def test_doubles_meet_the_equation_to_ten_digits_of_the_range_and_floats_follow_them_to_six() -> None:
    host, foreign = np.random.default_rng(0).random((2, 49, 41, 46))
    exact = solve(guidance_divergence(host, foreign, 0.7), host)
    span = float(np.ptp(exact))
    assert np.abs(laplacian(exact) - guidance_divergence(host, foreign, 0.7)).max() < 1e-10 * span
    short, other = host.astype(np.float32), foreign.astype(np.float32)
    found = solve(guidance_divergence(short, other, 0.7), short)
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() < 1e-6 * span
    assert solve(guidance_divergence(host, foreign, 0.7), host, np.float32).dtype == np.float32


def test_a_region_is_whole_inside_nothing_outside_and_lies_in_its_box() -> None:
    lumps = ((0.3, 0.1, 0.0, 0.5), (0.0, -0.2, 0.3, 1.0))
    box = region_box(CENTRE, RADII, (64, 64, 64))
    share = share_of(box, CENTRE, RADII, lumps, 0.3)
    assert share.max() == 1
    for axis in range(3):
        assert not share.take([0, -1], axis).any()
