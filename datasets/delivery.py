"""How a case gets into a container: the file's content again, in a gzip stream of one size for all.

At rest a scan is compressed, so the size of its file tells how simple it is: an altered scan can be told by
`ls -l`. Containers get the same bytes in a gzip stream (RFC 1952) of *stored* blocks (RFC 1951, 3.2.4), whose
size follows from the number of voxels alone. It is no padding that a reader could stumble over or measure:
every reader of gzip reads it, faster than the original.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from datasets.volume import GZIP_MAGIC
from scoring.inflating import inflated

BLOCK = 65535
DELIVERED_AT = 0  # seconds since 1970
_HEADER = GZIP_MAGIC + b"\x08\x00" + b"\x00\x00\x00\x00" + b"\x00\xff"  # no name, no time, unknown system


def delivered_size(content: int) -> int:
    """Bytes of the stream that holds `content` bytes."""
    return len(_HEADER) + content + 5 * max(1, -(-content // BLOCK)) + 8


def deliver(source: Path, target: Path, scratch: Path) -> None:
    """Make `target`, read-only and of one time, from a NIfTI file, compressed or not.

    It is a new file, so neither inode nor link count nor time of last access tell about the source. `scratch`
    is a file on the same file system, outside the folder that the container will see: `target` is whole or
    absent.

    Raises:
        OSError, EOFError, isal.isal_zlib.IsalError: the source cannot be read to its end.
    """
    scratch.unlink(missing_ok=True)
    try:
        with source.open("rb") as stream, scratch.open("wb") as made:
            _store(_content(stream), made)
            made.flush()
            os.fsync(made.fileno())
        scratch.chmod(0o444)
        os.utime(scratch, (DELIVERED_AT, DELIVERED_AT))
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


def _content(stream: BinaryIO) -> Iterator[bytes]:
    """Whole blocks, the last one excepted."""
    compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    stream.seek(0)
    plain = BufferedReader(cast(RawIOBase, inflated(stream))) if compressed else stream
    while block := plain.read(BLOCK):
        yield block


def _store(blocks: Iterator[bytes], made: BinaryIO) -> None:
    made.write(_HEADER)
    checksum = size = 0
    block = next(blocks, b"")
    while True:
        following = next(blocks, b"")
        made.write(struct.pack("<BHH", not following, len(block), len(block) ^ 0xFFFF) + block)
        checksum, size = zlib.crc32(block, checksum), size + len(block)
        if not following:
            break
        block = following
    made.write(struct.pack("<II", checksum, size & 0xFFFFFFFF))
