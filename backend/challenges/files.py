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
    levels = levels_of(challenge.spec)
    files = [file for version in versions for file in _of_dataset(version.manifest, levels)]
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
    """What the label file of a toy case says: 0 or 1, as in the original challenge."""
    return f"{case.label}".encode()


def _of_dataset(manifest: Manifest, levels: dict[str, str]) -> Iterator[PublicFile]:
    for case in manifest.cases_of("training"):
        yield _listed(manifest, "training", case.image)
    for case in manifest.cases_of("toy"):
        yield _listed(manifest, "toy", case.image)
        if case.mask is not None:
            yield _listed(manifest, "toy_label", case.mask)
        if "case" in levels:
            label, path = sample_label(case), f"toy_label/{levels['case']}/{case.name}.txt"
            file = File(path=path, sha256=hashlib.sha256(label).hexdigest(), size=len(label))
            yield _listed(manifest, "toy_label", file)


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


def levels_of(challenge: spec.Challenge) -> dict[str, str]:
    """Name of the task of each level."""
    return {task.level: name for name, task in challenge.tasks.items()}
