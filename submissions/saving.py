"""Write an image of the participant's own engine to a file, as `docker save` does."""

from collections.abc import Callable
from pathlib import Path

import docker
import requests
from docker.errors import DockerException, ImageNotFound

_PIECE = 2**20


class NotSaved(RuntimeError):
    """The image could not be written; `str()` says what to do."""


def size_of(reference: str) -> int:
    """Unpacked size of a local image in bytes, which is about the size of its archive.

    Raises:
        NotSaved: there is no such image, or no engine.
    """
    client = _connected()
    try:
        return int(client.images.get(reference).attrs["Size"])
    except ImageNotFound as error:
        raise NotSaved(
            f"There is no file and no image {reference!r}. `docker images` lists the images of this machine."
        ) from error
    except (DockerException, requests.RequestException) as error:
        raise NotSaved(f"The container engine does not tell about {reference!r}: {error}") from error
    finally:
        client.close()


def save(reference: str, target: Path, progress: Callable[[int], None]) -> None:
    """Write a local image, given by tag or id, to `target`, whole or not at all.

    Equal images give equal files. `progress` is told how many more bytes were written.

    Raises:
        NotSaved: there is no such image, no engine, or no room.
    """
    client = _connected()
    partial = target.with_name(f".{target.name}.part")
    try:
        # By its id, so that no tag travels along and the file does not depend on the name used here.
        image_id = str(client.images.get(reference).id)
        with partial.open("wb") as file:
            for piece in client.api.get_image(image_id, _PIECE):
                file.write(piece)
                progress(len(piece))
        partial.replace(target)
    except (DockerException, requests.RequestException) as error:
        raise NotSaved(f"The container engine does not save {reference!r}: {error}") from error
    except OSError as error:
        raise NotSaved(
            f"{target.parent} takes no image: {error.strerror}. Set TMPDIR to a folder with more room."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
        client.close()


def _connected() -> docker.DockerClient:
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except (DockerException, requests.RequestException) as error:
        raise NotSaved(
            f"No container engine answers ({error}). Start Docker or Podman, or set DOCKER_HOST."
        ) from error
    return client
