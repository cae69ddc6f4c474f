"""Read what a stranger's container left in its output folder, after the container is dead.

Nothing in there is trusted: only regular files of the expected flat names are opened, sizes are bounded
before anything is read, and shapes are compared before anything is inflated. Whatever is wrong becomes an
`Outcome` with a sentence for the participant. Where tools differ in what they let pass, the rules are:

- The name decides, as in nibabel: `.nii.gz` is gzip, everything else is not.
- The stream ends where the header says. Anything behind it is an error, as are a wrong checksum and a
  gzip stream without its end; only zeros may follow the gzip stream.
- NaN and infinity are errors; numbers outside [0, 1] are not, the metric clips them.
- What is inside, `scoring.nifti` judges: header, shape, scaling.

Compressed volumes are inflated by a fast library first. Whatever it or the scorer complains of, and whatever
it may let pass that `Gunzip` refuses, is read again with `Gunzip`, which decides. One difference stays: of
codes that leave some bit patterns without a meaning, zlib refuses more. Data of such a file that have
passed checksum and length are as good as others.
"""

import errno
import io
import logging
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scoring.average_precision import NotFinite
from scoring.float32 import ExactCounter, collapse
from scoring.inflating import inflated
from scoring.masks import Mask
from scoring.nifti import Unreadable, WrongShape, raw_chunks, read_layout
from scoring.objects import ObjectRule
from scoring.one_pass import VoxelCount, count_voxels
from submissions.contract import Outcome, size_text
from submissions.gunzip import MAGIC, Gunzip, GzipError, is_one_member

_TEXT_BYTES = 1 << 20
_LINE_BYTES = 256
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")
_NOT_FINITE = re.compile(rb"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(rb"[+-]?\d+,\d+")
_OFFSET_BYTES = 1 << 20
_ITEM_BYTES = 8
_IRREGULAR = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)

log = logging.getLogger(__name__)
Opener = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Rounding:
    """What clipping and rounding to float16 do to a case: average precision after and before.

    `collapse` is what to tell the participant, None where the two are alike.
    """

    average_precision: float
    exact_average_precision: float
    collapse: str | None


@dataclass(frozen=True)
class Reading:
    """One prediction, read or not.

    Attributes:
        outcome: `scored` where `value` can be scored.
        value: a case's score, or the counts of its voxels.
        detail: for the participant, as in "127 slices written, 128 expected"; empty where scored.
        rounding: of voxel scores, where it was asked for and the case is abnormal.
    """

    outcome: Outcome
    value: float | VoxelCount | None = None
    detail: str = ""
    rounding: Rounding | None = None

    @property
    def number(self) -> float:
        """The score of a case that was scored; ValueError for anything else."""
        if not isinstance(self.value, float):
            raise ValueError(f"this prediction is {self.outcome} and holds no score of a case")
        return self.value

    @property
    def voxels(self) -> VoxelCount:
        """The counts of the voxels of a case that was scored; ValueError for anything else."""
        if not isinstance(self.value, VoxelCount):
            raise ValueError(f"this prediction is {self.outcome} and holds no scores of voxels")
        return self.value


class _Bad(ValueError):
    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.reading = Reading(outcome, None, detail)


def read_case_score(directory: Path, file_name: str) -> Reading:
    """The score of one case: the first line of a text file, one number with a decimal point.

    Raises:
        OSError: the folder or the disk fails, which is our fault.
    """
    try:
        with _opened(directory, file_name, _TEXT_BYTES) as file:
            return Reading(Outcome.SCORED, _number(file.read(_LINE_BYTES + 1)))
    except _Bad as bad:
        return bad.reading


def count_voxel_scores(
    directory: Path,
    file_name: str,
    mask: Mask,
    *,
    thresholds: Sequence[float] = (),
    objects: ObjectRule | None = None,
    view: bool = False,
    exact: bool = False,
) -> Reading:
    """The counts of the scores of all voxels of one case, from a NIfTI file of one part, in one pass.

    `thresholds`, `objects` and `view` are those of `scoring.one_pass.count_voxels`. `exact` reads the file
    twice more, for the average precision of the scores as written.

    Raises:
        OSError: the folder or the disk fails, which is our fault.
    """

    def scored(stream: Opener) -> Reading:
        count = count_voxels(stream(), mask, thresholds=thresholds, objects=objects, view=view)
        rounding = _rounding(stream, mask, count) if exact and mask.positive_voxels else None
        return Reading(Outcome.SCORED, count, rounding=rounding)

    try:
        with _opened(directory, file_name, _limit(mask.shape)) as file:
            return _read(file, file_name, scored)
    except _Bad as bad:
        return bad.reading
    except (Unreadable, GzipError) as error:
        return Reading(Outcome.UNREADABLE, None, str(error))
    except WrongShape as error:
        return Reading(Outcome.WRONG_SHAPE, None, str(error))
    except NotFinite as error:
        return Reading(Outcome.NOT_FINITE, None, str(error))


def read_mask(directory: Path, file_name: str, shape: tuple[int, int, int]) -> Mask:
    """The mask in a NIfTI file of one part: abnormal is what is above 0.5.

    Raises:
        ValueError: there is none, or none of this shape; the text says why.
        OSError: the folder or the disk fails.
    """
    flat = np.zeros(math.prod(shape), dtype=np.bool_)
    with _opened(directory, file_name, _limit(shape)) as file:
        stream = _plain(file, file_name)
        layout, done = read_layout(stream, shape), 0
        for chunk in raw_chunks(stream, layout):
            scores = layout.scores(chunk)
            if not np.isfinite(scores).all():
                raise NotFinite("some of its voxels are NaN or infinite")
            flat[done : done + chunk.size] = scores > 0.5
            done += chunk.size
    return Mask.of(flat.reshape(shape, order="F"))


def _limit(shape: tuple[int, ...]) -> int:
    """Bytes that the file of a volume can have at most: of doubles that defy compression, and a header."""
    return math.prod(shape) * _ITEM_BYTES * 1001 // 1000 + 2 * _OFFSET_BYTES


@contextmanager
def _opened(directory: Path, name: str, limit: int) -> Iterator[io.FileIO]:
    """A regular file of the folder, without following, waiting for or waking anything."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = _open_at(folder, name)
    finally:
        os.close(folder)
    with file:
        _check_regular(os.fstat(file.fileno()))
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise _Bad(
                Outcome.UNREADABLE, f"{size_text(size)} large, at most {size_text(limit)} are possible"
            )
        yield file


def _open_at(folder: int, name: str) -> io.FileIO:
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not the name of a file in a folder")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
        return io.FileIO(os.open(name, flags, dir_fd=folder), "r")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            raise _Bad(Outcome.MISSING, "not written") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise _Bad(Outcome.UNREADABLE, "its permissions forbid reading it") from error
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _Bad(Outcome.UNREADABLE, "not a regular file") from error
        raise


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for test, text in _IRREGULAR if test(status.st_mode)), "a device")
        raise _Bad(Outcome.UNREADABLE, f"{kind} instead of a regular file")
    if status.st_nlink != 1:
        raise _Bad(Outcome.UNREADABLE, "a hard link instead of a file of its own")


def _number(head: bytes) -> float:
    line = head.split(b"\n", 1)[0].strip()
    if _NOT_FINITE.fullmatch(line):
        raise _Bad(Outcome.NOT_FINITE, f"the score is {line.decode('ascii')}")
    if not _NUMBER.fullmatch(line) or len(head.split(b"\n", 1)[0]) > _LINE_BYTES:
        raise _Bad(Outcome.UNREADABLE, _what_is_wrong(line))
    value = float(line)
    if not math.isfinite(value):
        raise _Bad(Outcome.NOT_FINITE, f"the score {_quoted(line)} is too large for a number")
    return value


def _what_is_wrong(line: bytes) -> str:
    if not line:
        return "the first line is empty, one number expected"
    if _COMMA.fullmatch(line):
        point = line.decode("ascii").replace(",", ".")
        return f"{_quoted(line)} has a decimal comma, write {point[:40]} with a point"
    return f"the first line is {_quoted(line)}, one number expected"


def _quoted(line: bytes) -> str:
    text = ascii(line.decode("latin-1"))
    return text if len(text) <= 42 else f"{text[:40]}…"


def _read(file: io.FileIO, name: str, scored: Callable[[Opener], Reading]) -> Reading:
    """What `scored` makes of the content: read fast if nothing is odd about the file, else plainly."""
    if name.endswith(".gz"):
        try:
            return _read_fast(file, scored)
        except Exception as error:
            # The plain path meets it again or knows better; its word is the one that counts.
            log.debug("%s is read again: %r", name, error)
    return scored(lambda: _plain(file, name))


def _plain(file: io.FileIO, name: str) -> BinaryIO:
    """The content from its beginning, inflated strictly where the name says that it is compressed."""
    packed = _from_start(file).read(len(MAGIC)) == MAGIC
    if name.endswith(".gz") and not packed:
        raise _Bad(Outcome.UNREADABLE, "not compressed although its name ends in .gz")
    if packed and not name.endswith(".gz"):
        raise _Bad(Outcome.UNREADABLE, "compressed although its name does not end in .gz")
    start = _from_start(file)
    return io.BufferedReader(Gunzip(start)) if packed else start


def _read_fast(file: io.FileIO, scored: Callable[[Opener], Reading]) -> Reading:
    """Raises GzipError where the fast inflater is not as strict as ours, and whatever it raises itself."""
    streams: list[BinaryIO] = []

    def stream() -> BinaryIO:
        streams.append(inflated(_from_start(file)))
        return streams[-1]

    reading = scored(stream)
    if not is_one_member(file, streams[-1].tell()):
        raise GzipError("made of several parts, or something follows")
    return reading


def _from_start(file: io.FileIO) -> io.FileIO:
    file.seek(0)
    return file


def _rounding(stream: Opener, mask: Mask, count: VoxelCount) -> Rounding:
    counter = ExactCounter(mask)
    counter.first(stream())
    counter.second(stream())
    exact, rounded = counter.average_precision(), count.histogram.average_precision()
    return Rounding(rounded, exact, collapse(exact, rounded, count.distinct))
