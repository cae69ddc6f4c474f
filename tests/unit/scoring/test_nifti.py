"""NIfTI from strangers: the raw voxels in order, or a sentence on what is wrong."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import nifti as module
from scoring.nifti import Unreadable, WrongShape, raw_chunks, read_layout
from tests.unit.scoring.volumes import Trickle, nifti

SHAPE = (5, 6, 7)
DATA = np.random.default_rng(1).random(SHAPE).astype("<f4")


def changed(place: int, value: Any, data: bytes | None = None) -> io.BytesIO:
    """A sound file with another value at this place."""
    block = bytearray(data or nifti(DATA))
    block[place : place + value.nbytes] = value.tobytes()
    return io.BytesIO(bytes(block))


def raw(stream: Any) -> Any:
    """All voxels of a stream."""
    layout = read_layout(stream, SHAPE)
    return np.concatenate([chunk.copy() for chunk in raw_chunks(stream, layout)]).reshape(SHAPE, order="F")


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">i2", "<u1", ">u8"])
@pytest.mark.parametrize("most", [1 << 30, 5])
def test_raw_voxels_come_in_file_order_and_native_bytes(
    kind: str, second: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    data = (DATA * 200).astype(kind)
    values = raw(Trickle(nifti(data, second=second), most))
    np.testing.assert_array_equal(values, data)
    assert values.dtype == data.dtype.newbyteorder("=")


def test_chunks_share_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    stream = io.BytesIO(nifti(DATA))
    chunks = list(raw_chunks(stream, read_layout(stream, SHAPE)))
    assert [chunk.size for chunk in chunks] == [64, 64, 64, 18]
    assert all(np.shares_memory(chunk, chunks[0]) for chunk in chunks)


@pytest.mark.parametrize(
    ("kind", "scaling", "dtype"),
    [
        ("<f4", None, np.float32),
        ("<f4", (1.0, 0.0), np.float32),
        ("<f4", (2.0, 0.0), np.float64),
        ("<i2", None, np.float32),
        ("<i2", (0.5, 1.0), np.float64),
        ("<i4", None, np.float64),
        (">f8", None, np.float64),
    ],
)
def test_scores_are_as_wide_as_they_have_to_be(kind: str, scaling: Any, dtype: Any) -> None:
    layout = read_layout(io.BytesIO(nifti(DATA.astype(kind), scaling=scaling)), SHAPE)
    scores = layout.scores(np.array([0, 3], layout.dtype))
    slope, inter = scaling or (1, 0)
    assert scores.dtype == dtype
    assert scores.tolist() == [inter, 3 * slope + inter]
    assert layout.is_plain_float is (kind[1] == "f" and (slope, inter) == (1, 0))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 6, 6), "6 slices written, 7 expected"),
        ((5, 4, 7), "4 voxels along axis 2 written, 6 expected"),
        ((7, 6, 5), "shape 7 × 6 × 5 written, 5 × 6 × 7 expected"),
        ((5, 6), "shape 5 × 6 written, 5 × 6 × 7 expected"),
        ((5, 6, 7, 2), "shape 5 × 6 × 7 × 2 written, 5 × 6 × 7 expected"),
    ],
)
def test_another_shape_is_said_in_numbers(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(WrongShape, match=f"^{words}$"):
        read_layout(io.BytesIO(nifti(np.zeros(shape, "<f4"))), SHAPE)


@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (5, 6, 7, 1, 1)])
def test_trailing_axes_of_one_are_dropped(shape: tuple[int, ...]) -> None:
    stream = io.BytesIO(nifti(DATA.reshape(shape)))
    np.testing.assert_array_equal(raw(stream), DATA)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, np.int32(0), "not a NIfTI file$"),
        (108, np.float32(np.nan), "start where they cannot"),
        (108, np.float32(100), "start where they cannot"),
        (108, np.float32(-352), "start where they cannot"),
        (108, np.float32(352.5), "start where they cannot"),
        (108, np.float32(1e30), "start where they cannot"),
        (70, np.int16(9999), "data type is unknown"),
        (70, np.int16(1536), "data type is unknown or no number|data type is float128"),
        (70, np.int16(32), "its data type is complex64, write float32"),
        (40, np.int16(0), "no possible number of axes"),
        (40, np.int16(99), "no possible number of axes"),
        (344, np.int32(0), "not a NIfTI file of one part"),
        (112, np.array([1, np.inf], "<f4"), "scl_slope and scl_inter"),
    ],
)
def test_an_impossible_header_is_unreadable(place: int, value: Any, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_layout(changed(place, value), SHAPE)


def test_an_offset_of_zero_means_right_behind_the_header() -> None:
    np.testing.assert_array_equal(raw(changed(108, np.float32(0))), DATA)


def test_what_lies_between_header_and_voxels_is_skipped() -> None:
    data = nifti(DATA)
    np.testing.assert_array_equal(
        raw(changed(108, np.float32(1000), data[:352] + b"x" * 648 + data[352:])), DATA
    )


@pytest.mark.parametrize(("size", "where"), [(100, "its header"), (350, "its header"), (353, "its voxels")])
def test_a_stream_that_ends_early_is_said_to(size: int, where: str) -> None:
    with pytest.raises(Unreadable, match=f"^cut short in {where}$"):
        raw(io.BytesIO(nifti(DATA)[:size]))


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 351), value=st.binary(min_size=1, max_size=8))
def test_any_header_is_read_or_refused(place: int, value: bytes) -> None:
    data = bytearray(nifti(DATA))
    data[place : place + len(value)] = value
    stream = io.BytesIO(bytes(data))
    try:
        layout = read_layout(stream, SHAPE)
        outcome: int | str = sum(layout.scores(chunk).size for chunk in raw_chunks(stream, layout))
    except (Unreadable, WrongShape) as error:
        outcome = str(error)
    assert outcome == DATA.size or (isinstance(outcome, str) and outcome.isprintable())
