"""Pictures of slices of toy cases, as WebP: scan, anomaly map, truth, or all over each other."""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.errors import BadInput
from backend.results import volumes
from backend.results.toy_files import ToyFiles

Layer = Literal["image", "map", "mask", "overlay"]
LAYERS: tuple[Layer, ...] = ("image", "map", "mask", "overlay")
HOTTEST = "hottest"
SMALLEST = 192  # pixels of the shorter side: smaller slices are enlarged by whole factors

# Black over red and yellow to white, at 0, 1/3, 2/3 and 1.
_HEAT = np.array([[0, 0, 0], [190, 30, 20], [250, 190, 40], [255, 255, 230]], dtype=np.float64)
_OUTLINE = np.array([0, 220, 255], dtype=np.uint8)


def slice_index(files: ToyFiles, axis: int, index: int | str) -> tuple[int, int]:
    """The number of the slice that is meant, and how many there are. `hottest` is the one with the highest
    mean of the anomaly map, or the middle one where there is no map.

    Raises:
        BadInput: no such axis or slice.
    """
    if axis not in (0, 1, 2):
        raise BadInput("no_such_axis", "An axis is 0, 1 or 2.")
    count = volumes.grid_of(files.image).shape[axis]
    if index == HOTTEST:
        return volumes.hottest(files)[axis], count
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
    if layer == "image":
        return _webp(_grey(_slice(files, "image", axis, number)))
    if layer == "mask":
        truth = _slice(files, "mask", axis, number) > 0
        return _webp(_grey(truth.astype(np.uint8) * 255))
    heat = _slice(files, "map", axis, number)
    if layer == "map":
        return _webp(_colours(heat).astype(np.uint8))
    mask = _slice(files, "mask", axis, number) if files.mask else np.zeros_like(heat)
    return _webp(_overlay(_slice(files, "image", axis, number), heat, mask))


def _slice(files: ToyFiles, layer: volumes.Layer, axis: int, index: int) -> NDArray[np.uint8]:
    return np.rot90(np.take(volumes.levels(files.of(layer), files.image), index, axis=axis))


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
