import numpy as np
import pytest

from datasets.fields import gaussian_field


def test_a_field_has_the_asked_root_mean_square_and_mean_zero() -> None:
    field = gaussian_field(np.random.default_rng(0), (48, 48, 48), (1, 1, 1), [(2.0, 0.3), (1.0, 0.4)])
    assert field.std() == pytest.approx(0.5, rel=0.05)
    assert abs(field.mean()) < 0.03


def test_its_smoothness_is_in_millimetres_along_each_axis() -> None:
    field = gaussian_field(np.random.default_rng(1), (64, 64, 64), (1.0, 2.0, 4.0), [(4.0, 1.0)])
    slopes = [float(np.diff(field, axis=axis).std()) for axis in range(3)]
    assert slopes[0] < slopes[1] < slopes[2]
    assert slopes[0] == pytest.approx((2 - 2 * np.exp(-1 / (4 * 4.0**2))) ** 0.5, rel=0.1)


def test_an_odd_shape_works_and_the_generator_decides() -> None:
    first, second = (
        gaussian_field(np.random.default_rng(3), (7, 5, 9), (1, 1, 1), [(1, 1)]) for _ in range(2)
    )
    assert first.shape == (7, 5, 9)
    assert np.array_equal(first, second)
