import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backend import cli
from backend.commands import doctor
from backend.config import Settings
from backend.db import now
from backend.models import run as runs
from backend.models.run import WorkerSlot
from backend.models.user import User
from backend.platform import Platform
from challenges import spec
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.test_challenges import TEXT, write_datasets
from tests.unit.backend.world import PASSWORD, ROOT, World

Run = Callable[..., Result]
DEMO = str(ROOT / "challenges" / "demo.yaml")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MOODARENA_DATA", str(tmp_path / "platform"))

    def invoke(*arguments: str, text: str = "") -> Result:
        return CliRunner().invoke(cli.app, arguments, input=text)

    return invoke


@pytest.fixture
def ready(run: Run, tmp_path: Path) -> World:
    assert run("init").exit_code == 0
    return World(Platform.open(Settings(data=tmp_path / "platform")))


def printed(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_init_makes_folder_and_tables_and_may_be_repeated(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        told = printed(run("init", "--json"))
    assert told["worker_token"] is None
    assert (tmp_path / "platform" / "moodarena.db").is_file()
    assert (tmp_path / "platform").stat().st_mode & 0o077 == 0
    assert len(printed(run("init", "--worker-token", "--json"))["worker_token"]) >= 32


def test_a_command_before_init_says_what_to_do_first(run: Run) -> None:
    result = run("user", "list")
    assert result.exit_code == 1
    assert "python -m backend init" in str(result.exception)


def test_errors_are_sentences_or_json_and_never_tracebacks(
    ready: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for json_wanted in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["backend", "user", "role", "nobody", "organizer", *json_wanted])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        told = capsys.readouterr()
        assert "Traceback" not in told.err + told.out
        if json_wanted:
            assert json.loads(told.out)["error"]["code"] == "no_such_user"
        else:
            assert "Nobody is called nobody" in told.err


def test_people_are_added_listed_promoted_and_shut_out(run: Run, ready: World) -> None:
    mail = "ada@example.org"
    added = printed(run("user", "add", "ada", mail, "--password-stdin", "--json", text=f"{PASSWORD}\n"))
    assert (added["role"], added["active"]) == ("participant", True)
    assert printed(run("user", "role", "ada", "organizer", "--json"))["role"] == "organizer"
    assert printed(run("user", "deactivate", mail, "--json"))["active"] is False
    assert printed(run("user", "activate", "ada", "--json"))["active"] is True
    assert [user["name"] for user in printed(run("user", "list", "--json"))] == ["ada"]
    assert "ada@example.org" in run("user", "list").stdout
    with ready.read() as session:
        before = session.query(User).one().password_hash
    assert run("user", "password", "ada", "--password-stdin", text="another long one\n").exit_code == 0
    with ready.read() as session:
        assert session.query(User).one().password_hash != before


def test_a_password_is_asked_for_twice_and_never_an_argument(run: Run, ready: World) -> None:
    result = run("user", "add", "ada", "ada@example.org", text=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert run("user", "add", "bob", "bob@example.org", PASSWORD).exit_code == 2


def test_a_challenge_is_built_by_a_secret_of_its_own_and_registered(
    run: Run, ready: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[bytes] = []

    def build(
        challenge: spec.Challenge, secret: bytes, out: Path, progress: Any, workers: int, private: Any
    ) -> Any:
        secrets.append(secret)
        progress("brain", 1, 1)
        return write_datasets(out)

    monkeypatch.setattr("backend.commands.challenges.build", build)
    data = tmp_path / "scans"
    for _ in range(2):
        told = printed(run("dataset", "build", DEMO, "--out", str(data), "--json"))
    assert told["brain"] == {"version": "v1", "cases": 4}
    assert secrets[0] == secrets[1]
    assert len(secrets[0]) == 64
    assert (tmp_path / "platform/secrets/demo").stat().st_mode & 0o077 == 0
    (tmp_path / "mine").write_text("sixteen bytes or more\n")
    run("dataset", "build", DEMO, "--out", str(data), "--secret-file", str(tmp_path / "mine"))
    assert secrets[2] == b"sixteen bytes or more"

    assert printed(run("challenge", "add", DEMO, "--data", str(data), "--json"))["versions"]["brain"] == "v1"
    assert [item["id"] for item in printed(run("challenge", "list", "--json"))] == ["demo"]
    shown = printed(run("challenge", "show", "demo", "--json"))
    assert shown["datasets"]["abdom"] == {"version": "v1", "training": 1, "toy": 2, "test": 1, "analysis": 0}
    assert shown["spec"] == TEXT
    shutil.rmtree(data)
    assert run("challenge", "add", DEMO, "--data", str(data)).exit_code == 2


def test_a_secret_file_that_is_absent_is_not_drawn_in_silence(run: Run, ready: World, tmp_path: Path) -> None:
    result = run("dataset", "build", DEMO, "--out", str(tmp_path / "out"), "--secret-file", "/nowhere")
    assert result.exit_code == 1
    assert "There is no secret" in str(result.exception)


def test_an_operator_sees_the_full_story_and_may_cancel_and_repeat(run: Run, ready: World) -> None:
    ready.challenge()
    ada = ready.person("ada")
    ready.platform.storage.put(iter([b"archive"]))
    archive = next(path.name for path in ready.platform.storage.blobs.glob("*/*") if path.stat().st_size == 7)
    story = "Traceback: the disk of node7 is full"
    failed = ready.submission(
        ready.team("Alpha", ada), ada, state="failed", failure_ours=True, archive_sha256=archive
    )
    ready.set(failed, failure_code="platform", failure_message="The platform failed.", failure_detail=story)
    assert [item["id"] for item in printed(run("submissions", "list", "--json"))["items"]] == [failed.id]
    assert failed.id in run("submissions", "list").stdout
    shown = run("submissions", "show", failed.id).stdout
    assert story in shown
    assert "our fault" in shown
    assert printed(run("submissions", "show", failed.id, "--json"))["operator"]["failure_detail"] == story
    assert printed(run("submissions", "rerun", failed.id, "--json"))["state"] == "verify"
    assert printed(run("submissions", "cancel", failed.id, "--json"))["state"] == "cancelled"


def test_teams_are_approved_and_marked_as_baselines(run: Run, ready: World) -> None:
    ready.challenge()
    team = ready.team("Alpha", ready.person("ada"))
    ready.set(team, approved_at=None)
    [listed] = printed(run("teams", "list", "demo", "--json"))
    assert (listed["approved"], listed["members"]) == (False, ["ada"])
    assert printed(run("teams", "approve", "demo", team.id, "--json"))["approved"] is True
    assert printed(run("teams", "baseline", "demo", team.id, "--json"))["baseline"] is True
    assert printed(run("teams", "baseline", "demo", team.id, "--off", "--json"))["baseline"] is False


def test_a_challenge_is_rescored_compared_and_its_board_switched(
    run: Run, ready: World, tmp_path: Path
) -> None:
    ready.challenge(missing="zero")
    ada = ready.person("ada")
    ranked(ready, "Gap", ada, skill=0.9, absent=[0])
    ranked(ready, "Middle", ada, skill=0.45)
    assert [item["number"] for item in printed(run("scoring", "list", "demo", "--json"))] == [1]
    rules = ["--task", "pixel", "--missing", "worst", "--reason", "[why] not", "--by", "boss"]
    told = run("scoring", "new", "demo", *rules).stdout
    assert re.search(r"demo: scoring version 2, 2 submissions in \d+\.\d\d s", told)
    assert re.search(r"1 → 2 +down 1 +Gap", told)
    assert re.search(r"2 → 1 +up 1 +Middle", told)
    assert "τ-b between the two: -1.000" in told
    assert "scoring use demo 2" in told
    batches = ["--batch-size", "2", "--arrangements", "2", "--arrangement-seed", "5"]
    made = printed(run("scoring", "new", "demo", "--reason", "smaller", *batches, "--json"))
    assert made["version"]["origin"]["arrangement_seed"] == 5
    assert made["submissions"] == 2
    assert made["seconds"] > 0
    assert [item["task"] for item in made["comparisons"]] == ["sample", "pixel"]
    listed = run("scoring", "list", "demo").stdout
    assert "[why] not" in listed
    assert "boss" in listed
    (pixel,) = printed(run("scoring", "compare", "demo", "1", "2", "--task", "pixel", "--json"))
    assert [move["movement"] for move in pixel["moves"]] == ["up 1", "down 1"]
    assert "no submission was ranked yet" in run("scoring", "compare", "demo", "1", "2").stdout
    assert printed(run("scoring", "use", "demo", "2", "--json"))["current"] is True
    assert [item["current"] for item in printed(run("scoring", "list", "demo", "--json"))] == [
        False,
        True,
        False,
    ]
    other = tmp_path / "other.yaml"
    other.write_text(TEXT.replace("batch_size: 4", "batch_size: 8"))
    made = printed(run("scoring", "new", "demo", "--rules", str(other), "--reason", "bigger", "--json"))
    assert made["version"]["policy"]["pixel"]["metric"]["batch_size"] == 8


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["use", "demo", "7"], "no scoring version 7"),
        (["use", "absent", "1"], "no such challenge"),
        (["list", "absent"], "no such challenge"),
        (["compare", "demo", "1", "7"], "no scoring version 7"),
        (["new", "demo", "--reason", "x", "--missing", "half"], "zero, worst or reject, not half"),
        (["new", "demo", "--reason", ""], "Say why"),
    ],
)
def test_scoring_commands_that_cannot_be_carried_out_say_why(
    run: Run, ready: World, arguments: list[str], told: str
) -> None:
    ready.challenge()
    result = run("scoring", *arguments)
    assert result.exit_code == 1
    assert told in str(result.exception)


def found(settings: Settings) -> dict[str, doctor.Finding]:
    return {finding.about: finding for finding in doctor.examine(settings)}


def test_the_doctor_finds_nothing_wrong_on_a_new_platform(ready: World) -> None:
    ready.add(WorkerSlot(name="node/toy-cpu-0", lane="toy", device="cpu", seen_at=9e9))
    findings = found(ready.platform.settings)
    assert {"disk", "database", "broker", "engine", "output quota", "GPU", "workers", "runs"} == set(findings)
    for about in ("disk", "database", "broker", "GPU", "workers", "runs"):
        assert findings[about].state == "ok", findings[about]


def test_the_doctor_names_what_is_wrong_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    settings = Settings(
        data=tmp_path / "absent",
        database_url="postgresql+psycopg://nobody@127.0.0.1:9/none",
        broker_url="redis://127.0.0.1:9/0",
        slots="toy:cpu,test:GPU-0000",
    )
    findings = found(settings)
    for about, word in {
        "disk": "init",
        "database": "MOODARENA_DATABASE_URL",
        "broker": "MOODARENA_BROKER_URL",
        "engine": "DOCKER_HOST",
        "GPU": "MOODARENA_SLOTS",
    }.items():
        assert findings[about].state == "wrong", findings[about]
        assert word in findings[about].remedy


def test_the_doctor_ends_with_one_if_anything_is_wrong(run: Run, ready: World) -> None:
    ready.platform.close()
    shutil.rmtree(ready.platform.settings.data)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    states = {item["about"]: item["state"] for item in json.loads(result.stdout)}
    assert states["disk"] == states["database"] == states["broker"] == "wrong"
    assert not ready.platform.settings.data.exists()


def test_an_operator_has_ranked_submissions_analysed_and_hears_of_runs_that_failed(
    run: Run, ready: World
) -> None:
    ready.challenge(cases_per_container="4")
    ready.analysis_sets()
    ada = ready.person("ada")
    digest = ready.platform.storage.put(iter([b"archive"]))
    scripts = [f"/workspace/run_pixel_{dataset}.sh" for dataset in ("brain", "abdom")]
    kept, gone = ranked(ready, "Kept", ada), ranked(ready, "Gone", ada)
    ready.set(kept, archive_sha256=digest, scripts=scripts)
    ready.set(gone, scripts=scripts)
    told = printed(run("submissions", "analyse", "--challenge", "demo", "--json"))
    assert told["planned"] == {kept.id: 6}
    assert "archive was deleted" in told["refused"][gone.id]
    assert f"{kept.id}: 0 runs wait" in run("submissions", "analyse", kept.id).stdout
    assert printed(run("submissions", "analyse", kept.id, "--again", "--json"))["planned"] == {kept.id: 6}
    shown = run("submissions", "show", kept.id).stdout
    assert "Analysis sets: 0 of 6 runs done, 0 failed, 6 to do" in shown
    check = doctor.check_runs(ready.platform.database)
    assert (check.state, check.found) == ("ok", "0 to do, and 6 on analysis sets after them")
    with ready.write() as session:
        session.query(runs.Run).filter_by(stage="analysis", shard=0).update(
            {"state": "failed", "failure_code": "platform"}
        )
    check = doctor.check_runs(ready.platform.database)
    assert (check.state, check.remedy.split("`")[1]) == (
        "note", "python -m backend submissions analyse --challenge NAME",
    )  # fmt: skip
    assert "2 on analysis sets failed by our fault" in check.found
    assert printed(run("submissions", "analyse", kept.id, "--json"))["planned"] == {kept.id: 2}


@pytest.mark.parametrize("arguments", [(), ("one", "--challenge", "demo")])
def test_either_a_submission_or_a_challenge_is_analysed(
    run: Run, ready: World, arguments: tuple[str, ...]
) -> None:
    result = run("submissions", "analyse", *arguments)
    assert result.exit_code == 1
    assert "Name a submission, or a challenge" in str(result.exception)


def test_gpus_are_read_from_what_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU-1a2b, NVIDIA H100'\necho 'GPU-3c4d, NVIDIA H100'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert doctor.gpus() == {"GPU-1a2b": "NVIDIA H100", "GPU-3c4d": "NVIDIA H100"}
    assert doctor.check_gpu("toy:GPU-1a2b,test:GPU-3c4d").state == "ok"
    assert doctor.check_gpu("toy:cpu,test:GPU-3c4d").state == "note"
    assert "GPU-9" in doctor.check_gpu("toy:cpu,test:GPU-9").found


def test_the_doctor_tells_when_a_challenge_promises_a_gpu_that_a_slot_lacks(ready: World) -> None:
    database = ready.platform.database
    ready.challenge("modest", gpu="false")
    ready.challenge("hungry", gpu="true")
    assert list(doctor.check_promised_gpus(database)) == []
    ready.add(WorkerSlot(name="node/test-cpu-0", lane="test", device="cpu", seen_at=now()))
    (finding,) = doctor.check_promised_gpus(database)
    assert finding.state == "note"
    assert finding.found == "hungry promises a GPU, and node/test-cpu-0 has none"
