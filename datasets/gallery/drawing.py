"""The pictures of one case: read what was built, make its unaltered twin if the secret is there, compare."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np

from datasets import volume
from datasets.gallery import pictures
from datasets.gallery.slices import Bytes, Floats, Grid, Mask, Slice, middle, most_changed, through
from datasets.gallery.twins import twin
from datasets.make import Job
from datasets.manifest import Case

Look = Literal["scan", "step", "anomaly"]
Progress = Callable[[int, int], None]
LEAST_SCALE = 0.1  # of the range of a scan: smaller changes are not blown up any further
FULL_COLOUR = 99.9  # percentile of the change that gets it


@dataclass(frozen=True)
class Wanted:
    """A case to be drawn. `folder`: of its dataset. `job`: what its twin is made with, None without twins.

    `look`: the middle slices of a "scan", the axial slice of a series' "step", or all about an "anomaly".
    """

    folder: Path
    case: Case
    look: Look
    job: Job | None = None


@dataclass(frozen=True)
class Picture:
    """WebP. `title`: what it shows of the case; `width` and `height` in pixels."""

    title: str
    content: bytes
    width: int
    height: int

    @property
    def address(self) -> str:
        return pictures.address(self.content)


@dataclass(frozen=True)
class Drawn:
    """The pictures of a case, over each other with the same slices across, named in `slices`.

    `scale`: the change in full colour, None without a difference.
    """

    case: Case
    pictures: tuple[Picture, ...]
    slices: tuple[str, ...]
    scale: float | None = None


def draw_all(wanted: Sequence[Wanted], workers: int, progress: Progress) -> dict[str, Drawn]:
    """The pictures of all cases by id; `progress` is called with cases done and cases in all.

    Raises:
        VolumeError, OSError: a file is missing or damaged.
    """
    drawn: dict[str, Drawn] = {}
    progress(0, len(wanted))
    for one in _drawn(wanted, workers):
        drawn[one.case.id] = one
        progress(len(drawn), len(wanted))
    return drawn


def _drawn(wanted: Sequence[Wanted], workers: int) -> Iterator[Drawn]:
    if workers <= 1 or len(wanted) < 2:
        yield from map(draw, wanted)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(draw, one) for one in wanted]):
            yield future.result()


def draw(wanted: Wanted) -> Drawn:
    """The pictures of one case."""
    scan = volume.read(wanted.folder / wanted.case.image.path)
    grid = Grid(scan.data.shape, tuple(np.sqrt((scan.affine[:3, :3] ** 2).sum(axis=0)).tolist()))
    if wanted.look == "anomaly":
        return _anomaly(wanted, scan.data, grid)
    slices = middle(scan.data.shape) if wanted.look == "scan" else [_step(wanted.case, scan.data)]
    return Drawn(wanted.case, (_grey("scan", scan.data, slices, grid),), _named(slices))


def _step(case: Case, scan: Floats) -> Slice:
    """The axial slice through the sphere's middle, which all steps share."""
    centre = case.parameters.get("centre")
    return Slice(2, int(centre[2]) if centre else scan.shape[2] // 2)


def _anomaly(wanted: Wanted, after: Floats, grid: Grid) -> Drawn:
    mask, before = _mask(wanted), _before(wanted)
    slices = through(mask) if mask is not None else middle(after.shape)
    names = list(_named(slices))
    if mask is None and before is not None:
        slices = [*slices, most_changed(before, after)]
        names.append(f"most changed, {slices[-1].plane} {slices[-1].index}")
    shown, scale = [_grey("after" if wanted.case.label else "scan", after, slices, grid)], None
    if before is not None:
        difference, scale = _difference(before, after, slices, grid)
        shown = [_grey("before", before, slices, grid), *shown, difference]
    if mask is not None:
        tinted = [(pictures.marked(one.of(after), one.of(mask)), one) for one in slices]
        shown.append(_picture("mask", tinted, grid))
    return Drawn(wanted.case, tuple(shown), tuple(names), scale)


def _difference(before: Floats, after: Floats, slices: Sequence[Slice], grid: Grid) -> tuple[Picture, float]:
    """After minus before, and the change that is shown in full colour."""
    changes = [one.of(after) - one.of(before) for one in slices]
    most = float(np.percentile(np.abs(np.concatenate([change.ravel() for change in changes])), FULL_COLOUR))
    scale = max(most, LEAST_SCALE)
    coloured = [(pictures.change(change, scale), one) for change, one in zip(changes, slices, strict=True)]
    return _picture("difference", coloured, grid), scale


def _mask(wanted: Wanted) -> Mask | None:
    file = wanted.case.mask
    if file is None:
        return None
    mask = volume.read(wanted.folder / file.path).data > 0.5
    return mask if mask.any() else None


def _before(wanted: Wanted) -> Floats | None:
    """The same person, finished in the same way without the anomaly; nobody needs one who has none."""
    case = wanted.case
    if wanted.job is None or not case.label:
        return None
    return twin(wanted.job, case)


def _grey(title: str, scan: Floats, slices: Sequence[Slice], grid: Grid) -> Picture:
    return _picture(title, [(pictures.grey(one.of(scan)), one) for one in slices], grid)


def _picture(title: str, parts: Sequence[tuple[Bytes, Slice]], grid: Grid) -> Picture:
    pixels = pictures.laid_out(parts, grid)
    return Picture(title, pictures.webp(pixels), pixels.shape[1], pixels.shape[0])


def _named(slices: Sequence[Slice]) -> tuple[str, ...]:
    return tuple(f"{one.plane} {one.index}" for one in slices)
