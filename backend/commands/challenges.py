"""`python -m backend challenge …` and `python -m backend dataset build`"""

import hashlib
from pathlib import Path
from typing import Annotated, get_args

import typer
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.challenges import service
from backend.challenges.schemas import ChallengeView
from backend.commands import console
from backend.commands.audit import audit_dataset
from backend.commands.challenge_settings import change_setting
from backend.commands.console import By, Json, Reason
from backend.commands.dataset_gallery import show_gallery, tell_statistics
from backend.commands.dataset_import import import_scans
from backend.commands.hidden import AnomalyPath, SecretFile, private_kinds, secret_for
from backend.errors import BadInput
from backend.models.user import User
from backend.platform import Platform
from backend.results import versions as scoring
from challenges import spec
from datasets import disk, plan
from datasets.anomalies.insert import NotVisibleError
from datasets.anomalies.kinds import known
from datasets.build import BuildError, build
from datasets.make import CannotMake

challenges = typer.Typer(no_args_is_help=True, help="Challenges.")
datasets = typer.Typer(no_args_is_help=True, help="Datasets of a challenge.")
challenges.command("set")(change_setting)
datasets.command("audit")(audit_dataset)
datasets.command("gallery")(show_gallery)
datasets.command("import")(import_scans)
datasets.command("statistics")(tell_statistics)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The challenge's YAML file.")]


@challenges.command()
def add(
    file: File,
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="What `dataset build` made.")],
    kit: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="A folder to hand out as starter kit.")
    ] = None,
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Register a challenge with its built datasets, or a newer version of them."""
    text = file.read_text(encoding="utf-8")
    with console.opened() as platform:
        with console.counting("storing") as progress, platform.database.write() as session:
            actor, say = console.operator(by), console.say
            name = service.register(session, platform.storage, text, data, kit, progress, actor, say).id
            _record(session, name, text, actor, reason)
        view = _view(platform, name)
    versions = ", ".join(f"{dataset} {version}" for dataset, version in view.versions.items())
    console.show(view.model_dump(), as_json, f"{name} is registered with {versions}.")


@challenges.command("list")
def list_challenges(as_json: Json = False) -> None:
    """All challenges."""
    with console.opened() as platform:
        with platform.database.read() as session:
            names = [challenge.id for challenge in service.everything(session)]
        rows = [_view(platform, name).model_dump() for name in names]
    console.show_rows(rows, as_json, ("id", "title", "versions"))


@challenges.command()
def show(name: str, as_json: Json = False) -> None:
    """One challenge: its YAML, and how many cases each dataset has."""
    with console.opened() as platform, platform.database.read() as session:
        challenge = service.get(session, name)
        versions = service.current_versions(session, name)
        counts = {
            version.name: {
                "version": version.version,
                **{part: len(version.manifest.cases_of(part)) for part in get_args(spec.Part)},
            }
            for version in versions
        }
        text = challenge.spec_text
    lines = [f"# {dataset}: {described}" for dataset, described in counts.items()]
    console.show({"id": name, "datasets": counts, "spec": text}, as_json, text, *lines)


def _record(session: Session, name: str, text: str, actor: User, reason: str) -> None:
    details = {
        "datasets": {one.name: one.version for one in service.current_versions(session, name)},
        "yaml_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "scoring": scoring.current(session, name).number,
    }
    audit.record(session, actor, "challenge.register", name, name, reason, **details)


def _view(platform: Platform, name: str) -> ChallengeView:
    with platform.database.read() as session:
        versions = list(service.current_versions(session, name))
        return ChallengeView.of_current(service.get(session, name), versions)


@datasets.command("build")
def build_dataset(
    file: File,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the datasets; kept secret.")],
    secret_file: SecretFile = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make cases.")] = 1,
    anomaly_path: AnomalyPath = None,
    as_json: Json = False,
) -> None:
    """Build training, toy and hidden cases. The same secret gives the same files."""
    try:
        challenge = spec.load(file)
        private = anomaly_path or private_kinds(file, challenge)
        kinds = known(private)
        plan.check(challenge, kinds)
        console.say(f"The datasets take {disk.need(challenge, kinds, out)}.")
        secret = secret_for(secret_file, challenge.id)
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        with console.counting("building") as progress:
            built = build(challenge, secret, out, progress, workers, private)
    except (ValueError, BuildError, CannotMake, NotVisibleError, disk.DiskError) as error:
        raise BadInput("dataset_not_built", str(error)) from error
    rows = {name: {"version": made.version, "cases": len(made.cases)} for name, made in built.items()}
    sentences = [f"{name}: {row['cases']} cases, version {row['version']}" for name, row in rows.items()]
    console.show(rows, as_json, *sentences, f"Next: python -m backend challenge add {file} --data {out}")
