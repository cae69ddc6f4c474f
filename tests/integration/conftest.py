"""Fixtures of the tests with real containers and worker processes."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from challenges import spec
from datasets.build import build
from tests.integration.arena import Arena, analysed_spec_text, spec_text
from tests.sandbox import busybox, cases, load_image, make_job, sandbox_engine

__all__ = ["analysed_scans", "arena", "busybox", "cases", "load_image", "make_job", "sandbox_engine", "scans"]


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenge of `arena.spec_text`, built once."""
    folder = tmp_path_factory.mktemp("scans")
    build(spec.parse(spec_text()), b"a secret of the tests, thirty-two", folder)
    return folder


@pytest.fixture(scope="session")
def analysed_scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenge of `arena.analysed_spec_text`, built once."""
    folder = tmp_path_factory.mktemp("analysed-scans")
    build(spec.parse(analysed_spec_text()), b"a secret of the tests, thirty-two", folder)
    return folder


@pytest.fixture
def arena(tmp_path: Path, scans: Path, engine: docker.DockerClient) -> Iterator[Arena]:
    """A platform on SQLite with the file broker: what a newcomer gets."""
    with Arena(tmp_path, scans) as opened:
        yield opened
