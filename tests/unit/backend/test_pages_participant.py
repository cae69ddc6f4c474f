"""Home, submissions, teams and the account as pages of a participant without JavaScript."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.accounts import teams
from backend.commands import console
from backend.intake import samples
from backend.models.submission import Submission
from backend.models.team import Team
from backend.models.user import User
from tests.browser.working import SCRIPTS, image
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.test_waiting import past, slots
from tests.unit.backend.world import PASSWORD, World

LIST = "/challenges/demo/submissions"
TEAM = "/challenges/demo/team"


@pytest.fixture
def alpha(world: World, ada: User) -> Team:
    return world.team("Alpha", ada)


@pytest.fixture
def browser(client: TestClient, alpha: Team) -> Visitor:
    return visitor(client).sign_in("ada")


def titles(html: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/submissions/[^"]+">([^<]+)<', html)


def test_home_says_the_next_step_at_every_stage(
    client: TestClient, browser: Visitor, world: World, ada: User, alpha: Team
) -> None:
    def step(text: str, button: str) -> None:
        html = browser.get("/")
        assert text in html, html
        assert f">{button}</a>" in html

    step("Try your image on the toy cases", "Submit")
    row = world.submission(alpha, ada, title="first")
    world.run(row, "verify")
    step("“first” is under way.", "Watch it")
    assert "no estimate yet" in browser.get("/")
    world.set(row, failure_code="crashed", failure_message="exit code 3")
    world.moved(row, "failed")
    step("“first” failed. Its page says why", "Look at it")
    toy = world.submission(alpha, ada, title="second", created_at=row.created_at + 9)
    world.moved(toy, "toy", "score", "finished")
    step("Your image runs: hand in a counted one (Sample-level or Pixel-level).", "Submit")
    world.ranked(alpha, ada, "sample", {"brain": 0.5, "abdom": 0.5}, created_at=row.created_at + 99)
    step("You have a place.", "See your place")


def test_home_tells_dates_with_the_time_left_and_what_is_left_of_the_quota(
    client: TestClient, world: World
) -> None:
    world.challenge(closes="2999-01-01T00:00:00Z", reveal="2999-02-01T00:00:00Z", leaderboard="after_reveal")
    ada = world.person("ada")
    team = world.team("Alpha", ada)
    world.ranked(team, ada, "sample", {"brain": 0.5, "abdom": 0.5})
    html = visitor(client).sign_in("ada").get("/")
    assert re.search(r"closes in \d+ days", html)
    assert "9 of 10" in html
    assert "You are ranked. Places are published on 01 February 2999" in html
    world.challenge("late", closes="2001-01-01T00:00:00Z")
    world.challenge("early", opens="2999-01-01T00:00:00Z")
    html = visitor(client).get("/")
    assert re.search(r"closed 2001-01-01 00:00 UTC <span class=\"quiet\">\d+ days ago", html)
    assert re.search(r"open from 2999-01-01 00:00 UTC <span class=\"quiet\">opens in \d+ days", html)


def test_the_list_is_filtered_and_sorted_in_the_address_and_the_same_for_programs(
    client: TestClient, browser: Visitor, world: World, ada: User, alpha: Team
) -> None:
    for number, (title, kind) in enumerate([("beta", "toy"), ("Alpha", "counted"), ("=gamma", "toy")]):
        row = world.submission(alpha, ada, title=title, kind=kind, task="pixel", created_at=1e9 + number)
        if title == "beta":
            world.set(row, failure_code="crashed", failure_message="exit code 3")
            world.moved(row, "failed")
    assert titles(browser.get(LIST)) == ["=gamma", "Alpha", "beta"]
    html = browser.get(f"{LIST}?sort=title")
    assert titles(html) == ["=gamma", "Alpha", "beta"]
    header = f'<th scope="col" aria-sort="ascending"><a href="{LIST}?sort=title&amp;order=desc"'
    assert header in html
    assert titles(browser.get(f"{LIST}?sort=created&order=asc")) == ["beta", "Alpha", "=gamma"]
    assert titles(browser.get(f"{LIST}?kind=toy&state=active")) == ["=gamma"]
    assert titles(browser.get(f"{LIST}?title=ALPH")) == ["Alpha"]
    assert "No submission fits" in browser.get(f"{LIST}?title=nothing")
    assert "That is all." in browser.get(f"{LIST}?page=7")
    browser.get(f"{LIST}?sort=archive_sha256", 422)
    link = re.search(r'href="(/api/[^"]*format=csv)"', browser.get(f"{LIST}?kind=toy&sort=title&order=desc"))
    assert link is not None
    lines = browser.client.get(link[1].replace("&amp;", "&")).text.splitlines()
    assert lines[0].startswith("id,title,kind,task,state,handed_in")
    assert [line.split(",")[1] for line in lines[1:]] == ["beta", "'=gamma"]
    data = browser.client.get(f"/api/v1{LIST}?kind=toy").json()
    assert (data["total"], data["fitting"], len(data["items"])) == (3, 2, 2)


def test_the_list_holds_only_ones_own_and_says_how_long_it_takes(
    client: TestClient, browser: Visitor, world: World, ada: User, alpha: Team
) -> None:
    past(world, ada)
    slots(world)
    world.submission(world.team("Other"), ada, title="theirs")
    row = world.submission(alpha, ada, kind="counted", task="pixel", title="mine")
    world.run(row, "verify")
    html = browser.get(LIST)
    assert titles(html) == ["mine"]
    assert "done in" in html
    assert "no estimate yet" not in html
    assert "done in" in browser.get(f"/submissions/{row.id}")
    answer = browser.client.get(f"/api/v1/submissions/{row.id}").json()
    assert answer["estimate"]["text"] in html


def test_two_ticks_lead_to_the_comparison(browser: Visitor) -> None:
    answer = browser.client.get(f"{LIST}/compare?id=x&id=y", follow_redirects=False)
    assert answer.headers["location"] == "/submissions/compare?a=x&b=y"
    assert browser.client.get(f"{LIST}/compare?id=x&id=y&id=z").status_code == 422


def test_a_failure_comes_with_its_remedy_and_runs_with_their_limits(
    browser: Visitor, world: World, ada: User, alpha: Team
) -> None:
    row = world.submission(alpha, ada)
    cases = [{"id": f"{number}", "name": f"toy_{number}.nii.gz"} for number in range(2)]
    done = {"state": "done", "wall_seconds": 300.0, "peak_memory": 1 << 29, "cases": cases}
    world.run(row, "toy", task="pixel", dataset="brain", **done)
    world.set(
        row, failure_code="out_of_memory", failure_message="The container ran out of its 1 GiB of memory."
    )
    world.moved(row, "toy", "failed")
    html = browser.get(f"/submissions/{row.id}")
    assert "Free what a case needed before the next one" in html
    assert "<code>moodarena check IMAGE</code>" in html
    assert 'aria-label="25 % of the time allowed"' in html
    assert 'aria-label="50 % of the memory allowed"' in html


def test_the_working_sample_is_offered_and_handed_in_without_an_upload(
    browser: Visitor, world: World, tmp_path: Path
) -> None:
    submit = "/challenges/demo/submit"
    assert "working sample" not in browser.get(submit)
    assert browser.post(submit, "/challenges/demo/sample").status_code == 404
    archive = image(tmp_path / "sample.tar", *SCRIPTS)
    with world.write() as session:
        samples.register(session, world.platform.storage, "demo", archive, "The kit", console.operator())
    for page in (submit, "/challenges/demo"):
        assert "Submit the working sample" in browser.get(page)
    answer = browser.post(submit, "/challenges/demo/sample")
    assert re.fullmatch(r"/submissions/[0-9a-f]{24}", answer.url.path)
    assert "<h1>The kit</h1>" in answer.text
    with world.read() as session:
        assert session.query(Submission).one().kind == "toy"


def test_an_unapproved_team_is_told_so_before_it_uploads(client: TestClient, world: World) -> None:
    world.challenge(approval="true")
    ada = world.person("ada")
    with world.write() as session:
        teams.create(session, "demo", ada, "Alpha")
    html = visitor(client).sign_in("ada").get("/challenges/demo/submit")
    assert "Your team is not approved yet" in html
    assert 'type="file"' not in html


def test_a_team_page_shows_the_founder_and_open_invitations_which_end_there(
    client: TestClient, browser: Visitor, world: World
) -> None:
    browser.post(TEAM, f"{TEAM}/invitations")
    html = browser.get(TEAM)
    assert "founder</span>" in html
    assert "Made by ada" in html
    revoke = re.search(rf'action="({TEAM}/invitations/[0-9a-f]+/revoke)"', html)
    assert revoke is not None
    assert "None is open." in browser.post(TEAM, revoke[1]).text
    left = browser.post(TEAM, f"{TEAM}/leave")
    assert left.url.path == TEAM
    assert "Found a team" in left.text


def test_who_has_to_stay_is_told_why(browser: Visitor, world: World, ada: User, alpha: Team) -> None:
    world.submission(alpha, ada)
    html = browser.get(TEAM)
    assert "You are the last member of a team that has submissions" in html
    assert 'action="/challenges/demo/team/leave"' not in html
    assert browser.post(TEAM, f"{TEAM}/leave").status_code == 409


def test_with_aliases_a_team_learns_its_own(client: TestClient, world: World) -> None:
    world.challenge(aliases="true")
    ada = world.person("ada")
    team = world.team("Alpha", ada)
    assert team.alias in visitor(client).sign_in("ada").get(TEAM)


def test_a_password_is_changed_with_the_old_one_and_ends_everything_else(
    client: TestClient, browser: Visitor, world: World, ada: User
) -> None:
    other, bearer = visitor(client).sign_in("ada"), world.token(ada)
    new = "another horse battery"
    wrong = browser.post("/account", "/account/password", password="not it at all", new_password=new)
    assert (wrong.status_code, "not your current password" in wrong.text) == (422, True)
    short = browser.post("/account", "/account/password", password=PASSWORD, new_password="short")
    assert (short.status_code, "10 to 1024 characters" in short.text) == (422, True)
    done = browser.post("/account", "/account/password", password=PASSWORD, new_password=new)
    assert (done.status_code, done.url.path) == (200, "/account")
    assert "Sign in" in other.get("/")
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
    answer = visitor(client).post("/sign-in", "/sign-in", name="ada", password=new)
    assert answer.url.path == "/"
