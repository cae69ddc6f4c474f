"""Slices as pictures: grey values, changes in two colours, masks laid over scans; encoded as WebP."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.gallery.slices import Bytes, Floats, Grid, Mask, Slice

GAP = 3  # pixels between slices of one picture
QUALITY = 80
BRIGHTER = np.array([255, 196, 64], dtype=np.float32)  # amber and sky: told apart by the colour-blind, too
DARKER = np.array([72, 170, 255], dtype=np.float32)
MARKED = np.array([0, 220, 255], dtype=np.uint8)
DIMMED = 0.75


def grey(values: Floats) -> Bytes:
    """A scan's values in [0, 1] as they are, uint8 (rows, columns, 3)."""
    shown = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.repeat(shown[:, :, None], 3, axis=2)


def change(difference: Floats, most: float) -> Bytes:
    """Amber where the anomaly made it brighter, blue where darker, black where nothing changed.

    `most`: the change in full colour.
    """
    share = np.clip(np.abs(difference) / max(most, 1e-6), 0, 1)[:, :, None]
    colour = np.where(difference[:, :, None] > 0, BRIGHTER, DARKER)
    return (share * colour).astype(np.uint8)


def marked(values: Floats, mask: Mask) -> Bytes:
    """The scan, dimmed, with the mask's edge and a tint of it inside."""
    pixels = (grey(values) * DIMMED).astype(np.uint8)
    pixels[mask] = (0.6 * pixels[mask] + 0.4 * MARKED).astype(np.uint8)
    pixels[_edge(mask)] = MARKED
    return pixels


def _edge(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~core


def laid_out(parts: Sequence[tuple[Bytes, Slice]], grid: Grid) -> Bytes:
    """Slices beside each other as one picture, with square pixels."""
    square = [grid.isotropic(pixels, where) for pixels, where in parts]
    tallest = max(one.shape[0] for one in square)
    gap = np.zeros((tallest, GAP, 3), np.uint8)
    joined = [piece for one in square for piece in (_centred(one, tallest), gap)]
    return np.concatenate(joined[:-1], axis=1)


def _centred(pixels: Bytes, tall: int) -> Bytes:
    lacking = tall - pixels.shape[0]
    return np.pad(pixels, ((lacking // 2, lacking - lacking // 2), (0, 0), (0, 0)))


def webp(pixels: NDArray[np.uint8]) -> bytes:
    """Encoded."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "WEBP", quality=QUALITY, method=4)
    return stream.getvalue()


def address(content: bytes) -> str:
    """A picture as part of the page itself."""
    return "data:image/webp;base64," + base64.b64encode(content).decode()
