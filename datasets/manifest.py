"""What a built dataset consists of: every case with its files' digests, and the fixed batches.

The manifest names labels, masks and kinds of hidden cases: it never leaves the server.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from challenges.spec import Part
from datasets.volume import write_bytes

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class ManifestError(ValueError):
    """A manifest is missing or damaged; the message names the file and the remedy."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Frozen):
    """One file. `path` is relative to the dataset's folder, `size` in bytes."""

    path: str
    sha256: str = Sha256
    size: int = Field(ge=0)


class Case(_Frozen):
    """One scan.

    `id` is opaque; `name` is the file name that containers see (opaque for test cases). `tasks` are those
    it is scored in: all for toy cases, none for training cases. `label` is 1 for an abnormal case.
    `mask` (uint8, 0 or 1) is there for every case with a label that serves a task with voxel scores.
    `analysis` is the set that a case of that part belongs to. `properties`: what is known of the person.
    """

    id: str
    part: Part
    name: str
    tasks: tuple[str, ...]
    label: Literal[0, 1] | None
    image: File
    mask: File | None
    kind: str | None
    category: Literal["local", "global"] | None
    parameters: dict[str, Any]
    analysis: str | None = None
    properties: dict[str, float | str] = Field(default_factory=dict)


class Manifest(_Frozen):
    """One dataset. `version` belongs to the secret and the challenge's settings that it was built from.

    `arrangements[task][k]` are the batches of the k-th arrangement, each a list of case ids; every case
    of the task is in exactly one batch of each arrangement.
    """

    format: Literal[1] = 1
    challenge: str
    dataset: str
    version: str
    shape: tuple[int, int, int]
    cases: tuple[Case, ...]
    arrangements: dict[str, list[list[list[str]]]]

    def cases_of(self, part: Part, task: str | None = None) -> list[Case]:
        """The cases of one part, in the manifest's order; with `task`, only those that serve it."""
        return [case for case in self.cases if case.part == part and (task is None or task in case.tasks)]

    def analysis_sets(self) -> dict[str, list[Case]]:
        """The cases of each analysis set, series in their order; no participant gets to see any."""
        sets: dict[str, list[Case]] = {}
        for case in self.cases_of("analysis"):
            sets.setdefault(str(case.analysis), []).append(case)
        return sets


def read(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestError: there is none, or it is not one.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}; build the dataset first") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ManifestError(f"{path}: {where}: {first['msg']}; remove the file and build again") from error


def write(manifest: Manifest, path: Path) -> None:
    """Write a manifest whole or not at all."""
    write_bytes(path, (manifest.model_dump_json(indent=1) + "\n").encode())
