"""Abdominal CT after bowel preparation and insufflation: a procedural phantom, no two bodies alike.

Anatomy is drawn in millimetres and Hounsfield units without regard to the voxels, so the same person looks
the same at any resolution; only then is it painted, slab by slab, and windowed (`abdomen_tissues`). Positions
are millimetres from the middle of the volume towards right, anterior and superior.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from datasets.kernels import phantom, solids
from datasets.populations import abdomen_tissues
from datasets.populations.abdomen_bones import Skeleton
from datasets.populations.abdomen_bowel import Bowel
from datasets.populations.abdomen_findings import Findings
from datasets.populations.abdomen_organs import Organs
from datasets.populations.abdomen_person import CONDITIONS, VARIANTS, Person, drawn
from datasets.populations.abdomen_vessels import Vessels
from datasets.populations.shapes import Composition
from datasets.populations.subject import NOTHING_UNUSUAL, Subject, check_known, check_variant

Floats = NDArray[np.float32]
LABELS = abdomen_tissues.LABELS
SLAB = 64  # planes painted at a time
STREAMS = 9
NOISE_SLICES = 16
MEASURED = (
    "liver", "spleen", "kidneys", "pancreas", "gallbladder", "stomach", "small-bowel", "colon-gas",
    "colon-fluid", "bladder", "lung",
)  # fmt: skip


def draw(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    condition: Mapping[str, float] = NOTHING_UNUSUAL,
    variant: str | None = None,
    slab: int = SLAB,
) -> Subject:
    """A new abdomen of `shape` voxels of `spacing_mm` millimetres, lying on its table.

    `condition`: see `CONDITIONS`. `variant`: supine or prone; None draws it, too. `slab` planes are painted
    at a time; the result doesn't depend on it.

    Raises:
        ValueError: a condition or variant that doesn't exist.
    """
    check_known(condition, CONDITIONS)
    check_variant(variant, VARIANTS)
    streams = [np.random.default_rng(int(key)) for key in rng.integers(2**62, size=STREAMS)]
    person = drawn(streams[0], condition, variant)
    body, counts = _composed(streams, person)
    image, foreground = np.empty(shape, np.float32), np.empty(shape, np.bool_)
    labels = np.empty(shape, np.uint8)
    grid, back = _grid(shape, spacing_mm), _backdrop(person, shape, spacing_mm)
    lattice, tile = person.lattice(streams[1]), _tile(streams[2])
    shapes, parts = body.arrays(grid.edge)
    room = solids.Room.of(parts.kind.size)
    for first in range(0, shape[0], slab):
        part = slice(first, min(first + slab, shape[0]))
        phantom.render(
            image[part], labels[part], foreground[part], first, grid, lattice, back, shapes, parts, tile,
            abdomen_tissues.HOUNSFIELD, abdomen_tissues.GREY, room,
        )  # fmt: skip
    return Subject(
        image,
        foreground,
        noise=person.noise,
        stripped=False,
        labels=labels,
        spacing_mm=spacing_mm,
        properties=_properties(person, labels, foreground, spacing_mm) | counts,
    )


def with_noise(rng: np.random.Generator, image: Floats, deviation: float) -> Floats:
    """`image`, with noise of filtered back-projection added in place: its amplitude grows with the root of
    frequency in each slice.

    Every slice has a generator of its own, so memory for a few slices is enough.
    """
    across, along, slices = image.shape
    key = int(rng.integers(2**63))
    shaping = _noise_amplitude(across, along) * np.float32(deviation)
    for first in range(0, slices, NOISE_SLICES):
        part = slice(first, min(first + NOISE_SLICES, slices))
        noise = np.stack([_slice_noise(key, index, shaping, along) for index in range(slices)[part]], axis=-1)
        image[..., part] += noise
    return image


def _noise_amplitude(across: int, along: int) -> Floats:
    """On the half grid of a real transform, so that the noise has deviation 1."""
    rows, columns = fft.fftfreq(across)[:, None], fft.rfftfreq(along)[None, :]
    radius = np.hypot(rows, columns)
    shaping = np.sqrt(radius) * np.exp(-((radius / 0.38) ** 2))
    twice = np.full(columns.size, 2.0)  # every frequency but the first (and last) stands for two
    twice[0] = 1.0
    if along % 2 == 0:
        twice[-1] = 1.0
    energy = float((shaping**2 * twice).sum())
    # The transform sees only half of what random numbers say about frequencies that stand for themselves.
    shaping[:, twice == 1.0] *= np.sqrt(2)
    scaled: Floats = (shaping * across * along / np.sqrt(max(2 * energy, 1e-12))).astype(np.float32)
    return scaled


def _slice_noise(key: int, index: int, shaping: Floats, along: int) -> Floats:
    rng = np.random.Generator(np.random.Philox(key=[key, index]))
    numbers = rng.standard_normal((*shaping.shape, 2), dtype=np.float32)
    spectrum = numbers.view(np.complex64)[..., 0] * shaping
    noise: Floats = fft.irfft2(spectrum, s=(shaping.shape[0], along), overwrite_x=True).astype(np.float32)
    return noise


def _composed(streams: list[np.random.Generator], person: Person) -> tuple[Composition, dict[str, float]]:
    """Everything that is painted, in order; each part of the body has its own random numbers."""
    body = Composition()
    skeleton = Skeleton(streams[3], person, body)
    vessels = Vessels(streams[4], person, body, skeleton.axis)
    organs = Organs(streams[5], person, body)
    bowel = Bowel(streams[6], person, body)
    findings = Findings(streams[7], person, body)
    vessels.branches()
    vessels.mesentery(bowel)
    vessels.chest()
    skeleton.push()
    skeleton.muscles_within()
    vessels.pack()
    organs.pack()
    bowel.pack()
    organs.details()
    skeleton.paint()
    findings.paint(organs, bowel, vessels)
    return body, findings.counts


def _grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> solids.Grid:
    step = np.asarray(spacing_mm, dtype=float)
    return solids.Grid(-(np.asarray(shape) - 1) / 2 * step, step, float(step.mean()))


def _backdrop(
    person: Person, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> solids.Backdrop:
    t, ascites = person.tissues, person.condition["ascites"]
    names = ("air", "fat", "skin", "muscle", "lung", "table", "ascites")
    free = np.array([13.0 * ascites, -person.half_depth * (0.75 - 0.9 * ascites)])
    return solids.Backdrop(
        values=np.array([t.air, t.fat, t.skin, t.muscle, t.lung, t.table, t.fluid]),
        labels=np.array([LABELS[name] for name in names], dtype=np.uint8),
        table=_table(person, shape, spacing_mm),
        free_fluid=free if ascites > 0 else np.zeros(2),
        skin_mm=2.0,
        upwards=person.upwards,
    )


def _table(person: Person, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Floats:
    """The part of each column of voxels that the table's shell and mattress fill, weighted by density."""
    times = int(np.clip(np.ceil(max(spacing_mm[:2]) / 0.9), 1, 8))
    lines = [
        (np.arange(size * times) - (size * times - 1) / 2) * step / times
        for size, step in zip(shape[:2], spacing_mm[:2], strict=True)
    ]
    x, y = lines[0][:, None], person.upwards * lines[1][None, :]
    below = person.table_top(x) - y
    t = person.tissues
    foam, rim = (t.foam - t.air) / (t.table - t.air), 205.0
    share = np.where((below > 0) & (below < 7) & (np.abs(x) < rim), foam, 0.0)
    depth = 7 + 26 * np.sqrt(np.clip(1 - (x / 212) ** 2, 0, 1))
    board = (below > 7) & (below < depth) & (np.abs(x) < 212)
    core = (below > 9.4) & (below < depth - 2.4) & (np.abs(x) < 208)
    share = np.where(board, np.where(core, 1.2 * foam, 1.0), share)
    averaged: Floats = share.reshape(shape[0], times, shape[1], times).mean(axis=(1, 3)).astype(np.float32)
    return averaged


def _tile(rng: np.random.Generator) -> Floats:
    """A periodic texture of deviation about 1 between its nodes."""
    tile = ndimage.gaussian_filter(rng.standard_normal((solids.TILE,) * 3), 0.6, mode="wrap")
    scaled: Floats = (tile / tile.std()).astype(np.float32).ravel()
    return scaled


def _properties(
    person: Person,
    labels: NDArray[np.uint8],
    foreground: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> dict[str, float | str]:
    """Millimetres, millilitres, Hounsfield units."""
    counted = np.zeros(256, dtype=np.int64)
    for plane in labels:
        counted += np.bincount(plane.ravel(), minlength=256)
    millilitres = counted * float(np.prod(spacing_mm)) / 1000
    width = np.flatnonzero(foreground[:, :, foreground.shape[2] // 2].any(axis=1))
    volumes = {f"{name.replace('-', '_')}_ml": float(millilitres[LABELS[name]]) for name in MEASURED}
    return {
        "modality": "CT",
        "position": person.position,
        "sex": person.sex,
        "age": person.age,
        "contrast": person.tissues.enhanced,
        "fat_mm": person.fat,
        "visceral_fat": person.visceral,
        "width_mm": float(np.ptp(width) + 1) * spacing_mm[0] if width.size else 0.0,
        "tagging_hu": person.tissues.tagging,
        **volumes,
    }
