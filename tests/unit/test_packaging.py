"""What `pip install moodarena` brings, and that the checkout's own names belong to nobody else."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOMS = {"backend", "worker", "submissions", "scoring", "datasets", "reference_methods", "challenges"}
IN_THE_WHEEL = {"submissions", "scoring", "challenges"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, stdin=subprocess.DEVNULL)
    (path,) = folder.glob("moodarena-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_participants_rooms_and_nothing_else(wheel: zipfile.ZipFile):
    top = {name.split("/")[0] for name in wheel.namelist()}
    (about,) = top - IN_THE_WHEEL
    assert top >= IN_THE_WHEEL
    assert about.endswith(".dist-info")


def test_the_wheel_holds_every_file_of_these_rooms_data_included(wheel: zipfile.ZipFile):
    files = {
        path.relative_to(ROOT) for room in IN_THE_WHEEL for path in (ROOT / room).rglob("*") if path.is_file()
    }
    sources = {str(path) for path in files if "__pycache__" not in path.parts}
    assert {"challenges/mood.yaml", "challenges/demo.yaml", "submissions/seccomp.json"} <= sources
    assert "scoring/report/templates/report.html.j2" in sources
    assert sources <= set(wheel.namelist())


def test_the_wheel_brings_the_command_and_asks_for_no_part_of_the_platform(wheel: zipfile.ZipFile):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "moodarena = submissions.cli:app" in wheel.read(entry_points).decode()
    (about,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in wheel.read(about).decode().splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]
    assert not [line for line in required if line.startswith(("fastapi", "sqlalchemy", "celery", "nilearn"))]


def test_the_wheel_runs_from_an_environment_without_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path):
    wheel.extractall(tmp_path)
    # Without site-packages' .pth files the checkout is not on the path; the libraries are added by hand.
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; import submissions.cli; print(submissions.cli.__file__)"
    )
    libraries = str(Path(pytest.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", script, str(tmp_path), libraries],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.strip() == str(tmp_path / "submissions/cli.py")


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_no_other_installed_distribution_provides_a_package_of_our_name(room: str):
    owners = set(metadata.packages_distributions().get(room, []))
    assert owners <= {"moodarena"}, f"{room} is also brought by {owners - {'moodarena'}}"


def _locked() -> dict[str, Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / "requirements.lock").read_text().splitlines())
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, filter(None, lines))}


def test_every_library_of_the_project_is_pinned_exactly():
    locked = _locked()
    wanted = {canonicalize_name(Requirement(text).name) for text in metadata.requires("moodarena") or []}
    assert wanted <= set(locked)
    assert all(str(pin.specifier).startswith("==") for pin in locked.values())


def test_what_is_installed_here_is_what_the_lock_says():
    wrong = []
    for name, pin in _locked().items():
        if pin.marker is None or pin.marker.evaluate():
            version = metadata.version(name)
            wrong += [] if version in pin.specifier else [f"{name} {version}"]
    assert not wrong, "run `make setup`"


def test_nothing_that_the_locked_libraries_ask_for_is_left_to_chance():
    locked = _locked()
    loose = set()
    for name in locked:
        if locked[name].marker is None or locked[name].marker.evaluate():
            asked = map(Requirement, metadata.requires(name) or [])
            loose |= {
                canonicalize_name(other.name)
                for other in asked
                if other.marker is None or other.marker.evaluate({"extra": ""})
            }
    assert loose - {"pip", "setuptools"} <= set(locked)
