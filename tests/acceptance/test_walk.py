"""The whole walk over HTTP, with server and worker as processes; every figure is computed here once more.

The images' outputs follow from the files they are given, so that the test knows them without running them.
"""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from sqlalchemy import select

from backend.config import Settings
from backend.db import Database
from backend.models.score import Score
from datasets import manifest as manifests
from datasets.delivery import deliver
from datasets.manifest import Case, Manifest
from submissions.client import Client
from submissions.responses import Leaderboard, Submission
from submissions.wire import Refused
from tests.acceptance.installation import ROOT, Installation
from tests.images import busybox
from tests.integration.arena import ONLY_HIDDEN, PASSWORD, spec_text

DATASETS = ("brain", "abdom")
EXACT = 1e-12
MEGABYTE = 1 << 20

EACH = 'set -e; for file in "$1"/*; do name=${file##*/}; '
MD5 = '$(md5sum < "$file" | cut -c1-%d)'
MAP = 'cp /workspace/map.nii.gz "$2/$name"; done\n'
SEND = """
import sys, time
from pathlib import Path
from submissions.client import Client

def told(sent):
    print(sent, flush=True)
    time.sleep(0.05)

url, token, upload, path = sys.argv[1:]
client = Client(url, token)
client.continue_upload(client.upload_state(upload), Path(path), told)
"""


def noise(seed: int) -> NDArray[np.float32]:
    """An anomaly map that has nothing to do with the scan, (16, 16, 16), with values below 0 and above 1."""
    return np.random.default_rng(seed).normal(0.5, 0.4, (16, 16, 16)).astype(np.float32)


def voxels(content: bytes) -> NDArray[Any]:
    """The voxels of a packed NIfTI file."""
    return np.asanyarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(content)).dataobj)


def md5(content: bytes, digits: int) -> int:
    return int(hashlib.md5(content).hexdigest()[:digits], 16)


@dataclass(frozen=True)
class Team:
    """A competitor: scripts per task, and what they make of a file's bytes; None where they write none."""

    name: str
    sample: str
    score: Callable[[bytes], float]
    pixel: str
    heat: Callable[[bytes], NDArray[Any] | None]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def image(self, folder: Path, datasets: Sequence[str] = DATASETS) -> Path:
        """The archive of its image, 8 MB of it padding."""
        texts = {"sample": self.sample, "pixel": self.pixel}
        scripts = {
            f"workspace/run_{task}_{dataset}.sh": f"#!/bin/sh\n{text}".encode()
            for task, text in texts.items()
            for dataset in datasets
        }
        padding = np.random.default_rng(8).bytes(8 * MEGABYTE)
        path = folder / f"{self.name}-{'-'.join(datasets)}.tar"
        busybox.write_archive(path, self.name, {**scripts, **self.files, "workspace/padding": padding})
        return path


def packed(heat: NDArray[np.float32]) -> bytes:
    return gzip.compress(nibabel.Nifti1Image(heat, np.eye(4)).to_bytes(), mtime=0)


TEAMS = [
    Team(
        "scans",
        EACH + f'echo "0.$((0x{MD5 % 7}))" > "$2/$name.txt"; done\n',
        lambda content: float(f"0.{md5(content, 7)}"),
        EACH + 'cp "$file" "$2/$name"; done\n',
        voxels,
    ),
    Team(
        "ties",
        EACH + f'echo "0.$((0x{MD5 % 1} / 4))" > "$2/$name.txt"; done\n',
        lambda content: float(f"0.{md5(content, 1) // 4}"),
        EACH + MAP,
        lambda _: noise(1),
        {"workspace/map.nii.gz": packed(noise(1))},
    ),
    Team(
        "gaps",
        EACH + f'echo "0.$((0x{MD5 % 3}))" > "$2/$name.txt"; done\n',
        lambda content: float(f"0.{md5(content, 3)}"),
        # On hidden cases only, and not for all of them: a toy run may lack nothing.
        ONLY_HIDDEN + EACH + f'[ -n "$hidden" ] && [ $((0x{MD5 % 1})) -lt 8 ] && continue; ' + MAP,
        lambda content: None if md5(content, 1) < 8 else noise(2),
        {"workspace/map.nii.gz": packed(noise(2))},
    ),
]


# --- what must come out ---


@dataclass(frozen=True)
class Truth:
    """Hidden cases as the organizers have them, and the figures that follow from them."""

    folder: Path

    def manifest(self, dataset: str) -> Manifest:
        return manifests.read(self.folder / dataset / "manifest.json")

    def scan(self, dataset: str, case: Case) -> bytes:
        """The bytes that a container is given."""
        with tempfile.TemporaryDirectory() as folder:
            delivered = Path(folder, "scan.nii.gz")
            deliver(self.folder / dataset / case.image.path, delivered, Path(folder, "scratch"))
            return delivered.read_bytes()

    def sample(self, team: Team, dataset: str, part: Any = "test") -> float:
        cases = self.manifest(dataset).cases_of(part, "sample")
        labels = [case.label for case in cases]
        return float(
            average_precision_score(labels, [team.score(self.scan(dataset, case)) for case in cases])
        )

    def pixel(self, team: Team, dataset: str, arrangement: int) -> float:
        """The mean over batches; each is scored voxel by voxel, as float16 clipped to [0, 1]."""
        batches = self.manifest(dataset).arrangements["pixel"][arrangement]
        return float(np.mean([self._batch(team, dataset, batch) for batch in batches]))

    def _batch(self, team: Team, dataset: str, batch: Sequence[str]) -> float:
        cases = {case.id: case for case in self.manifest(dataset).cases}
        pairs = [self._voxels(team, dataset, cases[case]) for case in batch]
        labels, scores = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        return float(average_precision_score(labels, scores.astype(np.float64)))

    def _voxels(self, team: Team, dataset: str, case: Case) -> tuple[NDArray[Any], NDArray[Any]]:
        assert case.mask is not None
        mask = voxels((self.folder / dataset / case.mask.path).read_bytes())
        heat = team.heat(self.scan(dataset, case))
        kept = np.where(mask > 0, 0.0, 1.0) if heat is None else heat  # as badly as possible
        return mask.ravel() > 0, np.clip(kept, 0, 1).astype(np.float16).ravel()

    def missing(self, team: Team, dataset: str) -> int:
        cases = self.manifest(dataset).cases_of("test", "pixel")
        return sum(team.heat(self.scan(dataset, case)) is None for case in cases)


# --- the walk ---


@dataclass(frozen=True)
class Walked:
    """A platform on which every team has handed in; the first one twice. Ids by team and task."""

    installation: Installation
    truth: Truth
    people: Mapping[str, Client]
    ids: Mapping[tuple[str, str], str]
    again: Mapping[str, str]

    def scores(self, submission: str, stage: str = "test") -> dict[str, Score]:
        """What the database holds, by dataset."""
        database = Database(Settings(data=self.installation.data).database)
        with database.read() as session:
            query = select(Score).where(Score.submission_id == submission, Score.stage == stage)
            found = {score.dataset: score for score in session.scalars(query)}
        database.close()
        return found


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, scans: Path, engine: docker.DockerClient
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("walk")
    spec = folder / "demo.yaml"
    spec.write_text(spec_text())
    with Installation(folder / "data") as installation:
        installation.operator("init")
        installation.operator("challenge", "add", str(spec), "--data", str(scans))
        installation.serve()
        installation.start("worker")
        yield installation


@pytest.fixture(scope="module")
def people(installation: Installation) -> dict[str, Client]:
    """For each team somebody who signed up and founded it."""
    found = {}
    for team in TEAMS:
        stranger = Client(installation.url)
        stranger.sign_up(team.name, f"{team.name}@example.org", PASSWORD)
        token = stranger.make_token(team.name, PASSWORD, "walk").token
        found[team.name] = Client(installation.url, token)
        found[team.name].create_team("demo", team.name)
    return found


@pytest.fixture(scope="module")
def walked(
    installation: Installation, people: dict[str, Client], scans: Path, tmp_path_factory: Any
) -> Walked:
    folder = tmp_path_factory.mktemp("archives")
    ids, again = {}, {}
    for team in TEAMS:
        archive = team.image(folder)
        for task in ("sample", "pixel"):
            ids[team.name, task] = hand_in(people[team.name], archive, "counted", task).id
    first = TEAMS[0]
    for task in ("sample", "pixel"):
        again[task] = hand_in(people[first.name], first.image(folder), "counted", task).id
    for (name, task), submission in ids.items():
        over = ended(people[name], submission)
        assert over.state == "ranked", (name, task, over.failure, over.runs)
    for submission in again.values():
        assert ended(people[first.name], submission).state == "ranked"
    return Walked(installation, Truth(scans), people, ids, again)


def hand_in(person: Client, archive: Path, kind: str, task: str | None) -> Submission:
    return person.submit("demo", person.upload("demo", archive).id, kind, task)


def ended(person: Client, submission: str) -> Submission:
    """The submission when it is over, as its event stream tells."""
    *_, last = person.watch(submission)
    return last


def test_an_upload_whose_client_was_killed_goes_on_where_it_was(
    installation: Installation, people: dict[str, Client], tmp_path: Path
) -> None:
    person, archive = people["scans"], TEAMS[0].image(tmp_path)
    size = archive.stat().st_size
    upload = person.start_upload("demo", archive.name, size, hashlib.sha256(archive.read_bytes()).hexdigest())
    kill_in_the_middle(installation.url, token_of(person), upload.id, archive, size // 3)
    with pytest.raises(Refused) as refusal:
        person.submit("demo", upload.id, "toy")
    assert refusal.value.code == "upload_not_complete"
    kept = person.upload_state(upload.id)
    assert 0 < kept.offset < size
    sent: list[int] = []
    complete = person.continue_upload(kept, archive, sent.append)
    assert (complete.state, complete.offset) == ("complete", size)
    assert sum(sent) == size, "what had arrived was counted, and only the rest was sent"
    assert sent[0] == kept.offset
    person.discard_upload(upload.id)


def token_of(person: Client) -> str:
    return str(person._wire.http.headers["Authorization"].split()[1])


def kill_in_the_middle(url: str, token: str, upload: str, archive: Path, after: int) -> None:
    """A process that sends, and dies by SIGKILL once it has sent `after` bytes; the server has got some."""
    command = [sys.executable, "-c", SEND, url, token, upload, str(archive)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        sent = 0
        while sent < after:
            sent += int(sender.stdout.readline())
        os.kill(sender.pid, signal.SIGKILL)
    with Client(url, token) as client:
        deadline = time.monotonic() + 30
        while client.upload_state(upload).offset == 0:
            assert time.monotonic() < deadline, "nothing of what was sent was kept"
            time.sleep(0.1)


def test_a_toy_submission_may_bring_scripts_for_one_dataset(
    walked: Walked, people: dict[str, Client], tmp_path: Path
) -> None:
    team, person = TEAMS[0], people["scans"]
    toy = ended(person, hand_in(person, team.image(tmp_path, ["brain"]), "toy", None).id)
    assert toy.state == "finished", toy.failure
    assert {(result.task, result.dataset) for result in toy.toy} == {("sample", "brain"), ("pixel", "brain")}
    [figure] = [result.average_precision for result in toy.toy if result.task == "sample"]
    assert figure == pytest.approx(walked.truth.sample(team, "brain", "toy"), abs=EXACT)
    assert toy.scores == []


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("team", TEAMS, ids=lambda team: team.name)
def test_sample_figures_are_those_of_scikit_learn(walked: Walked, team: Team, dataset: str) -> None:
    score = walked.scores(walked.ids[team.name, "sample"])[dataset]
    assert score.average_precision == pytest.approx(walked.truth.sample(team, dataset), abs=EXACT)
    assert score.outcomes == {"scored": 6}


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("team", TEAMS, ids=lambda team: team.name)
def test_pixel_figures_are_those_of_scikit_learn_on_all_voxels(
    walked: Walked, team: Team, dataset: str
) -> None:
    score = walked.scores(walked.ids[team.name, "pixel"])[dataset]
    assert score.average_precision == pytest.approx(walked.truth.pixel(team, dataset, 0), abs=EXACT)
    assert score.validation == pytest.approx(walked.truth.pixel(team, dataset, 1), abs=EXACT)
    missing = walked.truth.missing(team, dataset)
    expected = {"scored": 4 - missing} | ({"missing": missing} if missing else {})
    assert score.outcomes == {name: count for name, count in expected.items() if count}


def test_some_hidden_cases_were_missing_in_the_walk(walked: Walked) -> None:
    assert sum(walked.truth.missing(TEAMS[2], dataset) for dataset in DATASETS) > 0


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_the_same_image_again_gives_the_same_figures(walked: Walked, task: str) -> None:
    first, second = walked.scores(walked.ids["scans", task]), walked.scores(walked.again[task])
    assert set(first) == set(DATASETS)
    for dataset, score in first.items():
        assert score.average_precision == second[dataset].average_precision
        assert score.validation == second[dataset].validation


@pytest.mark.parametrize("task", ["sample", "pixel"])
def test_the_leaderboard_shows_these_figures_and_the_places_that_follow(walked: Walked, task: str) -> None:
    board = Client(walked.installation.url).leaderboard("demo", task)
    exact = {team.name: figures(walked.truth, team, task) for team in TEAMS}
    shown = {row.team: row.ap for row in board.rows}
    assert shown == {name: {d: round(ap, 3) for d, ap in by.items()} for name, by in exact.items()}
    assert {row.team: row.place for row in board.rows} == final_places(exact)
    assert row_of(board, "scans") == walked.again[task], "the last one counts"
    assert row_of(board, "ties") == walked.ids["ties", task]


def row_of(board: Leaderboard, team: str) -> str | None:
    return next(row.submission for row in board.rows if row.team == team)


def figures(truth: Truth, team: Team, task: str) -> dict[str, float]:
    if task == "sample":
        return {dataset: truth.sample(team, dataset) for dataset in DATASETS}
    return {dataset: truth.pixel(team, dataset, 0) for dataset in DATASETS}


def final_places(exact: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """One more than there are better ones, of places as of figures."""
    means = {
        name: sum(1 + sum(other[d] > mine[d] for other in exact.values()) for d in DATASETS)
        for name, mine in exact.items()
    }
    return {name: 1 + sum(other < mine for other in means.values()) for name, mine in means.items()}
