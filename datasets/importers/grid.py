"""Volumes onto the challenge's grid: axes towards right, anterior and superior, its shape and spacing."""

from collections.abc import Sequence
from dataclasses import dataclass

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.importers.raw import Affine, Floats, Raw, Unusable, is_stripped

SAME_SPACING = 0.01  # share by which steps may differ and still be the same
SAME_PLACE_MM = 0.1
SHEARED = 0.01  # cosine between axes of a volume whose slices are not stacked straight
CUBIC = 3
SLAB = 8


@dataclass(frozen=True)
class Grid:
    """`shape` in voxels, `spacing_mm` of them; the middle of a scan comes to lie in the middle.

    `resample`: whether scans on another grid are interpolated, else they are refused.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    resample: bool = False

    def fit(self, raw: Raw) -> Floats:
        """A scan on this grid, float32 (x, y, z); beyond its borders it has its lowest value.

        Raises:
            Unusable: it has another shape or spacing, and interpolation was not asked for.
        """
        raw = canonical(raw)
        if not self.resample:
            self._check(raw)
            return np.ascontiguousarray(raw.data)
        if self._is(raw):
            return np.ascontiguousarray(raw.data)
        made, lowest = self._interpolated(raw, CUBIC), float(raw.data.min())
        if is_stripped(raw.data):  # interpolation rings beyond its edge
            made[~self.fit_mask(Raw(raw.data - lowest, raw.affine))] = lowest
        self._blank(made, raw, lowest)
        return made

    def fit_mask(self, raw: Raw) -> NDArray[np.bool_]:
        """A mask (anything above 0) on this grid: where most of a voxel is in it."""
        mask = canonical(Raw((raw.data > 0).astype(np.float32), raw.affine))
        if not self.resample:
            self._check(mask)
        if not self.resample or self._is(mask):
            return np.ascontiguousarray(mask.data > 0)
        made = self._interpolated(mask, 1)
        self._blank(made, mask, 0.0)
        return made >= 0.5

    def _check(self, raw: Raw) -> None:
        if tuple(raw.data.shape) != self.shape:
            raise Unusable(
                f"has shape {tuple(raw.data.shape)} (axes towards right, anterior, superior), the challenge "
                f"{self.shape}; correct `shape` in its file, or import with --resample"
            )
        steps, cosine = _steps(raw.affine), _shear(raw.affine)
        if not _near(steps, self.spacing_mm) or cosine > SHEARED:
            why = f"has a spacing of {_told(steps)} mm, the challenge {_told(self.spacing_mm)} mm"
            raise Unusable(
                f"{'its slices are not stacked straight' if cosine > SHEARED else why}; "
                "correct `spacing_mm` in the challenge file, or import with --resample"
            )

    def _is(self, raw: Raw) -> bool:
        wanted = np.diag(self.spacing_mm)
        same = np.abs(raw.affine[:3, :3] - wanted).max() <= SAME_SPACING * min(self.spacing_mm) / 2
        return tuple(raw.data.shape) == self.shape and bool(same)

    def _interpolated(self, raw: Raw, order: int) -> Floats:
        """By world coordinates, so that tilted scans are straightened; smoothed first where steps widen."""
        matrix, offset = _pull(raw, self.shape, self.spacing_mm)
        data = _smoothed(raw.data, np.abs(matrix).max(axis=1))
        if order > 1:
            data = ndimage.spline_filter(data, order, output=np.float32, mode="mirror")
        made = np.empty(self.shape, np.float32)
        ndimage.affine_transform(data, matrix, offset, self.shape, made, order, "mirror", prefilter=False)
        return made

    def _blank(self, made: Floats, raw: Raw, value: float) -> None:
        """In place, where the scan has no voxel, a few planes at a time."""
        matrix, offset = _pull(raw, self.shape, self.spacing_mm)
        last = np.array(raw.data.shape)[:, None] - 0.5
        for first in range(0, self.shape[0], SLAB):
            ends = min(first + SLAB, self.shape[0])
            sides = (ends - first, *self.shape[1:])
            corners = _indices([np.array([0, n - 1]) for n in sides], first)
            found = matrix @ corners + offset[:, None]
            if np.all((found >= -0.5) & (found <= last)):  # then so is all between
                continue
            everywhere = _indices([np.arange(n) for n in sides], first)
            found = matrix @ everywhere + offset[:, None]
            inside = np.all((found >= -0.5) & (found <= last), axis=0).reshape(sides)
            made[first:ends][~inside] = value


def canonical(raw: Raw) -> Raw:
    """Axes exchanged and turned so that each points as nearly as it can right, anterior and superior."""
    turn = nibabel.orientations.io_orientation(raw.affine)
    back = nibabel.orientations.inv_ornt_aff(turn, raw.data.shape)
    data = nibabel.orientations.apply_orientation(raw.data, turn)
    return Raw(data, np.asarray(raw.affine @ back, np.float64), raw.modality)


def check_same_place(mask: Raw, image: Raw) -> None:
    """See that a mask lies on its image's voxels, whatever way round either is stored.

    Raises:
        Unusable: it has another shape, or lies elsewhere.
    """
    mask, image = canonical(mask), canonical(image)
    if mask.data.shape != image.data.shape:
        raise Unusable(
            f"the mask has shape {tuple(mask.data.shape)}, its scan {tuple(image.data.shape)}; "
            "export it again on the scan's voxels"
        )
    corners = np.array(np.meshgrid(*([0, n - 1] for n in mask.data.shape))).reshape(3, -1)
    lie = [one.affine[:3, :3] @ corners + one.affine[:3, 3:] for one in (mask, image)]
    apart = float(np.linalg.norm(lie[0] - lie[1], axis=0).max())
    if apart > max(SAME_PLACE_MM, 0.5 * float(_steps(image.affine).min())):
        raise Unusable(f"the mask lies up to {apart:.1f} mm beside its scan; export it again")


def _pull(
    raw: Raw, shape: tuple[int, int, int], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset that lead from voxels of the grid to those of the scan, middle to middle."""
    matrix = np.linalg.inv(raw.affine[:3, :3]) @ np.diag(np.array(spacing_mm, np.float64))
    offset = (np.array(raw.data.shape) - 1) / 2 - matrix @ ((np.array(shape) - 1) / 2)
    return np.asarray(matrix, np.float64), np.asarray(offset, np.float64)


def _indices(lines: list[NDArray[np.int64]], first: int) -> NDArray[np.int64]:
    """All voxels of `lines`, (3, voxels), the first axis counted from `first`."""
    found = np.array(np.meshgrid(*lines, indexing="ij")).reshape(3, -1)
    found[0] += first
    return found


def _smoothed(data: Floats, widening: NDArray[np.float64]) -> Floats:
    """Without what voxels that are `widening` times as wide along each axis cannot show."""
    for axis, factor in enumerate(widening):
        if factor > 1.05:
            data = ndimage.gaussian_filter1d(data, 0.5 * np.sqrt(factor**2 - 1), axis=axis, mode="nearest")
    return data


def _steps(affine: Affine) -> NDArray[np.float64]:
    steps: NDArray[np.float64] = np.linalg.norm(affine[:3, :3], axis=0)
    return steps


def _shear(affine: Affine) -> float:
    axes = affine[:3, :3] / _steps(affine)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def _near(steps: NDArray[np.float64], wanted: Sequence[float]) -> bool:
    return bool(np.all(np.abs(steps / np.array(wanted) - 1) <= SAME_SPACING))


def _told(steps: Sequence[float] | NDArray[np.float64]) -> str:
    return " × ".join(f"{float(step):.3g}" for step in steps)
