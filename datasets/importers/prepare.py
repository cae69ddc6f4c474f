"""Reading a scan once, checking it, and keeping it on the challenge's grid until its place is decided."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from challenges.spec import Part
from datasets import volume
from datasets.importers import anatomy
from datasets.importers.grid import Grid, canonical, check_same_place
from datasets.importers.intensities import Scale, Window, to_unit
from datasets.importers.layouts import Found
from datasets.importers.raw import Floats, Problem, Raw, Unusable, is_stripped
from datasets.kernels.shifting import quantise

VERSION = "1"  # raise it whenever the same scan gives other voxels


@dataclass(frozen=True)
class How:
    """What becomes of scans. `modality`: what they are; where a file says otherwise, it is refused."""

    grid: Grid
    scale: Scale
    modality: Literal["CT", "MR"] | None = None
    window: Window | None = None


class Ready(BaseModel):
    """A scan as kept. `key` names its files. `levels`: of the tasks that it can serve. `voxels`: of its mask,
    0 without one. `digest`: of the voxels as found; `mask_digest`: "" without a mask. `slice_mm`: the longest
    step between voxels as found. `anatomy_ml`: what isn't air. `noise`: its deviation where 1 is the maximum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    digest: str
    mask_digest: str
    label: Literal[0, 1]
    part: Part | None
    levels: tuple[str, ...]
    voxels: int
    modality: str | None
    slice_mm: float
    stripped: bool
    anatomy_ml: float
    noise: float

    def image(self, pool: Path) -> Floats:
        """Float32 (x, y, z), from 0 to 1."""
        return volume.read(pool / f"{self.key}.nii.gz").data

    def mask(self, pool: Path) -> NDArray[np.bool_] | None:
        """Bool (x, y, z), None where there is nothing abnormal to mark."""
        return volume.read(pool / f"{self.key}-mask.nii.gz").data > 0 if self.voxels else None


def prepare(found: Found, how: How, pool: Path) -> Ready | Problem:
    """Put a scan and its mask into `pool`, unless they are there; what is wrong with it otherwise."""
    try:
        key = _key(found, how)
        return _kept(pool, key, found) or _prepared(found, how, pool, key)
    except (Unusable, OSError) as error:
        return Problem(found.image.name, str(error))


def _key(found: Found, how: How) -> str:
    stamps = [source.stamp for source in (found.image, found.mask) if source]
    about = (VERSION, how, stamps, found.label, found.part, found.levels, found.loose, found.by_voxel)
    return hashlib.sha256(repr(about).encode()).hexdigest()[:20]


def _kept(pool: Path, key: str, found: Found) -> Ready | None:
    try:
        ready = Ready.model_validate_json((pool / f"{key}.json").read_bytes())
    except (OSError, ValidationError):
        return None
    wanted = [f"{key}.nii.gz", *([f"{key}-mask.nii.gz"] if ready.voxels else [])]
    if not all((pool / name).is_file() for name in wanted):
        return None
    return ready.model_copy(update={"name": found.image.name})


def _prepared(found: Found, how: How, pool: Path, key: str) -> Ready:
    raw = found.image.read()
    _check_modality(raw, how)
    mask, mask_digest = _mask(found, how.grid, raw)
    raw = canonical(raw)
    modality = how.modality or raw.modality
    digest, slice_mm = _digest(raw.data), float(np.linalg.norm(raw.affine[:3, :3], axis=0).max())
    image = to_unit(how.grid.fit(raw), how.scale, how.window)
    del raw
    quantise(image, 1.0, volume.LEVELS)
    if image.min() == image.max():
        raise Unusable(
            "nothing is left of it on the challenge's grid; see `shape` and `spacing_mm`, or --scale"
        )
    stripped = how.scale != "hounsfield" and is_stripped(image)
    inside = anatomy.foreground(image, stripped)
    voxels = 0 if mask is None else int(np.count_nonzero(mask))
    label, levels = _judged(found, mask_digest, voxels)
    ready = Ready(
        key=key, name=found.image.name, digest=digest, mask_digest=mask_digest, label=label, part=found.part,
        levels=levels, voxels=voxels, modality=modality, slice_mm=slice_mm,
        stripped=stripped,
        anatomy_ml=round(float(np.count_nonzero(inside)) * float(np.prod(how.grid.spacing_mm)) / 1000, 3),
        noise=round(anatomy.noise(image, inside), 6),
    )  # fmt: skip
    volume.write_scan(pool / f"{key}.nii.gz", image, how.grid.spacing_mm)
    if mask is not None and voxels:
        volume.write(pool / f"{key}-mask.nii.gz", mask.astype(np.uint8), how.grid.spacing_mm, np.uint8)
    volume.write_bytes(pool / f"{key}.json", ready.model_dump_json().encode())
    return ready


def _check_modality(raw: Raw, how: How) -> None:
    if raw.modality and how.modality and raw.modality != how.modality:
        raise Unusable(f"it is {raw.modality}, the import of {how.modality}; leave it out")


def _mask(found: Found, grid: Grid, image: Raw) -> tuple[NDArray[np.bool_] | None, str]:
    """On the grid, and the digest of what it marks as found; "" for nothing."""
    if found.mask is None:
        return None, ""
    raw = _marks(found)
    if found.by_voxel:
        if raw.data.shape != image.data.shape:
            raise Unusable(
                f"the mask {found.mask.name} has shape {tuple(raw.data.shape)}, its scan "
                f"{tuple(image.data.shape)}; export it again on the scan's voxels"
            )
        raw = Raw(raw.data, image.affine)
    check_same_place(raw, image)
    marked = canonical(raw).data > 0
    return grid.fit_mask(raw), _digest(marked) if marked.any() else ""


def _marks(found: Found) -> Raw:
    """The mask as found; one that marks nothing is no picture, but may be right."""
    assert found.mask is not None
    try:
        raw = found.mask.read()
    except Unusable as error:
        raise Unusable(f"its mask {found.mask.name} {error}") from error
    high = float(raw.data.max())
    whole = bool(np.array_equal(raw.data, np.rint(raw.data)))
    if not whole or raw.data.min() < 0 or (high > 1 and not found.loose):
        raise Unusable(
            f"its mask {found.mask.name} is not binary: values from {raw.data.min():g} to {high:g}; "
            "write 1 inside and 0 outside"
        )
    return raw


def _judged(found: Found, marked: str, voxels: int) -> tuple[Literal[0, 1], tuple[str, ...]]:
    """The label, and the levels of tasks that the scan can serve."""
    if found.mask is None:
        return found.label or 0, found.levels
    if marked and not voxels:
        raise Unusable("its mask vanishes on the challenge's grid: too small, or outside; leave it out")
    if found.label is None:
        return (1 if voxels else 0), found.levels
    if found.label == 0 and voxels:
        raise Unusable(f"its label says normal, but its mask marks {voxels} voxels; correct one of them")
    if found.label == 1 and not voxels:
        if found.loose:
            raise Unusable("its mask is empty; leave it out, or import it as a normal scan")
        return 1, tuple(level for level in found.levels if level != "voxel")
    return found.label, found.levels


def _digest(data: NDArray[np.generic]) -> str:
    """Of shape and voxels, whatever the file looked like."""
    plain = np.ascontiguousarray(data)
    found = hashlib.sha256(repr(plain.shape).encode())
    found.update(plain.data)
    return found.hexdigest()
