"""Everything that a participant must not be told, and how to recognise it in an answer."""

import base64
import gzip
import html
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.challenges import service as challenges
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission
from backend.models.upload import Upload
from backend.models.user import User
from backend.storage import Storage
from datasets.manifest import Case, File
from tests.acceptance.stage import MARKERS, RIVAL, RIVAL_FILE, RIVAL_SCORE, RIVAL_TITLE, Stage, rival_map

Slices = NDArray[np.float32]  # (number of slices, side, side), grey levels from 0 to 255

HIDDEN_STAGES = ("test", "analysis")
SHORTEST = 6  # characters: a shorter figure turns up by chance
HEADER = 352  # bytes of a NIfTI file before its voxels
NEAR = 4.0  # mean difference in grey levels between a slice and its own compressed picture, with room
RESEMBLING = (
    0.7  # correlation with the rival's noise; overlays and colours keep it, other pictures have < 0.3
)
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")


@dataclass(frozen=True)
class Hidden:
    """`words` maps what must not appear, as bytes, to what it is; `slices` are hidden scans and masks."""

    words: dict[bytes, str]
    slices: Slices
    noise: Slices
    seen: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)

    def within(self, body: bytes, headers: bytes, asked: bytes) -> list[str]:
        """What of it an answer tells, apart from what the question told already."""
        found = {word for part in (body, headers) for word in self._words(part)}
        told = {word for word in found if word not in asked and word not in unquote_to_bytes(asked)}
        return sorted({self.words[word] for word in told} | set(self._pictures(body)))

    def _words(self, content: bytes) -> tuple[bytes, ...]:
        if content not in self.seen:
            readings = list(_readings(content))
            self.seen[content] = tuple(
                word for word in self.words if any(word in reading for reading in readings)
            )
        return self.seen[content]

    def _pictures(self, body: bytes) -> Iterator[str]:
        shown = _grey_levels(body, self.slices.shape[1])
        if shown is None:
            return
        if np.abs(self.slices - shown).mean(axis=(1, 2)).min() < NEAR:
            yield "a picture of a hidden scan or mask"
        if shown.std() > 0 and _correlations(self.noise, shown).max() > RESEMBLING:
            yield "a picture of a rival's anomaly map"


def _readings(content: bytes) -> Iterator[bytes]:
    """An answer in every way in which somebody could read it: as it is, unpacked, unescaped, decoded."""
    yield content
    yield _unpacked(content)
    yield html.unescape(content.decode("latin-1")).encode("latin-1", "replace")
    with suppress(ValueError):
        yield json.dumps(json.loads(content), ensure_ascii=False).encode()
    for run in _ENCODED.findall(content):
        for reading in _decoded(run):
            yield reading
            yield _unpacked(reading)


def _unpacked(content: bytes) -> bytes:
    """What a stream of gzip or zlib holds, as far as it goes."""
    stream = zlib.decompressobj(47)
    try:
        return stream.decompress(content)
    except zlib.error:
        return b""


def _decoded(run: bytes) -> Iterator[bytes]:
    for start in range(4):
        part = run[start:].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        yield base64.b64decode(part[: len(part) // 4 * 4])
    with suppress(ValueError):
        yield bytes.fromhex(run.decode())


def _grey_levels(body: bytes, side: int) -> NDArray[np.float32] | None:
    """The mean grey level of a picture's blocks, (side, side); None if it is no picture of a slice."""
    try:
        picture = Image.open(io.BytesIO(body)).convert("RGB")
    except (OSError, ValueError):
        return None
    if picture.width % side or picture.height % side:
        return None
    pixels = np.asarray(picture, dtype=np.float32).mean(axis=2)
    blocks = pixels.reshape(side, picture.height // side, side, picture.width // side)
    means: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _correlations(slices: Slices, shown: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = slices.reshape(len(slices), -1)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    one = (shown - shown.mean()).ravel() / shown.std()
    result: NDArray[np.float32] = flat @ one / one.size
    return np.abs(result)


# --- collecting ---


def hidden_from_participant(stage: Stage) -> Hidden:
    """All that the stage's participant must not learn, read from the database and the storage."""
    words = Words(stage)
    with stage.platform.database.read() as session:
        words.add_platform(session)
        words.add_cases(session)
        words.add_hidden_runs(session)
        words.add_rival(session)
        slices = _hidden_slices(session, stage.platform.storage)
    return Hidden(words.found, slices, _slices_of(rival_map() * 255))


class Words:
    """Collects what must not appear; what is public anyhow is left out."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._storage = stage, stage.platform.storage
        self.found: dict[bytes, str] = {}
        with stage.platform.database.read() as session:
            self._public = list(challenges.public_files(session, self._storage, "demo"))
        content = [self._storage.path(file.sha256).read_bytes() for file in self._public]
        told = json.dumps([[file.path, file.sha256] for file in self._public]).encode()
        files = zip(self._public, content, strict=True)
        levels = [_levels(packed) for file, packed in files if file.path.endswith(".nii.gz")]
        self._told = [told, *content, *map(_unpacked, content), *levels]

    def add(self, what: str, *values: object) -> None:
        for value in values:
            word = value if isinstance(value, bytes) else str(value).encode()
            if len(word) >= SHORTEST and not any(word in public for public in self._told):
                self.found[word] = what

    def add_platform(self, session: Session) -> None:
        settings = self._stage.platform.settings
        token = settings.worker_token
        self.add("the worker's token", token.get_secret_value() if token else "")
        self.add("where the platform's files lie", settings.data.absolute(), settings.database)
        for user in session.scalars(select(User)):
            self.add("a hash of a password", user.password_hash)

    def add_cases(self, session: Session) -> None:
        for version in challenges.current_versions(session, "demo"):
            for case in (*version.manifest.cases_of("test"), *version.manifest.cases_of("analysis")):
                self._add_case(case)

    def _add_case(self, case: Case) -> None:
        self.add("the id of a hidden case", case.id)
        self.add("the name of a hidden case", _stem(case.name))
        self.add("the kind of a hidden anomaly", *([case.kind] if case.kind not in (None, "sphere") else []))
        self.add("a parameter of a hidden anomaly", *_figures(case.parameters))
        self._add_file("scan", case.image)
        if case.mask is not None and case.label:
            self._add_file("mask", case.mask)

    def _add_file(self, what: str, file: File) -> None:
        if file.sha256.encode() in self.found:
            return  # the mask of a whole series
        packed = self._storage.path(file.sha256).read_bytes()
        before = len(self.found)
        self.add(f"the digest of a hidden {what}", file.sha256)
        self.add(f"bytes of a hidden {what}", packed[len(packed) // 2 :][:48])
        self.add(f"voxels of a hidden {what}", *_telling_windows(gzip.decompress(packed)))
        self.add(f"levels of a hidden {what}", *_telling_windows(_levels(packed)))
        assert len(self.found) >= before + 3, f"{file.path} could leave unnoticed"

    def add_hidden_runs(self, session: Session) -> None:
        for run in session.scalars(select(Run).where(Run.stage.in_(HIDDEN_STAGES))):
            self.add("the name of a case in a container", *(_stem(item["name"]) for item in run.cases))
            self._add_run("a hidden run", run)
            if run.failure_detail:
                self.add("the story for the operator", *run.failure_detail.splitlines())
        for result in session.scalars(select(CaseResult).where(CaseResult.stage.in_(HIDDEN_STAGES))):
            self.add("the score of a hidden case", *_long(result.score))
        for score in session.scalars(select(Score).where(Score.stage == "test")):
            figures = [value for value in (score.average_precision, score.validation) if value is not None]
            self.add("more decimals than are public", *(v for v in figures if v != round(v, 3)))
        for submission in session.scalars(select(Submission).where(Submission.kind == "counted")):
            late = [move for move in submission.transitions if move.before in ("test", "score")]
            self.add("the exact time of a hidden run", *(_long_time(move.created_at) for move in late))
        self.found |= {marker.encode(): what for marker, what in MARKERS.items()}

    def _add_run(self, what: str, run: Run) -> None:
        self.add(f"the name of {what}", f"run-{run.id}-{run.token}")
        self.add(f"the time of {what}", *_long(run.wall_seconds))
        if not run.is_beside:  # many short ones: some needs what an own toy run needed
            self.add(f"the memory of {what}", run.peak_memory)
        self.add(f"the exact time of {what}", _long_time(run.started_at), _long_time(run.finished_at))

    def add_rival(self, session: Session) -> None:
        rival = self._stage.user(RIVAL)
        self.add("a rival's account", rival.id, rival.email)
        self.add("a rival's ids", *(self._stage.rivals[name] for name in ("team", "token", "upload")))
        self.add("a rival's invitation", self._stage.rivals["invitation"])
        self.add("a rival's words", RIVAL_TITLE, RIVAL_FILE, "rivals-token-name-e310")
        self.add("a rival's prediction", RIVAL_SCORE, *_telling_windows(_view_of(rival_map())))
        for upload in session.scalars(select(Upload).where(Upload.user_id == rival.id)):
            self.add("a rival's archive", upload.sha256, upload.id)
        for submission in session.scalars(select(Submission).where(Submission.user_id == rival.id)):
            self.add("a rival's image", submission.image_id, submission.archive_sha256)
            self._add_rivals_results(session, submission)

    def _add_rivals_results(self, session: Session, submission: Submission) -> None:
        for run in session.scalars(select(Run).where(Run.submission_id == submission.id)):
            self._add_run("a rival's run", run)
        of_rival = CaseResult.submission_id == submission.id
        for result in session.scalars(
            select(CaseResult).where(of_rival, CaseResult.view_sha256.is_not(None))
        ):
            self.add("the digest of a rival's anomaly map", result.view_sha256)


def _stem(name: str) -> str:
    return name.removesuffix(".nii.gz")


def _long(value: float | None) -> list[str]:
    """A figure as JSON would show it, if it is too long to turn up by chance."""
    return [repr(value)] if value is not None and len(repr(value)) > SHORTEST + 2 else []


def _long_time(moment: float | None) -> str:
    return "" if moment is None or moment == round(moment) else repr(moment)


def _figures(parameters: dict[str, Any]) -> Iterator[str]:
    for value in parameters.values():
        for item in value if isinstance(value, list) else [value]:
            yield from _long(item) if isinstance(item, float) else ()


def _view_of(scores: NDArray[np.float32]) -> bytes:
    """An anomaly map as the platform keeps it for pictures, unpacked."""
    return nibabel.Nifti1Image(np.round(scores * 255).astype(np.uint8), np.eye(4)).to_bytes()


def _levels(packed: bytes) -> bytes:
    """A volume with 256 levels, as the viewer gets it."""
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(packed))
    return _view_of(np.clip(np.asanyarray(image.dataobj).astype(np.float32), 0, 1))


def _telling_windows(content: bytes, length: int = 240) -> list[bytes]:
    """All voxels of a volume, and some stretches that hold more than one value."""
    data = np.frombuffer(content[HEADER:], dtype=np.uint8)
    changes = np.flatnonzero(np.diff(data))
    starts = changes[np.linspace(0, changes.size - 1, 6).astype(int)]
    windows = [data[start : start + length].tobytes() for start in starts]
    return [data.tobytes(), *(window for window in windows if len(window) == length)]


def _hidden_slices(session: Session, storage: Storage) -> Slices:
    """Slices of hidden scans and masks that no public one resembles."""
    hidden: list[Slices] = []
    public: list[Slices] = []
    for version in challenges.current_versions(session, "demo"):
        for case in version.manifest.cases:
            slices = list(_slices_of_case(storage, case))
            (hidden if case.part in HIDDEN_STAGES else public).extend(slices)
    secret, known = np.concatenate(hidden), np.concatenate(public)
    distance = np.array([np.abs(known - one).mean(axis=(1, 2)).min() for one in secret])
    telling: Slices = secret[(distance > 2 * NEAR) & (secret.std(axis=(1, 2)) > 0)]
    assert len(telling) > 100, "too few hidden slices can be told from public ones"
    return telling


def _slices_of_case(storage: Storage, case: Case) -> Iterator[Slices]:
    for file in _files_of(case):
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(storage.path(file.sha256).read_bytes()))
        yield _slices_of(np.clip(np.asanyarray(image.dataobj).astype(np.float32), 0, 1) * 255)


def _files_of(case: Case) -> Iterable[File]:
    return [file for file in (case.image, case.mask) if file is not None]


def _slices_of(volume: NDArray[np.float32]) -> Slices:
    """All slices of a volume along all axes, turned as pictures turn them."""
    turned = [np.rot90(np.take(volume, at, axis)) for axis in range(3) for at in range(volume.shape[axis])]
    return np.stack(turned).astype(np.float32)
