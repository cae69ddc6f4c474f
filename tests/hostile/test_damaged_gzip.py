"""Damaged gzip: whatever the fast inflater makes of it, what counts is what the strict one says."""

import gzip
import io
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scoring.histograms import VoxelHistogram
from scoring.inflating import inflated
from scoring.masks import Mask
from scoring.nifti import Unreadable
from scoring.one_pass import count_voxels
from submissions.contract import Outcome
from submissions.gunzip import Gunzip, GzipError
from submissions.predictions import count_voxel_scores

SHAPE = (5, 4, 3)
SCORES = np.round(np.random.default_rng(1).random(SHAPE), 1).astype(np.float32)
MASK = Mask.of(SCORES > 0.8)
PLAIN = nib.Nifti1Image(SCORES, np.eye(4)).to_bytes()
BODY = 10  # bytes of a header without a name
EMPTY = gzip.compress(b"", mtime=0)

Result = tuple[Outcome, str, VoxelHistogram | None]


def strictly(data: bytes) -> Result:
    """What the plain path alone says of a file."""
    try:
        count = count_voxels(io.BufferedReader(Gunzip(io.BytesIO(data))), MASK)
    except (Unreadable, GzipError) as error:
        return Outcome.UNREADABLE, str(error), None
    return Outcome.SCORED, "", count.histogram


def read(folder: Path, data: bytes) -> Result:
    (folder / "a.nii.gz").write_bytes(data)
    reading = count_voxel_scores(folder, "a.nii.gz", MASK)
    found = reading.voxels.histogram if reading.outcome is Outcome.SCORED else None
    return reading.outcome, reading.detail, found


def packed(level: int = 6) -> bytes:
    return gzip.compress(PLAIN, level, mtime=0)


def flipped(data: bytes) -> Iterator[bytes]:
    """Every byte changed, by turns in one bit and in all."""
    for place, byte in enumerate(data[2:], start=2):
        bits = 1 << place % 8 if place % 3 else 0xFF
        yield data[:place] + bytes([byte ^ bits]) + data[place + 1 :]


def cut(data: bytes) -> Iterator[bytes]:
    """Every beginning that can be told from a file that is not compressed."""
    return (data[:length] for length in range(2, len(data)))


def followed(data: bytes) -> Iterator[bytes]:
    """Zeros, garbage, members and half members behind."""
    rests = (b"x", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08", data, data[:30], EMPTY, gzip.compress(bytes(4)))
    for zeros in (0, 1, 2, 3, 4, 5, 8, 700):
        yield data + bytes(zeros)
        yield from (data + bytes(zeros) + rest for rest in rests)


def in_parts(data: bytes) -> Iterator[bytes]:
    """Several members, empty ones among them, few and far too many."""
    halves = gzip.compress(PLAIN[:400]), gzip.compress(PLAIN[400:])
    yield b"".join(halves)
    yield (bytes(3)).join(halves)
    for count in (1, 2, 999, 1000, 1500):
        yield EMPTY * count + data
        yield data + EMPTY * count
        yield data + EMPTY * count + bytes(9)
        yield EMPTY * count + bytes(2) + data
        yield halves[0] + EMPTY * count + halves[1]


def with_headers(data: bytes) -> Iterator[bytes]:
    """Every combination of flags, with all the fields that they promise, and a right and a wrong checksum."""
    fields = {4: b"\x04\0abcd", 8: b"name\0", 16: b"remark\0"}
    for flags in range(256):
        head = b"\x1f\x8b\x08" + bytes([flags]) + data[4:BODY]
        head += b"".join(field for flag, field in fields.items() if flags & flag)
        checksum = (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
        yield head + data[BODY:]
        if flags & 2:
            yield head + checksum + data[BODY:]
            yield head + b"??" + data[BODY:]
    yield b"\x1f\x8b\x08\x08" + data[4:BODY] + b"x" * 100_000 + b"\0" + data[BODY:]


def with_trailers(data: bytes) -> Iterator[bytes]:
    """Wrong checksums and lengths."""
    right, size = zlib.crc32(PLAIN), len(PLAIN)
    for checksum, length in ((0, size), (right, 0), (right, size + 1), (right ^ 1, size)):
        yield data[:-8] + checksum.to_bytes(4, "little") + length.to_bytes(4, "little")


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("damage", [flipped, cut, followed, in_parts, with_headers, with_trailers])
def test_what_the_strict_inflater_says_of_a_damaged_file_is_what_counts(
    tmp_path: Path, damage: Callable[[bytes], Iterator[bytes]], level: int
) -> None:
    outcomes = set()
    for number, data in enumerate(damage(packed(level))):
        expected = strictly(data)
        assert read(tmp_path, data) == expected, (number, expected)
        outcomes.add(expected[0])
    assert Outcome.UNREADABLE in outcomes


def test_the_fast_inflater_lets_pass_what_the_strict_one_refuses() -> None:
    """Else the check of a file's ends would guard against nothing."""
    for lenient in (packed() + bytes(3) + EMPTY, EMPTY * 1500 + packed()):
        assert inflated(io.BytesIO(lenient)).readall() == PLAIN
        assert strictly(lenient)[0] is Outcome.UNREADABLE


@pytest.mark.parametrize(
    ("data", "again"), [(packed(), False), (packed() + bytes(512), True), (packed()[:-1], True)]
)
def test_only_what_is_odd_is_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes, again: bool
) -> None:
    caplog.set_level(logging.DEBUG, logger="submissions.predictions")
    read(tmp_path, data)
    assert ("is read again" in caplog.text) is again
