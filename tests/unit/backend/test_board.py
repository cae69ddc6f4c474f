"""The board as a page and for programs: ties, days, filters, order; all three show the same."""

import csv
import io
import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from backend.errors import BadInput, Forbidden
from backend.models.challenge import Challenge
from backend.models.user import User
from backend.results import uncertainty
from backend.results.board_export import citation
from backend.results.leaderboard import leaderboard
from backend.results.reasons import reasons
from backend.results.schemas import Board
from tests.unit.backend.browsing import visitor
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import SECRETS, World

PAGE = "/challenges/demo/leaderboard"
API = "/api/v1/challenges/demo/leaderboard"
DAY = 86400.0
SEPTEMBER_13 = date(2020, 9, 13)  # the day of NOON


@pytest.fixture
def four(world: World, ada: User) -> None:
    """Two share the second place with figures of their own; one of them and the last are baselines."""
    for name, brain, abdom in (
        ("Saase", 0.8, 0.77),
        ("A2", 0.634, 0.816),
        ("Top", 0.9, 0.9),
        ("Low", 0.1, 0.2),
    ):
        team = world.team(name, baseline=name in ("A2", "Low"))
        world.ranked(team, ada, "sample", {"brain": brain, "abdom": abdom})


def board(world: World, viewer: User | None = None, as_of: date | None = None) -> Board:
    with world.read() as session:
        return leaderboard(session, session.get_one(Challenge, "demo"), "sample", viewer, as_of=as_of)


# --- ties, and why a place is what it is ---


def test_those_who_share_a_place_are_named_on_each_row(world: World, four: None) -> None:
    rows = {row.team: row for row in board(world).rows}
    assert {team: (row.place, row.shared_with) for team, row in rows.items()} == {
        "Top": (1, []),
        "Saase": (2, ["A2"]),
        "A2": (2, ["Saase"]),
        "Low": (4, []),
    }
    assert rows["Saase"].mean_place == rows["A2"].mean_place == 2.5


def test_the_computation_of_a_place_leads_from_the_figures_to_it(world: World, four: None) -> None:
    shown = board(world)
    [row] = [row for row in shown.rows if row.team == "A2"]
    reason = reasons(shown)[row.submission]
    assert [(step.dataset, step.ap, step.place) for step in reason.steps] == [
        ("brain", 0.634, 3),
        ("abdom", 0.816, 2),
    ]
    assert (reason.total, reason.mean, reason.ahead, reason.place) == (5, 2.5, 1, 2)
    assert reason.shared_with == ["Saase"]


def test_figures_that_only_look_equal_are_told_from_equal_ones(world: World, ada: User) -> None:
    for name, brain in (("Ahead", 0.50004), ("Behind", 0.50001), ("Beside", 0.50001)):
        world.ranked(world.team(name), ada, "sample", {"brain": brain, "abdom": 0.5})
    shown = board(world)
    steps = {row.team: reasons(shown)[row.submission].steps[0] for row in shown.rows}
    assert (steps["Ahead"].shared_with, steps["Ahead"].close) == ([], ["Behind", "Beside"])
    assert (steps["Behind"].shared_with, steps["Behind"].close) == (["Beside"], ["Ahead"])


def test_the_page_shows_the_computation_of_every_row(client: TestClient, four: None) -> None:
    page = " ".join(visitor(client).get(f"{PAGE}?task=sample").split())
    assert page.count("<summary>Why this place?") == 4
    assert "(3 + 2) / 2 = <strong>2.5</strong>" in page
    assert (
        "1 team has a smaller mean: <strong>place 2</strong>, shared with Saase, whose mean is the same"
        in page
    )


# --- as of a day ---


@pytest.fixture
def two_days(world: World, ada: User) -> None:
    """Alpha is better on the 13th, Beta on the 15th."""
    alpha, beta = world.team("Alpha"), world.team("Beta")
    for team, figure, days in ((alpha, 0.6, 0), (beta, 0.5, 0), (beta, 0.9, 2)):
        row = world.ranked(team, ada, "sample", {"brain": figure, "abdom": figure})
        world.set(row, created_at=row.created_at + DAY * days, finished_at=row.created_at + 400 + DAY * days)


def test_a_past_day_has_the_board_of_the_submissions_ranked_by_its_end(world: World, two_days: None) -> None:
    def stood(day: date | None) -> list[tuple[str, float | None]]:
        return [(row.team, row.ap["brain"]) for row in board(world, as_of=day).rows]

    assert stood(SEPTEMBER_13 - timedelta(1)) == []
    assert stood(SEPTEMBER_13) == stood(SEPTEMBER_13 + timedelta(1)) == [("Alpha", 0.6), ("Beta", 0.5)]
    assert stood(SEPTEMBER_13 + timedelta(2)) == stood(None) == [("Beta", 0.9), ("Alpha", 0.6)]


def test_a_day_ends_by_the_time_that_everybody_is_told(world: World, ada: User) -> None:
    row = world.ranked(world.team("Alpha"), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    midnight = 1_600_041_600.0  # of the 13th to the 14th
    world.set(row, finished_at=midnight - 3)
    [told] = board(world).rows
    assert told.finished_at == midnight
    assert board(world, as_of=SEPTEMBER_13).rows == []
    assert len(board(world, as_of=SEPTEMBER_13 + timedelta(1)).rows) == 1


def test_what_was_not_public_then_stays_closed_but_to_organizers(world: World) -> None:
    world.challenge(leaderboard="after_reveal", reveal="2020-09-15T12:00:00Z")
    ada, boss = world.person("ada"), world.person("boss", "organizer")
    world.ranked(world.team("Alpha"), ada, "sample", {"brain": 0.5, "abdom": 0.5})
    assert len(board(world, ada, date(2020, 9, 15)).rows) == 1
    for day in (date(2020, 9, 14), SEPTEMBER_13, date(2019, 1, 1)):
        for viewer in (ada, None):
            with pytest.raises(Forbidden, match="no public board"):
                board(world, viewer, day)
    assert len(board(world, boss, SEPTEMBER_13).rows) == 1


def test_days_to_come_and_nonsense_are_refused(world: World, two_days: None, client: TestClient) -> None:
    with pytest.raises(BadInput, match="has not come yet"):
        board(world, as_of=date.today() + timedelta(2))
    for value in ("9999-12-31", "2020-13-01", "yesterday", "0"):
        assert client.get(f"{API}?task=sample&as_of={value}").status_code == 422
        visitor(client).get(f"{PAGE}?task=sample&as_of={value}", 422)
    assert client.get(f"{API}?task=sample&as_of=0001-01-01").json()["rows"] == []


def test_the_page_of_a_day_says_what_it_is(client: TestClient, two_days: None) -> None:
    page = visitor(client).get(f"{PAGE}?task=sample&as_of=2020-09-13")
    assert "as it stood at the end of" in page
    assert "under the scoring version and on the cases of today" in page
    assert re.findall(r'<th scope="row"[^>]*>(\w+)', page) == ["Alpha", "Beta"]
    assert "No intervals were computed while this board stood" in page
    assert "No submission was ranked by the end of" in visitor(client).get(f"{PAGE}?as_of=2020-01-01")
    assert "as it stood" not in visitor(client).get(f"{PAGE}?task=sample")


# --- filters, order, and the same for programs ---


class _Rows(HTMLParser):
    """The cells of the rows of teams."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._within = self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._within = "entry" in (dict(attrs).get("class") or "").split()
            if self._within:
                self.rows.append([])
        if tag in ("td", "th") and self._within:
            self.rows[-1].append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open and self._within:
            self.rows[-1][-1] += data.strip()


VIEWS = [
    "",
    "&sort=team",
    "&sort=place&order=desc",
    "&sort=ap.abdom",
    "&sort=ap.brain&order=asc",
    "&sort=ranked",
    "&baselines=hide",
    "&team=A",
    "&team=%20LOW&sort=validation.brain",
    "&team=nobody",
    "&as_of=2020-09-13&sort=team&order=desc",
    "&as_of=2020-09-12",
]


@pytest.mark.parametrize("view", VIEWS)
def test_page_json_and_csv_show_the_same_rows_in_the_same_order(
    client: TestClient, four: None, view: str
) -> None:
    told = client.get(f"{API}?task=sample{view}").json()
    table = list(csv.DictReader(io.StringIO(client.get(f"{API}?task=sample{view}&format=csv").text)))
    shown = _Rows(visitor(client).get(f"{PAGE}?task=sample{view}")).rows
    expected = [(str(row["place"]), row["team"], row["ap"]["brain"]) for row in told["rows"]]
    assert [(row["place"], row["team"], float(row["ap_brain"])) for row in table] == expected
    assert [
        (re.sub("=", "", cells[0]), cells[1].removesuffix("baseline"), float(cells[3])) for cells in shown
    ] == (expected)


@pytest.mark.parametrize(
    ("view", "teams"),
    [
        ("sort=team", ["A2", "Low", "Saase", "Top"]),
        ("sort=team&order=desc", ["Top", "Saase", "Low", "A2"]),
        ("sort=ap.abdom", ["Top", "A2", "Saase", "Low"]),
        ("sort=place&order=desc", ["Low", "A2", "Saase", "Top"]),
        ("team=a", ["A2", "Saase"]),
        ("baselines=hide", ["Top", "Saase"]),
        ("baselines=hide&team=A2", []),
        ("sort=&order=&team=&as_of=", ["Top", "A2", "Saase", "Low"]),
    ],
)
def test_rows_are_filtered_and_sorted_as_asked(
    client: TestClient, four: None, view: str, teams: list[str]
) -> None:
    told = client.get(f"{API}?task=sample&{view}").json()
    assert [row["team"] for row in told["rows"]] == teams
    assert told["total"] == 4
    assert {row["team"]: row["place"] for row in told["rows"]}.items() <= {
        "Top": 1,
        "A2": 2,
        "Saase": 2,
        "Low": 4,
    }.items()


def test_teams_without_a_figure_come_last_in_both_directions(
    client: TestClient, world: World, ada: User
) -> None:
    world.ranked(world.team("None"), ada, "sample", {"brain": None, "abdom": 0.9})
    world.ranked(world.team("Some"), ada, "sample", {"brain": 0.4, "abdom": 0.4})
    for order in ("asc", "desc"):
        told = client.get(f"{API}?task=sample&sort=ap.brain&order={order}").json()
        assert [row["team"] for row in told["rows"]] == ["Some", "None"]


def test_an_unknown_order_is_refused_with_those_that_there_are(client: TestClient, four: None) -> None:
    answer = client.get(f"{API}?task=sample&sort=ap.nothing")
    assert answer.status_code == 422
    assert "ap.brain" in answer.json()["error"]["message"]
    assert client.get(f"{API}?task=sample&order=sideways").status_code == 422
    assert client.get(f"{API}?task=sample&baselines=x").status_code == 422


def test_the_page_marks_the_order_and_its_links_keep_the_rest_of_the_view(
    client: TestClient, four: None
) -> None:
    page = visitor(client).get(f"{PAGE}?task=sample&sort=ap.brain&team=a&baselines=hide")
    assert re.findall(r'aria-sort="(\w+)"', page) == ["descending"]
    again = re.search(r'aria-sort="descending"><a href="([^"]+)"', page)
    assert again is not None
    assert again[1] == f"{PAGE}?task=sample&amp;team=a&amp;baselines=hide&amp;sort=ap.brain&amp;order=asc"
    assert f'href="{API}?task=sample&amp;team=a&amp;baselines=hide&amp;sort=ap.brain&amp;format=csv"' in page
    assert f'href="{PAGE}?task=pixel&amp;team=a&amp;baselines=hide&amp;sort=ap.brain"' in page
    assert "1 of 4 teams" in page
    assert "No team fits" in visitor(client).get(f"{PAGE}?task=sample&team=nobody")


def test_the_citation_leads_to_the_board_of_the_day_and_is_safe_for_tex(world: World, four: None) -> None:
    shown = board(world)
    with world.read() as session:
        rules = session.get_one(Challenge, "demo").spec.model_copy(update={"title": "50 % of {A}_B & C"})
    cited = citation(shown, rules, "https://arena.example/x?task=sample", date(2020, 9, 13))
    assert cited.text.startswith("50 % of {A}_B & C: leaderboard of the task Sample-level. Scoring version 1")
    assert cited.bibtex.startswith("@misc{demo-sample-2020-09-13,\n")
    assert r"50 \% of \{A\}\_B \& C" in cited.bibtex
    assert r"\url{https://arena.example/x?task=sample}" in cited.bibtex


def test_the_page_with_intervals_draws_them_and_escapes_names(
    client: TestClient, world: World, ada: User
) -> None:
    evil = "<b>&amp;"
    for name, skill in ((evil, 0.9), ("Plain", 0.3)):
        ranked(world, name, ada, task="pixel", skill=skill)
    while uncertainty.work(world.platform.database):
        pass
    page = visitor(client).get(f"{PAGE}?task=pixel")
    assert "<b>" not in page
    figure = re.search(r"<svg[^>]*figure-intervals.*?</svg>", page, re.DOTALL)
    assert figure is not None
    assert 'id="places-title"' in figure[0]
    assert "Plain: place 2, interval" in figure[0]
    assert "style=" not in page
    assert not [secret for secret in SECRETS if secret in page]
    whole = client.get(f"{API}?task=pixel").text + client.get(f"{API}?task=pixel&format=csv").text
    assert not [secret for secret in SECRETS if secret in whole]
