"""Intervals of places are computed beside the slots, and give way to them."""

import os
import threading

import pytest

from backend.models.challenge import Challenge
from backend.results import uncertainty
from backend.results.leaderboard import leaderboard
from backend.results.report import known_of
from tests.unit.backend.evaluated import ranked
from tests.unit.backend.world import World
from worker import standings
from worker.standings import LEAST_PRIORITY, Statistician

PATIENCE = 60.0


def state(world: World) -> str:
    with world.read() as session:
        return leaderboard(session, session.get_one(Challenge, "demo"), "sample", None).uncertainty.state


@pytest.fixture
def pending(any_world: World) -> World:
    world = any_world
    world.challenge(consensus="mean_of_places\n  bootstraps: 100")
    ada = world.person("ada")
    for name, skill in (("Best", 0.9), ("Weak", 0.3)):
        ranked(world, name, ada, task="sample", skill=skill)
    assert state(world) == "pending"
    return world


def test_the_board_and_then_the_report_are_worked_off_and_nothing_is_left(pending: World) -> None:
    statistician = Statistician(pending.platform)
    assert statistician.work_off() == 2
    assert state(pending) == "computed"
    with pending.read() as session:
        assert known_of(session, session.get_one(Challenge, "demo")).state == "computed"
    assert statistician.work_off() == 0


def test_its_thread_has_the_least_priority_survives_a_fault_and_ends_when_told(
    pending: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    priorities: list[int] = []
    tried_again = threading.Event()
    ours = os.getpriority(os.PRIO_PROCESS, 0)

    def fails_once(database: object) -> bool:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        if len(priorities) == 1:
            raise MemoryError
        tried_again.set()
        return False

    monkeypatch.setattr(standings, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(uncertainty, "work", fails_once)
    statistician = Statistician(pending.platform)
    statistician.start()
    assert tried_again.wait(PATIENCE)
    statistician.stop()
    assert set(priorities) == {LEAST_PRIORITY}
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours
    assert "statistician" not in [thread.name for thread in threading.enumerate()]
