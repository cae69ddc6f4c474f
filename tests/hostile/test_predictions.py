"""Output folders made to harm whoever reads them: every reading is an outcome, in bounded time and memory."""

import gzip
import os
import socket
import stat
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.histograms import voxel_histogram
from scoring.masks import Mask
from scoring.one_pass import VoxelCount
from submissions.contract import Outcome
from submissions.predictions import Reading, count_voxel_scores, read_case_score

SHAPE = (16, 16, 16)
TRUTH = np.random.default_rng(5).random(SHAPE) > 0.9
MASK = Mask.of(TRUTH)
VOXELS = "ab12.nii.gz"
READERS: list[Callable[[Path], Reading]] = [
    lambda folder: read_case_score(folder, "x"),
    lambda folder: count_voxel_scores(folder, "x", MASK),
]


def header(shape: tuple[int, ...] = SHAPE, code: int = 16, offset: float = 352) -> bytes:
    """A NIfTI-1 header and the four bytes behind it."""
    block = bytearray(nib.Nifti1Header().binaryblock) + bytearray(4)
    struct.pack_into("<8h", block, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<h", block, 70, code)
    struct.pack_into("<f", block, 108, offset)
    return bytes(block)


def link(target: Path) -> None:
    target.symlink_to("/etc/hostname")


def link_to_self(target: Path) -> None:
    target.symlink_to(target.name)


def link_in_the_folder(target: Path) -> None:
    (target.parent / "real").write_text("0.5")
    target.symlink_to("real")


def hard_link(target: Path) -> None:
    (target.parent / "real").write_text("0.5")
    os.link(target.parent / "real", target)


def unix_socket(target: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(target.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/{target.name}")
        os.close(here)


def device(target: Path) -> None:
    os.mknod(target, stat.S_IFCHR | 0o666, os.makedev(1, 5))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (link, "a symbolic link"),
        (link_to_self, "a symbolic link"),
        (link_in_the_folder, "a symbolic link"),
        (hard_link, "a hard link"),
        (os.mkfifo, "a named pipe"),
        (unix_socket, "a socket"),
        (Path.mkdir, "a folder"),
        (device, "a device"),
    ],
)
def test_what_is_no_file_of_its_own_is_never_opened(
    tmp_path: Path, read: Callable[[Path], Reading], make: Callable[[Path], None], words: str
) -> None:
    make(tmp_path / "x")
    reading = read(tmp_path)
    assert reading.outcome is Outcome.UNREADABLE
    assert reading.detail.startswith(words)


@pytest.mark.parametrize("name", ["x", "x.nii", "x.nii.gz"])
def test_a_sparse_file_of_ten_gigabytes_is_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(10 << 30)
    started = time.process_time()
    assert "10 GiB large" in read_case_score(tmp_path, name).detail
    assert "10 GiB large" in count_voxel_scores(tmp_path, name, MASK).detail
    assert time.process_time() - started < 1


def test_a_small_file_that_inflates_to_gigabytes_is_harmless(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(32 << 20))
    (tmp_path / VOXELS).write_bytes(gzip.compress(header()) + zeros * 60)
    reading, seconds, memory = measured(tmp_path)
    assert (reading.outcome, reading.detail) == (Outcome.UNREADABLE, "longer than its header says")
    assert seconds < 1
    assert memory < 8 << 20


def test_a_small_file_that_claims_gigabytes_is_rejected_by_its_header(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(32 << 20))
    (tmp_path / VOXELS).write_bytes(gzip.compress(header((1024, 1024, 1024))) + zeros * 60)
    reading, seconds, memory = measured(tmp_path)
    assert reading.outcome is Outcome.WRONG_SHAPE
    assert seconds < 1
    assert memory < 8 << 20


def test_an_offset_of_gigabytes_is_not_skipped_through(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(32 << 20))
    (tmp_path / VOXELS).write_bytes(gzip.compress(header(offset=float(1 << 31))) + zeros * 60)
    reading, seconds, _ = measured(tmp_path)
    assert reading.outcome is Outcome.UNREADABLE
    assert seconds < 1


def measured(folder: Path) -> tuple[Reading, float, int]:
    """CPU seconds and bytes of a reading in a process that has read before, as workers have."""
    count_voxel_scores(folder, VOXELS, MASK)
    tracemalloc.start()
    started = time.process_time()
    try:
        reading = count_voxel_scores(folder, VOXELS, MASK)
        return reading, time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_odd_names_beside_a_prediction_do_not_matter(tmp_path: Path) -> None:
    for name in (b"a\nb", b"\xff\xfe", b"-rf", b"x" * 255, b"$(reboot)", b" ", b"\x1b[2J"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"0.1")
    (tmp_path / "ab12.nii.gz.txt").write_text("0.5\n")
    assert read_case_score(tmp_path, "ab12.nii.gz.txt").value == 0.5


def test_a_name_in_other_letters_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "AB12.nii.gz.txt").write_text("0.5\n")
    assert read_case_score(tmp_path, "ab12.nii.gz.txt").outcome is Outcome.MISSING


def test_a_name_too_long_for_a_file_is_missing(tmp_path: Path) -> None:
    assert read_case_score(tmp_path, "x" * 300).outcome is Outcome.MISSING


@pytest.mark.parametrize("shape", [(-16, 16, 16), (16, 16, 0), (0, 0, 0), (32767,) * 7, (-1, 1, 1), ()])
def test_impossible_shapes_are_outcomes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / VOXELS).write_bytes(gzip.compress(header(shape) + bytes(16**3 * 4)))
    reading = count_voxel_scores(tmp_path, VOXELS, MASK)
    assert reading.outcome in (Outcome.WRONG_SHAPE, Outcome.UNREADABLE)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 351), value=st.binary(min_size=1, max_size=8))
def test_any_header_gives_an_outcome_and_never_an_exception(tmp_path: Path, place: int, value: bytes) -> None:
    data = bytearray(header() + bytes(16**3 * 4))
    data[place : place + len(value)] = value
    (tmp_path / "a.nii").write_bytes(data)
    reading = count_voxel_scores(tmp_path, "a.nii", MASK)
    assert (reading.value is not None) is (reading.outcome is Outcome.SCORED)
    assert isinstance(reading.value, VoxelCount | None)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 0.999), value=st.binary(min_size=1, max_size=8))
def test_damage_of_compressed_data_never_gives_half_a_volume(
    tmp_path: Path, place: float, value: bytes
) -> None:
    scores = np.random.default_rng(2).random(SHAPE).astype("<f4")
    data = bytearray(gzip.compress(header() + scores.tobytes(order="F"), mtime=0))
    start = int(len(data) * place)
    data[start : start + len(value)] = value
    (tmp_path / VOXELS).write_bytes(data)
    reading = count_voxel_scores(tmp_path, VOXELS, MASK)
    if reading.outcome is Outcome.SCORED:
        assert reading.voxels.histogram == voxel_histogram(scores, TRUTH)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=40))
def test_any_text_gives_an_outcome_and_never_an_exception(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(text)
    reading = read_case_score(tmp_path, "a.txt")
    assert (reading.value is not None) is (reading.outcome is Outcome.SCORED)
    assert reading.detail.isprintable()
