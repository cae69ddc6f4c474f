"""An export as a ZIP that is a Research Object Crate (RO-Crate 1.1): what each file is, and its digest."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.audit.service import check, record
from backend.challenges import service as challenges
from backend.db import Database, now
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results.export import ACTION, TEXT, Item, items_of
from scoring.report.versions import versions

METADATA = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/crate/1.1"
SAME_DAY = (1980, 1, 1, 0, 0, 0)
"""Of all files in the ZIP: when it was made is in the metadata."""
ROOT = Path(__file__).parents[2]

README = """\
{title}: results with their provenance

A Research Object Crate (RO-Crate 1.1), made by moodarena for organizers. {metadata} says of every file what
it is, its size and its SHA-256; `sha256sum -c SHA256SUMS` checks them. Times are seconds since 1970, UTC.

{files}

It holds no image and no name of a hidden case, but the kinds of hidden anomalies (in challenge.yaml), team
names, and figures of full precision: think of that before you publish it.
"""


@dataclass(frozen=True)
class Crate:
    """A finished export."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


def export(database: Database, challenge_id: str, actor: User, reason: str = "") -> Crate:
    """The results of a challenge as a crate; that it was made is in the audit log.

    Raises:
        NotFound: there is no such challenge.
        BadInput: the reason is too long, or not text.
    """
    reason = check(reason)
    with database.read() as session:
        _look_once(session)
        challenge = challenges.get(session, challenge_id)
        crate = crate_of(session, challenge, actor.name, session.scalars(select(now())).one())
    with database.write() as session:
        told = {"sha256": crate.sha256, "size": len(crate.content)}
        record(session, actor, ACTION, challenge_id, crate.name, reason, **told)
    return crate


def _look_once(session: Session) -> None:
    """All files tell of one moment, whatever others write meanwhile; SQLite does so by itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def crate_of(session: Session, challenge: Challenge, who: str, moment: float) -> Crate:
    """The crate of a state: the same bytes for the same state, person and moment."""
    items = items_of(session, challenge)
    items = [_readme(challenge, items), *items]
    sums = "".join(f"{item.sha256}  {item.path}\n" for item in items)
    items.append(Item("SHA256SUMS", sums.encode(), "Digests of all files but this and the metadata", TEXT))
    told = json.dumps(_metadata(challenge, items, who, moment), indent=1, ensure_ascii=False) + "\n"
    files = [(METADATA, told.encode()), *((item.path, item.content) for item in items)]
    return Crate(f"{challenge.id}-{_date(moment)[:10]}.zip", _zipped(files))


def _readme(challenge: Challenge, items: Sequence[Item]) -> Item:
    files = "\n".join(f"{item.path}: {item.about}." for item in items)
    text = README.format(title=challenge.spec.title, metadata=METADATA, files=files)
    return Item("README.txt", text.encode(), "What is in here", TEXT)


def _metadata(challenge: Challenge, items: Sequence[Item], who: str, moment: float) -> dict[str, Any]:
    software = _software()
    described = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results of {challenge.spec.title}",
        "description": " ".join(challenge.spec.description.split()),
        "datePublished": _date(moment),
        "identifier": challenge.id,
        "license": {"@id": "#terms"},
        "author": {"@id": "#person"},
        "hasPart": [{"@id": item.path} for item in items],
        "mentions": {"@id": "#export"},
    }
    deed = {
        "@id": "#export",
        "@type": "CreateAction",
        "name": "Export of the results",
        "endTime": _date(moment),
        "agent": {"@id": "#person"},
        "instrument": {"@id": software["@id"]},
        "result": {"@id": "./"},
    }
    terms = {
        "@id": "#terms",
        "@type": "CreativeWork",
        "name": "For the organizers of the challenge",
        "description": "Made for organizers; what may be published of it, they decide.",
    }
    person = {"@id": "#person", "@type": "Person", "name": who}
    graph = [
        described | {"conformsTo": {"@id": PROFILE}},
        root,
        *(_file(item) for item in items),
        deed,
        person,
        software,
        terms,
    ]
    return {"@context": [CONTEXT, {"sha256": "https://schema.org/sha256"}], "@graph": graph}


def _file(item: Item) -> dict[str, Any]:
    return {
        "@id": item.path,
        "@type": "File",
        "name": item.about,
        "encodingFormat": item.media_type,
        "contentSize": str(len(item.content)),
        "sha256": item.sha256,
    }


def _software() -> dict[str, Any]:
    commit = _commit(ROOT / ".git")
    known = {
        "@id": "#moodarena",
        "@type": "SoftwareApplication",
        "name": "moodarena",
        "softwareVersion": versions()["moodarena"],
    }
    return known | ({"identifier": commit} if commit else {})


def _commit(folder: Path) -> str | None:
    """What is checked out, if this is a checkout."""
    try:
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head or None
        name = head.removeprefix("ref: ")
        if (folder / name).is_file():
            return (folder / name).read_text().strip()
        lines = (folder / "packed-refs").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _zipped(files: Sequence[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path, content in files:
            info = zipfile.ZipInfo(path, SAME_DAY)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, content)
    return stream.getvalue()
