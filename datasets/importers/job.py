"""Making cases out of imported scans: as they are, or with an anomaly put into a normal one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets import make as making
from datasets.finalise import Finished
from datasets.importers import anatomy
from datasets.importers.prepare import Ready
from datasets.importers.raw import Floats
from datasets.make import CannotMake, Job
from datasets.manifest import Case
from datasets.planned import Planned
from datasets.populations.subject import NOTHING_UNUSUAL, Population, Subject

SHELL = 3  # voxels around a lesion that it is compared with


class Imported:
    """The population of imported scans: nobody is drawn."""

    def __init__(self) -> None:
        self.LABELS: dict[str, int] = {}

    def draw(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        condition: Mapping[str, float] = NOTHING_UNUSUAL,
        variant: str | None = None,
    ) -> Subject:
        """Nobody.

        Raises:
            ValueError: always.
        """
        raise ValueError("imported people cannot be drawn; import more scans")

    def with_noise(self, rng: np.random.Generator, image: Floats, deviation: float) -> Floats:
        """What the finaliser's resampling took away, a few planes at a time."""
        noisy = np.empty_like(image)
        for plane in range(image.shape[0]):
            white = rng.standard_normal(image.shape[1:], dtype=np.float32)
            noisy[plane] = image[plane] + np.float32(deviation) * white
        return noisy


@dataclass(frozen=True)
class ImportJob(Job):
    """`pool`: where the scans are kept, `people`: whose scan a case shows, `donors`: those to borrow from.

    `about`: all that decides beside the challenge what the files are.
    """

    pool: Path = Path()
    people: Mapping[str, Ready] = field(default_factory=dict)
    donors: tuple[Ready, ...] = ()
    about: tuple[str, ...] = ()

    @property
    def population(self) -> Population:
        return Imported()

    @property
    def drawn_from(self) -> str:
        return ""

    def settings(self) -> list[Any]:
        return [*super().settings(), "imported", *self.about]

    def subject(
        self, case: Planned, purpose: str, condition: Mapping[str, float] = NOTHING_UNUSUAL
    ) -> Subject:
        """Whose scan the case shows, or one of the donors, another for each case.

        Raises:
            CannotMake: there is nobody else to borrow from.
            ValueError: a medical condition is wanted, with which nobody can be scanned again.
        """
        if condition:
            raise ValueError("imported people cannot be drawn again with a condition")
        scan = self.people[case.whose]
        if purpose != "subject":
            others = [one for one in self.donors if one.digest != scan.digest]
            if not others:
                raise CannotMake(f"datasets.{self.slug}: {case.kind} borrows from another scan; import more")
            scan = others[int(self.generator(case.whose, purpose).integers(len(others)))]
        image = scan.image(self.pool)
        return Subject(
            image,
            anatomy.foreground(image, scan.stripped),
            noise=scan.noise,
            stripped=scan.stripped,
            spacing_mm=self.dataset.spacing_mm,
            properties=known_of(scan),
            grainy=True,
        )


def make_as_is(job: Job, case: Planned) -> Case:
    """Write a scan and its mask as they were found, on the challenge's grid."""
    assert isinstance(job, ImportJob)
    scan = job.people[case.whose]
    image, mask = scan.image(job.pool), scan.mask(job.pool)
    parameters = {} if mask is None else _measured(image, mask)
    return making.write(job, case, Finished(image, mask), parameters, known_of(scan))


def known_of(scan: Ready) -> dict[str, float | str]:
    """What the manifest tells of a person; nothing by which somebody could be found elsewhere."""
    modality = {"modality": scan.modality} if scan.modality else {}
    measured = {"slice_mm": scan.slice_mm, "anatomy_ml": scan.anatomy_ml, "noise": scan.noise}
    return {**modality, **measured}


def _measured(image: Floats, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Voxels and mean intensity of a lesion, and how far that is from what lies around it."""
    box = ndimage.find_objects(mask.view(np.uint8))[0]
    wide = tuple(slice(max(part.start - SHELL, 0), part.stop + SHELL) for part in box)
    part, inside = image[wide], mask[wide]
    around = ndimage.binary_dilation(inside, iterations=SHELL) & ~inside
    mean = float(part[inside].mean())
    contrast = abs(mean - float(part[around].mean())) if around.any() else 0.0
    return {"voxels": int(mask.sum()), "intensity": round(mean, 6), "contrast": round(contrast, 6)}
