"""The platform's HTTP API for programs: one class, used by `moodarena` and by `make demo`.

Errors: see `submissions.wire`. Answers: see `submissions.responses`.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import httpx

from submissions.responses import (
    Account,
    ChallengeSummary,
    Invitation,
    Leaderboard,
    RemoteFile,
    Submission,
    Team,
    Token,
    ToyStatistics,
    Upload,
)
from submissions.wire import DELAYS, Damaged, NoConnection, Refused, Wire

Progress = Callable[[int], None]
"""Told how many more bytes are done; negative when some must be sent again."""

_PIECE = 256 * 1024


def _no_progress(_: int) -> None:
    return None


class Client:
    """A signed-in (with `token`) or anonymous caller of one platform."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wire = Wire(url, token, transport, sleep)
        self.url = self._wire.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.http.close()

    # --- people ---

    def sign_up(self, name: str, email: str, password: str) -> Account:
        """Make an account."""
        body = {"name": name, "email": email, "password": password}
        return Account.model_validate(self._wire.send("POST", "accounts", json=body))

    def make_token(self, name: str, password: str, token_name: str) -> Token:
        """Make an API token with a name and password; its secret is in this answer only."""
        body = {"name": name, "password": password, "token_name": token_name}
        return Token.model_validate(self._wire.send("POST", "tokens", json=body))

    def revoke_token(self, token_id: str) -> None:
        """Make a token worthless."""
        self._wire.send("DELETE", f"tokens/{token_id}")

    def me(self) -> Account:
        """Whose token this is."""
        return Account.model_validate(self._wire.get("me"))

    # --- challenges ---

    def challenges(self) -> list[ChallengeSummary]:
        """All challenges of the platform."""
        return [ChallengeSummary.model_validate(item) for item in self._wire.items("challenges")]

    def spec_text(self, challenge: str) -> str:
        """The challenge's YAML, for `challenges.spec.parse`."""
        return self._wire.read(f"challenges/{challenge}/spec").text

    def files(self, challenge: str) -> list[RemoteFile]:
        """Every file that participants may download."""
        return [RemoteFile.model_validate(item) for item in self._wire.items(f"challenges/{challenge}/files")]

    def leaderboard(self, challenge: str, task: str) -> Leaderboard:
        """The places in one task."""
        answer = self._wire.get(f"challenges/{challenge}/leaderboard", params={"task": task})
        return Leaderboard.model_validate(answer)

    def download(
        self, challenge: str, file: RemoteFile, folder: Path, progress: Progress = _no_progress
    ) -> Path:
        """Fetch one file into `folder`, going on with a part that is already there; returns its path.

        Raises:
            Damaged: the whole file has not the digest that the platform announced.
        """
        target = folder / _inside(file.path)
        if _is(target, file):
            progress(file.size)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        self._fetch(f"challenges/{challenge}/files/{file.path}", partial, file.size, progress)
        if not _is(partial, file):
            partial.unlink()
            raise Damaged(f"{file.path} arrived damaged; it was removed, try again.")
        os.replace(partial, target)
        return target

    def _fetch(self, path: str, partial: Path, size: int, progress: Progress) -> None:
        for delay in (*DELAYS, None):
            try:
                return self._fetch_rest(path, partial, size, progress)
            except httpx.TransportError as error:
                if delay is None:
                    raise self._wire.unreachable(error) from error
            except NoConnection:
                if delay is None:
                    raise
            self._wire.sleep(delay)

    def _fetch_rest(self, path: str, partial: Path, size: int, progress: Progress) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        if have == size > 0:
            return progress(size)
        # A Range into compressed content would mean other bytes, so nothing may be encoded on the way.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if 0 < have < size else {})
        with self._wire.http.stream("GET", path, headers=headers) as response:
            self._wire.check(response)
            done = have if response.status_code == 206 else 0
            progress(done)
            try:
                with partial.open("ab" if done else "wb") as file:
                    for piece in response.iter_raw():
                        file.write(piece)
                        done += len(piece)
                        progress(len(piece))
            except httpx.TransportError:
                progress(-done)
                raise

    # --- teams ---

    def create_team(self, challenge: str, name: str) -> Team:
        """Found a team with the caller as its first member."""
        answer = self._wire.send("POST", f"challenges/{challenge}/teams", json={"name": name})
        return Team.model_validate(answer)

    def team(self, challenge: str) -> Team:
        """The team in which the caller takes part."""
        return Team.model_validate(self._wire.get(f"challenges/{challenge}/team"))

    def invite(self, challenge: str) -> Invitation:
        """A secret that admits one person to the caller's team."""
        return Invitation.model_validate(self._wire.send("POST", f"challenges/{challenge}/team/invitations"))

    def join_team(self, challenge: str, token: str) -> Team:
        """Become a member of the team that made the invitation `token`."""
        answer = self._wire.send("POST", f"challenges/{challenge}/team/join", json={"token": token})
        return Team.model_validate(answer)

    # --- uploads ---

    def start_upload(self, challenge: str, file_name: str, size: int, sha256: str) -> Upload:
        """Announce an archive."""
        body = {"challenge": challenge, "file_name": file_name, "size": size, "sha256": sha256}
        return Upload.model_validate(self._wire.send("POST", "uploads", json=body))

    def upload_state(self, upload: str) -> Upload:
        """How far an upload is."""
        return Upload.model_validate(self._wire.get(f"uploads/{upload}"))

    def discard_upload(self, upload: str) -> None:
        """Give up an upload."""
        self._wire.send("DELETE", f"uploads/{upload}")

    def upload(self, challenge: str, path: Path, progress: Progress = _no_progress) -> Upload:
        """Upload a `docker save` archive from the beginning to the end; see `continue_upload`."""
        started = self.start_upload(challenge, path.name, path.stat().st_size, sha256_of(path))
        return self.continue_upload(started, path, progress)

    def continue_upload(self, upload: Upload, path: Path, progress: Progress = _no_progress) -> Upload:
        """Send what the platform lacks of `path`, however often the line breaks; returns the complete upload.

        Raises:
            NoConnection: no byte got through in about a minute and a half of trying.
            Damaged: the platform found another digest than was announced.
        """
        progress(upload.offset)
        failures = 0
        while upload.state == "open" and upload.offset < upload.size:
            after, cause = self._send_chunk(upload, path, progress)
            failures = 0 if after.offset > upload.offset else failures + 1
            if failures > len(DELAYS):
                raise cause or Damaged("The platform takes no byte of the upload. Start a new one.")
            if failures:
                self._wire.sleep(DELAYS[failures - 1])
            upload = after
        if upload.state == "rejected":
            raise Damaged("The file changed on its way or while it was read; upload it again.")
        return upload

    def _send_chunk(
        self, upload: Upload, path: Path, progress: Progress
    ) -> tuple[Upload, NoConnection | None]:
        """The upload after one more chunk, and what broke the line if it broke."""
        size = min(upload.chunk, upload.size - upload.offset)
        sent = 0

        def pieces() -> Iterator[bytes]:
            nonlocal sent
            with path.open("rb") as file:
                file.seek(upload.offset)
                while sent < size and (piece := file.read(min(_PIECE, size - sent))):
                    sent += len(piece)
                    progress(len(piece))
                    yield piece

        cause = None
        try:
            answer = self._patch(upload, pieces(), size)
            after = upload.model_copy(update={"offset": answer["offset"], "state": answer["state"]})
        except NoConnection as error:
            after, cause = self._state_or_same(upload), error
        progress(after.offset - upload.offset - sent)
        return after, cause

    def _patch(self, upload: Upload, content: Iterator[bytes], size: int) -> dict[str, Any]:
        headers = {
            "Upload-Offset": str(upload.offset),
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
        }
        try:
            answer = self._wire.send("PATCH", f"uploads/{upload.id}", content=content, headers=headers)
        except Refused as refusal:
            if refusal.code == "upload_busy":  # a request of ours that broke off is still being written there
                return {"offset": upload.offset, "state": upload.state}
            if refusal.status != 409 or "offset" not in refusal.facts:
                raise
            answer = {"state": upload.state} | refusal.facts
        return dict(answer)

    def _state_or_same(self, upload: Upload) -> Upload:
        try:
            return self.upload_state(upload.id)
        except NoConnection:
            return upload

    # --- submissions ---

    def submit(
        self, challenge: str, upload: str, kind: str, task: str | None = None, title: str = ""
    ) -> Submission:
        """Hand in an uploaded image: `kind` is toy or counted; a counted one names its task."""
        body = {"challenge": challenge, "upload": upload, "kind": kind, "task": task, "title": title}
        return Submission.model_validate(self._wire.send("POST", "submissions", json=body))

    def submissions(self, challenge: str | None = None) -> list[Submission]:
        """The submissions of the caller's teams."""
        query = {"challenge": challenge} if challenge else {}
        return [Submission.model_validate(item) for item in self._wire.items("submissions", **query)]

    def submission(self, submission: str) -> Submission:
        """One submission as it is now."""
        return Submission.model_validate(self._wire.get(f"submissions/{submission}"))

    def toy_statistics(self, submission: str) -> ToyStatistics:
        """What the figures on toy cases of one submission are computed from."""
        return ToyStatistics.model_validate(self._wire.get(f"submissions/{submission}/toy/statistics"))

    def cancel(self, submission: str) -> Submission:
        """Ask for the end of a submission; what runs is stopped soon after."""
        return Submission.model_validate(self._wire.send("POST", f"submissions/{submission}/cancel"))

    def watch(self, submission: str) -> Iterator[Submission]:
        """The submission now and after every change, until it is final.

        Follows the event stream; where a proxy holds the stream back, this is a poll every few seconds.
        """
        told: dict[str, Any] | None = None
        while True:
            answer = self._wire.read(f"submissions/{submission}", delays=DELAYS)
            now = Submission.model_validate_json(answer.content)
            for seen in chain([now], self._events(submission)):
                # The stream leaves out logs and what only organizers see; that is no change.
                outline = seen.model_dump(exclude={"operator": True, "runs": {"__all__": {"log"}}})
                if outline != told:
                    yield seen
                told = outline
                if seen.is_final:
                    return
            self._wire.sleep(2)

    def _events(self, submission: str) -> Iterator[Submission]:
        """What the event stream says until it ends, for whatever reason; the caller asks again."""
        event = ""
        try:
            with self._wire.http.stream("GET", f"submissions/{submission}/events") as response:
                for line in response.iter_lines() if response.status_code == 200 else ():
                    if line.startswith("event:"):
                        event = line.removeprefix("event:").strip()
                    elif line.startswith("data:") and event == "state":
                        yield Submission.model_validate_json(line.removeprefix("data:"))
        except httpx.TransportError:
            return


def _inside(path: str) -> Path:
    """A path that the platform named; Refused when it would leave the folder of the download."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in path:
        raise Refused(200, "unsafe_path", f"The platform named the file {path!r}, which leads elsewhere.", {})
    return Path(*pure.parts)


def _is(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def sha256_of(path: Path, progress: Progress = _no_progress) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
            progress(len(piece))
    return digest.hexdigest()
