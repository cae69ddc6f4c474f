"""Cheap sets for the tests of the leak gate: smooth random fields with noise, and leaks to plant in them."""

import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets import manifest, volume
from datasets.manifest import Case, File, Manifest

SECRET = b"5ec2e7" * 8
SIDE = 32
NOISE = 0.02
LEVELS = 4096
KINDS = ("blob", "texture")
Image = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A scan before it is written; `clean` has no noise, `image` is float32 in [0, 1]."""

    clean: Image
    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    label: int
    kind: str | None


def person(rng: np.random.Generator) -> Image:
    """Somebody: a body with structure of their own."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 3, indexing="ij")
    body = 1 / (1 + np.exp(12 * (np.sqrt(x**2 + y**2 + z**2) - 0.8)))
    inside = sum(ndimage.gaussian_filter(rng.normal(size=(SIDE,) * 3), s) * s**1.5 for s in (2, 4))
    return np.asarray(body * (0.45 + 0.18 * inside))


def spot(rng: np.random.Generator) -> NDArray[np.float64]:
    """A soft bump somewhere in the body, 1 in its middle."""
    centre = rng.uniform(0.38, 0.62, 3) * SIDE
    grid = np.indices((SIDE,) * 3) - centre[:, None, None, None]
    return np.asarray(1 / (1 + np.exp((np.sqrt(np.square(grid).sum(axis=0)) - rng.uniform(3.5, 5)) / 0.8)))


def finished(clean: Image, rng: np.random.Generator) -> NDArray[np.float32]:
    """The finaliser in small: noise, cut-off, quantisation."""
    noisy = np.clip(clean + rng.normal(0, NOISE, clean.shape), 0, 1)
    return (np.round(noisy * LEVELS) / LEVELS).astype(np.float32)


def drawn(rng: np.random.Generator, kind: str | None) -> Drawn:
    """A normal case, or one with a soft anomaly as bright as it is dark elsewhere."""
    clean, mask = person(rng), np.zeros((SIDE,) * 3, bool)
    if kind is not None:
        bump = spot(rng)
        mask = bump > 0.3
        inner = ndimage.gaussian_filter(rng.normal(size=clean.shape), 1.5) * 0.2 if kind == "texture" else 0.0
        clean = clean + bump * (rng.choice((-0.12, 0.12)) + inner)
    return Drawn(clean, finished(clean, rng), mask, int(kind is not None), kind)


def cases(rng: np.random.Generator, tests: int, training: int) -> list[Drawn]:
    """`tests` hidden cases in random order, half of them abnormal, then `training` normal ones."""
    kinds = [KINDS[i % len(KINDS)] if i < tests // 2 else None for i in range(tests)]
    order = rng.permutation(tests)
    return [drawn(rng, kinds[i]) for i in order] + [drawn(rng, None) for _ in range(training)]


Plant = Callable[[np.random.Generator, Drawn], Drawn]
Touch = Callable[[Path, Drawn], None]


@dataclass(frozen=True)
class Leak:
    """What is planted: in abnormal scans' voxels, in how files are written, in names, in who is shown."""

    voxels: Plant | None = None
    file: Touch | None = None
    name: Callable[[int, Drawn], str] | None = None
    people: Callable[[list[Drawn], np.random.Generator], list[Drawn]] | None = None


CLEAN = Leak()


def write(
    folder: Path,
    seed: int,
    leak: Leak = CLEAN,
    tests: int = 120,
    training: int = 10,
    dataset: str = "field",
    analysis: tuple[str, int] = ("", 0),
) -> Path:
    """A set with one dataset below `folder`; `analysis`: name and size of a set that shows one person."""
    rng = np.random.default_rng(seed)
    made = cases(rng, tests, training)
    if leak.people:
        made = leak.people(made, rng)
    root, described = folder / dataset, []
    for index, one in enumerate(made):
        if leak.voxels and one.label:
            one = leak.voxels(rng, one)
        part = "test" if index < tests else "training"
        name = leak.name(index, one) if leak.name else f"{rng.bytes(10).hex()}.nii.gz"
        described.append(_written(root, part, name, one, leak.file))
    alone = drawn(rng, None)
    for _ in range(analysis[1]):
        again = replace(alone, image=finished(alone.clean, rng))
        case = _written(root, "analysis", f"{rng.bytes(10).hex()}.nii.gz", again, None)
        described.append(case.model_copy(update={"analysis": analysis[0]}))
    shape = (SIDE, SIDE, SIDE)
    found = Manifest(
        challenge="cheap", dataset=dataset, version="1", shape=shape, cases=tuple(described), arrangements={}
    )
    manifest.write(found, root / "manifest.json")
    return folder


def _written(root: Path, part: str, name: str, one: Drawn, touch: Touch | None) -> Case:
    image, mask = f"{part}/{name}", f"{part}_label/pixel/{name}"
    volume.write_scan(root / image, one.image, (1, 1, 1))
    if touch:
        touch(root / image, one)
    if part == "test":
        volume.write(root / mask, one.mask.astype(np.uint8), (1, 1, 1), np.uint8)
    return Case(
        id=name.split(".")[0], part=part, name=name, tasks=("sample", "pixel") if part == "test" else (),
        label=one.label if part == "test" else None, image=_file(root, image),
        mask=_file(root, mask) if part == "test" else None, kind=one.kind,
        category="local" if one.kind else None, parameters={},
    )  # fmt: skip


def _file(root: Path, path: str) -> File:
    content = (root / path).read_bytes()
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _replaced(one: Drawn, image: NDArray[np.floating]) -> Drawn:
    return replace(one, image=(np.round(image * LEVELS) / LEVELS).astype(np.float32))


def _rewritten(path: Path, change: Callable[[bytes], bytes], level: int) -> None:
    content = change(gzip.decompress(path.read_bytes()))
    volume.write_bytes(path, gzip.compress(content, level, mtime=0))


def lower_maximum(rng: np.random.Generator, one: Drawn) -> Drawn:
    return _replaced(one, np.minimum(one.image, np.sort(one.image, axis=None)[-200]))


def no_noise_in_a_patch(rng: np.random.Generator, one: Drawn) -> Drawn:
    bare = np.round(np.clip(one.clean, 0, 1) * LEVELS) / LEVELS
    return _replaced(one, np.where(one.mask, bare, one.image))


def hard_seam(rng: np.random.Generator, one: Drawn) -> Drawn:
    return _replaced(one, np.clip(one.image + one.mask * rng.choice((-0.12, 0.12)), 0, 1))


def exact_zeros(rng: np.random.Generator, one: Drawn) -> Drawn:
    lost = rng.random(one.image.shape) < 0.01
    return _replaced(one, np.where(lost, 0, one.image))


def saturation(rng: np.random.Generator, one: Drawn) -> Drawn:
    return _replaced(one, np.where(one.image > np.quantile(one.image, 0.9995), 1, one.image))


def comb(rng: np.random.Generator, one: Drawn) -> Drawn:
    return _replaced(one, np.round(one.image * LEVELS / 2) / (LEVELS / 2))


def kept_dtype(path: Path, one: Drawn) -> None:
    if one.label:
        volume.write(path, one.image.astype(np.float64), (1, 1, 1), np.float64)


def name_in_gzip(path: Path, one: Drawn) -> None:
    if one.label:
        content = gzip.decompress(path.read_bytes())
        with path.open("wb") as file, gzip.GzipFile("made.nii", "wb", 3, file, mtime=0) as stream:
            stream.write(content)
        os.utime(path, (volume.WRITTEN_AT, volume.WRITTEN_AT))


def seed_in_the_header(path: Path, one: Drawn) -> None:
    """In all scans alike, so that nothing but a search finds it."""
    _rewritten(path, lambda content: content[:148] + SECRET[:40] + content[188:], level=1)


def later(path: Path, one: Drawn) -> None:
    when = volume.WRITTEN_AT + (one.label or 0) * 60 + path.name.__hash__() % 7
    os.utime(path, (when, when))


def better_compressed(path: Path, one: Drawn) -> None:
    """By another writer, whose gzip header is made the usual one."""
    if one.label:
        usual = path.read_bytes()[:10]
        _rewritten(path, lambda content: content, level=9)
        volume.write_bytes(path, usual + path.read_bytes()[10:])


def scaled_otherwise(path: Path, one: Drawn) -> None:
    """The same values from twice the numbers and half the slope."""

    def change(content: bytes) -> bytes:
        doubled = (np.frombuffer(content[352:], "<u2") * 2).astype("<u2").tobytes()
        return content[:112] + struct.pack("<f", 0.5 / LEVELS) + content[116:352] + doubled

    if one.label:
        _rewritten(path, change, level=1)


def abnormal_first(index: int, one: Drawn) -> str:
    return f"{'0' if one.label else 'f'}{np.random.default_rng(index).bytes(9).hex()}.nii.gz"


def one_twice(made: list[Drawn], rng: np.random.Generator) -> list[Drawn]:
    """The person of an abnormal case is also a normal one, with noise of its own."""
    ill = next(i for i, one in enumerate(made) if one.label)
    well = next(i for i, one in enumerate(made[:100]) if not one.label)
    twin = replace(made[ill], image=finished(made[ill].clean, rng), label=0, kind=None)
    return [replace(twin, mask=np.zeros_like(twin.mask)) if i == well else one for i, one in enumerate(made)]


def also_in_training(made: list[Drawn], rng: np.random.Generator) -> list[Drawn]:
    """The last training case is the first normal hidden one, scanned again."""
    known = next(one for one in made if not one.label)
    return [*made[:-1], replace(known, image=finished(known.clean, rng))]


LEAKS: dict[str, tuple[Leak, tuple[str, ...]]] = {
    "kept dtype": (Leak(file=kept_dtype), ("headers", "delivered sizes")),
    "gzip name field": (Leak(file=name_in_gzip), ("gzip headers",)),
    "lower maximum": (Leak(voxels=lower_maximum), ("maximum",)),
    "missing noise in a patch": (Leak(voxels=no_noise_in_a_patch), ("noise continuity, all local kinds",)),
    "sorted names": (Leak(name=abnormal_first), ("order of names", "metadata together")),
    "seed in the header": (Leak(file=seed_in_the_header), ("traces of the secret",)),
    "one subject twice": (Leak(people=one_twice), ("one subject twice",)),
    "a test subject in training": (Leak(people=also_in_training), ("one subject twice",)),
    "later times": (Leak(file=later), ("time of change",)),
    "header scaling": (Leak(file=scaled_otherwise), ("headers", "writers")),
    "smaller compressed size": (Leak(file=better_compressed), ("writers",)),
    "exact zeros": (Leak(voxels=exact_zeros), ("exact zeros",)),
    "histogram comb": (Leak(voxels=comb), ("gaps in the histogram",)),
    "saturation": (Leak(voxels=saturation), ("saturated voxels",)),
    "hard patch seam": (Leak(voxels=hard_seam), ("patch seams, all local kinds",)),
}
