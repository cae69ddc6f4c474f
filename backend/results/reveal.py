"""From an open board to a published one: frozen, published, and back. `disclosure` judges what follows.

Everybody who does so holds the challenge's lock, and a challenge has one frozen board at a time by the
database's own rule. What is done already is not done again, and not told twice.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.audit.service import demand, record
from backend.db import now
from backend.errors import Conflict, NotFound
from backend.models.challenge import Challenge
from backend.models.reveal import FrozenBoard
from backend.models.submission import ACTIVE_STATES, Submission
from backend.models.user import User
from backend.results import disclosure, versions
from backend.results.leaderboard import entries_of, last_scored, previewed
from backend.results.schemas import Board, BoardState, Check, Disclosed, RevealView
from challenges.changes import revealed

Entries = dict[str, list[str]]
Deed = Literal["freeze", "publish", "unpublish", "unfreeze"]


def reveal_view(session: Session, challenge: Challenge) -> RevealView:
    """Where the reveal of a challenge stands, what to look at before, and what it makes public."""
    moment = session.scalars(select(now())).one()
    frozen, entries = challenge.frozen, _entries(session, challenge)
    here = disclosure.disclosed(challenge.spec, moment)
    there = disclosure.disclosed(revealed(challenge.spec, disclosure.utc(int(moment))), moment)
    return RevealView(
        challenge=challenge.id,
        state=state_of(challenge),
        frozen_at=frozen.created_at if frozen else None,
        published_at=frozen.published_at if frozen else None,
        scoring=versions.public(session, challenge).number,
        seen=seen(entries, versions.public(session, challenge).id),
        entries={task: len(ids) for task, ids in entries.items()},
        later={task: len(ids) for task, ids in _later(session, challenge).items()},
        public=disclosure.board_is_public(challenge.spec, moment),
        checks=_checks(session, challenge, moment),
        discloses=[Disclosed(what=what, now=here[what], then=there[what]) for what in there],
    )


def state_of(challenge: Challenge) -> BoardState:
    """open: it follows what is ranked; frozen: it does not; published: everybody sees the frozen one."""
    if challenge.frozen is None:
        return "open"
    return "frozen" if challenge.frozen.published_at is None else "published"


def previews(session: Session, challenge: Challenge) -> list[Board]:
    """The board of every task as everybody will see it."""
    return [previewed(session, challenge, task) for task in challenge.spec.tasks]


def seen(entries: Entries, version: int) -> str:
    """What somebody has looked at, in short: with other entries or rules it is another word."""
    return sha256(json.dumps([entries, version], sort_keys=True).encode()).hexdigest()[:16]


def carry_out(
    session: Session, challenge_id: str, deed: Deed, actor: User, reason: str, looked_at: str = ""
) -> Challenge:
    """Do one of the deeds, with an entry in the audit log; the challenge as it is then.

    `looked_at` is the `seen` of the view that was decided on: with it only that is frozen or published.

    Raises:
        NotFound: there is no such challenge.
        BadInput: no reason is given.
        Conflict: something must be done first, or the board has changed since it was looked at.
    """
    reason = demand(reason)
    versions.lock(session, challenge_id)
    query = select(Challenge).where(Challenge.id == challenge_id).execution_options(populate_existing=True)
    if (challenge := session.scalar(query)) is None:
        raise NotFound("no_such_challenge", "There is no such challenge.")
    session.refresh(challenge, ["frozen"])
    found = DEEDS[deed](session, challenge, looked_at)
    if found is not None:
        told = {"frozen_board": found.id, "entries": found.entries}
        record(session, actor, f"board.{deed}", challenge.id, f"frozen board {found.id}", reason, **told)
    session.flush()
    session.refresh(challenge, ["frozen"])
    return challenge


def _freeze(session: Session, challenge: Challenge, looked_at: str) -> FrozenBoard | None:
    if challenge.frozen is not None:
        return None
    entries, version = _entries(session, challenge), versions.current(session, challenge.id)
    _check_unchanged(entries, version.id, looked_at)
    frozen = FrozenBoard(
        challenge_id=challenge.id, scoring_version_id=version.id, entries=entries, created_at=_moment(session)
    )
    session.add(frozen)
    session.flush()
    return frozen


def _publish(session: Session, challenge: Challenge, looked_at: str) -> FrozenBoard | None:
    if (frozen := challenge.frozen) is None:
        raise Conflict("board_not_frozen", "Freeze the board first: what is published must not change.")
    if frozen.published_at is not None:
        return None
    _check_unchanged(_entries(session, challenge), frozen.scoring_version_id, looked_at)
    frozen.published_at = _moment(session)
    return frozen


def _unpublish(session: Session, challenge: Challenge, looked_at: str) -> FrozenBoard | None:
    if (frozen := challenge.frozen) is None or frozen.published_at is None:
        return None
    frozen.published_at = None
    return frozen


def _unfreeze(session: Session, challenge: Challenge, looked_at: str) -> FrozenBoard | None:
    if (frozen := challenge.frozen) is None:
        return None
    if frozen.published_at is not None:
        raise Conflict("board_published", "The board is published. Undo that first, then unfreeze it.")
    frozen.released_at = _moment(session)
    return frozen


DEEDS: dict[Deed, Callable[[Session, Challenge, str], FrozenBoard | None]] = {
    "freeze": _freeze,
    "publish": _publish,
    "unpublish": _unpublish,
    "unfreeze": _unfreeze,
}
"""Each says which frozen board it is about, or None where nothing was to be done."""


def _moment(session: Session) -> float:
    return session.scalars(select(now())).one()


def _entries(session: Session, challenge: Challenge) -> Entries:
    """Who is on the board of every task, whatever the frozen board has that was withdrawn since."""
    return {task: [one.id for one in entries_of(session, challenge, task)] for task in challenge.spec.tasks}


def _check_unchanged(entries: Entries, version: int, looked_at: str) -> None:
    if looked_at and looked_at != seen(entries, version):
        raise Conflict(
            "board_changed", "The board has changed since you looked at it. Look at it again, then decide."
        )


def _later(session: Session, challenge: Challenge) -> Entries:
    """What would be on the board if it were not frozen, by task; empty while it is open."""
    if challenge.frozen is None:
        return {}
    frozen = challenge.frozen.entries
    now_there = {task: last_scored(session, challenge.id, task) for task in challenge.spec.tasks}
    return {
        task: [one.id for one in found if one.id not in frozen.get(task, [])]
        for task, found in now_there.items()
    }


def _checks(session: Session, challenge: Challenge, moment: float) -> list[Check]:
    return [
        _running(session, challenge),
        _over(challenge, moment),
        _complete(session, challenge),
        *_intervals(previews(session, challenge), challenge),
        *_withdrawn(session, challenge),
    ]


def _running(session: Session, challenge: Challenge) -> Check:
    query = select(func.count()).where(
        Submission.challenge_id == challenge.id,
        Submission.kind == "counted",
        Submission.state.in_(ACTIVE_STATES),
    )
    count = session.scalars(query).one()
    if not count:
        return Check(ok=True, text="No counted submission is on its way.")
    what = "1 counted submission is" if count == 1 else f"{count} counted submissions are"
    return Check(ok=False, text=f"{what} on the way: once the board is frozen, they are not on it.")


def _over(challenge: Challenge, moment: float) -> Check:
    closes = challenge.spec.dates.closes
    if closes is None:
        return Check(
            ok=False, text="Counted submissions have no end: the rules name no date on which they close."
        )
    if moment < closes.timestamp():
        return Check(ok=False, text=f"Counted submissions are taken until {closes:%d %B %Y, %H:%M} UTC.")
    return Check(ok=True, text=f"Counted submissions closed on {closes:%d %B %Y, %H:%M} UTC.")


def _complete(session: Session, challenge: Challenge) -> Check:
    lacking = [task for task, ids in _entries(session, challenge).items() if not ids]
    if lacking:
        titles = ", ".join(challenge.spec.tasks[task].title for task in lacking)
        return Check(ok=False, text=f"Nobody is on the board of {titles}.")
    return Check(ok=True, text="Every task has a board.")


def _intervals(boards: Sequence[Board], challenge: Challenge) -> list[Check]:
    found = []
    for board in (board for board in boards if board.rows):
        title, state = challenge.spec.tasks[board.task].title, board.uncertainty.state
        if state == "computed":
            found.append(Check(ok=True, text=f"The intervals of {title} are computed."))
        elif state == "undefined":
            found.append(Check(ok=False, text=f"The intervals of {title} are undefined; the board says so."))
        else:
            text = f"The intervals of {title} are not computed yet; a worker does that when it is free."
            found.append(Check(ok=False, text=text))
    return found


def _withdrawn(session: Session, challenge: Challenge) -> list[Check]:
    if challenge.frozen is None:
        return []
    there = {one for ids in _entries(session, challenge).values() for one in ids}
    gone = [one for ids in challenge.frozen.entries.values() for one in ids if one not in there]
    if not gone:
        return []
    what = "1 submission was" if len(gone) == 1 else f"{len(gone)} submissions were"
    return [Check(ok=False, text=f"{what} withdrawn, or run again, since the board was frozen: left off it.")]
