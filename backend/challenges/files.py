"""The files that participants may have: training and toy images, toy labels, the starter kit. Never more."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.errors import NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.storage import Storage
from challenges import spec
from datasets.manifest import Case, File, Manifest


@dataclass(frozen=True)
class PublicFile:
    """One file by digest. `part`: training, toy, toy_label or kit; `size` in bytes."""

    dataset: str
    part: str
    path: str
    size: int
    sha256: str


def public_files(
    storage: Storage, challenge: Challenge, versions: Sequence[DatasetVersion]
) -> list[PublicFile]:
    """Everything that participants may have, in order of path."""
    files = [file for version in versions for file in _of_dataset(version.manifest, challenge.spec)]
    return sorted([*files, *read_kit(storage, challenge.id)], key=lambda file: file.path)


def find(files: Sequence[PublicFile], path: str) -> PublicFile:
    """The file of this path.

    Raises:
        NotFound: there is none, or it is hidden; the answer is the same.
    """
    for file in files:
        if file.path == path:
            return file
    raise NotFound("no_such_file", "There is no such file. The list of files shows all.")


def sample_label(case: Case) -> bytes:
    """What the label file of a toy case says: 0 or 1 on one line, as in the original challenge."""
    return f"{case.label}\n".encode()


def _of_dataset(manifest: Manifest, challenge: spec.Challenge) -> Iterator[PublicFile]:
    for case in manifest.cases_of("training"):
        yield _listed(manifest, "training", case.image)
    for case in manifest.cases_of("toy"):
        yield _listed(manifest, "toy", case.image)
        for name in case.tasks:
            yield _listed(manifest, "toy_label", _label(case, name, challenge))


def _label(case: Case, task: str, challenge: spec.Challenge) -> File:
    if challenge.tasks[task].level == "voxel":
        if case.mask is None:
            raise ValueError(f"toy case {case.id} has no mask for {task}")
        return case.mask.model_copy(update={"path": f"toy_label/{task}/{case.name}"})
    text, name = sample_label(case), challenge.entry.case_prediction.format(case=case.name)
    sha256 = hashlib.sha256(text).hexdigest()
    return File(path=f"toy_label/{task}/{name}", sha256=sha256, size=len(text))


def _listed(manifest: Manifest, part: str, file: File) -> PublicFile:
    return PublicFile(manifest.dataset, part, f"{manifest.dataset}/{file.path}", file.size, file.sha256)


def read_kit(storage: Storage, challenge_id: str) -> list[PublicFile]:
    """The files of the starter kit that was stored for a challenge; none if there was none."""
    index = _kit_index(storage, challenge_id)
    return [PublicFile(**item) for item in json.loads(index.read_text())] if index.is_file() else []


def store_kit(storage: Storage, challenge_id: str, folder: Path) -> list[PublicFile]:
    """Store the files of a folder as the starter kit, in place of what was there."""
    files = [
        _kit_file(storage, folder, path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    index = _kit_index(storage, challenge_id)
    handle, name = tempfile.mkstemp(dir=index.parent)
    with os.fdopen(handle, "w") as stream:
        json.dump([asdict(file) for file in files], stream)
    os.replace(name, index)
    return files


def _kit_file(storage: Storage, folder: Path, path: Path) -> PublicFile:
    name = f"kit/{path.relative_to(folder).as_posix()}"
    return PublicFile("", "kit", name, path.stat().st_size, storage.put_file(path))


def _kit_index(storage: Storage, challenge_id: str) -> Path:
    return storage.scratch("kits") / f"{challenge_id}.json"
