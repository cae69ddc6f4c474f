"""DICOM series: the files of one volume, put in order by where they lie, never by name or number.

Every slice of CT and MR says where it lies (DICOM PS3.3, C.7.6.2, Image Plane Module). Compressed pixels are
decoded by GDCM; what it can't decode is refused with the name of the transfer syntax.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError

from datasets.importers.raw import Affine, Problem, Raw, Unusable, check_affine, check_shape, check_values

SUFFIXES = (".dcm", ".dicom", ".ima")
MODALITIES = ("CT", "MR")
FEWEST_SLICES = 8
UNEVEN = 0.05  # share of the distance between slices by which one may be off
TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM counts towards left and posterior
RESCALE = (("Slope", 1), ("Intercept", 0))
# What pydicom raises on files that are not DICOM, and, only when a damaged element is looked at, on others.
DAMAGED = (
    InvalidDicomError, OSError, EOFError, ValueError, AttributeError, KeyError, TypeError, OverflowError,
    NotImplementedError, BytesLengthException,
)  # fmt: skip
HEADER = [
    "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesDescription", "Modality",
    "NumberOfFrames", "Rows",
]  # fmt: skip
NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")


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
        if len(self.files) < FEWEST_SLICES:
            raise Unusable(
                f"has {len(self.files)} slices; a volume has at least {FEWEST_SLICES}. Leave it out, or "
                "bring its other files"
            )
        slices = sorted(map(_slice, self.files), key=lambda one: (one.height, one.path.name))
        _check_alike(slices)
        _check_stacked(slices)
        shape = (slices[0].columns, slices[0].rows, len(slices))
        check_shape(shape)
        affine = _affine(slices)
        check_affine(affine)
        data = np.empty(shape, np.float32, order="F")
        for place, one in enumerate(slices):
            data[..., place] = _pixels(one).T
        check_values(data)
        return Raw(data, affine, slices[0].modality)


@dataclass(frozen=True)
class _Slice:
    """One file's header. `position`: of its first voxel, `along`: rows and columns, `steps`: between rows and
    between columns; millimetres towards left, posterior and superior.
    """

    path: Path
    modality: str
    rows: int
    columns: int
    position: tuple[float, ...]
    along: tuple[float, ...]
    steps: tuple[float, ...]

    @property
    def height(self) -> float:
        """Along the normal of the slice."""
        normal = np.cross(self.along[:3], self.along[3:])
        return float(normal @ np.array(self.position))


def find(paths: Iterable[Path], root: Path) -> tuple[list[DicomSeries], list[Problem]]:
    """The series among `paths` (files that may be something else), named relative to `root`.

    Files that claim to be DICOM by name and are not are problems; other strangers are passed over.
    """
    found: dict[str, list[Path]] = {}
    headers: dict[str, dict[str, str]] = {}
    problems = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER)
            known = {name: str(header.get(name, "")) for name in HEADER}
        except DAMAGED as error:
            if path.suffix.lower() in SUFFIXES or _claims(path):
                why = f"cannot be read as DICOM ({_short(error)}); remove it, or export it again"
                problems.append(Problem(str(path.relative_to(root)), why))
            continue
        if not known["Rows"]:  # directories, reports, structures: no pictures
            continue
        key = known["SeriesInstanceUID"] or str(path.parent)
        found.setdefault(key, []).append(path)
        headers.setdefault(key, known)
    series = [_series(files, headers[key], root) for key, files in found.items()]
    return sorted(series, key=lambda one: one.name), problems


def _series(files: list[Path], known: dict[str, str], root: Path) -> DicomSeries:
    described = known["SeriesDescription"] or f"series {known['SeriesInstanceUID'][-12:]}"
    return DicomSeries(
        tuple(sorted(files)),
        f"{files[0].parent.relative_to(root)} ({described})",
        known["PatientID"] or known["StudyInstanceUID"],
        known["SeriesDescription"],
    )


def _claims(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _slice(path: Path) -> _Slice:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        _check_slice(path, header)
        return _Slice(
            path,
            str(header.Modality),
            int(header.Rows),
            int(header.Columns),
            _numbers(header.ImagePositionPatient, 3),
            _numbers(header.ImageOrientationPatient, 6),
            _numbers(header.PixelSpacing, 2),
        )
    except Unusable:
        raise
    except DAMAGED as error:
        raise Unusable(
            f"the header of {path.name} cannot be read: {_short(error)}; export the series again"
        ) from error


def _numbers(value: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in value)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{value} should be {count} numbers")
    return numbers


def _check_slice(path: Path, header: Any) -> None:
    if int(header.get("NumberOfFrames", 1) or 1) > 1:
        raise Unusable(
            f"{path.name} is a multi-frame object; export the series as one file a slice, or convert it to "
            "NIfTI"
        )
    if header.get("Modality") not in MODALITIES:
        modality = header.get("Modality")
        raise Unusable(f"its modality is {modality}, not {' or '.join(MODALITIES)}; leave it out")
    lacking = [name for name in NEEDED if header.get(name) is None]
    if lacking:
        raise Unusable(f"{path.name} lacks {', '.join(lacking)}, so its place is not known; leave it out")
    if int(header.get("SamplesPerPixel", 1)) != 1 or header.PhotometricInterpretation != "MONOCHROME2":
        raise Unusable(f"{path.name} is {header.PhotometricInterpretation}, no grey scan; leave it out")


def _check_alike(slices: list[_Slice]) -> None:
    first = slices[0]
    told: dict[str, Callable[[_Slice], Any]] = {
        "modality": lambda one: one.modality,
        "size": lambda one: (one.rows, one.columns),
        "pixel spacing": lambda one: one.steps,
        "orientation": lambda one: one.along,
    }
    for one in slices[1:]:
        for name, of in told.items():
            ours, theirs = of(first), of(one)
            if ours != theirs and (isinstance(ours, str) or not np.allclose(ours, theirs, atol=1e-3)):
                raise Unusable(
                    f"mixes several scans: the {name} is {ours} in {first.path.name} and {theirs} in "
                    f"{one.path.name}; export them as series of their own"
                )


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


def _affine(slices: list[_Slice]) -> Affine:
    """From column, row and slice to millimetres (PS3.3, C.7.6.2.1.1), turned to right and anterior."""
    first, last = slices[0], slices[-1]
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.along[:3]) * first.steps[1]
    affine[:3, 1] = np.array(first.along[3:]) * first.steps[0]
    affine[:3, 2] = (np.array(last.position) - first.position) / (len(slices) - 1)
    affine[:3, 3] = first.position
    affine[:3] = TO_RAS @ affine[:3]
    return affine


def _pixels(one: _Slice) -> NDArray[np.float32]:
    """(rows, columns), in the units that the rescale slope and intercept give."""
    try:
        whole = pydicom.dcmread(one.path)
        slope, intercept = (float(whole.get(f"Rescale{name}", default)) for name, default in RESCALE)
        pixels = whole.pixel_array
        if pixels.shape != (one.rows, one.columns):
            raise ValueError(f"they have shape {pixels.shape}, the header says {(one.rows, one.columns)}")
        return pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    except (*DAMAGED, RuntimeError) as error:
        raise Unusable(
            f"the pixels of {one.path.name} ({_syntax(one.path)}) cannot be read: {_short(error)}; export "
            "the series again, uncompressed"
        ) from error


def _syntax(path: Path) -> str:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    syntax = header.file_meta.get("TransferSyntaxUID")
    return syntax.name if syntax is not None else "no transfer syntax"


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
