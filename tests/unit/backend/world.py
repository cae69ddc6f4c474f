"""A small platform on SQLite for tests: a challenge with real little volumes, people, teams, submissions."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
from sqlalchemy.orm import Session

from backend.accounts import service as accounts
from backend.config import Settings
from backend.models.base import Base
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.run import Run
from backend.models.score import CaseResult, Score
from backend.models.submission import Submission, Transition
from backend.models.team import Membership, Team
from backend.models.user import User
from backend.platform import Platform
from backend.results import versions
from datasets.manifest import Case, File, Manifest

ROOT = Path(__file__).parents[3]
SIDE = 16
PASSWORD = "correct horse battery"
NOON = 1_600_000_003.25  # a time that no rounding leaves as it is


@dataclass
class World:
    """Opens a platform in a folder; every method commits what it makes."""

    platform: Platform

    @classmethod
    def open(cls, folder: Path, **settings: Any) -> "World":
        platform = Platform.open(Settings(data=folder, worker_token=SecretStr("w" * 40), **settings))
        Base.metadata.create_all(platform.database.engine)
        return cls(platform)

    def __enter__(self) -> "World":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.platform.close()

    def add(self, *rows: Base) -> None:
        with self.platform.database.write() as session:
            session.add_all(rows)

    def challenge(self, name: str = "demo", **replaced: str) -> str:
        """The demo challenge renamed; `leaderboard="organizers"` replaces that line of its YAML."""
        text = (ROOT / "challenges" / "demo.yaml").read_text().replace("id: demo\n", f"id: {name}\n")
        lines = [self._replaced(line, replaced) for line in text.splitlines()]
        self.add(Challenge(id=name, title=f"Challenge {name}", spec_text="\n".join(lines)))
        for dataset in ("brain", "abdom"):
            manifest = self._manifest(name, dataset)
            version = DatasetVersion(
                challenge_id=name,
                name=dataset,
                version=manifest.version,
                manifest_text=manifest.model_dump_json(),
            )
            self.add(version)
        with self.write() as session:
            versions.register(session, session.get_one(Challenge, name))
        return name

    def analysis_sets(self, challenge: str = "demo") -> None:
        """Put a small analysis set of every sort into the challenge's datasets."""
        with self.write() as session:
            for row in session.query(DatasetVersion).filter_by(challenge_id=challenge):
                cases = (*row.manifest.cases, *self._analysis(row.name))
                row.manifest_text = row.manifest.model_copy(update={"cases": cases}).model_dump_json()

    def _analysis(self, dataset: str) -> list[Case]:
        """Proxies of each label, three radii, two intensities, three kinds and as many normal cases."""
        series = {"radius": 2.0, "intensity": 0.9}
        wanted: list[tuple[str, str | None, dict[str, Any]]] = [
            ("proxy", "cube", {}),
            ("proxy", None, {}),
            ("size-series", None, {**series, "radius": 0.0}),
            ("size-series", "sphere", series),
            ("size-series", "sphere", {**series, "radius": 4.0}),
            ("contrast-series", "sphere", {**series, "intensity": 0.0}),
            ("contrast-series", "sphere", {**series, "intensity": 1.0}),
            *(("equal-counts", kind, {"difficulty": "easy"}) for kind in ("ring", "shuffle", "blur")),
            *(("equal-counts", None, {}) for _ in range(3)),
        ]
        rng, aloof = np.random.default_rng(len(dataset)), f"secretaloof{dataset}.nii.gz"
        alike = [self._case("", "analysis", aloof, rng, label) for label in (0, 1)]
        return [
            _analysis_case(alike[kind is not None], f"{number}{dataset}", name, kind, parameters)
            for number, (name, kind, parameters) in enumerate(wanted)
        ]

    def scoring(self, challenge: str = "demo") -> int:
        """The id of the challenge's current scoring version."""
        with self.read() as session:
            return versions.current(session, challenge).id

    @staticmethod
    def _replaced(line: str, replaced: dict[str, str]) -> str:
        key, colon, _ = line.strip().partition(":")
        return (
            f"{line[: len(line) - len(line.lstrip())]}{key}: {replaced[key]}"
            if colon and key in replaced
            else line
        )

    def _manifest(self, challenge: str, dataset: str) -> Manifest:
        rng = np.random.default_rng(len(dataset))
        toy = [self._case(f"toy{n}{dataset}", "toy", f"toy_{n}.nii.gz", rng, n) for n in (1, 0)]
        hidden = [
            self._case(f"hidden{n}{dataset}", "test", f"secret{n}{dataset}.nii.gz", rng, n % 2)
            for n in range(4)
        ]
        return Manifest(
            challenge=challenge,
            dataset=dataset,
            version="v1",
            shape=(SIDE, SIDE, SIDE),
            cases=(*toy, *hidden),
            arrangements={"pixel": [[[case.id for case in hidden]]] * 2},
        )

    def _case(self, case_id: str, part: Any, name: str, rng: np.random.Generator, label: int) -> Case:
        mask = np.zeros((SIDE, SIDE, SIDE), np.uint8)
        mask[9:13, 5:9, 10:13] = label
        scan = rng.random((SIDE, SIDE, SIDE)).astype(np.float32) * 0.3 + 0.6 * mask
        return Case(
            id=case_id,
            part=part,
            name=name,
            tasks=("sample", "pixel"),
            label=1 if label else 0,
            image=self.volume(f"{part}/{name}", scan),
            mask=self.volume(f"{part}_label/pixel/{name}", mask),
            kind="sphere" if label else None,
            category="local" if label else None,
            parameters={},
        )

    def volume(self, path: str, data: NDArray[Any]) -> File:
        """A NIfTI file in storage."""
        content = gzip.compress(nibabel.Nifti1Image(data, np.eye(4)).to_bytes(), mtime=0)
        self.platform.storage.put(iter([content]))
        return File(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def person(self, name: str, role: str = "participant") -> User:
        with self.platform.database.write() as session:
            return accounts.sign_up(session, name, f"{name}@example.org", PASSWORD, role)

    def token(self, user: User) -> dict[str, str]:
        """Headers that prove who asks."""
        with self.platform.database.write() as session:
            return {"Authorization": f"Bearer {accounts.issue_token(session, user, 'test')[1]}"}

    def team(self, name: str, *members: User, challenge: str = "demo", baseline: bool = False) -> Team:
        team = Team(challenge_id=challenge, name=name, baseline=baseline, approved_at=NOON)
        self.add(team)
        self.add(*(Membership(team_id=team.id, user_id=user.id, challenge_id=challenge) for user in members))
        return team

    def submission(self, team: Team, user: User, **values: Any) -> Submission:
        """A toy submission that waits for its verification, unless `values` say otherwise."""
        given: dict[str, Any] = {
            "kind": "toy",
            "task": None,
            "title": f"image of {team.name}",
            "state": "verify",
            "archive_sha256": "ab" * 32,
            "archive_size": 1000,
            "created_at": NOON,
        }
        row = Submission(challenge_id=team.challenge_id, team_id=team.id, user_id=user.id, **(given | values))
        self.add(row)
        self.add(
            Transition(submission_id=row.id, before="", after="verify", cause="submitted", created_at=NOON)
        )
        return row

    def moved(self, submission: Submission, *states: str, cause: str = "done") -> None:
        """Transitions through `states`, 100 s apart; the last one becomes the submission's state."""
        steps = ["verify", *states]
        self.add(
            *(
                Transition(
                    submission_id=submission.id,
                    before=before,
                    after=after,
                    cause=cause,
                    created_at=NOON + 100 * number,
                )
                for number, (before, after) in enumerate(zip(steps, states, strict=False), start=1)
            )
        )
        self.set(submission, state=states[-1])

    def set(self, row: Any, **values: Any) -> None:
        """Change a row as a worker would."""
        with self.platform.database.write() as session:
            found = session.get_one(type(row), row.id)
            for name, value in values.items():
                setattr(found, name, value)

    def run(self, submission: Submission, stage: str, **values: Any) -> Run:
        lane = "test" if stage in ("test", "analysis") else "toy"
        row = Run(submission_id=submission.id, stage=stage, lane=lane, dataset_version="v1", **values)
        self.add(row)
        return row

    def ranked(
        self, team: Team, user: User, task: str, ap: dict[str, float | None], **values: Any
    ) -> Submission:
        """A counted submission with scores on hidden cases; `values` go to the submission."""
        row = self.submission(team, user, kind="counted", task=task, **values)
        self.moved(row, "toy", "test", "score", "ranked")
        self.set(row, finished_at=NOON + 400)
        run = self.run(row, "score", state="done")
        for dataset, figure in ap.items():
            self.add(
                Score(
                    run_id=run.id,
                    submission_id=row.id,
                    scoring_version_id=self.scoring(team.challenge_id),
                    stage="test",
                    task=task,
                    dataset=dataset,
                    dataset_version="v1",
                    average_precision=figure,
                    validation=figure,
                    outcomes={"scored": 11, "missing": 1},
                )
            )
        return row

    def toy_results(self, submission: Submission, task: str = "pixel", dataset: str = "brain") -> None:
        """A toy run with one scored and one missing case."""
        run = self.run(
            submission,
            "toy",
            task=task,
            dataset=dataset,
            state="done",
            attempt=1,
            wall_seconds=12.34,
            peak_memory=123_456_789,
            log="hello from toy_1.nii.gz\n",
        )
        heat = np.zeros((SIDE, SIDE, SIDE), np.uint8)
        heat[9:13, 5:9, 10:13] = 255
        view = self.volume("view", heat).sha256 if task == "pixel" else None
        base = {
            "run_id": run.id,
            "submission_id": submission.id,
            "stage": "toy",
            "task": task,
            "dataset": dataset,
        }
        missing = {"outcome": "missing", "detail": "toy_0.nii.gz: not written"}
        score = None if task == "pixel" else 0.75
        self.add(
            CaseResult(**base, case_id=f"toy1{dataset}", outcome="scored", view_sha256=view, score=score),
            CaseResult(**base, case_id=f"toy0{dataset}", **missing),
            Score(
                **base,
                scoring_version_id=self.scoring(submission.challenge_id),
                dataset_version="v1",
                average_precision=0.987654321,
                outcomes={"scored": 1, "missing": 1},
            ),
        )

    def hidden_shard(self, submission: Submission, shard: int, **values: Any) -> Run:
        """One shard of hidden brain cases with results that nobody outside may see."""
        given: dict[str, Any] = {
            "state": "done",
            "attempt": 1,
            "wall_seconds": 101.01,
            "peak_memory": (64 << 20) + 1,
            "log": f"log of secret{shard}brain.nii.gz",
            "cases": [{"id": f"hidden{shard}brain", "name": f"opaque{shard}.nii.gz"}],
        }
        run = self.run(submission, "test", task="pixel", dataset="brain", shard=shard, **(given | values))
        self.add(
            CaseResult(
                run_id=run.id,
                submission_id=submission.id,
                stage="test",
                task="pixel",
                dataset="brain",
                case_id=f"hidden{shard}brain",
                outcome="wrong_shape",
                detail=f"opaque{shard}.nii.gz: 127 slices written",
                score=0.123456,
            )
        )
        return run

    def read(self) -> Any:
        """A session for looking."""
        return self.platform.database.read()

    def write(self) -> Any:
        return self.platform.database.write()


def _analysis_case(case: Case, number: str, name: str, kind: str | None, parameters: dict[str, Any]) -> Case:
    given: dict[str, Any] = {"kind": kind, "parameters": parameters, "analysis": name}
    given |= {"id": f"aloof{number}", "name": f"secretaloof{number}.nii.gz"}
    if kind == "blur":
        given |= {"category": "global", "tasks": ("sample",)}
    return case.model_copy(update=given)


SECRETS = ("hidden0", "hidden1", "secret", "aloof", "opaque", "127 slices", "0.123456", "sphere")


def merged(session: Session, user: User) -> User:
    """The user in this session."""
    return session.get_one(User, user.id)
