"""An archive sent by a plain HTML form, written to its place as it comes.

The framework's own parser would first spool the whole file, whoever sends it. Here the form's CSRF token,
which is its first field, is checked before a byte of the file is kept.
"""

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from sqlalchemy import update
from starlette.concurrency import run_in_threadpool

from backend.accounts.dependencies import Identity
from backend.errors import BadInput, Forbidden, MoodarenaError
from backend.intake import streams, uploads
from backend.models.upload import Upload
from backend.platform import Platform

FIELD_LIMIT = 1000
BUFFER = 1 << 20
UNKNOWN_DIGEST = "0" * 64


@dataclass
class _Part:
    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)


class FormReader:
    """Feeds on the bytes of a form with short fields and one file.

    `begin(fields, file_name)` is called when the file begins, with the fields before it; it may raise, and
    returns where the file's bytes go.
    """

    def __init__(
        self, content_type: str, begin: Callable[[dict[str, str], str], Callable[[bytes], object]]
    ) -> None:
        kind, options = parse_options_header(content_type)
        if kind.lower() != b"multipart/form-data" or b"boundary" not in options:
            raise BadInput("not_a_form", "Send the archive with the form of the page.")
        self.fields: dict[str, str] = {}
        self.complete = False
        self._begin = begin
        self._sink: Callable[[bytes], object] | None = None
        self._part, self._header, self._value = _Part(), bytearray(), bytearray()
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            BadInput: this is not a form.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadInput(
                "form_damaged", "The form arrived damaged. Load the page again and repeat."
            ) from error

    def _on_part_begin(self) -> None:
        self._part = _Part()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header.extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value.extend(data[start:end])

    def _on_header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._part.name = options.get(b"name", b"").decode(errors="replace")
            if b"filename" in options:
                self._part.file_name = options[b"filename"].decode(errors="replace")
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        if self._part.file_name is None:
            return
        if self._sink is not None:
            raise BadInput("two_files", "Send one archive only.")
        self._sink = self._begin(self.fields, self._part.file_name)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file_name is not None and self._sink is not None:
            self._sink(data[start:end])
        elif len(self._part.content) + end - start > FIELD_LIMIT:
            raise BadInput("field_too_long", "A field of the form is too long.")
        else:
            self._part.content.extend(data[start:end])

    def _on_part_end(self) -> None:
        if self._part.file_name is None:
            self.fields[self._part.name] = self._part.content.decode(errors="replace")

    def _on_end(self) -> None:
        self.complete = True


class _Arrival:
    """The upload that a form's file becomes."""

    def __init__(self, platform: Platform, identity: Identity, challenge: str, size: int) -> None:
        self.platform, self.identity, self.challenge, self.size = platform, identity, challenge, size
        self.upload: Upload | None = None
        self.descriptor = -1
        self.received = 0
        self.digest = hashlib.sha256()
        self.open = ExitStack()

    def begin(self, fields: dict[str, str], file_name: str) -> Callable[[bytes], object]:
        expected = self.identity.csrf or ""
        if not expected or not secrets.compare_digest(fields.get("csrf", "").encode(), expected.encode()):
            raise Forbidden("csrf", "This form is too old or not ours. Load the page again and repeat.")
        name = file_name.replace("\\", "/").rpartition("/")[2][-200:]
        if not name:
            raise BadInput("no_file", "Choose the archive that `docker save` wrote.")
        user = self.identity.user
        with self.platform.database.write() as session:
            self.upload = uploads.create(
                session, self.platform, user, self.challenge, name, self.size, UNKNOWN_DIGEST
            )
        _, self.descriptor = self.open.enter_context(uploads.opened(self.platform, user, self.upload.id))
        write = streams.writer_at(self.descriptor, 0)

        def sink(piece: bytes) -> None:
            self.received += len(piece)
            self.digest.update(piece)
            write(piece)

        return sink

    def keep(self) -> Upload:
        """The file is there as a whole: the upload is complete, and its size and digest are known."""
        if self.upload is None or not self.received:
            raise BadInput("upload_empty", "The form brought no file, or an empty one.")
        os.fdatasync(self.descriptor)
        known = {"size": self.received, "offset": self.received, "sha256": self.digest.hexdigest()}
        with self.platform.database.write() as session:
            session.execute(
                update(Upload).where(Upload.id == self.upload.id).values(**known, state="complete")
            )
        self.open.close()
        return self.upload

    def drop(self) -> None:
        """Forget what came."""
        self.open.close()
        if self.upload is not None:
            uploads.delete(self.platform, self.identity.user, self.upload.id)


async def receive(request: Request, platform: Platform, identity: Identity, challenge: str) -> Upload:
    """Read the form of a request into a complete upload. An error leaves nothing of it behind.

    Raises:
        Forbidden: the form is not ours.
        MoodarenaError: the archive cannot be taken; see `uploads.create`.
    """
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise BadInput("length_missing", "The browser did not say how long the form is.")
    arrival = _Arrival(platform, identity, challenge, int(length))
    reader = FormReader(request.headers.get("content-type", ""), arrival.begin)
    try:
        await _feed(request, reader)
        if not reader.complete:
            raise BadInput("form_damaged", "The form arrived incomplete. Repeat.")
        return await run_in_threadpool(arrival.keep)
    except (MoodarenaError, OSError):
        await run_in_threadpool(arrival.drop)
        raise
    finally:
        arrival.open.close()


async def _feed(request: Request, reader: FormReader) -> None:
    buffer = bytearray()
    async for chunk in streams.until_gone(request):
        buffer += chunk
        if len(buffer) >= BUFFER:
            await run_in_threadpool(reader.feed, bytes(buffer))
            buffer.clear()
    await run_in_threadpool(reader.feed, bytes(buffer))
