"""The benchmark of pages: what it fills is a platform, and figures are told right."""

import json

import pytest

from backend.config import Settings
from backend.models.challenge import Challenge
from backend.models.submission import Submission
from backend.platform import Platform
from backend.results.leaderboard import leaderboard
from benchmarks import page_world, pages
from benchmarks.page_server import ask, serving
from benchmarks.page_world import CHALLENGE, TASK, Filled

TEAMS, EACH, SIDE = 3, 2, 24


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return page_world.fill(tmp_path_factory.mktemp("pages") / "platform", TEAMS, EACH, SIDE)


def test_everybody_is_on_the_board_with_an_interval(filled: Filled) -> None:
    platform = Platform.open(Settings(data=filled.folder))
    with platform.database.read() as session:
        board = leaderboard(session, session.get_one(Challenge, CHALLENGE), TASK, None)
        assert session.query(Submission).filter_by(state="ranked").count() == TEAMS * EACH
    platform.close()
    assert board.total == TEAMS
    assert board.uncertainty.state == "computed"
    for row in board.rows:
        assert row.interval is not None
        assert row.interval[0] <= row.place <= row.interval[1] or row.shared_with


def test_a_real_server_is_asked(filled: Filled) -> None:
    with serving(filled.folder) as server:
        told = ask(server, pages.BOARD, "", times=3)
        assert 0 < told.median_ms <= told.p95_ms
        assert 1 < told.kib < 20
        assert server.cpu_s() > 0
        with pytest.raises(RuntimeError, match="404"):
            ask(server, "/nothing-here", "", times=1)


def test_the_last_line_tells_the_figures_and_a_missed_goal_ends_it_with_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = {"board_kib": 39.98765, "board_server_ms": 12.0, "first_slice_ms": 300.0, "slice_ms": 0.5}
    assert pages._tell(told, pages.GOALS) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {**told, "board_kib": 39.99}
    assert pages._tell({**told, "slice_ms": 2.5}, pages.GOALS) == 1
    assert "slice_ms 2.5 (at most 2)" in capsys.readouterr().out
