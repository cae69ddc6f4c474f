"""The starter kit on a participant's disk, as `moodarena download` leaves it.

KIT/challenge.yaml
KIT/<dataset>/toy/toy_0.nii.gz
KIT/<dataset>/toy_label/<task>/toy_0.nii.gz[.txt]
"""

from dataclasses import dataclass
from pathlib import Path

from challenges import spec
from challenges.spec import Challenge
from scoring.masks import Mask
from submissions.predictions import read_mask

SPEC = "challenge.yaml"


class KitError(RuntimeError):
    """The kit is not there or damaged; `str()` says what to do."""


@dataclass(frozen=True)
class Kit:
    """A challenge and the folder that its toy cases lie in."""

    folder: Path
    challenge: Challenge

    def toys(self, dataset: str) -> list[Path]:
        """Paths of the toy cases of a dataset, by name.

        Raises:
            KitError: there are none.
        """
        folder = self.folder / dataset / "toy"
        paths = sorted(path for path in folder.glob("*.nii.gz") if not path.name.startswith("."))
        if not paths:
            raise KitError(f"{folder} holds no toy cases. {self._again}")
        return paths

    def label(self, dataset: str, case: str) -> int:
        """1 if the toy case named `case` is abnormal, 0 if not.

        Raises:
            KitError: the label is missing or damaged.
        """
        path = self._label_file(dataset, "case", f"{case}.txt")
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if text not in ("0", "1"):
            raise KitError(f"{path} says neither 0 nor 1. {self._again}")
        return int(text)

    def mask(self, dataset: str, case: str) -> Mask:
        """The abnormal voxels of the toy case named `case`, in the dataset's shape.

        Raises:
            KitError: the mask is missing, damaged, or of another shape.
        """
        path = self._label_file(dataset, "voxel", case)
        try:
            return read_mask(path.parent, path.name, self.challenge.datasets[dataset].shape)
        except ValueError as error:
            raise KitError(f"{path} is no mask: {error}. {self._again}") from error

    def _label_file(self, dataset: str, level: str, name: str) -> Path:
        tasks = [task for task, about in self.challenge.tasks.items() if about.level == level]
        for task in tasks:
            path = self.folder / dataset / "toy_label" / task / name
            if path.is_file():
                return path
        folder = self.folder / dataset / "toy_label"
        raise KitError(f"{folder} lacks {name} of {' or '.join(tasks)}. {self._again}")

    @property
    def _again(self) -> str:
        return f"Repair it with `moodarena download {self.challenge.id} --out {self.folder} --part toy`."


def read(folder: Path) -> Kit:
    """The kit in a folder.

    Raises:
        KitError: there is none, or its challenge file is of another version of moodarena.
    """
    path = folder / SPEC
    try:
        return Kit(folder, spec.load(path))
    except OSError as error:
        raise KitError(
            f"{folder} holds no starter kit ({SPEC}: {error.strerror}). "
            "Get one with `moodarena download CHALLENGE`, or name its folder with --data."
        ) from error
    except spec.ChallengeError as error:
        raise KitError(f"This version of moodarena does not understand the challenge: {error}") from error
