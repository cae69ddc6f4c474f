"""Gzip inflated fast, into memory that the reader brings along."""

from typing import BinaryIO, cast

from isal import isal_zlib

_INPUT_BYTES = 1 << 18


def inflated(file: BinaryIO) -> BinaryIO:
    """The content of a gzip file, as an unbuffered binary stream with `readinto`.

    Checksums and lengths are verified where members end, so a stream is sound only if it was read to its end.
    Raises while reading, on damage of any kind: `EOFError`, `OSError`, or `isal.isal_zlib.IsalError`.
    """
    # The reader behind isal.igzip.GzipFile, which itself has no `readinto` and would copy every byte.
    return cast(BinaryIO, isal_zlib._GzipReader(file, _INPUT_BYTES))
