"""Volumes of toy cases for looking at: 256 levels, and axes that point right, anterior and superior (RAS).

Scores are computed from the originals, never from these copies. A scan's copy is kept in a folder, since
its conversion takes longest; maps and masks are stored with 256 levels already.
"""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
from isal import igzip, igzip_lib
from nibabel.orientations import apply_orientation, io_orientation, ornt2axcodes
from numpy.typing import NDArray

from backend.results.toy_files import ToyFiles
from datasets.volume import GZIP_MAGIC, write_bytes

Layer = Literal["image", "map", "mask"]
LAYERS: tuple[Layer, ...] = ("image", "map", "mask")
SLAB = 16  # slices that are converted at a time: a scan of 512^3 voxels is 512 MiB as float32
HEADER = 348  # bytes
GZIP = igzip_lib.DECOMP_GZIP
COMPRESSION = 1  # the volumes are on their way for a moment, and scans are mostly noise


@dataclass(frozen=True)
class Grid:
    """Voxels of a case in RAS: `shape` (x, y, z), `spacing_mm` of these axes. `stored` names where the axes
    of the file point, such as "LPS"."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    stored: str


@lru_cache(maxsize=256)
def grid_of(scan: Path) -> Grid:
    """The grid of a case, from the header of its scan alone."""
    header = _header(scan)
    turns = _turns(header)
    order = [int(np.flatnonzero(turns[:, 0] == axis)[0]) for axis in range(3)]
    shape, spacing = header.get_data_shape(), header.get_zooms()
    x, y, z = order
    return Grid(
        shape=(int(shape[x]), int(shape[y]), int(shape[z])),
        spacing_mm=(float(spacing[x]), float(spacing[y]), float(spacing[z])),
        stored="".join(ornt2axcodes(turns)),
    )


def _header(path: Path) -> Any:
    with path.open("rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    with gzip.open(path) if packed else path.open("rb") as file:
        return nibabel.Nifti1Header(file.read(HEADER))


def _turns(header: Any) -> NDArray[np.float64]:
    """For each axis of the file: the axis of RAS, and 1 or -1. As stored, where the affine is degenerate."""
    turns: NDArray[np.float64] = io_orientation(header.get_best_affine())
    return np.array([[0, 1], [1, 1], [2, 1]], np.float64) if np.isnan(turns).any() else turns


@lru_cache(maxsize=6)
def levels(path: Path, scan: Path) -> NDArray[np.uint8]:
    """A volume on the grid of its case's scan, (x, y, z), x fastest in memory. Not to be written to.

    Maps are stored without orientation, so the scan's holds for all layers. Values from 0 to 1 become levels
    from 0 to 255; what is stored as uint8 stays as it is.
    """
    content = path.read_bytes()
    plain = igzip_lib.decompress(content, GZIP) if content.startswith(GZIP_MAGIC) else content
    image = nibabel.Nifti1Image.from_bytes(plain)
    turned = apply_orientation(_as_levels(image.dataobj), _turns(_header(scan)))
    volume: NDArray[np.uint8] = np.asfortranarray(turned)
    volume.flags.writeable = False
    return volume


def _as_levels(stored: Any) -> NDArray[np.uint8]:
    found = np.empty(stored.shape, np.uint8, order="F")
    for first in range(0, stored.shape[2], SLAB):
        part = np.asanyarray(stored[..., first : first + SLAB])
        if part.dtype != np.uint8:
            part = np.rint(np.clip(np.nan_to_num(part.astype(np.float32)), 0, 1) * 255)
        found[..., first : first + SLAB] = part
    return found


@lru_cache(maxsize=256)
def hottest(files: ToyFiles) -> tuple[int, int, int]:
    """For each axis the slice with the highest mean of the anomaly map, or the middle one without a map."""
    if files.anomaly_map is None:
        x, y, z = (count // 2 for count in grid_of(files.image).shape)
        return x, y, z
    heat = levels(files.anomaly_map, files.image)
    columns = heat.sum(axis=2, dtype=np.uint64)
    sums = columns.sum(axis=1), columns.sum(axis=0), heat.sum(axis=(0, 1), dtype=np.uint64)
    x, y, z = (int(np.argmax(each)) for each in sums)
    return x, y, z


def tag(files: ToyFiles, layer: Layer) -> str:
    """What tells one version of a volume from another: the blobs that it comes from.

    Raises:
        NotFound: this toy result has no such layer.
    """
    return f"{files.of(layer).name[:32]}-{files.image.name[:32]}"


def packed(files: ToyFiles, layer: Layer, folder: Path) -> bytes:
    """The levels of a volume as bytes, x fastest, gzip'd. `folder` keeps those of scans.

    Raises:
        NotFound: this toy result has no such layer.
    """
    path = files.of(layer)
    if layer != "image":
        return _packed(path, files.image)
    kept = folder / f"{path.name}.ras.gz"
    if not kept.is_file():
        write_bytes(kept, _packed(path, files.image))
    return kept.read_bytes()


def _packed(path: Path, scan: Path) -> bytes:
    content: bytes = igzip.compress(levels(path, scan).tobytes(order="F"), COMPRESSION, mtime=0)
    return content
