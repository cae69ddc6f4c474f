"""A challenge in full swing: a participant among rivals, everything evaluated by a real worker in containers.

What the rival predicts, logs and is called is odd enough to be recognised wherever it turns up.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import nibabel
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from sqlalchemy import delete, update

from backend.accounts import service as accounts
from backend.accounts import sessions
from backend.commands import console
from backend.intake import samples
from backend.models.base import new_id
from backend.models.challenge import Challenge
from backend.models.report import Report
from backend.models.run import Run
from backend.models.standing import Standing
from backend.models.submission import ACTIVE_STATES
from backend.models.submission import Submission as Entry
from backend.models.upload import Upload
from backend.models.user import ApiToken, User
from backend.platform import Platform
from backend.results import reporting, rescoring, uncertainty
from backend.results.drafts import Change, draft
from submissions.client import Client
from submissions.responses import Submission
from tests.archives import Image, save, tar
from tests.images import busybox
from tests.integration.arena import ONLY_HIDDEN, PASSWORD, Arena
from tests.live import serving

SIDE = 16
RIVAL, PARTICIPANT, ORGANIZER = "anna", "bert", "olga"
RIVAL_TITLE, RIVAL_FILE = "rivals-own-title-5d1c", "rivals-own-archive-77aa.tar"
RIVAL_SCORE = "0.2718281828459045"
MARKERS = {
    "rival-log-on-toys-9f3b": "the log of a rival's toy run",
    "rival-log-on-hidden-41d7": "the log of a rival's run on hidden cases",
    "own-log-on-hidden-c02e": "the log of a run on hidden cases",
    "reason-of-no-public-board-88f1": "a scoring version that is not public",
}
UNUSED_REASON = "reason-of-no-public-board-88f1"
TOY_LINE = "toy run sees"

EACH = 'set -e; for file in "$1"/*; do name=${file##*/}; '
RIVAL_SAYS = ONLY_HIDDEN + (
    '[ -n "$hidden" ] && echo rival-log-on-hidden-41d7 || echo rival-log-on-toys-9f3b; ls "$1"\n'
)
RIVAL_SAMPLE = RIVAL_SAYS + EACH + f'echo {RIVAL_SCORE} > "$2/$name.txt"; done\n'
RIVAL_PIXEL = RIVAL_SAYS + EACH + 'cp /workspace/map.nii.gz "$2/$name"; done\n'
SAYS = ONLY_HIDDEN + (
    f'if [ -n "$hidden" ]; then echo own-log-on-hidden-c02e; ls -l "$1"; md5sum "$1"/*; else\n'
    f'for file in "$1"/*; do echo "{TOY_LINE} ${{file##*/}}"; done; fi\n'
)
SAMPLE = SAYS + EACH + 'echo "0.5772156$((0x$(md5sum < "$file" | cut -c1-5)))" > "$2/$name.txt"; done\n'
PIXEL = SAYS + EACH + 'cp "$file" "$2/$name"; done\n'
FAILING = PIXEL + '[ -z "$hidden" ] || exit 3\n'


@dataclass(frozen=True)
class Stage:
    """The platform, who is on it, and what they handed in. `own` and `rivals` are ids by what they are."""

    arena: Arena
    own: Mapping[str, str]
    rivals: Mapping[str, str]

    @property
    def platform(self) -> Platform:
        return self.arena.platform

    def user(self, name: str) -> User:
        with self.platform.database.read() as session:
            return accounts.by_name(session, name)

    def bearer(self, name: str) -> dict[str, str]:
        """Headers with a new API token in place of the user's others, which are limited in number."""
        with self.platform.database.write() as session:
            user = accounts.by_name(session, name)
            session.execute(delete(ApiToken).where(ApiToken.user_id == user.id))
            _, secret = accounts.issue_token(session, user, "walk")
        return {"Authorization": f"Bearer {secret}"}

    def cookie(self, name: str) -> dict[str, str]:
        """Headers of a browser that has just signed in, with the CSRF token that its pages hold."""
        with self.platform.database.write() as session:
            user = accounts.by_name(session, name)
            opened = sessions.open_session(session, user, self.platform.settings)
        return {"Cookie": f"{sessions.COOKIE}={opened.secret}", "X-CSRF-Token": opened.csrf}

    def renew_upload(self) -> None:
        """One open upload of the participant's, and no other: what they announced would come back to them.

        Samples that they handed in go as well: nobody carries them out, so streams of events would not end.
        """
        person = self.user(PARTICIPANT)
        with self.platform.database.write() as session:
            waiting = Entry.user_id == person.id, Entry.state.in_(ACTIVE_STATES)
            session.execute(delete(Entry).where(*waiting))
            session.execute(delete(Upload).where(Upload.user_id == person.id))
            session.add(
                Upload(
                    id=self.own["upload"],
                    user_id=person.id,
                    challenge_id="demo",
                    file_name="own.tar",
                    size=1000,
                    sha256="0" * 64,
                    expires_at=2e10,
                )
            )


@contextmanager
def played(arena: Arena, app: FastAPI) -> Iterator[Stage]:
    """Have a rival and a participant hand in images, and a worker carry all of it out."""
    worker = arena.worker()
    with serving(app) as url:
        rival = _client(url, RIVAL)
        person = _client(url, PARTICIPANT)
        _client(url, ORGANIZER)
        with arena.platform.database.write() as session:
            accounts.set_role(session, accounts.by_name(session, ORGANIZER), "organizer")
        person.create_team("demo", "participants")
        rivals = {
            "sample": _submit(arena, rival, RIVAL_FILE, _rival_files(), "sample"),
            "pixel": _submit(arena, rival, RIVAL_FILE, _rival_files(), "pixel"),
        }
        own = {
            "pixel": _submit(arena, person, "failing.tar", _files(SAMPLE, FAILING), "pixel"),
            "sample": _submit(arena, person, "own.tar", _files(SAMPLE, PIXEL), "sample"),
            "toy": _submit(arena, person, "toy.tar", _files(SAMPLE, PIXEL, ("brain",)), None),
        }
        rivals["upload"] = rival.start_upload(
            "demo", RIVAL_FILE, 4000, hashlib.sha256(b"rival").hexdigest()
        ).id
        rivals["token"] = rival.make_token(RIVAL, PASSWORD, "rivals-token-name-e310").id
        rivals["invitation"] = rival.invite("demo").token
        rivals["team"] = rival.team("demo").id
        rivals["open_invitation"] = hashlib.sha256(rivals["invitation"].encode()).hexdigest()[:24]
        _offer_sample(arena)
        _complete(arena, own, {"sample": "ranked", "pixel": "failed", "toy": "finished"})
        _complete(arena, rivals, {"sample": "ranked", "pixel": "ranked"})
        _analyse_some(arena, own["sample"])
    arena.kill(worker)
    _rescore(arena)
    _compute_intervals(arena)
    own["upload"] = new_id()
    yield Stage(arena, own, rivals)


def _rescore(arena: Arena) -> None:
    """A further scoring version, with figures of everybody, whose board is not the public one."""
    with arena.platform.database.read() as session:
        challenge = session.get_one(Challenge, "demo")
        change = Change(tasks=["pixel"], batch_size=2, arrangement_seed=4)
        drafted = draft(session, challenge, change, UNUSED_REASON, ORGANIZER)
    rescoring.add_version(arena.platform.database, drafted)


def _compute_intervals(arena: Arena) -> None:
    """Of both boards and the report, also of one that the worker had begun."""
    database = arena.platform.database
    with database.write() as session:
        session.execute(delete(Standing))
        session.execute(delete(Report))
    while uncertainty.work(database) or reporting.work(database):
        pass


def _client(url: str, name: str) -> Client:
    if name != RIVAL:  # whom the arena signed up
        Client(url).sign_up(name, f"{name}@example.org", PASSWORD)
    return Client(url, Client(url).make_token(name, PASSWORD, "walk").token)


def _submit(arena: Arena, client: Client, file: str, files: Mapping[str, bytes], task: str | None) -> str:
    path = arena.folder / file
    busybox.write_archive(path, f"{file}-{task}", files)
    title = RIVAL_TITLE if file == RIVAL_FILE else "own"
    upload = client.upload("demo", path).id
    submission: Submission = client.submit("demo", upload, "counted" if task else "toy", task, title)
    return submission.id


def _complete(arena: Arena, ids: Mapping[str, str], states: Mapping[str, str]) -> None:
    for name, state in states.items():
        ended = arena.final(ids[name])
        assert ended.state == state, f"{name}: {ended.failure_code} {ended.failure_detail}"


def _analyse_some(arena: Arena, submission: str) -> None:
    """Wait until a part of the participant's analysis is done, which may come before that of rivals here."""
    runs = {"submission_id": submission, "stage": "analysis"}
    with arena.platform.database.write() as session:
        session.execute(update(Run).filter_by(**runs).values(priority=2))
    arena.until(lambda: bool(arena.rows(Run, **runs, state="done")), "an analysis run to end")


def _offer_sample(arena: Arena) -> None:
    """An image that everybody may hand in and have."""
    layer = tar(*((name, b"#!/bin/sh\n") for name in _files("", "")))
    path = save(arena.folder / "sample.tar", Image(layers=[layer]).docker())
    with arena.platform.database.write() as session:
        samples.register(session, arena.platform.storage, "demo", path, "sample", console.operator())


def _files(sample: str, pixel: str, datasets: tuple[str, ...] = ("brain", "abdom")) -> dict[str, bytes]:
    texts = {"sample": sample, "pixel": pixel}
    return {
        f"workspace/run_{task}_{dataset}.sh": f"#!/bin/sh\n{text}".encode()
        for task, text in texts.items()
        for dataset in datasets
    }


def _rival_files() -> dict[str, bytes]:
    image = nibabel.Nifti1Image(rival_map(), np.eye(4))
    content = gzip.compress(image.to_bytes(), mtime=0)
    return {**_files(RIVAL_SAMPLE, RIVAL_PIXEL), "workspace/map.nii.gz": content}


def rival_map() -> NDArray[np.float32]:
    """The anomaly map that the rival gives every case, (16, 16, 16): noise like no other."""
    return np.random.default_rng(271828).random((SIDE, SIDE, SIDE), dtype=np.float32)
