"""Pictures of slices of toy cases, as WebP: scan, anomaly map, truth, or all over each other.

Nothing else has pictures: the case is looked up among the toy cases of the manifest only.
"""

import gzip
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import BadInput, NotFound
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.results.service import toy_cases
from backend.storage import Storage

Layer = Literal["image", "map", "mask", "overlay"]
LAYERS: tuple[Layer, ...] = ("image", "map", "mask", "overlay")
HOTTEST = "hottest"
SMALLEST = 192  # pixels of the shorter side: smaller slices are enlarged by whole factors

# Black over red and yellow to white, at 0, 1/3, 2/3 and 1.
_HEAT = np.array([[0, 0, 0], [190, 30, 20], [250, 190, 40], [255, 255, 230]], dtype=np.float64)
_OUTLINE = np.array([0, 220, 255], dtype=np.uint8)


@dataclass(frozen=True)
class ToyFiles:
    """Where the parts of a toy case lie; `anomaly_map` None where the task has none."""

    image: Path
    mask: Path | None
    anomaly_map: Path | None


def toy_files(
    session: Session, storage: Storage, submission: Submission, task: str, dataset: str, case_name: str
) -> ToyFiles:
    """The files behind the pictures of one toy result. The caller has checked who asks.

    Raises:
        NotFound: the submission has no such toy result.
    """
    run = select(Run.dataset_version).where(
        Run.submission_id == submission.id, Run.stage == "toy", Run.task == task, Run.dataset == dataset
    )
    cases = toy_cases(session, submission, dataset, session.scalar(run.limit(1)) or "")
    case = next((case for case in cases.values() if case.name == case_name), None)
    result = select(CaseResult).where(
        CaseResult.submission_id == submission.id,
        CaseResult.stage == "toy",
        CaseResult.task == task,
        CaseResult.dataset == dataset,
        CaseResult.case_id == (case.id if case else ""),
    )
    found = session.scalar(result)
    if case is None or found is None:
        raise NotFound("no_such_picture", "There is no such toy result.")
    return ToyFiles(
        image=storage.path(case.image.sha256),
        mask=storage.path(case.mask.sha256) if case.mask else None,
        anomaly_map=storage.path(found.view_sha256) if found.view_sha256 else None,
    )


def slice_index(files: ToyFiles, axis: int, index: int | str) -> tuple[int, int]:
    """The number of the slice that is meant, and how many there are. `hottest` is the one with the highest
    mean of the anomaly map, or the middle one where there is no map.

    Raises:
        BadInput: no such axis or slice.
    """
    if axis not in (0, 1, 2):
        raise BadInput("no_such_axis", "An axis is 0, 1 or 2.")
    count = _volume(files.image).shape[axis]
    if index == HOTTEST:
        if files.anomaly_map is None:
            return count // 2, count
        others = tuple(other for other in range(3) if other != axis)
        return int(np.argmax(_volume(files.anomaly_map).mean(axis=others))), count
    if not isinstance(index, int) or not 0 <= index < count:
        raise BadInput("no_such_slice", f"This axis has the slices 0 to {count - 1}.")
    return index, count


def picture(files: ToyFiles, axis: int, index: int | str, layer: Layer) -> bytes:
    """A slice as WebP. The second axis points up, so brains of axis 2 look up.

    Raises:
        BadInput: no such axis or slice.
        NotFound: this toy result has no such layer.
    """
    number, _ = slice_index(files, axis, index)
    scan = _slice(files.image, axis, number)
    if layer == "image":
        return _webp(_grey(scan))
    if layer == "mask":
        truth = _slice(_present(files.mask), axis, number) > 0
        return _webp(_grey(truth.astype(np.uint8) * 255))
    heat = _slice(_present(files.anomaly_map), axis, number)
    if layer == "map":
        return _webp(_colours(heat).astype(np.uint8))
    mask = _slice(files.mask, axis, number) if files.mask else np.zeros_like(scan)
    return _webp(_overlay(scan, heat, mask))


def _present(path: Path | None) -> Path:
    if path is None:
        raise NotFound("no_such_layer", "This toy result has no such layer.")
    return path


def _slice(path: Path, axis: int, index: int) -> NDArray[np.uint8]:
    return np.rot90(np.take(_volume(path), index, axis=axis))


@lru_cache(maxsize=6)
def _volume(path: Path) -> NDArray[np.uint8]:
    # Blobs have no file name that tells their format, hence not datasets.volume.read. Masks and maps are
    # stored as uint8; the values of a scan are in [0, 1] by the challenge's rules.
    content = path.read_bytes()
    image = nibabel.Nifti1Image.from_bytes(
        gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    )
    data: NDArray[np.generic] = np.asanyarray(image.dataobj)
    if data.dtype == np.uint8:
        return data.astype(np.uint8)
    values = np.nan_to_num(data.astype(np.float32))
    scaled: NDArray[np.uint8] = (np.clip(values / max(1.0, float(values.max())), 0, 1) * 255).astype(np.uint8)
    return scaled


def _grey(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(values[:, :, None], 3, axis=2)


def _colours(heat: NDArray[np.uint8]) -> NDArray[np.float64]:
    position = heat.ravel() / 255 * (len(_HEAT) - 1)
    channels = [np.interp(position, range(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).reshape(*heat.shape, 3)


def _overlay(scan: NDArray[np.uint8], heat: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = (heat / 255)[:, :, None] * 0.85
    mixed = ((1 - share) * _grey(scan) + share * _colours(heat)).astype(np.uint8)
    mixed[_outline(mask > 0)] = _OUTLINE
    return mixed


def _outline(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~core


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    factor = max(1, -(-SMALLEST // min(image.size)))
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()
