"""What the participant's tool remembers between two calls: where it is signed in, and uploads under way.

Both are JSON files of the user alone (mode 0600), in `MOODARENA_CONFIG` if set, else in the user's
configuration folder.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

_LOGIN = "login.json"
_UPLOADS = "uploads.json"


@dataclass(frozen=True)
class Login:
    """A platform and the token that opens it; `token_id` is None for a token made elsewhere."""

    url: str
    token: str
    name: str = ""
    token_id: str | None = None


def folder() -> Path:
    """Where the files lie."""
    return Path(os.environ.get("MOODARENA_CONFIG") or typer.get_app_dir("moodarena"))


def read_login() -> Login | None:
    """The login in use: `MOODARENA_URL` with `MOODARENA_TOKEN` if both are set, else the stored one."""
    url, token = os.environ.get("MOODARENA_URL"), os.environ.get("MOODARENA_TOKEN")
    if url and token:
        return Login(url=url, token=token)
    stored = _read(_LOGIN)
    if not {"url", "token"} <= set(stored):
        return None
    return Login(stored["url"], stored["token"], stored.get("name", ""), stored.get("token_id"))


def write_login(login: Login) -> Path:
    """Keep a login; returns the file."""
    return _write(_LOGIN, asdict(login))


def forget_login() -> None:
    """Remove the stored login, if there is one."""
    (folder() / _LOGIN).unlink(missing_ok=True)


def read_upload(url: str, challenge: str, sha256: str) -> str | None:
    """Id of the upload of this file that was under way, or None."""
    return _read(_UPLOADS).get(_key(url, challenge, sha256))


def write_upload(url: str, challenge: str, sha256: str, upload: str) -> None:
    """Remember an upload, so that a later call can go on with it."""
    _write(_UPLOADS, _read(_UPLOADS) | {_key(url, challenge, sha256): upload})


def forget_upload(url: str, challenge: str, sha256: str) -> None:
    """Forget an upload that is done."""
    uploads = _read(_UPLOADS)
    if uploads.pop(_key(url, challenge, sha256), None) is not None:
        _write(_UPLOADS, uploads)


def _key(url: str, challenge: str, sha256: str) -> str:
    return f"{url} {challenge} {sha256}"


def _read(name: str) -> dict[str, str]:
    try:
        content = json.loads((folder() / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(name: str, content: Mapping[str, str | None]) -> Path:
    target = folder() / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp creates with mode 0600, so that the token is never readable by others, not even for a moment.
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    os.replace(temporary, target)
    return target
