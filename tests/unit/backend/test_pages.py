import re
from pathlib import Path

from fastapi.testclient import TestClient

from backend.main import create_app
from backend.models.submission import Submission
from backend.models.user import User
from backend.web.rendering import local_path
from tests.unit.backend.browsing import Visitor, visitor
from tests.unit.backend.world import PASSWORD, SECRETS, World


def pages_of(submission: Submission) -> list[str]:
    return [
        "/",
        "/account",
        "/challenges/demo",
        "/challenges/demo/team",
        "/challenges/demo/submit",
        "/challenges/demo/submissions",
        "/challenges/demo/leaderboard?task=pixel",
        f"/submissions/{submission.id}",
    ]


def a_counted_submission(world: World, ada: User) -> Submission:
    submission = world.submission(world.team("Alpha", ada), ada, kind="counted", task="pixel")
    world.moved(submission, "toy", "test")
    world.toy_results(submission)
    world.hidden_shard(submission, 0)
    failed = {"failure_code": "wrong_shape", "failure_message": "opaque1.nii.gz: 127 slices written"}
    world.hidden_shard(submission, 1, state="failed", **failed, failure_detail="hidden1brain")
    world.moved(submission, "toy", "test", "failed", cause="wrong_shape")
    world.set(submission, **failed, failure_detail="secret story")
    return submission


def test_a_newcomer_signs_up_founds_a_team_and_invites_without_javascript(
    client: TestClient, world: World
) -> None:
    world.challenge()
    new, friend = visitor(client), visitor(client)
    start = new.get("/")
    assert "Sign up to take part" in start
    welcome = new.post(
        "/sign-up", "/sign-up", name="grace", email="g@example.org", password=PASSWORD, next="/account"
    )
    assert welcome.url.path == "/account"
    assert "Found a team" in new.get("/")
    here = "/challenges/demo/team"
    assert "<h1>Gamma</h1>" in new.post(here, here, name="Gamma").text
    invitation = re.search(r'id="invitation">(join_[^<]+)<', new.post(here, f"{here}/invitations").text)
    assert invitation is not None
    world.person("joan")
    joined = friend.sign_in("joan").post(here, f"{here}/join", invitation=f" {invitation[1]} ")
    assert "<h1>Gamma</h1>" in joined.text
    assert "grace" in joined.text
    assert "Try your image on the toy cases" in friend.get("/")


def test_a_refused_form_says_why_and_keeps_what_was_typed(client: TestClient, ada: User) -> None:
    new = visitor(client)
    taken = new.post("/sign-up", "/sign-up", name="ada", email="b@example.org", password=PASSWORD)
    assert taken.status_code == 409
    assert "There is an account of this name" in taken.text
    assert 'value="b@example.org"' in taken.text
    assert PASSWORD not in taken.text
    wrong = new.post("/sign-in", "/sign-in", name="ada", password="not the password")
    assert (wrong.status_code, 'value="ada"' in wrong.text) == (401, True)
    signed_in = visitor(client).sign_in("ada")
    short = signed_in.post("/challenges/demo/team", "/challenges/demo/team", name="x")
    assert (short.status_code, "2 to 60 printable characters" in short.text) == (422, True)


def test_signing_in_leads_back_to_where_one_was_going_and_never_to_strangers(
    client: TestClient, ada: User
) -> None:
    new = visitor(client)
    asked = new.client.get("/challenges/demo/submissions?after=x")
    assert asked.url.path == "/sign-in"
    assert asked.url.params["next"] == "/challenges/demo/submissions?after=x"
    answer = new.post("/sign-in", "/sign-in", name="ada", password=PASSWORD, next="//evil.example/x")
    assert (answer.url.host, answer.url.path) == ("testserver", "/")
    for path in ("https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/a\nb"):
        assert local_path(path) == "/"
    assert local_path("/challenges/demo?x=1") == "/challenges/demo?x=1"


def test_every_form_carries_a_token_and_is_refused_without_it(
    client: TestClient, world: World, ada: User
) -> None:
    submission = world.submission(world.team("Alpha", ada), ada)
    world.challenge("other")
    signed_in = visitor(client).sign_in("ada")
    anonymous = visitor(client)
    shown = [signed_in.get(path) for path in (*pages_of(submission), "/challenges/other/team")]
    shown += [anonymous.get(path) for path in ("/sign-in", "/sign-up")]
    actions = set()
    for html in shown:
        for form in re.findall(r'<form method="post"[^>]*>.*?</form>', html, re.DOTALL):
            assert 'name="csrf" value="' in form, form
            actions.add(re.search(r'action="([^"]+)"', form)[1])
    assert {
        "/sign-out",
        "/sign-in",
        "/sign-up",
        "/account/tokens",
        f"/submissions/{submission.id}/cancel",
    } <= actions
    for action in sorted(actions):
        for someone in (signed_in, anonymous) if action != "/sign-out" else (signed_in,):
            refused = someone.client.post(action, data={"name": "x"})
            assert refused.status_code in (401, 403, 422), (action, refused.status_code)
    with world.read() as session:
        assert session.get_one(Submission, submission.id).state == "verify"
    assert "Sign out" in signed_in.get("/")


def test_tokens_are_shown_once_and_can_be_revoked(client: TestClient, ada: User) -> None:
    signed_in = visitor(client).sign_in("ada")
    made = signed_in.post("/account", "/account/tokens", name="laptop").text
    secret = re.search(r'id="secret">(mood_[^<]+)<', made)
    assert secret is not None
    bearer = {"Authorization": f"Bearer {secret[1]}"}
    assert client.get("/api/v1/me", headers=bearer).status_code == 200
    listed = signed_in.get("/account")
    assert secret[1] not in listed
    action = re.search(r'action="(/account/tokens/[^"]+/revoke)"', listed)
    assert action is not None
    signed_in.post("/account", action[1])
    assert client.get("/api/v1/me", headers=bearer).status_code == 401


def test_signing_out_ends_the_session(client: TestClient, ada: User) -> None:
    signed_in = visitor(client).sign_in("ada")
    cookie = dict(signed_in.client.cookies)
    assert "Sign in" in signed_in.post("/", "/sign-out").text
    again = visitor(client)
    again.client.cookies.update(cookie)
    assert "Sign in" in again.get("/")


def test_a_submission_page_tells_states_toy_results_logs_and_a_failure_with_its_remedy(
    client: TestClient, world: World, ada: User
) -> None:
    submission = world.submission(world.team("Alpha", ada), ada, warnings=["The ENTRYPOINT is cleared."])
    world.toy_results(submission)
    sentence = "toy_2.nii.gz: 127 slices written, 128 expected"
    world.moved(submission, "toy", "failed")
    world.set(submission, failure_code="wrong_shape", failure_message=sentence, failure_detail="a traceback")
    html = visitor(client).sign_in("ada").get(f"/submissions/{submission.id}")
    for expected in (
        sentence,
        "The ENTRYPOINT is cleared.",
        "failed while running toy cases",
        "0.988",
        "hello from toy_1.nii.gz",
        "missing: toy_0.nii.gz: not written",
        "/toy/pixel/brain/toy_1.nii.gz/2/hottest.webp?layer=overlay",
        "12 s",
        "118 MiB",
    ):
        assert expected in html, expected
    assert "a traceback" not in html
    assert "Cancel this submission" not in html


def test_the_pages_of_the_owner_show_nothing_of_hidden_cases(
    client: TestClient, world: World, ada: User
) -> None:
    submission = a_counted_submission(world, ada)
    signed_in = visitor(client).sign_in("ada")
    for path in pages_of(submission):
        html = signed_in.get(path)
        assert not [secret for secret in SECRETS if secret in html], path
    shown = signed_in.get(f"/submissions/{submission.id}")
    assert "failed while running hidden cases" in shown
    assert "one score for every voxel" in shown


def test_how_far_analysis_sets_are_is_for_organizers_only(
    client: TestClient, world: World, ada: User
) -> None:
    world.person("boss", "organizer")
    row = world.ranked(world.team("Alpha", ada), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    path = f"/submissions/{row.id}"
    owner, boss = visitor(client).sign_in("ada"), visitor(client).sign_in("boss")
    before = owner.get(path)
    for shard, state in enumerate(("done", "failed", "waiting")):
        world.run(row, "analysis", task="sample", dataset="brain", shard=shard, state=state)
    assert owner.get(path) == before
    told = "Analysis sets: 1 of 3 runs done, 1 failed, 1 to do, after everybody's runs that count."
    assert told in boss.get(path)


def test_another_teams_submission_does_not_exist_for_a_stranger(
    client: TestClient, world: World, ada: User
) -> None:
    submission = a_counted_submission(world, ada)
    eve = world.person("eve")
    world.team("Beta", eve)
    stranger = visitor(client).sign_in("eve")
    at = f"/submissions/{submission.id}"
    toy = "/toy/pixel/brain/toy_1.nii.gz"
    for path in (at, f"{at}{toy}", f"/api/v1{at}", f"/api/v1{at}/events", f"/api/v1{at}{toy}/2/hottest.webp"):
        told = stranger.get(path, 404)
        nothing = stranger.get(path.replace(submission.id, "0" * 24), 404)
        assert told == nothing
    assert stranger.post("/account", f"{at}/cancel").status_code == 404
    assert submission.id not in stranger.get("/challenges/demo/submissions")
    with world.read() as session:
        assert session.get_one(Submission, submission.id).state == "failed"


def test_an_owner_cancels_and_sees_it(client: TestClient, world: World, ada: User) -> None:
    submission = world.submission(world.team("Alpha", ada), ada)
    world.run(submission, "verify")
    at = f"/submissions/{submission.id}"
    answer = visitor(client).sign_in("ada").post(at, f"{at}/cancel")
    assert answer.url.path == at
    assert "cancelled by ada" in answer.text


def test_waiting_pages_reload_without_javascript_and_stop_when_all_is_over(
    client: TestClient, world: World, ada: User
) -> None:
    team = world.team("Alpha", ada)
    submission = world.submission(team, ada)
    world.run(submission, "verify")
    signed_in = visitor(client).sign_in("ada")
    paths = (f"/submissions/{submission.id}", "/challenges/demo/submissions")
    for path in paths:
        html = signed_in.get(path)
        assert 'http-equiv="refresh"' in html
        assert "next in the queue" in html
    streams = (f"submissions/{submission.id}", "challenges/demo/submissions")
    for path, stream in zip(paths, streams, strict=True):
        assert f'hx-sse:connect="/api/v1/{stream}/events"' in signed_in.get(path)
    world.moved(submission, "cancelled")
    for path in paths:
        html = signed_in.get(path)
        assert "refresh" not in html
        assert "hx-sse" not in html


def test_ties_are_shown_as_equal_places_and_baselines_are_marked(
    client: TestClient, world: World, ada: User
) -> None:
    for name, brain, abdom in (("Saase", 0.800, 0.770), ("A2", 0.634, 0.816), ("Top", 0.9, 0.9)):
        world.ranked(world.team(name, baseline=name == "A2"), ada, "sample", {"brain": brain, "abdom": abdom})
    html = visitor(client).get("/challenges/demo/leaderboard?task=sample")
    places = re.findall(r'class="number place">(\d+)(<abbr[^>]*>=</abbr>)?<', html)
    assert [(place, bool(tie)) for place, tie in places] == [("1", False), ("2", True), ("2", True)]
    assert html.count("baseline</span>") == 1
    assert "11 scored, 1 missing" in html
    assert "0.634" in html
    assert "/submissions/" not in html


def test_a_board_before_its_reveal_says_when_it_is_public(client: TestClient, world: World) -> None:
    world.challenge(leaderboard="after_reveal", reveal="2999-10-08T00:00:00Z")
    boss, ada = world.person("boss", "organizer"), world.person("ada")
    world.ranked(world.team("Alpha"), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    path = "/challenges/demo/leaderboard"
    told = visitor(client).get(path, 403)
    assert "published on 08 October 2999" in told
    assert "Alpha" not in told
    assert "Alpha" in visitor(client).sign_in(boss.name).get(path)


def test_organizers_see_every_story_and_approve_teams_and_participants_do_not(
    client: TestClient, world: World, ada: User
) -> None:
    submission = a_counted_submission(world, ada)
    world.challenge("strict", approval="true")
    world.person("boss", "organizer")
    boss, participant = visitor(client).sign_in("boss"), visitor(client).sign_in("ada")
    listed = "/organize/submissions"
    assert "secret story" in boss.get(listed)
    assert "secret story" in boss.get(f"{listed}?challenge=demo&state=failed")
    assert "No submission fits" in boss.get(f"{listed}?challenge=strict")
    assert "hidden1brain" in boss.get(f"/submissions/{submission.id}")
    here = "/challenges/strict/team"
    assert "waits for the organizers" in participant.post(here, here, name="Alpha").text
    teams = "/organize/strict/teams"
    action = re.search(rf'action="({teams}/[^"]+/approve)"', boss.get(teams))
    assert action is not None
    assert participant.post(here, action[1]).status_code == 403
    boss.post(teams, action[1])
    assert "waits for the organizers" not in participant.get(here)
    for path in ("/organize", listed, teams):
        participant.get(path, 403)


def test_pages_hold_no_inline_script_or_style_and_only_our_own_addresses(
    client: TestClient, world: World, ada: User
) -> None:
    submission = a_counted_submission(world, ada)
    signed_in = visitor(client).sign_in("ada")
    case = f"/submissions/{submission.id}/toy/pixel/brain/toy_1.nii.gz"
    for path in (*pages_of(submission), case):
        html = signed_in.get(path)
        assert not re.search(r"<script(?![^>]* src=\"/static/)[^>]*>|<style| style=| on[a-z]+=", html), path
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", html), path


def test_errors_are_pages_for_people_and_json_for_programs(client: TestClient, world: World) -> None:
    new = visitor(client)
    assert "<h1>Nothing here</h1>" in new.get("/nothing", 404)
    assert "<h1>Nothing here</h1>" in new.get("/challenges/absent", 404)
    assert new.client.get("/api/v1/challenges/absent").json()["error"]["code"] == "no_such_challenge"


def test_a_bug_in_a_page_is_told_as_a_number(world: World) -> None:
    app = create_app(world.platform)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("secret_case_17")

    html = Visitor(TestClient(app)).get("/broken", 500)
    assert "Our fault" in html
    assert "Tell the organizers this number" in html
    assert "secret_case" not in html


def test_text_of_strangers_is_escaped(client: TestClient, world: World, ada: User) -> None:
    evil = '<script>alert("x")</script>'
    team = world.team(evil, ada)
    world.ranked(team, ada, "sample", {"brain": 0.5, "abdom": 0.5}, title=evil)
    submission = world.submission(team, ada, title=evil)
    world.toy_results(submission)
    world.set(submission, failure_code="crashed", failure_message=evil, warnings=[evil])
    signed_in = visitor(client).sign_in("ada")
    for path in pages_of(submission):
        assert "<script>alert" not in signed_in.get(path), path


def test_every_template_file_is_reached_by_a_page() -> None:
    web = Path(__file__).parents[3] / "backend" / "web"
    text = "\n".join(path.read_text() for path in (*web.glob("*.py"), *web.glob("templates/*.html")))
    unused = [path.name for path in web.glob("templates/*.html") if f'"{path.name}"' not in text]
    assert unused == []
