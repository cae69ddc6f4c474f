"""A participant gets no hidden case, no mask, no name and no rival's prediction, whatever they ask."""

import base64
import gzip
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import docker
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import select, update
from sse_starlette import EventSourceResponse, ServerSentEvent

from backend.challenges import service as challenges
from backend.errors import BadInput, Forbidden, NotFound
from backend.main import STATIC, create_app
from backend.models.challenge import Challenge
from backend.models.run import Run
from backend.models.score import CaseResult
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from backend.results import pictures, volumes
from backend.results import service as results
from backend.results.toy_files import ToyFiles
from datasets.manifest import Case
from submissions.client import Client
from submissions.contract import Code, general_message
from tests.acceptance.hidden import Hidden, hidden_from_participant
from tests.acceptance.stage import MARKERS, ORGANIZER, PARTICIPANT, RIVAL, TOY_LINE, Stage, played
from tests.acceptance.walker import (
    BINARY,
    FORM,
    JSON,
    Answer,
    Ask,
    Door,
    Knowledge,
    Line,
    UnknownDoor,
    doors,
    encoded,
    questions,
    traversals,
)
from tests.integration.arena import PASSWORD, Arena, analysed_spec_text
from tests.live import serving

# Public once the results are.
CATEGORIES = {
    "/challenges/{challenge}/leaderboard/categories",
    "/api/v1/challenges/{challenge}/leaderboard/categories",
}
ONLY_FOR_OTHERS = {
    "/organize",
    "/organize/{challenge}/scoring",
    "/organize/{challenge}/export",
    "/organize/{challenge}/reveal",
    "/organize/{challenge}/settings",
    "/organize/{challenge}/teams",
    "/organize/audit",
    "/organize/submissions",
    "/organize/submissions/done",
    "/organize/submissions/plan",
    "/api/v1/audit",
    "/api/v1/operations",
    "/api/v1/operations/events",
    "/api/v1/operations/submissions",
    "/api/v1/blobs/{sha256}",
    "/api/v1/challenges/{challenge}/scoring-versions/compare",
    "/api/v1/challenges/{challenge}/reveal",
    "/api/v1/challenges/{challenge}/settings",
    "/api/v1/challenges/{challenge}/teams",
    "/organize/{challenge}/analysis",
    "/organize/{challenge}/analysis/{question}",
    "/organize/{challenge}/cases",
    "/organize/{challenge}/cases/{task}/{dataset}/{case}",
    "/api/v1/challenges/{challenge}/analysis/{question}",
    "/api/v1/challenges/{challenge}/cases",
    "/api/v1/challenges/{challenge}/cases/{task}/{dataset}/{case}/{axis}/{index}.webp",
    "/api/v1/challenges/{challenge}/report",
    *CATEGORIES,
}


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, analysed_scans: Path, engine: docker.DockerClient
) -> Iterator[Stage]:
    """Everything evaluated but some analysis sets, and the worker gone."""
    folder = tmp_path_factory.mktemp("privacy")
    generous = {"login_rate": "100000 per minute", "uploads_per_user": 100_000}
    spec = analysed_spec_text()
    with (
        Arena(folder, analysed_scans, spec=spec, more=generous) as arena,
        played(arena, create_app(arena.platform)) as stage,
    ):
        yield stage


@pytest.fixture(scope="module")
def hidden(stage: Stage) -> Hidden:
    return hidden_from_participant(stage)


@pytest.fixture(scope="module")
def app(stage: Stage) -> FastAPI:
    return create_app(stage.platform)


@pytest.fixture(scope="module")
def line(app: FastAPI) -> Iterator[Line]:
    with serving(app) as url, closing(Line(url)) as line:
        yield line


def hidden_cases(stage: Stage) -> list[Case]:
    with stage.platform.database.read() as session:
        versions = challenges.current_versions(session, "demo")
        manifests = [version.manifest for version in versions]
        return [case for one in manifests for case in (*one.cases_of("test"), *one.cases_of("analysis"))]


def masked_case(stage: Stage) -> Case:
    """An abnormal hidden case that has a mask."""
    return next(case for case in hidden_cases(stage) if case.mask is not None and case.label)


def in_container(stage: Stage, submission: str) -> str:
    """The name that a hidden case had in a container."""
    with stage.platform.database.read() as session:
        query = select(Run).where(Run.submission_id == submission, Run.stage == "test")
        return str(session.scalars(query).all()[0].cases[0]["name"])


def view_of_rival(stage: Stage) -> str:
    """The digest of a rival's anomaly map of a toy case."""
    with stage.platform.database.read() as session:
        query = select(CaseResult.view_sha256).where(CaseResult.submission_id == stage.rivals["pixel"])
        return str(session.scalars(query.where(CaseResult.view_sha256.is_not(None))).all()[0])


def archive_of_rival(stage: Stage) -> str:
    with stage.platform.database.read() as session:
        return session.get_one(Submission, stage.rivals["pixel"]).archive_sha256


# --- what a curious participant types ---


def knowledge(stage: Stage) -> Knowledge:
    """Ordinary values, and every secret that somebody could have guessed, heard or seen over a shoulder."""
    case, other = masked_case(stage), hidden_cases(stage)[-1]
    assert case.mask is not None
    name = in_container(stage, stage.rivals["pixel"])
    digests = [case.image.sha256, case.mask.sha256, archive_of_rival(stage), view_of_rival(stage)]
    data = stage.platform.settings.data.absolute()
    ids = [stage.rivals[key] for key in ("pixel", "sample", "upload", "token", "team")]
    names = [case.name, case.id, other.name, other.id, name, "toy_0.nii.gz", "toy_9.nii.gz"]
    odd = ["", ".", "..", "%2e%2e", "%00", "%ff", "%0d%0aX-Injected:%201", "*", "%25", "x" * 3000, "0" * 24]
    odd += [encoded("' or 1=1 --"), encoded("<script>"), encoded("{{7*7}}"), "1", "run-1-1", "null"]
    outside = traversals("/etc/passwd") + traversals(str(data / "moodarena.db"))
    common = [*names, *ids, *digests, *odd]
    files = [
        f"brain/{path}" for path in (case.image.path, case.mask.path, "manifest.json", "toy/toy_0.nii.gz")
    ]
    files += [
        f"brain/test/{name}",
        "brain/test/",
        "brain",
        f"../blobs/{digests[0][:2]}/{digests[0]}",
        "kit/x",
    ]
    blob = str(stage.platform.storage.path(digests[0]))
    own = [stage.own[key] for key in ("sample", "pixel", "toy")]
    path = {
        "challenge": ["demo", "absent", *common, *outside[:4]],
        "path": ["brain/toy/toy_0.nii.gz", *files, *common, *outside, *traversals(blob)],
        "static": [*_static_files(), *common, *outside, *traversals(blob)],
        "submission": [*own, *common, *outside[:4]],
        "submission_id": [*own, *common, *outside[:4]],
        "upload_id": [stage.own["upload"], stage.rivals["upload"], *common, *outside[:4]],
        "token_id": [stage.rivals["token"], *common, *outside[:4]],
        "invitation": [stage.rivals["open_invitation"], *common],
        "team": [stage.rivals["team"], *common],
        "sha256": [*digests, *common, *outside[:4]],
        "task": ["pixel", "sample", "score", *common],
        "dataset": ["brain", "abdom", "test", *common],
        "case": ["toy_0.nii.gz", *common, *outside],
        "axis": ["2", "0", "1", "3", "-1", "x"],
        "index": ["8", "hottest", "0", "15", "16", "-1", "x"],
        "layer": [*volumes.LAYERS, "overlay", *common],
        # Not an empty one: that is the page above, to which the server sends everybody.
        "question": ["categories", "cases", "stability", *filter(None, common)],
        "deed": ["freeze", "publish", "unpublish", "unfreeze", "withdraw", "cancel", "rerun", "melt"],
    }
    raw = [*names, *ids, *digests, "", "../..", "\0", "'", "%", "x" * 3000]
    query = {
        "limit": ["1000", "1", "0", "-1", "x"],
        "after": ["", *raw],
        "challenge": ["demo", *raw],
        "everybody": ["true", "1", "x"],
        "task": ["sample", "pixel", *raw],
        "format": ["csv", "json", "xml"],
        # The day first, on which everybody is on the board.
        "as_of": [date.today().isoformat(), "2020-01-01", "9999-12-31", "0001-01-01", "x", *odd[:4]],
        "team": ["", "a", RIVAL, *raw],
        "baselines": ["show", "hide", "x"],
        "live": ["", "yes", "x"],
        "panel": ["category-brain", "kind-brain", "hardest-brain", *raw],
        "grouping": ["kind", "category", "x"],
        "group": ["local", "global", case.kind, *raw],
        "label": ["abnormal", "normal", "x"],
        "outcome": ["absent", "x"],
        "start": ["0", "1", "-1", "x"],
        "submission": [stage.rivals["pixel"], *raw],
        "sort": ["place", "team", "ranked", "ap.brain", "validation.abdom", "ap.x", *raw],
        "order": ["", "desc", "asc", "x"],
        "layer": [*pictures.LAYERS, "x"],
        "axis": ["0", "1", "2", "3", "x"],
        "slice": ["0", "8", "16", "-1", "x"],
        "a": [*own, *ids, "absent", ""],
        "b": [own[1], own[0], *ids, ""],
        "dataset": ["brain", "abdom", *raw],
        "case": ["toy_0.nii.gz", *raw],
        "state": ["failed", "ranked", *raw],
        "next": ["/", "//elsewhere.example", f"/submissions/{ids[0]}"],
        "kind": ["toy", "counted", *raw],
        "title": ["", "own", *raw],
        "code": ["crashed", "platform", *raw],
        "fault": ["ours", "theirs", "x"],
        "text": ["", *raw],
        "page": ["1", "2", "0", "x"],
        "check": ["all", "x"],
        "deed": ["withdraw", "cancel", "rerun", "melt"],
        "id": [*ids, *own, *raw],
        "since": ["0", "1", "-1", "x"],
        "view": ["", "challenge=demo", *raw],
        "actor": ["", ORGANIZER, *raw],
        "action": ["submission", "", *raw],
        "subject": [*ids, *own, *raw],
        **{name: ["2", "1", "3", "0", "-1", "9" * 30, "x"] for name in ("scoring", "old", "new")},
    }
    fields: dict[str, Sequence[Any]] = {
        "name": ["bert", RIVAL, "", 7, None, ["x"]],
        "email": ["bert@example.org", "anna@example.org", "", 7],
        "password": [PASSWORD, "wrong", "", 7],
        "new_password": [PASSWORD, "short", "", 7],
        "token_name": ["walk", "", 7],
        "token": ["guess", stage.rivals["team"], "", 7],
        "invitation": ["guess", stage.rivals["team"], ""],
        "challenge": ["demo", "absent", 7],
        "file_name": ["x.tar", f"../../blobs/{digests[0]}", case.name, ""],
        "size": [1000, 0, -1, 1 << 60, "x"],
        "sha256": [*digests, "x"],
        "upload": [stage.rivals["upload"], *ids, *digests, "../x", 7],
        "kind": ["toy", "counted", "test", 7],
        "task": ["sample", "pixel", "test", None, 7],
        "title": ["t", "x" * 300, "\0", 7],
        "next": ["/", "//elsewhere.example"],
        "reason": ["why not", "", 7],
        "seen": ["", "x"],
        "deed": ["withdraw", "cancel", "melt", 7],
        "id": [*ids, *own, "absent"],
        "submissions": [[ids[0]], own, ["absent"], [], 7],
        "view": ["", "challenge=demo"],
        "baseline": ["true", "false", "x"],
        "values": [{}, {"publication.leaderboard": "live"}, 7],
        "reset": [[], ["dates.closes"], 7],
    }
    start = {"task": "pixel", "dataset": "brain", "case": "toy_0.nii.gz"}
    starts = [
        {**start, "submission": stage.own["pixel"], "submission_id": stage.own["pixel"]},
        {**start, "submission": stage.own["sample"], "task": "sample"},
        {**start, "submission": stage.rivals["pixel"], "submission_id": stage.rivals["pixel"]},
    ]
    junk = [(JSON, b"{"), (JSON, b"[]"), (JSON, b"\xff\xfe"), (FORM, b"%ff=%00&a"), (BINARY, b""), ("", b"x")]
    form = b'--b\r\nContent-Disposition: form-data; name="archive"; filename="../x"\r\n\r\nx\r\n--b--\r\n'
    junk += [("multipart/form-data; boundary=b", form), ("multipart/form-data", b"x")]
    offsets = {"upload-offset": ["0", "-1", "x", "9" * 30]}
    return Knowledge(path, query, offsets, fields, starts, junk)


def _static_files() -> list[str]:
    return [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()]


def walk(
    app: FastAPI, line: Line, stage: Stage, identify: Callable[[], Mapping[str, str]], at: str = "/"
) -> Iterator[tuple[Door, Ask, Answer]]:
    """Ask everything at every door; each door sees a sign-in of its own, since some doors end it."""
    known = knowledge(stage)
    for door in doors(app):
        identity = identify()
        stage.renew_upload()
        for ask in questions(door, known) if door.path.startswith(at) else ():
            yield door, ask, line.ask(ask, identity)


def leaks(hidden: Hidden, walked: Iterable[tuple[Door, Ask, Answer]]) -> list[str]:
    """What was told that must not be, and every fault of ours."""
    found = []
    for _, ask, answer in walked:
        told = hidden.within(answer.body, answer.headers_as_bytes(), ask.as_bytes())
        found += [f"{ask} -> {answer.status}: {what}" for what in told]
        if answer.status >= 500:
            found.append(f"{ask} -> {answer.status}: {answer.body[:200]!r}")
    return found


@pytest.mark.parametrize(
    ("way", "at"),
    [
        ("cookie", "/"),
        ("token", "/api/"),
        ("nobody", "/"),
        pytest.param("token", "/", marks=pytest.mark.slow),
    ],
)
def test_no_route_tells_a_participant_anything_hidden(
    app: FastAPI, line: Line, stage: Stage, hidden: Hidden, way: str, at: str
) -> None:
    ways: dict[str, Callable[[], Mapping[str, str]]] = {
        "cookie": lambda: stage.cookie(PARTICIPANT),
        "token": lambda: stage.bearer(PARTICIPANT),
        "nobody": dict,
    }
    walked = list(walk(app, line, stage, ways[way], at))
    assert leaks(hidden, walked) == []
    gettable = {door.path for door in doors(app) if "GET" in door.methods and door.path.startswith(at)}
    opened = {door.path for door, ask, answer in walked if ask.method == "GET" and answer.status < 400}
    if way != "nobody":  # else the walk would prove nothing
        assert gettable - opened == {path for path in ONLY_FOR_OTHERS if path.startswith(at)}


# --- what is hidden looks like what does not exist ---


def twins(stage: Stage) -> dict[str, list[tuple[str, str]]]:
    """By parameter or field: something hidden, and something of the same form that does not exist."""
    case = masked_case(stage)
    name = in_container(stage, stage.rivals["pixel"])
    nowhere = f"{secrets.token_hex(10)}.nii.gz"
    submissions = [(stage.rivals[key], secrets.token_hex(12)) for key in ("sample", "pixel")]
    digests = [case.image.sha256, archive_of_rival(stage), view_of_rival(stage)]
    return {
        "submission": submissions,
        "submission_id": submissions,
        "upload_id": [(stage.rivals["upload"], secrets.token_hex(12))],
        "token_id": [(stage.rivals["token"], secrets.token_hex(12))],
        "invitation": [(stage.rivals["open_invitation"], secrets.token_hex(12))],
        "team": [(stage.rivals["team"], secrets.token_hex(12))],
        "sha256": [(digest, secrets.token_hex(32)) for digest in digests],
        "case": [(case.name, nowhere), (case.id, secrets.token_hex(10)), (name, nowhere)],
        "path": [
            (f"brain/{case.image.path}", f"brain/test/{nowhere}"),
            (f"brain/test_label/pixel/{case.name}", f"brain/test_label/pixel/{nowhere}"),
            ("brain/manifest.json", "brain/manifold.json"),
        ],
        "after": [(cursor, f"{cursor[:-1]}g") for cursor in (stage.rivals["pixel"], stage.rivals["team"])],
        "upload": [(stage.rivals["upload"], secrets.token_hex(12))],
    }


def told_apart(app: FastAPI, line: Line, stage: Stage, at: str = "/") -> list[str]:
    """Questions about something hidden that are answered otherwise than about something that is not there."""
    found, known, pairs = [], knowledge(stage), twins(stage)
    for door in doors(app):
        for name in {*door.parameters, *door.query, *door.fields} & set(pairs):
            if not door.path.startswith(at):
                continue
            for identify in (stage.cookie, stage.bearer):
                identity = identify(PARTICIPANT)
                for hidden, absent in pairs[name]:
                    stage.renew_upload()
                    ask, other = (_asked(door, known, name, value) for value in (hidden, absent))
                    answers = line.ask(ask, identity), line.ask(other, identity)
                    if _plain(answers[0], hidden) != _plain(answers[1], absent):
                        found.append(f"{ask} -> {answers[0]}, but {other} -> {answers[1]}")
    return found


def _asked(door: Door, known: Knowledge, name: str, value: str) -> Ask:
    only = replace(
        known,
        path={**known.path, name: [value]},
        query={**known.query, name: [value]},
        fields={**known.fields, name: [value]},
        starts=[{key: start for key, start in known.starts[0].items() if key != name}],
    )
    asks = questions(door, only)
    return next(ask for ask in asks if name not in door.query or f"{name}=" in ask.target)


def _plain(answer: Answer, value: str) -> tuple[int, list[tuple[str, str]], str]:
    """An answer without what was asked for, and without what is new every time."""
    new = re.compile(r"\b(?:[0-9a-f]{24}|mood_[\w-]+|join_[\w-]+)\b|\d{10}\.\d+|(?<=\")[\w-]{43}(?=\")")
    ignored = ("date", "set-cookie", "content-length")
    headers = [(key, new.sub("*", text)) for key, text in answer.headers if key.lower() not in ignored]
    return answer.status, headers, new.sub("*", answer.body.decode("latin-1").replace(value, "*"))


def test_what_is_hidden_is_answered_like_what_does_not_exist(app: FastAPI, line: Line, stage: Stage) -> None:
    assert told_apart(app, line, stage) == []


# --- what the participant does see ---


def test_logs_hold_what_the_image_wrote_on_toys_and_nothing_else(app: FastAPI, stage: Stage) -> None:
    # Not always all of it: Docker 20.10 may lose the last line of a container that ends at once.
    expected = {f"{TOY_LINE} toy_{number}.nii.gz" for number in range(4)}
    with serving(app) as url:
        client = Client(url, stage.bearer(PARTICIPANT)["Authorization"].split()[1])
        for name in ("sample", "pixel", "toy"):
            runs = client.submission(stage.own[name]).runs
            for run in runs:
                assert set((run.log or "").splitlines()) <= (expected if run.stage == "toy" else set()), run
            assert any(run.log for run in runs)


def test_a_failure_on_hidden_cases_is_told_in_general_words(app: FastAPI, stage: Stage) -> None:
    with serving(app) as url:
        client = Client(url, stage.bearer(PARTICIPANT)["Authorization"].split()[1])
        failed = client.submission(stage.own["pixel"])
    general = general_message(Code.CRASHED)
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.message) == ("crashed", general)
    hidden_runs = [run for run in failed.runs if run.stage == "test"]
    assert {run.failure_message for run in hidden_runs if run.state == "failed"} == {general}
    assert {run.shard for run in hidden_runs} == {None}


def test_before_the_reveal_there_are_no_scores_and_no_places(
    app: FastAPI, line: Line, stage: Stage, hidden: Hidden
) -> None:
    later = analysed_spec_text(leaderboard="after_reveal", own_score="after_reveal")
    with stage.platform.database.write() as session:
        session.execute(update(Challenge).values(spec_text=later))
    try:
        ids = {stage.rivals[key].encode(): "the board" for key in ("sample", "pixel")}
        stricter = replace(hidden, words=hidden.words | ids, seen={})
        for at in ("/api/v1/challenges/{challenge}/leaderboard", "/challenges/{challenge}/leaderboard"):
            walked = list(walk(app, line, stage, lambda: stage.cookie(PARTICIPANT), at))
            assert leaks(stricter, walked) == []
            assert {answer.status for _, ask, answer in walked if "task=sample" in ask.target} == {403}
        answer = line.ask(Ask("GET", f"/api/v1/submissions/{stage.own['sample']}"), stage.bearer(PARTICIPANT))
        seen = json.loads(answer.body)
        assert (seen["state"], seen["scores"]) == ("ranked", [])
        assert seen["scores_withheld"]
    finally:
        with stage.platform.database.write() as session:
            session.execute(update(Challenge).values(spec_text=stage.arena.spec))


def test_with_aliases_no_board_names_a_rivals_team(
    app: FastAPI, line: Line, stage: Stage, hidden: Hidden
) -> None:
    text = analysed_spec_text(aliases="true")
    with stage.platform.database.write() as session:
        session.execute(update(Challenge).values(spec_text=text))
        rival = session.get_one(Team, stage.rivals["team"])
        name, alias, rival.name = rival.name, rival.alias, "rivals-team-name-b7c4"
    stricter = replace(hidden, words=hidden.words | {b"rivals-team-name-b7c4": "a team's name"}, seen={})
    try:
        for at in ("/api/v1/challenges/{challenge}/leaderboard", "/challenges/{challenge}/leaderboard"):
            walked = list(walk(app, line, stage, lambda: stage.cookie(PARTICIPANT), at))
            assert leaks(stricter, walked) == []
            assert any(alias.encode() in answer.body for _, _, answer in walked)
        listed = line.ask(Ask("GET", "/challenges/demo/leaderboard?task=sample"), stage.cookie(ORGANIZER))
        assert b"rivals-team-name-b7c4" in listed.body
    finally:
        with stage.platform.database.write() as session:
            session.execute(update(Challenge).values(spec_text=stage.arena.spec))
            session.get_one(Team, stage.rivals["team"]).name = name


def test_after_the_reveal_results_by_category_tell_of_no_single_case(
    app: FastAPI, line: Line, stage: Stage, hidden: Hidden
) -> None:
    revealed = stage.arena.spec.replace("reveal: null", "reveal: 2020-10-08T00:00:00Z")
    with stage.platform.database.write() as session:
        session.execute(update(Challenge).values(spec_text=revealed))
    try:
        for at in CATEGORIES:
            walked = list(walk(app, line, stage, lambda: stage.cookie(PARTICIPANT), at))
            assert leaks(hidden, walked) == []
            asked = [answer for _, ask, answer in walked if ask.method == "GET" and "task=" in ask.target]
            assert 200 in {answer.status for answer in asked}
    finally:
        with stage.platform.database.write() as session:
            session.execute(update(Challenge).values(spec_text=stage.arena.spec))


def test_analysis_sets_were_run_and_do_not_exist_for_the_participant(app: FastAPI, stage: Stage) -> None:
    with stage.platform.database.read() as session:
        query = select(Run.state).where(Run.submission_id == stage.own["sample"], Run.stage == "analysis")
        states = set(session.scalars(query))
        organizer = User(id="o", name="o", email="", password_hash="", role="organizer", active=True)
        told = results.submission_view(session, session.get_one(Submission, stage.own["sample"]), organizer)
    assert "done" in states
    assert len(states) > 1
    assert told.operator is not None
    assert told.operator.analysis is not None
    with serving(app) as url:
        seen = Client(url, stage.bearer(PARTICIPANT)["Authorization"].split()[1]).submission(
            stage.own["sample"]
        )
    assert "analysis" not in seen.model_dump_json()
    assert seen.queue_position is None


# --- the walk itself is proved ---


def test_the_organizer_does_see_what_participants_do_not(line: Line, stage: Stage, hidden: Hidden) -> None:
    for target in (
        f"/submissions/{stage.own['pixel']}",
        f"/api/v1/submissions/{stage.own['pixel']}",
        "/organize/submissions",
    ):
        identity = stage.cookie(ORGANIZER)
        answer = line.ask(Ask("GET", target), identity)
        told = hidden.within(answer.body, answer.headers_as_bytes(), b"")
        assert {"the name of a case in a container", "the story for the operator"} <= set(told), target
        assert MARKERS["own-log-on-hidden-c02e"] in told


def test_the_organizer_does_see_single_hidden_cases(line: Line, stage: Stage, hidden: Hidden) -> None:
    with stage.platform.database.read() as session:
        manifests = {one.name: one.manifest for one in challenges.current_versions(session, "demo")}
    case = next(case for case in manifests["brain"].cases_of("test", "pixel") if case.label)
    at = f"cases/pixel/brain/{case.id}"
    for target, what in (
        ("/organize/demo/cases?task=pixel", "the id of a hidden case"),
        (f"/organize/demo/{at}", "the kind of a hidden anomaly"),
        (f"/api/v1/challenges/demo/{at}/2/8.webp", "a picture of a hidden scan or mask"),
    ):
        answer = line.ask(Ask("GET", target), stage.cookie(ORGANIZER))
        assert answer.status == 200, target
        assert what in hidden.within(answer.body, answer.headers_as_bytes(), b""), target


def _digest(stage: Stage) -> Any:
    return {"case": {"sha": masked_case(stage).image.sha256}}


def _name_escaped(stage: Stage) -> Any:
    name = in_container(stage, stage.own["sample"])
    return Response("".join(f"&#{ord(letter)};" for letter in name), media_type="text/html")


def _mask(stage: Stage) -> Any:
    mask = masked_case(stage).mask
    assert mask is not None
    return FileResponse(stage.platform.storage.path(mask.sha256))


def _scan_unpacked(stage: Stage) -> Any:
    packed = stage.platform.storage.path(masked_case(stage).image.sha256).read_bytes()
    return Response(gzip.decompress(packed)[:9000])


def _scan_packed_anew_as_base64(stage: Stage) -> Any:
    packed = stage.platform.storage.path(masked_case(stage).image.sha256).read_bytes()
    return {"image": base64.b64encode(gzip.compress(gzip.decompress(packed), 1)).decode()}


def _picture_of_hidden(stage: Stage) -> Any:
    image = stage.platform.storage.path(masked_case(stage).image.sha256)
    return Response(pictures.picture(ToyFiles(image, None, None), 0, 8, "image"), media_type="image/webp")


def _overlay_of_rival(stage: Stage) -> Any:
    storage = stage.platform.storage
    heat = storage.path(view_of_rival(stage))
    files = ToyFiles(storage.path(masked_case(stage).image.sha256), None, heat)
    return Response(pictures.picture(files, 2, 5, "overlay"), media_type="image/webp")


def _volume_of_hidden(stage: Stage) -> Any:
    image = stage.platform.storage.path(masked_case(stage).image.sha256)
    files = ToyFiles(image, None, None)
    return Response(volumes.packed(files, "image", stage.arena.folder), media_type=BINARY)


def _header(stage: Stage) -> Any:
    return Response(headers={"X-Case": masked_case(stage).id})


def _stream(stage: Stage) -> Any:
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(data=json.dumps({"log": "rival-log-on-toys-9f3b\n"}), event="state")

    return EventSourceResponse(events())


def _error(stage: Stage) -> Any:
    raise BadInput("broken", f"{masked_case(stage).name} cannot be read")


def _fault(stage: Stage) -> Any:
    raise RuntimeError("a bug")


PLANTED = [
    _digest,
    _name_escaped,
    _mask,
    _scan_unpacked,
    _scan_packed_anew_as_base64,
    _picture_of_hidden,
    _overlay_of_rival,
    _volume_of_hidden,
    _header,
    _stream,
    _error,
    _fault,
]


@pytest.mark.parametrize("planted", PLANTED)
def test_the_walk_finds_a_planted_leak(stage: Stage, hidden: Hidden, planted: Callable[[Stage], Any]) -> None:
    app = create_app(stage.platform)
    app.add_api_route("/api/v1/planted", lambda: planted(stage), response_model=None)
    with serving(app) as url, closing(Line(url)) as line:
        walked = walk(app, line, stage, lambda: stage.bearer(PARTICIPANT), "/api/v1/planted")
        assert leaks(hidden, walked)


def test_the_walk_finds_a_route_that_tells_what_is_there(stage: Stage) -> None:
    app = create_app(stage.platform)
    there = {case.name for case in hidden_cases(stage)}

    def show(case: str) -> None:
        raise Forbidden("no", "No.") if case in there else NotFound("no", "No.")

    app.add_api_route("/api/v1/planted/{case}", show)
    with serving(app) as url, closing(Line(url)) as line:
        assert told_apart(app, line, stage, "/api/v1/planted")


@pytest.mark.parametrize("path", ["/api/v1/planted/{unheard_of}", "/api/v1/planted"])
def test_a_route_that_the_walk_does_not_know_stops_it(stage: Stage, line: Line, path: str) -> None:
    app = create_app(stage.platform)

    def show(unheard_of: str) -> None:
        return None

    app.add_api_route(path, show)
    with pytest.raises(UnknownDoor):
        list(walk(app, line, stage, dict, "/api/v1/planted"))
    app = create_app(stage.platform)
    app.mount("/more", StaticFiles(directory=STATIC), name="more")
    with pytest.raises(UnknownDoor):
        doors(app)
