"""Masks as runs: the same voxels again, in file order, and safe to store."""

from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from scoring.masks import DamagedMask, Mask, _digest

MAGIC = b"MAMK\x01"
volumes = array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(lambda shape: arrays(np.bool_, shape))


def sphere() -> NDArray[np.bool_]:
    x, y, z = np.ogrid[:40, :50, :60]
    inside: NDArray[np.bool_] = (x - 20) ** 2 + (y - 25) ** 2 + (z - 30) ** 2 < 225
    return inside


@given(volumes)
def test_the_array_comes_back(array: NDArray[np.bool_]) -> None:
    mask = Mask.of(array)
    assert np.array_equal(mask.array(), array)
    assert mask.array().flags.f_contiguous
    assert mask.positive_voxels == array.sum()
    assert mask.negative_voxels == array.size - array.sum()
    assert mask.voxels == array.size


@given(volumes)
def test_the_layout_in_memory_does_not_matter(array: NDArray[np.bool_]) -> None:
    assert Mask.of(np.asfortranarray(array)) == Mask.of(array) == Mask.of(array[::-1].copy()[::-1])


def test_runs_alternate_in_file_order_from_a_normal_one() -> None:
    array = np.zeros((2, 2, 2), dtype=bool)
    array[0, 0, 0] = array[1, 0, 0] = array[1, 1, 1] = True
    mask = Mask.of(array)
    assert mask.runs.tolist() == [0, 2, 5, 1]
    assert mask.edges.tolist() == [0, 0, 2, 7, 8]


@pytest.mark.parametrize(("value", "runs"), [(False, [24]), (True, [0, 24])])
def test_a_mask_of_one_kind_has_one_run_of_it(value: bool, runs: list[int]) -> None:
    assert Mask.of(np.full((2, 3, 4), value)).runs.tolist() == runs


@given(volumes)
def test_stored_bytes_bring_back_the_same_mask(array: NDArray[np.bool_]) -> None:
    mask = Mask.of(array)
    assert Mask.from_bytes(mask.to_bytes()) == mask


def test_stored_bytes_are_small() -> None:
    mask = Mask.of(sphere())
    assert len(mask.to_bytes()) < sphere().size / 50


def test_masks_differ_by_shape_and_voxels() -> None:
    mask = Mask.of(np.zeros((2, 3, 4), dtype=bool))
    assert mask != Mask.of(np.zeros((4, 3, 2), dtype=bool))
    assert mask != Mask.of(np.ones((2, 3, 4), dtype=bool))
    assert mask != "mask"


@pytest.mark.parametrize("bit", [0, 7])
def test_damage_anywhere_is_noticed(bit: int) -> None:
    stored = Mask.of(sphere()[:, :, 20:24].copy()).to_bytes()
    for position in range(len(stored)):
        damaged = bytearray(stored)
        damaged[position] ^= 1 << bit
        with pytest.raises(DamagedMask):
            Mask.from_bytes(bytes(damaged))


def test_a_cut_or_a_longer_form_is_noticed() -> None:
    stored = Mask.of(sphere()).to_bytes()
    for change in [*(stored[:size] for size in range(0, len(stored), 7)), stored[:-1], stored + b"\0"]:
        with pytest.raises(DamagedMask):
            Mask.from_bytes(change)


@pytest.mark.parametrize(
    ("shape", "count", "body"),
    [
        ((2, 2, 2), 1, bytes(8 << 20)),
        ((2, 2, 2), 1 << 60, bytes(8)),
        ((2, 2, 2), 1, (9).to_bytes(8, "little")),
        ((2, 2, 2), 2, (8).to_bytes(8, "little") + bytes(8)),
        ((2, 2, 2), 2, (9).to_bytes(8, "little") + b"\xff" * 8),
        ((0, 2, 2), 1, bytes(8)),
        ((2, 2, 2), 0, b""),
    ],
)
def test_runs_that_make_no_mask_are_refused_even_with_a_sound_digest(
    shape: tuple[int, ...], count: int, body: bytes
) -> None:
    head = b"".join(size.to_bytes(4, "little") for size in shape) + count.to_bytes(8, "little")
    for packed in (zstandard.compress(body), body):
        with pytest.raises(DamagedMask):
            Mask.from_bytes(MAGIC + _digest(head + packed) + head + packed)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.zeros((2, 2), dtype=bool)])
def test_other_arrays_are_no_masks(array: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="a mask"):
        Mask.of(array)


@pytest.mark.parametrize("runs", [[7], [9], [9, -1], [3, 0, 5], [-1, 9], [], [[8]]])
def test_runs_that_do_not_cover_the_volume_are_refused(runs: list[int]) -> None:
    with pytest.raises(ValueError, match="runs of a mask"):
        Mask((2, 2, 2), np.array(runs, dtype=np.int64))
