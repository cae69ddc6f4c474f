"""`moodarena` against the real application on a small platform, without a container engine."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.main import get_command

from backend.main import create_app
from backend.models.score import CaseResult
from backend.models.user import User
from submissions.cli import app
from tests.command import Person
from tests.live import serving
from tests.unit.backend.world import PASSWORD, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.open(tmp_path / "platform") as opened:
        opened.challenge()
        yield opened


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with serving(create_app(world.platform)) as address:
        yield address


@pytest.fixture
def anna(tmp_path: Path) -> Person:
    return Person(tmp_path / "anna")


@pytest.fixture
def bert(tmp_path: Path) -> Person:
    return Person(tmp_path / "bert")


def sign_up(person: Person, url: str, name: str) -> None:
    ended = person.types(
        "signup", url, "--name", name, "--email", f"{name}@example.org", answers=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert ended.code == 0, ended.err


def sign_in(person: Person, url: str, world: World, name: str) -> User:
    user = world.person(name)
    token = world.token(user)["Authorization"].removeprefix("Bearer ")
    assert person.types("login", url, "--token-stdin", answers=token).code == 0
    return user


def test_signing_up_signs_in_and_keeps_the_token_for_its_owner_only(url: str, anna: Person) -> None:
    sign_up(anna, url, "anna")
    assert anna.types("whoami").out.strip() == f"anna (participant) at {url}"
    [stored] = anna.home.iterdir()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert stat.S_IMODE(anna.home.stat().st_mode) == 0o700
    assert PASSWORD not in stored.read_text()


def test_a_wrong_password_is_refused_with_the_reason_of_the_platform(
    url: str, world: World, anna: Person
) -> None:
    world.person("anna")
    ended = anna.types("login", url, "--name", "anna", "--json", answers="wrong password\n")
    assert ended.code == 3
    assert ended.json["error"]["code"] in ended.err
    assert not anna.home.exists()


def test_a_token_can_be_given_on_standard_input(url: str, world: World, anna: Person) -> None:
    token = world.token(world.person("anna"))["Authorization"].removeprefix("Bearer ")
    ended = anna.types("login", url, "--token-stdin", "--json", answers=f"{token}\n")
    assert (ended.code, ended.json["name"]) == (0, "anna")
    assert token not in ended.out + ended.err


def test_the_environment_comes_before_the_stored_login(url: str, world: World, anna: Person) -> None:
    sign_up(anna, url, "anna")
    token = world.token(world.person("bert"))["Authorization"].removeprefix("Bearer ")
    ended = anna.types("whoami", "--json", MOODARENA_URL=url, MOODARENA_TOKEN=token)
    assert ended.json["name"] == "bert"


def test_signing_out_makes_the_token_worthless(url: str, anna: Person) -> None:
    sign_up(anna, url, "anna")
    token = json.loads((anna.home / "login.json").read_text())["token"]
    assert anna.types("logout", "--json").json == {"url": url, "revoked": True}
    assert anna.types("whoami").code == 5
    again = anna.types("whoami", MOODARENA_URL=url, MOODARENA_TOKEN=token)
    assert again.code == 3
    assert "moodarena login" in again.err


def test_without_a_login_it_says_what_to_type(anna: Person) -> None:
    ended = anna.types("status", "--json")
    assert ended.code == 5
    assert ended.json["error"]["code"] == "not_signed_in"
    assert "moodarena login URL" in ended.err


def test_without_a_connection_it_names_the_address(anna: Person) -> None:
    ended = anna.types("login", "http://127.0.0.1:9", "--name", "anna", answers="secret\n")
    assert ended.code == 4
    assert "No connection to http://127.0.0.1:9" in ended.err
    assert ended.out.strip() == ""


@pytest.mark.parametrize("address", ["not an address", "ftp://example.org", "http://[::1"])
def test_something_that_is_no_address_is_named_too(anna: Person, address: str) -> None:
    ended = anna.types("login", address, "--name", "anna", answers="secret\n")
    assert ended.code == 4
    assert address in ended.err


def test_a_team_grows_by_invitation(url: str, anna: Person, bert: Person) -> None:
    sign_up(anna, url, "anna")
    sign_up(bert, url, "bert")
    assert anna.types("team", "create", "demo", "The A team").code == 0
    invited = anna.types("team", "invite", "demo")
    assert bert.types(*invited.out.split()[1:]).code == 0
    members = bert.types("team", "show", "demo", "--json").json["members"]
    assert {member["name"] for member in members} == {"anna", "bert"}
    assert bert.types(*invited.out.split()[1:]).code == 3, "an invitation works once"


def test_the_leaderboard_shows_places_and_shared_places(url: str, world: World, anna: Person) -> None:
    user = world.person("carla")
    for name, brain, abdom in (("first", 0.9, 0.8), ("tied-a", 0.5, 0.7), ("tied-b", 0.6, 0.6)):
        world.ranked(world.team(name), user, "sample", {"brain": brain, "abdom": abdom})
    sign_in(anna, url, world, "anna")
    ended = anna.types("leaderboard", "demo", "--json")
    rows = ended.json["sample"]["rows"]
    assert [(row["place"], row["team"]) for row in rows] == [(1, "first"), (2, "tied-a"), (2, "tied-b")]
    assert ended.json["pixel"]["rows"] == []
    shown = anna.types("leaderboard", "demo", "--task", "sample").out
    assert "0.900 (1)" in shown
    assert "Task sample" in shown


def test_results_show_toy_cases_with_their_outcome(url: str, world: World, anna: Person) -> None:
    user = sign_in(anna, url, world, "anna")
    assert anna.types("status", "--json").json == []
    submission = world.submission(world.team("mine", user), user)
    world.toy_results(submission)
    shown = anna.types("results", submission.id).out
    assert "toy_0.nii.gz  missing" in shown
    assert "AP 0.988" in shown
    toy = anna.types("results", submission.id, "--json").json["toy"][0]
    assert toy["outcomes"] == {"scored": 1, "missing": 1}
    assert submission.id in anna.types("status").out
    assert "verify" in anna.types("status", submission.id).out


def test_results_show_what_clipping_and_rounding_cost_a_toy_map(url: str, world: World, anna: Person) -> None:
    user = sign_in(anna, url, world, "anna")
    submission = world.submission(world.team("mine", user), user)
    world.toy_results(submission)
    with world.read() as session:
        scored = session.scalars(select(CaseResult).filter_by(outcome="scored")).one()
    figures = {"average_precision": 0.444444, "exact_average_precision": 0.503333, "collapse": "spread them"}
    world.set(scored, figures=figures)
    ended = anna.types("results", submission.id)
    shown = " ".join(ended.out.split())
    assert "toy_0.nii.gz missing – –" in shown
    assert "toy_1.nii.gz scored 0.444 0.503" in shown
    assert "Warning: toy_1.nii.gz: spread them." in shown
    toy = anna.types("results", submission.id, "--json").json["toy"][0]
    assert [case["warning"] for case in toy["cases"]] == [None, "spread them"]


def test_a_cancelled_submission_ends_the_watching_with_1(url: str, world: World, anna: Person) -> None:
    user = sign_in(anna, url, world, "anna")
    submission = world.submission(world.team("mine", user), user)
    assert anna.types("cancel", submission.id).out == f"{submission.id} cancelled\n"
    watched = anna.types("status", submission.id, "--watch", "--json")
    assert (watched.code, watched.json["state"]) == (1, "cancelled")


def test_another_teams_submission_is_not_there(url: str, world: World, anna: Person) -> None:
    carla = world.person("carla")
    theirs = world.submission(world.team("theirs", carla), carla)
    sign_in(anna, url, world, "anna")
    for words in (["status"], ["results"], ["cancel"]):
        ended = anna.types(*words, theirs.id, "--json")
        assert (ended.code, ended.json["error"]["code"]) == (3, "no_such_submission")


def test_every_command_speaks_json_and_explains_itself() -> None:
    def leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
        for name, child in (inner or {}).items():
            yield from leaves(child, (*path, name))

    found = dict(leaves(get_command(app)))
    assert len(found) >= 16
    for path, command in found.items():
        options = {name for parameter in command.params for name in parameter.opts}
        assert "--json" in options, path
        assert command.help, path
