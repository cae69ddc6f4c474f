"""Small images that behave in one way each, for tests that need a real engine.

brain_only    right predictions, from scripts for the brain alone
crashing      exits with 1 and a message on standard error
slow          sleeps for ever
wrong_shape   right case scores; maps with one slice too few
"""

from pathlib import Path

import docker

BASE = "moodarena/python:3.11"
FOLDER = Path(__file__).parent


def build(name: str) -> str:
    """Build `tests/images/NAME` and return its tag; the second time the engine's cache answers.

    Raises `docker.errors.ImageNotFound` when the base image is missing: `sh setup/base_image.sh` makes it.
    """
    engine = docker.from_env()
    engine.images.get(BASE)
    tag = f"moodarena-test/{name}:latest"
    engine.images.build(path=str(FOLDER / name), tag=tag, rm=True, forcerm=True)
    return tag
