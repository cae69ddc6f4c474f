"""How much room datasets take, told and checked before hours of work."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from challenges.spec import Challenge
from datasets import plan
from datasets.anomalies.kinds import Kinds
from datasets.seeds import Seeds

IMAGE_BYTES = 2.0  # a voxel of noise in 12 bits, stored as uint16 and compressed, takes less
MASK_BYTES = 0.03  # a voxel of a mask, compressed
FIXED_BYTES = 8192  # labels, headers, records
ANY_SECRET = Seeds(b"only to count cases")
GIGABYTE = 1e9


class DiskError(RuntimeError):
    """The disk has less room than the datasets take; the message says how much is lacking."""


@dataclass(frozen=True)
class Need:
    """Bytes that the datasets take below `folder`, what lies there already, and what its disk has left."""

    folder: Path
    total: int
    there: int
    free: int

    @property
    def lacking(self) -> int:
        """Bytes that must become free before the build can end."""
        return max(self.total - self.there - self.free, 0)

    def __str__(self) -> str:
        return (
            f"about {self.total / GIGABYTE:.1f} GB in {self.folder}, of which {self.there / GIGABYTE:.1f} GB "
            f"are there; its disk has {self.free / GIGABYTE:.1f} GB left"
        )


def need(challenge: Challenge, kinds: Kinds, out: Path) -> Need:
    """What building the challenge into `out` takes at most."""
    total = sum(_bytes(challenge, slug, kinds) for slug in challenge.datasets)
    return room(out, total, challenge.datasets)


def need_of_scans(out: Path, slug: str, shape: tuple[int, int, int], scans: int, copies: int) -> Need:
    """What so many scans of one dataset with their masks take at most, each `copies` times."""
    each = int(prod(shape) * (IMAGE_BYTES + MASK_BYTES)) + FIXED_BYTES
    return room(out, each * scans * copies, [slug])


def room(out: Path, total: int, slugs: Iterable[str]) -> Need:
    """`total` bytes for datasets below `out`, beside what their disk has."""
    there = sum(path.stat().st_size for slug in slugs for path in (out / slug).rglob("*.nii.gz"))
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    return Need(out, total, there, shutil.disk_usage(existing).free)


def check(needed: Need) -> None:
    """See that there is room.

    Raises:
        DiskError: there isn't.
    """
    if needed.lacking:
        raise DiskError(
            f"The datasets take {needed}: {needed.lacking / GIGABYTE:.1f} GB too little. Name a folder on a "
            "larger disk, make room, or lower `shape`, `cases` or `analysis` in the challenge file."
        )


def _bytes(challenge: Challenge, slug: str, kinds: Kinds) -> int:
    dataset = challenge.datasets[slug]
    unstratified = challenge.model_copy(
        update={"datasets": {slug: dataset.model_copy(update={"strata": ()})}}
    )
    cases = plan.cases(unstratified, slug, ANY_SECRET, kinds)
    voxel = [task for task, about in challenge.tasks.items() if about.level == "voxel"]
    masks = sum(task in case.tasks for case in cases for task in voxel)
    return int(prod(dataset.shape) * (len(cases) * IMAGE_BYTES + masks * MASK_BYTES)) + FIXED_BYTES * len(
        cases
    )
