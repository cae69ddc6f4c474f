"""DICOM series: the files of one volume, put in order by where they lie, never by name or number.

Every slice of CT and MR says where it lies (DICOM PS3.3, C.7.6.2, Image Plane Module). Compressed pixels are
decoded by GDCM; what it can't decode is refused with the name of the transfer syntax.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from datasets.importers.raw import Affine, Problem, Raw, Unusable, check_affine, check_shape, check_values

SUFFIXES = (".dcm", ".dicom", ".ima")
MODALITIES = ("CT", "MR")
FEWEST_SLICES = 8
UNEVEN = 0.05  # share of the distance between slices by which one may be off
TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM counts towards left and posterior
RESCALE = (("Slope", 1), ("Intercept", 0))
NOT_DICOM = (InvalidDicomError, OSError, EOFError, ValueError)
HEADER = [
    "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesDescription", "Modality",
    "NumberOfFrames", "Rows",
]  # fmt: skip
EQUAL = (
    "Rows", "Columns", "Modality", "SamplesPerPixel", "PhotometricInterpretation", "PixelSpacing",
    "ImageOrientationPatient",
)  # fmt: skip


@dataclass(frozen=True)
class DicomSeries:
    """The files of one series, in any order. `patient` and `description` as in their headers."""

    files: tuple[Path, ...]
    name: str
    patient: str = ""
    description: str = ""

    @property
    def stamp(self) -> str:
        about = [(path, path.stat()) for path in self.files]
        return " ".join(f"{path.absolute()} {one.st_size} {one.st_mtime_ns}" for path, one in about)

    def read(self) -> Raw:
        """See `Source.read`."""
        slices = sorted(self._headers(), key=lambda one: (one.height, one.path.name))
        _check_alike(slices)
        _check_stacked(slices)
        first = slices[0]
        shape = (int(first.header.Columns), int(first.header.Rows), len(slices))
        check_shape(shape)
        affine = _affine(slices)
        check_affine(affine)
        data = np.empty(shape, np.float32, order="F")
        for place, one in enumerate(slices):
            data[..., place] = _pixels(one.path).T
        check_values(data)
        return Raw(data, affine, str(first.header.Modality))

    def _headers(self) -> Iterator["_Slice"]:
        if len(self.files) < FEWEST_SLICES:
            raise Unusable(
                f"has {len(self.files)} slices; a volume has at least {FEWEST_SLICES}. Leave it out, or "
                "bring its other files"
            )
        for path in self.files:
            header = _header(path)
            _check_slice(path, header)
            yield _Slice.of(path, header)


@dataclass(frozen=True)
class _Slice:
    path: Path
    header: Any
    position: NDArray[np.float64]
    height: float  # millimetres along the normal

    @classmethod
    def of(cls, path: Path, header: Any) -> "_Slice":
        position = np.array(header.ImagePositionPatient, np.float64)
        return cls(path, header, position, float(_normal(header) @ position))


def find(paths: Iterable[Path], root: Path) -> tuple[list[DicomSeries], list[Problem]]:
    """The series among `paths` (files that may be something else), named relative to `root`.

    Files that claim to be DICOM by name and are not are problems; other strangers are passed over.
    """
    found: dict[str, list[Path]] = {}
    headers: dict[str, Any] = {}
    problems = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER)
        except (*NOT_DICOM, AttributeError) as error:
            if path.suffix.lower() in SUFFIXES:
                why = f"is not DICOM ({str(error)[:80]}); remove it, or export it again"
                problems.append(Problem(str(path.relative_to(root)), why))
            continue
        if "Rows" not in header:  # directories, reports, structures: no pictures
            continue
        key = str(header.get("SeriesInstanceUID", path.parent))
        found.setdefault(key, []).append(path)
        headers.setdefault(key, header)
    series = [_series(files, headers[key], root) for key, files in found.items()]
    return sorted(series, key=lambda one: one.name), problems


def _series(files: list[Path], header: Any, root: Path) -> DicomSeries:
    folder = files[0].parent.relative_to(root)
    described = str(header.get("SeriesDescription", ""))
    return DicomSeries(
        tuple(sorted(files)),
        f"{folder} ({described or 'series ' + str(header.get('SeriesInstanceUID', ''))[-12:]})",
        str(header.get("PatientID", "") or header.get("StudyInstanceUID", "")),
        described,
    )


def _header(path: Path) -> Any:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except NOT_DICOM as error:
        raise Unusable(f"{path.name} cannot be read as DICOM: {error}; export the series again") from error


def _check_slice(path: Path, header: Any) -> None:
    if int(header.get("NumberOfFrames", 1) or 1) > 1:
        raise Unusable(
            f"{path.name} is a multi-frame object; export the series as one file a slice, or convert it to "
            "NIfTI"
        )
    if header.get("Modality") not in MODALITIES:
        raise Unusable(
            f"its modality is {header.get('Modality')}, not {' or '.join(MODALITIES)}; leave it out"
        )
    lacking = [
        name
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
        if header.get(name) is None
    ]
    if lacking:
        raise Unusable(f"{path.name} lacks {', '.join(lacking)}, so its place is not known; leave it out")
    if int(header.get("SamplesPerPixel", 1)) != 1 or header.PhotometricInterpretation != "MONOCHROME2":
        raise Unusable(f"{path.name} is {header.PhotometricInterpretation}, no grey scan; leave it out")


def _check_alike(slices: list[_Slice]) -> None:
    first = slices[0]
    for one in slices[1:]:
        for name in EQUAL:
            ours, theirs = first.header.get(name), one.header.get(name)
            if not _same(ours, theirs):
                raise Unusable(
                    f"mixes several scans: {name} is {ours} in {first.path.name} and {theirs} in "
                    f"{one.path.name}; export them as series of their own"
                )


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Iterable) and not isinstance(ours, str) and theirs is not None:
        return bool(np.allclose(np.array(ours, float), np.array(theirs, float), atol=1e-3))
    return bool(ours == theirs)


def _check_stacked(slices: list[_Slice]) -> None:
    """Every slice as far from the next, on one line."""
    gaps = np.diff([one.height for one in slices])
    usual = float(np.median(gaps))
    twice = int(np.count_nonzero(gaps < 0.01))
    if usual < 0.01 or twice:
        at = slices[int(np.argmin(gaps))]
        raise Unusable(
            f"has {twice + 1 if usual >= 0.01 else 'several'} slices in one place, such as {at.path.name}: "
            "several scans (echoes, phases) or files twice; export them apart"
        )
    wide = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[wide] - usual) > UNEVEN * usual:
        missing = round(float(gaps[wide]) / usual) - 1
        what = f"{missing} slices are missing" if missing > 0 else "slices are unevenly spaced"
        raise Unusable(
            f"{what} between {slices[wide].path.name} and {slices[wide + 1].path.name}: {gaps[wide]:.2f} mm "
            f"apart, the others {usual:.2f} mm; export the series again, with every slice"
        )
    line = np.linspace(slices[0].position, slices[-1].position, len(slices))
    aside = float(np.abs(line - [one.position for one in slices]).max())
    if aside > max(UNEVEN * usual, 0.1):
        raise Unusable(f"its slices lie up to {aside:.1f} mm off a straight line; export the series again")


def _normal(header: Any) -> NDArray[np.float64]:
    along = np.array(header.ImageOrientationPatient, np.float64)
    normal: NDArray[np.float64] = np.cross(along[:3], along[3:])
    return normal


def _affine(slices: list[_Slice]) -> Affine:
    """From column, row and slice to millimetres (PS3.3, C.7.6.2.1.1), turned to right and anterior."""
    header = slices[0].header
    along, steps = np.array(header.ImageOrientationPatient, float), np.array(header.PixelSpacing, float)
    affine = np.eye(4)
    affine[:3, 0] = along[:3] * steps[1]
    affine[:3, 1] = along[3:] * steps[0]
    affine[:3, 2] = (slices[-1].position - slices[0].position) / (len(slices) - 1)
    affine[:3, 3] = slices[0].position
    affine[:3] = TO_RAS @ affine[:3]
    return affine


def _pixels(path: Path) -> NDArray[np.float32]:
    """(rows, columns), in the units that the rescale slope and intercept give."""
    try:
        whole = pydicom.dcmread(path)
        slope, intercept = (float(whole.get(f"Rescale{name}", default)) for name, default in RESCALE)
        return whole.pixel_array.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    except (*NOT_DICOM, AttributeError, RuntimeError) as error:
        why = str(error).splitlines()[0][:200]
        raise Unusable(
            f"the pixels of {path.name} ({_syntax(path)}) cannot be read: {why}; export the series again, "
            "uncompressed"
        ) from error


def _syntax(path: Path) -> str:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    syntax = header.file_meta.get("TransferSyntaxUID")
    return syntax.name if syntax is not None else "no transfer syntax"
