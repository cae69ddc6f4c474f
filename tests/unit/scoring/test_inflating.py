"""The fast reader gives what gzip holds, and an error for whatever is damaged."""

import gzip
import io
from typing import Any

import numpy as np
import pytest
from isal.isal_zlib import IsalError

from scoring.inflating import inflated

CONTENT = np.random.default_rng(1).integers(0, 40, 700_000, np.uint8).tobytes()


def read(packed: bytes, size: int = 1 << 18) -> bytes:
    """All of it, by way of one buffer."""
    stream, buffer, parts = inflated(io.BytesIO(packed)), bytearray(size), []
    while count := stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("size", [1 << 20, 1 << 18, 4097])
def test_the_content_comes_back(level: int, size: int) -> None:
    assert read(gzip.compress(CONTENT, level), size) == CONTENT


def test_members_follow_each_other() -> None:
    packed = gzip.compress(CONTENT[:1000]) + gzip.compress(b"") + gzip.compress(CONTENT[1000:])
    assert read(packed) == CONTENT


def test_no_more_is_inflated_than_asked_for() -> None:
    packed = gzip.compress(bytes(64 << 20), 1)
    stream = inflated(io.BytesIO(packed))
    assert stream.read(1000) == bytes(1000)
    assert stream.tell() == 1000


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[:-8],
        lambda data: data[:5],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
        lambda data: data[:-4] + b"\0\0\0\0",
        lambda data: data[:300] + b"????????" + data[308:],
        lambda data: data + b"x",
        lambda data: b"hello" + data,
    ],
)
def test_every_damage_raises(change: Any) -> None:
    with pytest.raises((EOFError, OSError, IsalError)):
        read(change(gzip.compress(CONTENT)))
