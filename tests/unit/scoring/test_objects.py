"""Found, false and overlooked objects: worked out by hand, and against a slow oracle."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from numpy.typing import NDArray
from scipy import ndimage

from scoring.average_precision import UndefinedMetric
from scoring.objects import ObjectCounts, ObjectRule, count_objects, f1

Mask = NDArray[np.bool_]

SHAPE = (12, 12, 12)
ANY = ObjectRule(min_volume_mm3=0, spacing_mm=(1, 1, 1))


def box(*corners: tuple[tuple[int, int, int], tuple[int, int, int]], shape: tuple[int, ...] = SHAPE) -> Mask:
    """Boxes from their first corner up to, and without, their last."""
    mask = np.zeros(shape, dtype=np.bool_)
    for first, last in corners:
        mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return mask


def oracle(predicted: Mask, truth: Mask, rule: ObjectRule) -> ObjectCounts:
    """The rule read aloud, over lists of voxels and with another library's labels."""
    true_objects, objects = components(truth), components(predicted)
    volume = rule.spacing_mm[0] * rule.spacing_mm[1] * rule.spacing_mm[2]
    objects = [voxels for voxels in objects if len(voxels) * volume >= rule.min_volume_mm3]
    hit = set()
    for voxels in objects:
        centre = voxels.mean(axis=0)
        for number, true in enumerate(true_objects):
            ratio = max(len(voxels), len(true)) / min(len(voxels), len(true))
            if (abs(true - centre) <= 0.5 + 1e-9).all(axis=1).any() and ratio <= rule.factor:
                hit.add(number)
    return len(hit), len(objects) - len(hit), len(true_objects) - len(hit)


def components(mask: Mask) -> list[NDArray[np.intp]]:
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    return [np.argwhere(labels == number) for number in range(1, count + 1)]


TRUE = box(((2, 2, 2), (6, 6, 6)))  # 64 voxels


@pytest.mark.parametrize(
    ("predicted", "counts"),
    [
        pytest.param(TRUE, (1, 0, 0), id="the object itself"),
        pytest.param(box(), (0, 0, 1), id="nothing"),
        pytest.param(~box(), (0, 1, 1), id="everything"),
        pytest.param(box(((3, 2, 2), (7, 6, 6))), (1, 0, 0), id="shifted, its centre inside"),
        pytest.param(box(((7, 7, 7), (11, 11, 11))), (0, 1, 1), id="elsewhere"),
        pytest.param(box(((2, 2, 2), (6, 6, 4))), (1, 0, 0), id="exactly half"),
        pytest.param(box(((2, 2, 2), (6, 6, 10))), (1, 0, 0), id="exactly twice, its centre on the border"),
        pytest.param(box(((2, 2, 2), (5, 5, 5))), (0, 1, 1), id="less than half"),
        pytest.param(box(((2, 2, 2), (6, 6, 10)), ((2, 2, 1), (3, 3, 2))), (0, 1, 1), id="more than twice"),
        pytest.param(TRUE | box(((9, 9, 9), (10, 10, 10))), (1, 1, 0), id="the object and a speck"),
        pytest.param(box(((2, 2, 5), (6, 6, 9))), (0, 1, 1), id="overlapping, its centre outside"),
    ],
)
def test_one_true_object_meets(predicted: Mask, counts: ObjectCounts) -> None:
    assert count_objects(predicted, TRUE, ANY) == counts


def test_without_true_objects_all_predicted_ones_are_false() -> None:
    assert count_objects(TRUE | box(((8, 8, 8), (9, 9, 9))), box(), ANY) == (0, 2, 0)


def test_without_any_object_there_is_nothing_to_count() -> None:
    assert count_objects(box(), box(), ANY) == (0, 0, 0)


def test_of_two_objects_in_one_true_object_one_is_false() -> None:
    true = box(((2, 2, 2), (5, 5, 5)))  # 27 voxels in one piece
    halves = box(((2, 2, 2), (5, 5, 3)), ((2, 2, 4), (5, 5, 5)))  # 9 and 9, a gap between them
    generous = ObjectRule(min_volume_mm3=0, spacing_mm=(1, 1, 1), factor=3)
    assert count_objects(halves, true, generous) == (1, 1, 0)


def test_one_predicted_object_hits_one_true_object_at_most() -> None:
    pair = box(((2, 2, 2), (4, 4, 4)), ((5, 2, 2), (7, 4, 4)))  # 8 and 8, a gap of one voxel
    bridge = box(((2, 2, 2), (6, 4, 4)))  # 16 voxels, its centre on the border of the first
    assert count_objects(bridge, pair, ANY) == (1, 0, 1)


def test_a_centre_in_the_gap_between_two_objects_hits_neither() -> None:
    pair = box(((2, 2, 2), (4, 4, 4)), ((5, 2, 2), (7, 4, 4)))
    assert count_objects(box(((4, 2, 2), (5, 4, 4))), pair, ANY) == (0, 1, 2)


def test_voxels_that_touch_at_a_corner_are_one_object() -> None:
    diagonal = box(*(((i, i, i), (i + 1, i + 1, i + 1)) for i in range(2, 7)))
    assert count_objects(diagonal, diagonal, ANY) == (1, 0, 0)
    assert count_objects(diagonal, box(((4, 4, 4), (5, 5, 5))), ANY) == (0, 1, 1)  # 5 voxels against 1


def test_a_ring_does_not_hit_itself_for_its_centre_is_in_the_hole() -> None:
    ring = box(((2, 2, 2), (7, 7, 3))) & ~box(((4, 4, 2), (5, 5, 3)))
    assert count_objects(ring, ring, ANY) == (0, 1, 1)


def test_a_bow_hits_where_its_centre_lies() -> None:
    bow = box(((2, 2, 2), (3, 9, 3)), ((8, 2, 2), (9, 9, 3)), ((2, 2, 2), (9, 3, 3)))  # 19 voxels
    assert count_objects(bow, box(((3, 3, 2), (8, 7, 3))), ANY) == (1, 0, 0)  # 20, in the bow's mouth
    assert count_objects(bow, bow, ANY) == (0, 1, 1)


def test_a_centre_on_the_border_lies_inside_from_either_side() -> None:
    for shift in (2, 3):
        voxel = box(((shift, 2, 2), (shift + 1, 3, 3)))
        assert count_objects(box(((2, 2, 2), (4, 3, 3))), voxel, ANY) == (1, 0, 0)  # centre at 2.5


@pytest.mark.parametrize(("minimum", "counts"), [(6.0, (1, 1, 0)), (6.1, (1, 0, 0)), (48.1, (0, 0, 1))])
def test_the_minimum_volume_is_in_cubic_millimetres_and_for_predictions(
    minimum: float, counts: ObjectCounts
) -> None:
    rule = ObjectRule(min_volume_mm3=minimum, spacing_mm=(0.5, 1, 1.5))  # a voxel has 0.75 mm³
    predicted = TRUE | box(((8, 8, 8), (10, 10, 10)))  # 48 and 6 mm³
    assert count_objects(predicted, TRUE, rule) == counts


def test_a_true_object_below_the_minimum_is_overlooked_not_forgotten() -> None:
    rule = ObjectRule(min_volume_mm3=1000, spacing_mm=(1, 1, 1))
    assert count_objects(TRUE, TRUE, rule) == (0, 0, 1)


@pytest.mark.parametrize("spacing", [0.7, float(np.float32(0.7)), 0.1, 1 / 3])
def test_rounding_of_the_spacing_does_not_remove_an_object_of_exactly_the_minimum(spacing: float) -> None:
    rule = ObjectRule(min_volume_mm3=round(64 * spacing**3, 7), spacing_mm=(spacing, spacing, spacing))
    assert count_objects(TRUE, TRUE, rule) == (1, 0, 0)
    assert count_objects(TRUE & ~box(((2, 2, 2), (3, 3, 3))), TRUE, rule) == (0, 0, 1)


@pytest.mark.parametrize("shape", [(7, 7, 1), (1, 1, 9), (5, 1, 3), (7, 7, 7)])
def test_the_most_objects_that_fit_are_all_counted(shape: tuple[int, int, int]) -> None:
    # Thin arrays full of lone voxels make cc3d 4.1 expect fewer labels than there are.
    lone = np.zeros(shape, dtype=np.bool_)
    lone[::2, ::2, ::2] = True
    assert count_objects(lone, lone, ANY) == (lone.sum(), 0, 0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Mask, Mask, ObjectRule]:
    shape = draw(array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))
    order = draw(st.sampled_from("CF"))
    share = st.sampled_from([0.05, 0.2, 0.5, 0.9])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    predicted, truth = (np.asarray(rng.random(shape) < draw(share), order=order) for _ in range(2))
    if draw(st.booleans()):
        predicted = predicted ^ truth
    minimum = draw(st.sampled_from([0, 1.5, 6.0]))
    return predicted, truth, ObjectRule(minimum, (0.5, 1, 1.5), draw(st.sampled_from([1.0, 2.0, 3.0])))


@given(cases())
def test_it_equals_the_rule_read_aloud(case: tuple[Mask, Mask, ObjectRule]) -> None:
    predicted, truth, rule = case
    assert count_objects(predicted, truth, rule) == oracle(predicted, truth, rule)


def test_it_equals_the_rule_read_aloud_on_smooth_noise_too() -> None:
    rng = np.random.default_rng(4)
    smooth = [ndimage.gaussian_filter(rng.random((40, 40, 40)), 1.5) for _ in range(2)]
    truth, predicted = smooth[0] > 0.58, 0.7 * smooth[0] + 0.3 * smooth[1] > 0.56
    found, false, overlooked = count_objects(predicted, truth, ANY)
    assert (found, false, overlooked) == oracle(predicted, truth, ANY)
    assert min(found, false, overlooked) >= 5


@given(cases(), st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_turning_and_mirroring_a_case_changes_nothing(
    case: tuple[Mask, Mask, ObjectRule], axes: list[int], mirrored: set[int]
) -> None:
    predicted, truth, rule = case
    turned = [np.flip(mask.transpose(axes), sorted(mirrored)) for mask in (predicted, truth)]
    assert count_objects(turned[0], turned[1], rule) == count_objects(predicted, truth, rule)


@given(cases(), st.tuples(*[st.integers(0, 3)] * 6))
def test_background_around_a_case_changes_nothing(
    case: tuple[Mask, Mask, ObjectRule], margins: tuple[int, ...]
) -> None:
    predicted, truth, rule = case
    around = list(zip(margins[:3], margins[3:], strict=True))
    assert count_objects(np.pad(predicted, around), np.pad(truth, around), rule) == count_objects(
        predicted, truth, rule
    )


def test_two_cases_side_by_side_add_up() -> None:
    rng = np.random.default_rng(5)
    masks = [rng.random(SHAPE) < share for share in (0.05, 0.08, 0.02, 0.04)]
    gap = np.zeros((1, 12, 12), dtype=np.bool_)
    together = count_objects(
        np.concatenate([masks[0], gap, masks[2]]), np.concatenate([masks[1], gap, masks[3]]), ANY
    )
    apart = [count_objects(masks[0], masks[1], ANY), count_objects(masks[2], masks[3], ANY)]
    assert together == tuple(np.sum(apart, axis=0))


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2), dtype=np.bool_), "boolean"),
        (np.zeros((2, 2), dtype=np.bool_), np.zeros((2, 2), dtype=np.bool_), "3 axes"),
        (np.zeros((2, 2, 2), dtype=np.bool_), np.zeros((2, 2, 3), dtype=np.bool_), "do not match"),
    ],
)
def test_arrays_that_are_no_pair_of_masks_are_refused(predicted: Mask, truth: Mask, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_objects(predicted, truth, ANY)


@pytest.mark.parametrize(
    ("minimum", "spacing", "factor"),
    [
        *product([-1.0, np.nan, np.inf], [(1.0, 1.0, 1.0)], [2.0]),
        *product([0.0], [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, -1.0, 1.0), (1.0, np.nan, 1.0)], [2.0]),
        *product([0.0], [(1.0, 1.0, 1.0)], [0.5, np.nan, np.inf]),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    minimum: float, spacing: tuple[float, float, float], factor: float
) -> None:
    with pytest.raises(ValueError, match=r"volume|voxel"):
        ObjectRule(minimum, spacing, factor)


@pytest.mark.parametrize(
    ("counts", "value"), [((3, 1, 2), 2 / 3), ((1, 0, 0), 1.0), ((0, 4, 0), 0.0), ((0, 0, 1), 0.0)]
)
def test_f1_is_twice_the_found_over_all_objects_of_both_sides(counts: ObjectCounts, value: float) -> None:
    assert f1(*counts) == pytest.approx(value, abs=1e-15)


def test_f1_without_any_object_is_undefined() -> None:
    with pytest.raises(UndefinedMetric, match="object"):
        f1(0, 0, 0)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="counted"):
        f1(1, -1, 0)
