"""A corruption: a region out of focus."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import fft

from datasets.anomalies.regions import Triple, Waves, draw_lumps, draw_radii, lively, region_box, share_of
from datasets.anomalies.scene import (
    EVERYWHERE,
    Box,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
)

MARGIN = 3.0  # standard deviations of surroundings that the Gaussian sees
SECOND_DIFFERENCE = 1.4826 / 6**0.5  # from the median of |a - 2b + c| to the deviation of white noise


@dataclass(frozen=True)
class LocalBlur:
    """A Gaussian of standard deviation `sigma` voxels.

    `noise` is the deviation of the noise that the blur would take away, in the image's units; it is put back,
    drawn from `pattern`, since a patch without noise gives the anomaly away. 0 for scans drawn without noise,
    which is added later, and for grainy ones, where `insert` makes it anew. `radii` in voxels, `softness` of
    the border as a share of the radius.
    """

    name: ClassVar[str] = "local-blur"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    centre: Voxel
    radii: Triple
    lumps: Waves
    softness: float
    sigma: float
    noise: float
    pattern: int

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A sigma of about 4.5, 2.6 or 1.5 % of the shortest side.

        An easy one lies where most can be lost, and ends abruptly: a blur changes no more than there is.
        """
        image = scene.subject.image
        share = graded(difficulty, (0.10, 0.13), (0.10, 0.13), (0.08, 0.11))
        width = graded(difficulty, (0.04, 0.05), (0.022, 0.03), (0.012, 0.018))
        radii = draw_radii(rng, image.shape, share)
        centre = lively(rng, scene, round(0.8 * max(radii)), graded(difficulty, 32, 16, 8))
        return cls(
            centre=centre,
            radii=radii,
            lumps=draw_lumps(rng, radii),
            softness=float(rng.uniform(*graded(difficulty, (0.1, 0.2), (0.2, 0.3), (0.25, 0.45)))),
            sigma=float(rng.uniform(*width)) * min(image.shape),
            noise=_own_noise(scene, region_box(centre, radii, image.shape)),
            pattern=int(rng.integers(2**32)),
        )

    def apply(self, scene: Scene) -> Floats:
        return with_blur(scene.subject.image, self)


def with_blur(image: Floats, blur: LocalBlur) -> Floats:
    """`image` blurred in the region; the Gaussian sees what lies around it."""
    result = image.copy()
    box = region_box(blur.centre, blur.radii, image.shape)
    margin = int(MARGIN * blur.sigma) + 1
    x, y, z = (_widened(part, margin, n) for part, n in zip(box, image.shape, strict=True))
    wide = x, y, z
    inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))
    soft = _gaussian(image[wide], blur.sigma)[inner]
    share = share_of(box, blur.centre, blur.radii, blur.lumps, blur.softness)
    result[box] += share * (soft - result[box])
    if blur.noise:
        white = np.random.default_rng(blur.pattern).standard_normal(share.shape, dtype=np.float32)
        result[box] += np.float32(blur.noise) * np.sqrt(1 - (1 - share) ** 2) * white
    return result


def _own_noise(scene: Scene, box: Box) -> float:
    return 0.0 if scene.population or scene.subject.grainy else noise_of(scene.subject.image[box])


def _widened(part: slice, margin: int, size: int) -> slice:
    """`part` with a margin, or a little more where the cosine transform is faster for it."""
    first, last = max(part.start - margin, 0), min(part.stop + margin, size)
    end = min(first + int(fft.next_fast_len(last - first)), size)
    return slice(max(end - int(fft.next_fast_len(end - first)), 0), end)


def _gaussian(part: Floats, sigma: float) -> Floats:
    """Mirrored at its borders, by cosine transforms: as fast for a large sigma as for a small one."""
    spectrum = fft.dctn(part, norm="ortho")
    for axis, size in enumerate(part.shape):
        line = np.exp(-0.5 * (sigma * np.pi * np.arange(size) / size) ** 2).astype(np.float32)
        spectrum *= line.reshape([-1 if other == axis else 1 for other in range(3)])
    soft: Floats = fft.idctn(spectrum, norm="ortho", overwrite_x=True)
    return soft


def noise_of(part: Floats) -> float:
    """The deviation of white noise in `part` (x, y, z), from second differences, which anatomy hardly has."""
    found = [float(np.median(np.abs(np.diff(part, n=2, axis=axis)))) for axis in range(3)]
    return SECOND_DIFFERENCE * min(found)
