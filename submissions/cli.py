"""`moodarena`, the participant's tool: from a login to a place on the leaderboard.

Results go to standard output, messages to standard error. Exit codes: 0 fine; 1 the image, check or
submission is not fine; 2 wrong usage; 3 the platform refused; 4 no connection; 5 something is missing on
this machine.
"""

import shutil
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from challenges import spec
from scoring.report.study import Study
from submissions import check as checking
from submissions import config, console, display, guard, handing_in, kit, reporting
from submissions.client import Client
from submissions.config import Login
from submissions.console import Exit, Stop, say
from submissions.contract import size_text
from submissions.engine import Engine
from submissions.responses import RemoteFile, Submission
from submissions.wire import ClientError

app = typer.Typer(
    cls=guard.Guarded,
    no_args_is_help=True,
    add_completion=False,
    help=__doc__,
    pretty_exceptions_enable=False,
)
team_app = typer.Typer(no_args_is_help=True, help="Teams: found one, join one, invite to it.")
app.add_typer(team_app, name="team")

AsJson = Annotated[bool, console.JSON_OPTION]
ChallengeId = Annotated[str, typer.Argument(metavar="CHALLENGE", help="Id of the challenge, such as `demo`.")]
SubmissionId = Annotated[str, typer.Argument(metavar="ID", help="Id of the submission.")]
Watch = Annotated[bool, typer.Option("--watch", help="Follow it until it is over.")]


class Part(StrEnum):
    TOY = "toy"
    TRAINING = "training"
    KIT = "kit"
    ALL = "all"


class Kind(StrEnum):
    TOY = "toy"
    COUNTED = "counted"


_PARTS = {
    Part.TOY: {"toy", "toy_label"},
    Part.TRAINING: {"training"},
    Part.KIT: {"kit"},
    Part.ALL: {"toy", "toy_label", "training", "kit"},
}


# --- who you are ---


@app.command()
def signup(
    url: Annotated[str, typer.Argument(help="Address of the platform.")],
    name: Annotated[str, typer.Option(prompt=True, help="Name of the account.")],
    email: Annotated[str, typer.Option(prompt="E-mail", help="Mail address, for the organizers only.")],
    as_json: AsJson = False,
) -> None:
    """Make an account on a platform and sign in."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with Client(url) as client:
        client.sign_up(name, email, password)
    _sign_in(url, name, password, as_json)


@app.command()
def login(
    url: Annotated[str, typer.Argument(help="Address of the platform.")],
    name: Annotated[str | None, typer.Option(help="Name of the account; asked for if not given.")] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read an API token from standard input instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in; the token is kept in your configuration folder, readable for you only."""
    if token_stdin:
        _keep(Login(url.rstrip("/"), sys.stdin.readline().strip()), as_json)
        return
    name = name or typer.prompt("Name", err=True)
    _sign_in(url, str(name), typer.prompt("Password", hide_input=True, err=True), as_json)


@app.command()
def logout(as_json: AsJson = False) -> None:
    """Make the stored token worthless and forget it."""
    if (stored := config.read_login()) is None:
        raise guard.not_signed_in()
    revoked = False
    if stored.token_id:
        try:
            with Client(stored.url, stored.token) as client:
                client.revoke_token(stored.token_id)
            revoked = True
        except ClientError as error:
            say(f"The token was forgotten here, but not revoked at the platform: {error}", "yellow")
    config.forget_login()
    say(f"Signed out of {stored.url}.")
    if as_json:
        console.emit({"url": stored.url, "revoked": revoked})


@app.command()
def whoami(as_json: AsJson = False) -> None:
    """Show where you are signed in, and as whom."""
    with guard.signed_in() as client:
        account = client.me()
        if as_json:
            console.emit({"url": client.url, **account.model_dump(mode="json")})
        else:
            console.show(f"{account.name} ({account.role}) at {client.url}")


def _sign_in(url: str, name: str, password: str, as_json: bool) -> None:
    with Client(url) as client:
        token = client.make_token(name, password, f"moodarena on {socket.gethostname()}"[:60])
    _keep(Login(url.rstrip("/"), token.token, name, token.id), as_json)


def _keep(candidate: Login, as_json: bool) -> None:
    with Client(candidate.url, candidate.token) as client:
        account = client.me()
    path = config.write_login(Login(candidate.url, candidate.token, account.name, candidate.token_id))
    say(f"Signed in at {candidate.url} as {account.name}. The token is in {path}.")
    if as_json:
        console.emit({"url": candidate.url, **account.model_dump(mode="json")})


# --- teams ---


@team_app.command("create")
def team_create(
    challenge: ChallengeId,
    name: Annotated[str, typer.Argument(help="Name of the team.")],
    as_json: AsJson = False,
) -> None:
    """Found a team."""
    with guard.signed_in() as client:
        display.team(client.create_team(challenge, name), as_json)


@team_app.command("show")
def team_show(challenge: ChallengeId, as_json: AsJson = False) -> None:
    """Show your team."""
    with guard.signed_in() as client:
        display.team(client.team(challenge), as_json)


@team_app.command("invite")
def team_invite(challenge: ChallengeId, as_json: AsJson = False) -> None:
    """Make an invitation that admits one person; it is shown this once."""
    with guard.signed_in() as client:
        invitation = client.invite(challenge)
    if as_json:
        console.emit(invitation)
    else:
        console.show(f"moodarena team join {challenge} {invitation.token}")
        say(f"Send this line to one person. It works until {display.time(invitation.expires_at)}.")


@team_app.command("join")
def team_join(
    challenge: ChallengeId,
    token: Annotated[str, typer.Argument(help="The invitation.")],
    as_json: AsJson = False,
) -> None:
    """Join the team that invited you."""
    with guard.signed_in() as client:
        display.team(client.join_team(challenge, token), as_json)


# --- the challenge ---


@app.command()
def challenges(as_json: AsJson = False) -> None:
    """List the challenges of the platform."""
    with guard.signed_in() as client:
        display.challenges(client.challenges(), as_json)


@app.command()
def download(
    challenge: ChallengeId,
    out: Annotated[Path | None, typer.Option(help="Folder; the challenge's id if not given.")] = None,
    part: Annotated[Part, typer.Option(help="What to fetch.")] = Part.ALL,
    as_json: AsJson = False,
) -> None:
    """Fetch the starter kit: toy cases with labels, training cases, the challenge's rules, a template image.

    A download that was cut short goes on where it stopped; every file is checked against its digest.
    """
    folder = out or Path(challenge)
    with guard.signed_in() as client:
        text = client.spec_text(challenge)
        files = [file for file in client.files(challenge) if file.part in _PARTS[part]]
        _require_room(folder, files)
        _write_text(folder / kit.SPEC, text)
        total = sum(file.size for file in files)
        with console.bar(f"Fetching {len(files)} files to {folder}", total) as progress:
            for file in files:
                client.download(challenge, file, folder, progress)
    say(f"{folder} is complete. Try an image with `moodarena check IMAGE --data {folder}`.", "green")
    if as_json:
        paths = [kit.SPEC, *(file.path for file in files)]
        console.emit({"folder": str(folder.absolute()), "bytes": total, "files": paths})


def _require_room(folder: Path, files: list[RemoteFile]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lacking = sum(file.size for file in files if not (folder / file.path).exists())
    free = shutil.disk_usage(folder).free
    if lacking > free:
        message = f"{folder} has room for {size_text(free)}, {size_text(lacking)} are needed."
        raise Stop(Exit.NOT_HERE, "no_room", message, free=free, needed=lacking)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@app.command()
def leaderboard(
    challenge: ChallengeId,
    task: Annotated[str | None, typer.Option(help="One task only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the places of all teams."""
    with guard.signed_in() as client:
        tasks = [task] if task else list(spec.parse(client.spec_text(challenge)).tasks)
        boards = [client.leaderboard(challenge, name) for name in tasks]
    if as_json:
        console.emit({board.task: board for board in boards})
    else:
        for board in boards:
            display.leaderboard(board)


# --- your image ---


@app.command()
def check(
    image: Annotated[str, typer.Argument(help="Tag or id of a local image, or an archive of `docker save`.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the starter kit.")] = None,
    challenge: Annotated[
        str | None, typer.Option(help="Challenge whose kit lies in the folder of its name.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="One task only.")] = None,
    dataset: Annotated[str | None, typer.Option(help="One dataset only.")] = None,
    gpu: Annotated[str | None, typer.Option(help="UUID of the GPU to use, from `nvidia-smi -L`.")] = None,
    logs: Annotated[
        bool, typer.Option("--logs", help="Show what the scripts wrote, also if all went well.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for a report of the figures.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a local image on the toy cases exactly as the platform would, and score it.

    Nothing is sent. Ends with 1 if the platform would refuse anything.
    """
    kit_found = kit.read(data or _kit_folder(challenge))
    _require_known(kit_found.challenge, task, dataset)
    engine = Engine(namespace="check")
    # Every container says the same about its output; only the sizes differ, with the number of cases.
    bench = checking.Bench(engine, kit_found, console.once(), gpu)
    if kit_found.challenge.limits.gpu and gpu is None:
        say("GPU: none is used here; the platform has one. Name yours with --gpu.", "yellow")
    with handing_in.archive_of(image) as archive:
        inspection = handing_in.inspected(kit_found.challenge, archive)
        pairs = inspection.pairs(task, dataset)
        display.inspection(inspection, kit_found.challenge)
        reports = []
        with checking.loaded(engine, archive, inspection.facts.id):
            for pair in pairs:
                with console.working(f"Running {inspection.present[pair]} on the toy cases"):
                    reports.append(checking.run_script(bench, inspection.facts, *pair))
                display.script(reports[-1], logs)
    fine = not any(ran.failure for ran in reports)
    if report is not None:
        html, _ = reporting.write(reporting.study_of_check(kit_found, inspection.facts.id, reports), report)
        say(f"The report is {html}.")
    if as_json:
        console.emit(display.check_json(inspection, kit_found.challenge, reports))
    display.verdict(fine, inspection, kit_found.challenge)
    if not fine:
        raise typer.Exit(int(Exit.NOT_FINE))


def _kit_folder(challenge: str | None) -> Path:
    """The folder named after the challenge, here or where we are in it already."""
    if challenge and (Path(challenge) / kit.SPEC).exists():
        return Path(challenge)
    return Path()


def _require_known(challenge: spec.Challenge, task: str | None, dataset: str | None) -> None:
    for kind, given, known in (("task", task, challenge.tasks), ("dataset", dataset, challenge.datasets)):
        if given is not None and given not in known:
            message = f"{challenge.title} has no {kind} {given!r}. It has: {', '.join(known)}."
            raise Stop(Exit.USAGE, f"unknown_{kind}", message)


@app.command()
def submit(
    image: Annotated[str, typer.Argument(help="Tag or id of a local image, or an archive of `docker save`.")],
    challenge: Annotated[str, typer.Option(help="Id of the challenge.")],
    kind: Annotated[Kind, typer.Option(help="A toy submission costs nothing.")] = Kind.TOY,
    task: Annotated[str | None, typer.Option(help="The task; needed for a counted submission.")] = None,
    title: Annotated[str, typer.Option(help="What you will know it by.")] = "",
    resume: Annotated[
        bool, typer.Option(help="Go on with an upload of this file that was cut short.")
    ] = True,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Check, upload and hand in an image."""
    with guard.signed_in() as client, handing_in.archive_of(image) as archive:
        rules = spec.parse(client.spec_text(challenge))
        _require_known(rules, task, None)
        inspection = handing_in.inspected(rules, archive)
        handing_in.require_scripts(rules, inspection, kind is Kind.COUNTED, task)
        name = archive.name if Path(image).is_file() else f"{image.replace('/', '_')[:190]}.tar"
        order = handing_in.Order(challenge, kind.value, task, title, name)
        submission = handing_in.hand_in(client, archive, order, resume)
        say(
            f"Submission {submission.id} is in. Follow it with `moodarena status {submission.id} --watch`.",
            "green",
        )
        if not watch:
            display.submission_brief(submission, as_json)
            return
        _follow(client, submission.id, as_json)


# --- your submissions ---


@app.command()
def status(
    submission: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One submission; all if not given.")
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="Those of one challenge only.")] = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Show how far your submissions are; ends with 1 if the one watched failed."""
    with guard.signed_in() as client:
        if submission is None:
            if watch:
                raise Stop(Exit.USAGE, "id_missing", "Name the submission to watch.")
            display.submissions(client.submissions(challenge), as_json)
        elif watch:
            _follow(client, submission, as_json)
        else:
            display.submission(client.submission(submission), as_json)


def _follow(client: Client, submission: str, as_json: bool) -> None:
    last: Submission | None = None
    for seen in client.watch(submission):
        if as_json:
            console.emit(seen)
        else:
            display.change(last, seen)
        last = seen
    if last is None or last.state not in ("ranked", "finished"):
        raise typer.Exit(int(Exit.NOT_FINE))


@app.command()
def results(submission: SubmissionId, as_json: AsJson = False) -> None:
    """Show toy results case by case, and scores as far as they are public."""
    with guard.signed_in() as client:
        display.results(client.submission(submission), as_json)


@app.command()
def report(
    submission: SubmissionId,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for report.html and report.json.")],
    as_json: AsJson = False,
) -> None:
    """Make a report of a submission's toy results: a page for people, and data for programs."""
    with guard.signed_in() as client:
        statistics = client.toy_statistics(submission)
        rules = spec.parse(client.spec_text(statistics.challenge))
    if not statistics.parts:
        raise Stop(Exit.NOT_FINE, "no_toy_results", "This submission has no toy results yet.")
    _report(reporting.study_of_toys(statistics, rules), out, as_json)


def _report(study: Study, out: Path, as_json: bool) -> None:
    html, data = reporting.write(study, out)
    if as_json:
        console.emit({"html": str(html.absolute()), "json": str(data.absolute())})
    else:
        console.show(f"{html} for people, {data} for programs.")


@app.command()
def cancel(submission: SubmissionId, as_json: AsJson = False) -> None:
    """Stop a submission in whatever state it is; it costs nothing then."""
    with guard.signed_in() as client:
        display.submission_brief(client.cancel(submission), as_json)
