"""What datasets were built from, kept beside them: enough, with the secret, to make any case again.

The challenge names kinds and their folder, so the file stays as hidden as the manifests; no secret is in it.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from challenges.spec import Challenge
from datasets.volume import write_bytes

NAME = "built-from.json"


class OriginError(ValueError):
    """What datasets were built from cannot be read; the message names the file and the remedy."""


class Origin(BaseModel):
    """`challenge` as it was, `anomaly_path` the folder of the organizer's own kinds, if any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    challenge: Challenge
    anomaly_path: Path | None


def keep(out: Path, challenge: Challenge, private: Path | None) -> None:
    """Write it into the folder of all datasets."""
    kept = Origin(challenge=challenge, anomaly_path=private.absolute() if private else None)
    write_bytes(out / NAME, (kept.model_dump_json(indent=1) + "\n").encode())


def read(out: Path) -> Origin | None:
    """What lies in the folder of all datasets; None if nothing does, as in imported ones.

    Raises:
        OriginError: it cannot be understood.
    """
    path = out / NAME
    if not path.is_file():
        return None
    try:
        return Origin.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise OriginError(f"{path} is damaged, or of another version; run the build again") from error
