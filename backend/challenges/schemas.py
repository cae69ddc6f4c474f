"""What participants are told about a challenge. Kinds of anomalies are hidden, as are all test cases."""

from typing import Any

from pydantic import BaseModel

from backend.challenges.files import PublicFile
from backend.models.challenge import Challenge, DatasetVersion
from challenges.spec import HIDDEN_SETTINGS


class ChallengeSummary(BaseModel):
    id: str
    title: str
    description: str
    dates: dict[str, Any]

    @classmethod
    def of(cls, challenge: Challenge) -> "ChallengeSummary":
        spec = challenge.spec
        return cls(
            id=challenge.id,
            title=spec.title,
            description=spec.description,
            dates=spec.dates.model_dump(mode="json"),
        )


class ChallengeView(ChallengeSummary):
    """A challenge as its YAML states it; `versions` names the current version of each dataset."""

    tasks: dict[str, Any]
    datasets: dict[str, Any]
    entry: dict[str, Any]
    limits: dict[str, Any]
    counted: dict[str, Any]
    toy: dict[str, Any]
    teams: dict[str, Any]
    publication: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def of_current(cls, challenge: Challenge, versions: list[DatasetVersion]) -> "ChallengeView":
        public = challenge.spec.model_dump(mode="json", exclude={"ranking", "anomaly_path"})
        for dataset in public["datasets"].values():
            for setting in ("anomalies", *HIDDEN_SETTINGS):
                del dataset[setting]
        return cls(**public, versions={version.name: version.version for version in versions})


class FileView(BaseModel):
    """A file to download from `…/files/{path}`; `size` in bytes."""

    dataset: str
    part: str
    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, file: PublicFile) -> "FileView":
        return cls(dataset=file.dataset, part=file.part, path=file.path, size=file.size, sha256=file.sha256)
