"""Challenges as registered, and the datasets that they run on."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.challenges import files, settings
from backend.errors import BadInput, Conflict, NotFound
from backend.models.challenge import Challenge, DatasetVersion
from backend.models.user import User
from backend.results import versions
from backend.storage import DigestMismatch, Storage
from challenges import spec
from challenges.changes import value_of
from datasets import manifest as manifests
from datasets.manifest import Manifest

Progress = Callable[[str, int, int], None]


def get(session: Session, challenge_id: str) -> Challenge:
    """A registered challenge.

    Raises:
        NotFound: there is none of this name.
    """
    if (challenge := session.get(Challenge, challenge_id)) is None:
        raise NotFound("no_such_challenge", "There is no such challenge.")
    return challenge


def everything(session: Session) -> Sequence[Challenge]:
    """All challenges by name."""
    return session.scalars(select(Challenge).order_by(Challenge.id)).all()


def current_versions(session: Session, challenge_id: str) -> Sequence[DatasetVersion]:
    """The version of each dataset that new runs are made from."""
    query = select(DatasetVersion).where(
        DatasetVersion.challenge_id == challenge_id, DatasetVersion.current.is_(True)
    )
    return session.scalars(query.order_by(DatasetVersion.name)).all()


def public_files(session: Session, storage: Storage, challenge_id: str) -> list[files.PublicFile]:
    """What participants may download.

    Raises:
        NotFound: there is no such challenge.
    """
    challenge = get(session, challenge_id)
    return files.public_files(storage, challenge, current_versions(session, challenge_id))


def public_spec(challenge: Challenge) -> str:
    """The rules in force as YAML, for participants: all of it but what it says about hidden anomalies."""
    return spec_in_force(challenge, _without_what_is_hidden)


def spec_in_force(challenge: Challenge, change: Callable[[dict[str, Any]], None] = lambda tree: None) -> str:
    """The challenge's YAML with what was changed since, and as `change` leaves it; for organizers."""
    yaml = YAML(typ="rt")
    tree: dict[str, Any] = yaml.load(challenge.spec_text)
    for name in settings.NAMES:
        _show_in_force(tree, name, value_of(challenge.written, name), value_of(challenge.spec, name))
    change(tree)
    text = io.StringIO()
    yaml.dump(tree, text)
    return text.getvalue()


def _without_what_is_hidden(tree: dict[str, Any]) -> None:
    for dataset in tree["datasets"].values():
        dataset["anomalies"] = {}
        for setting in spec.HIDDEN_SETTINGS:
            dataset.pop(setting, None)
    tree.pop("anomaly_path", None)


def _show_in_force(tree: dict[str, Any], name: str, written: Any, present: Any) -> None:
    group, _, key = name.rpartition(".")
    if written != present:
        (tree.setdefault(group, {}) if group else tree)[key] = present


def register(
    session: Session,
    storage: Storage,
    spec_text: str,
    data: Path,
    kit: Path | None = None,
    progress: Progress | None = None,
    actor: User | str = "registration",
    say: Callable[[str], None] | None = None,
) -> Challenge:
    """Take in a challenge and its built datasets, or newer versions of them.

    Every image and mask is copied into storage and checked against the manifest before the database is
    touched. A new version of a dataset makes the older ones not current; what ran on them stays.
    What organizers have changed since stays where the new YAML allows it; else it is dropped, and `say` told.

    Raises:
        BadInput: the YAML, a manifest or a file is wrong, or does not go with what organizers have changed,
            with the remedy.
        Conflict: this version of a dataset was registered with other content, the YAML scores otherwise
            than figures that are there, or the board is frozen and a version is new.
    """
    challenge_spec = _parse(spec_text)
    built = {name: _read_manifest(challenge_spec, name, data) for name in challenge_spec.datasets}
    for name, manifest in built.items():
        _store(storage, manifest, data / name, progress)
    if kit is not None:
        files.store_kit(storage, challenge_spec.id, kit)
    challenge = session.merge(
        Challenge(id=challenge_spec.id, title=challenge_spec.title, spec_text=spec_text), load=True
    )
    session.flush()
    for name, value in settings.refit(session, challenge, actor).items():
        if say:
            say(f"{name} was changed to {value!r}, which this YAML does not allow: it is the YAML's again.")
    versions.register(session, challenge)
    _check_not_frozen(session, challenge, built)
    for manifest in built.values():
        _make_current(session, manifest)
    return challenge


def _check_not_frozen(session: Session, challenge: Challenge, built: Mapping[str, Manifest]) -> None:
    present = {version.name: version.version for version in current_versions(session, challenge.id)}
    if challenge.frozen and present != {name: manifest.version for name, manifest in built.items()}:
        raise Conflict(
            "board_frozen",
            "The board is frozen, and other versions of the datasets would empty it. Unfreeze it first, on "
            f"the page Reveal or by `python -m backend board unfreeze {challenge.id} --reason TEXT`.",
        )


def _parse(text: str) -> spec.Challenge:
    try:
        return spec.parse(text)
    except spec.ChallengeError as error:
        raise BadInput("challenge_invalid", str(error)) from error


def _read_manifest(challenge: spec.Challenge, dataset: str, data: Path) -> Manifest:
    path = data / dataset / "manifest.json"
    try:
        manifest = manifests.read(path)
    except (OSError, ValueError) as error:
        raise BadInput(
            "manifest_invalid",
            f"{path} cannot be read: {error}. Build it with `python -m backend dataset build`.",
        ) from error
    expected = (challenge.id, dataset, challenge.datasets[dataset].shape)
    found = (manifest.challenge, manifest.dataset, tuple(manifest.shape))
    if found != expected:
        raise BadInput("manifest_other", f"{path} is of {found}, not {expected}. Build the dataset again.")
    for part in ("training", "toy", "test"):
        if not manifest.cases_of(part):
            raise BadInput("manifest_empty", f"{path} has no {part} cases. Build the dataset again.")
    return manifest


def _store(storage: Storage, manifest: Manifest, folder: Path, progress: Progress | None) -> None:
    for done, case in enumerate(manifest.cases, 1):
        for file in filter(None, (case.image, case.mask)):
            if not storage.has(file.sha256):
                _store_file(storage, folder / file.path, file.sha256)
        if case.part == "toy":
            storage.put(iter([files.sample_label(case)]))
        if progress:
            progress(manifest.dataset, done, len(manifest.cases))


def _store_file(storage: Storage, path: Path, sha256: str) -> None:
    try:
        storage.put_file(path, sha256)
    except (OSError, DigestMismatch) as error:
        raise BadInput("dataset_damaged", f"{path} is not what the manifest says: {error}") from error


def _make_current(session: Session, manifest: Manifest) -> None:
    versions = select(DatasetVersion).where(
        DatasetVersion.challenge_id == manifest.challenge, DatasetVersion.name == manifest.dataset
    )
    text = manifest.model_dump_json()
    known = session.scalar(versions.where(DatasetVersion.version == manifest.version))
    if known is not None and known.manifest_text != text:
        raise Conflict(
            "version_differs",
            f"Version {manifest.version} of {manifest.dataset} is registered with other content. "
            "Build the dataset again.",
        )
    session.execute(
        update(DatasetVersion)
        .where(DatasetVersion.challenge_id == manifest.challenge, DatasetVersion.name == manifest.dataset)
        .values(current=False)
    )
    session.merge(
        DatasetVersion(
            id=known.id if known else None,
            challenge_id=manifest.challenge,
            name=manifest.dataset,
            version=manifest.version,
            manifest_text=text,
            current=True,
        )
    )
    session.flush()
