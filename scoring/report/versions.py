"""Which software computed a report."""

import platform
from importlib import metadata

LIBRARIES = ("numpy", "scipy", "numba", "connected-components-3d", "jinja2")


def versions() -> dict[str, str]:
    """The versions of moodarena, Python, and of the libraries that figures depend on."""
    return {
        "moodarena": _version("moodarena"),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed as a package"  # the platform runs from its checkout
