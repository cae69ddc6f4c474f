"""Which scans, masks and labels lie in a folder, by its layout; only labels and headers are read yet."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from challenges.spec import Part
from datasets.importers import dicom
from datasets.importers.nifti import NiftiFile, is_nifti
from datasets.importers.raw import Problem, Source

Layout = Literal["mood", "brats", "isles", "normal"]
TOKENS: dict[str, tuple[str, str]] = {"brats": ("t2", "seg"), "isles": ("t2", "ot")}
OTHER_NAMES: dict[str, tuple[str, ...]] = {"abdom": ("abdom", "colon"), "brain": ("brain",)}


@dataclass(frozen=True)
class Found:
    """One scan. `label`: 1 abnormal, 0 normal, None if its mask tells. `part`: where it belongs, None if that
    is to be decided. `levels`: of the tasks that it can be scored in, `case` and `voxel`. `loose`: any number
    in the mask but 0 is a lesion, and there is one. `by_voxel`: the mask lies on the scan's voxels, whatever
    its header says.
    """

    image: Source
    mask: Source | None = None
    label: Literal[0, 1] | None = 0
    part: Part | None = None
    levels: tuple[str, ...] = ("case", "voxel")
    loose: bool = False
    by_voxel: bool = False


@dataclass
class Findings:
    """What a folder holds: scans, and what can't be used."""

    scans: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        """Put the findings of another folder behind these."""
        self.scans += other.scans
        self.problems += other.problems


class LayoutError(ValueError):
    """A folder is not of the layout; the message says what was looked for."""


def mood(folder: Path, slug: str) -> Findings:
    """The folders of the original challenge: `<slug>_train`, `toy`, `toy_label`, and `test` if there is one.

    `folder` is the dataset's own or the one above; the abdomen may be called colon, too.

    Raises:
        LayoutError: there is no such folder.
    """
    root, training = _mood_folders(folder, slug)
    found = Findings([_given(path, root, "training") for path in _files(training)])
    for part in ("toy", "test"):
        found.add(_labelled(root, part))
    return found


def masked(folder: Path, image: str, mask: str) -> Findings:
    """Cases of an image and a mask, told by a word in the file's name: `case_t2.nii.gz`, `case_seg.nii.gz`.

    Of several images the one belongs to a mask that shares most folders with it, as in a folder per case.

    Raises:
        LayoutError: there are no such files.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and is_nifti(path)]
    masks = [path for path in files if mask.lower() in _words(path)]
    images = [path for path in files if image.lower() in _words(path) and path not in masks]
    if not masks or not images:
        raise LayoutError(
            f"{folder} holds {len(images)} files with {image!r} and {len(masks)} with {mask!r} as a word of "
            "their names; name other words with --image and --mask"
        )
    found, taken = Findings(), set()
    for path in masks:
        fitting = _fitting(path, images, folder)
        if len(fitting) != 1 or fitting[0] in taken:
            several = f"there are {len(fitting)} scans that it could belong to"
            why = f"{fitting[0].name} has a mask already" if len(fitting) == 1 else several
            found.problems.append(Problem(_named(path, folder), f"{why}; keep one folder a case"))
            continue
        taken.add(fitting[0])
        marks = NiftiFile(path, _named(path, folder), mask=True)
        found.scans.append(Found(_nifti(fitting[0], folder), marks, 1, loose=True))
    for path in images:
        if path not in taken:
            found.problems.append(Problem(_named(path, folder), f"no mask with {mask!r} in its name; add it"))
    return found


def normal(folder: Path, series: str = "") -> Findings:
    """Normal scans anywhere below `folder`: NIfTI files, and DICOM series whose description holds `series`.

    Of one patient one series is taken; with several the patient is a problem, since nobody may occur twice.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = Findings([Found(_nifti(path, folder)) for path in files if is_nifti(path)])
    all_series, found.problems = dicom.find((path for path in files if not is_nifti(path)), folder)
    chosen = [one for one in all_series if series.lower() in one.description.lower()]
    for patient in dict.fromkeys(one.patient for one in chosen):
        theirs = [one for one in chosen if one.patient == patient]
        if len(theirs) == 1 or not patient:
            found.scans += [Found(one) for one in theirs]
        else:
            described = sorted({one.description for one in theirs})
            why = (
                f"{patient!r} has {len(theirs)} series {described}; name one with --series, remove some, or "
                "give every person a PatientID of their own"
            )
            found.problems.append(Problem(theirs[0].name, why))
    return found


def _mood_folders(folder: Path, slug: str) -> tuple[Path, Path]:
    names = OTHER_NAMES.get(slug, (slug,))
    roots = [root for name in names for root in (folder / name, folder)]
    tried = [(root, root / f"{name}_train") for root in roots for name in names]
    for root, training in tried:
        if training.is_dir():
            return root, training
    looked = ", ".join(dict.fromkeys(str(path) for _, path in tried))
    raise LayoutError(f"{folder} holds no training scans; looked for {looked}")


def _labelled(root: Path, part: Literal["toy", "test"]) -> Findings:
    """Scans of a part with their labels in `<part>_label/sample/` and `<part>_label/pixel/`."""
    found, labels = Findings(), root / f"{part}_label"
    scans = {path.name: path for path in _files(root / part)}
    texts = {path.name.removesuffix(".txt"): path for path in sorted((labels / "sample").glob("*.txt"))}
    masks = {path.name: path for path in _files(labels / "pixel")}
    for name in sorted({*texts, *masks} - set(scans)):
        stray = texts.get(name) or masks[name]
        found.problems.append(Problem(_named(stray, root), f"a label without a scan; add {part}/{name}"))
    for name, path in scans.items():
        label = _label(texts[name]) if name in texts else None
        mask = _marks(masks[name], root) if name in masks else None
        if (name in texts and label is None) or (label is None and mask is None):
            where = f"{part}_label/sample/{name}.txt with 0 or 1, or {part}_label/pixel/{name}"
            found.problems.append(Problem(_named(path, root), f"has no usable label; add {where}"))
            continue
        levels = [level for level, there in (("case", label), ("voxel", mask)) if there is not None]
        one = _given(path, root, part)
        found.scans.append(replace(one, mask=mask, label=label, levels=tuple(levels)))
    return found


def _given(path: Path, root: Path, part: Part) -> Found:
    return Found(NiftiFile(path, _named(path, root), oriented=False), part=part, by_voxel=True)


def _marks(path: Path, root: Path) -> NiftiFile:
    return NiftiFile(path, _named(path, root), oriented=False, mask=True)


def _label(path: Path) -> Literal[0, 1] | None:
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    try:
        value = float(text)
    except ValueError:
        return None
    return 1 if value == 1 else 0 if value == 0 else None


def _fitting(mask: Path, images: Sequence[Path], root: Path) -> list[Path]:
    """The images that share most folders with the mask."""
    shared = [(len(_folders(mask, root) & _folders(image, root)), image) for image in images]
    most = max(count for count, _ in shared)
    nearest = [image for count, image in shared if count == most]
    if len(nearest) > 1:  # several cases in one folder: what their names share tells
        common = [(_shared(mask, image), image) for image in nearest]
        longest = max(length for length, _ in common)
        nearest = [image for length, image in common if length == longest]
    return nearest


def _folders(path: Path, root: Path) -> set[str]:
    return set(path.relative_to(root).parts[:-1])


def _shared(one: Path, other: Path) -> int:
    """Letters that the two names begin with."""
    pairs = zip(one.name, other.name, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one.name), len(other.name)))


def _words(path: Path) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", path.name.lower()))


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_file() and is_nifti(path))


def _nifti(path: Path, root: Path) -> NiftiFile:
    return NiftiFile(path, _named(path, root))


def _named(path: Path, root: Path) -> str:
    return str(path.relative_to(root))
