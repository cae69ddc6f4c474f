"""The benchmark of pages with a real browser, few and small."""

import json

import pytest

from benchmarks import pages


@pytest.mark.slow
def test_every_page_is_visited_and_the_last_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(pages.GOALS) <= set(told)
    assert all(value > 0 for value in told.values())
    assert told["plain_board_kib"] < told["board_kib"]
