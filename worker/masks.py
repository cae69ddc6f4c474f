"""The masks of cases as runs of voxels, kept on this node, so that reading one again costs nothing."""

import logging
from pathlib import Path

from datasets import volume
from datasets.manifest import Case
from scoring.masks import DamagedMask, Mask
from worker.blobs import Blobs

log = logging.getLogger(__name__)
MASKS = "masks"


class Masks:
    """Masks by case. What is made from a volume once is kept in `folder`, named by the volume's SHA-256."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs, self._folder = blobs, folder

    def of(self, case: Case) -> Mask:
        """The abnormal voxels of a case.

        Raises:
            ValueError: the case has no mask.
            VolumeError: its mask is no volume.
        """
        if case.mask is None:
            raise ValueError(f"case {case.id} serves voxel scores but has no mask; build the dataset again")
        kept = self._folder / case.mask.sha256
        return self._kept(kept) or self._made(case.mask.sha256, kept)

    def _kept(self, path: Path) -> Mask | None:
        """The mask in a file, None where there is none or only a damaged one."""
        try:
            return Mask.from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except DamagedMask as error:
            log.warning("%s is made anew: %s", path, error)
            return None

    def _made(self, sha256: str, path: Path) -> Mask:
        mask = Mask.of(volume.read(self._blobs.ensure(sha256)).data > 0.5)
        volume.write_bytes(path, mask.to_bytes())
        return mask
