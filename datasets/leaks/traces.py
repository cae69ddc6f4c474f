"""The secret and what follows from it, looked for in every file: plain, inflated, and in names.

Whoever had one of them could draw a hidden case's untouched twin, and with it the mask.
"""

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

from datasets.manifest import Manifest
from datasets.seeds import Seeds
from datasets.volume import GZIP_MAGIC

PURPOSES = ("subject", "anomaly", "finish", "donor")  # what the build draws generators for
Patterns = dict[bytes, str]


def patterns(secret: bytes, name: str) -> Patterns:
    """Ways to write the beginning of a secret or seed, each with what it is."""
    number = {"big": int.from_bytes(secret, "big"), "little": int.from_bytes(secret, "little")}
    forms = {
        secret[:8]: "bytes",
        secret[:8].hex().encode(): "hexadecimal",
        secret[:8].hex().upper().encode(): "hexadecimal",
        base64.b64encode(secret[:9])[:10]: "base64",
        str(number["big"])[:16].encode(): "decimal",
        str(number["little"])[:16].encode(): "decimal",
    }
    return {form: f"{name} ({how})" for form, how in forms.items()}


def of_secret(secret: bytes) -> Patterns:
    """The secret itself, and what it stands for if it is a hexadecimal number."""
    found = patterns(secret, "the secret")
    try:
        return found | patterns(bytes.fromhex(secret.decode("ascii")), "the secret")
    except ValueError:
        return found


def of_dataset(secret: bytes, described: Manifest) -> Patterns:
    """The seeds that the batches of each task were arranged with."""
    seeds, key = Seeds(secret), (described.challenge, described.dataset)
    found: Patterns = {}
    for task in described.arrangements:
        found |= patterns(seeds.digest("generator", *key, "batches", task), f"the seed for batches of {task}")
    return found


def of_case(secret: bytes, described: Manifest, case: str) -> Patterns:
    """The seeds of one case, by its id."""
    seeds = Seeds(secret)
    found: Patterns = {}
    for purpose in PURPOSES:
        digest = seeds.digest("generator", described.challenge, described.dataset, case, purpose)
        found |= patterns(digest, f"the seed for {purpose}")
    return found


def search(folder: Path, described: Manifest, secret: bytes) -> list[str]:
    """A sentence for every file below `folder` that holds a trace.

    Small files, names and what surrounds the voxels are searched for the seeds of all cases, scans and masks
    for the secret and the seeds of the case itself.
    """
    whole = of_secret(secret) | of_dataset(secret, described)
    own = {case.id: of_case(secret, described, case.id) for case in described.cases}
    every = whole | {form: what for one in own.values() for form, what in one.items()}
    of_path = {
        file.path: case.id for case in described.cases for file in (case.image, case.mask) if file is not None
    }
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        case = of_path.get(name)
        held = set(_held(name.encode(), every))
        for content in _contents(path):
            held |= set(_held(content, whole | own[case] if case else every))
            held |= set(_held(content[:1024], every))
        found += [f"{what} is in {name}" for what in sorted(held)]
    return found


def _held(content: bytes, wanted: Patterns) -> Iterator[str]:
    return (what for form, what in wanted.items() if form in content)


def _contents(path: Path) -> Iterator[bytes]:
    stored = path.read_bytes()
    yield stored
    if stored.startswith(GZIP_MAGIC):
        yield gzip.decompress(stored)
