"""What the scripts of this folder ask of the container engine, over the API that the platform uses.

    image.py has NAME | pull NAME | import NAME TAR | remove NAME...
    image.py build NAME <DOCKERFILE | build NAME FOLDER

Exits with 1 when `has` finds nothing, with 3 and a line on standard error when the engine says no.
"""

import re
import sys
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def has(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def main(arguments: list[str]) -> int:
    client = docker.from_env(timeout=600)
    match arguments:
        case ["has", name]:
            return 0 if has(client, name) else 1
        case ["pull", name]:
            client.images.pull(name)
        case ["build", name]:
            client.images.build(fileobj=sys.stdin.buffer, tag=name, rm=True, forcerm=True)
        case ["build", name, folder]:
            client.images.build(path=folder, tag=name, rm=True, forcerm=True)
        case ["import", name, tar]:
            repository, _, tag = name.rpartition(":")
            changes = [PATH, 'CMD ["python3"]']
            answer = client.api.import_image_from_file(str(Path(tar)), repository, tag, changes=changes)
            if not (found := re.findall(r"sha256:[0-9a-f]{64}", answer)):
                raise DockerException(answer.strip())
            client.api.tag(found[-1], repository, tag)  # Podman imports under a name of its own
        case ["remove", *names]:
            for name in names:
                client.images.remove(name)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (APIError, BuildError, DockerException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3)
