"""The base image of the methods and of the tests' own images, and the script that makes it."""

import os
import subprocess
from pathlib import Path

import docker
import pytest

from reference_methods.images import BASE

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as make does, with some variables set."""
    return subprocess.run(
        ["sh", "setup/base_image.sh", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_base_image_has_python_with_numpy_and_nibabel() -> None:
    program = "import nibabel, numpy, sys; print(*sys.version_info[:2])"
    log: bytes = docker.from_env().containers.run(
        BASE, ["python3", "-c", program], user="65534", network_mode="none", read_only=True, remove=True
    )
    assert log.split() == [b"3", b"11"]


def test_a_second_call_finds_the_image_and_is_silent() -> None:
    again = make(MOODARENA_AIR_GAPPED="1", MOODARENA_NO_INSTALL="1")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_where_nothing_may_be_installed_one_screen_says_what_to_do() -> None:
    declined = make(
        "moodarena-test/never-made:1",
        MOODARENA_AIR_GAPPED="1",
        MOODARENA_NO_INSTALL="1",
        MOODARENA_SBIN="",
        PATH="/usr/bin:/bin",
    )
    assert declined.returncode == 1
    assert "apt-get install" in declined.stderr
    assert "docker load" in declined.stderr
    assert len(declined.stderr.splitlines()) < 24
    assert not docker.from_env().images.list("moodarena-test/never-made")


def test_an_engine_that_does_not_answer_is_said_at_once() -> None:
    silent = make("moodarena-test/never-made:1", DOCKER_HOST="unix:///nowhere.sock")
    assert silent.returncode == 3
    assert "Error" in silent.stderr
