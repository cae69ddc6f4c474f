"""What goes over the wire on the way in."""

from typing import Literal

from pydantic import BaseModel, Field

from backend.intake.uploads import MAXIMUM_PATCH
from backend.models.sample import WorkingSample
from backend.models.upload import Upload


class NewUpload(BaseModel):
    challenge: str = Field(max_length=40)
    file_name: str = Field(min_length=1, max_length=200)
    size: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class UploadView(BaseModel):
    """`offset` of `size` bytes are safe; send at most `chunk` bytes in one PATCH."""

    id: str
    challenge: str
    file_name: str
    offset: int
    size: int
    chunk: int
    sha256: str
    state: str
    expires_at: float

    @classmethod
    def of(cls, upload: Upload) -> "UploadView":
        return cls(
            id=upload.id,
            challenge=upload.challenge_id,
            file_name=upload.file_name,
            offset=upload.offset,
            size=upload.size,
            chunk=MAXIMUM_PATCH,
            sha256=upload.sha256,
            state=upload.state,
            expires_at=upload.expires_at,
        )


class NewSubmission(BaseModel):
    """A toy submission may name a task, a counted one must."""

    challenge: str = Field(max_length=40)
    upload: str = Field(max_length=40)
    kind: Literal["toy", "counted"]
    task: str | None = Field(default=None, max_length=40)
    title: str = Field(default="", max_length=200)


class SampleView(BaseModel):
    """The working sample of a challenge; `size` in bytes."""

    title: str
    size: int
    sha256: str

    @classmethod
    def of(cls, sample: WorkingSample) -> "SampleView":
        return cls(title=sample.title, size=sample.archive_size, sha256=sample.archive_sha256)


class BlobView(BaseModel):
    sha256: str
