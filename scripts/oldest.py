"""The oldest versions that the adapters support: the lower bounds of runtime/pyproject.toml's extras.

    python3 scripts/oldest.py            # the adapters: extras with a group of their own, oldest-ADAPTER, in pyproject.toml
    python3 scripts/oldest.py ADAPTER    # what its oldest is, as requirements

Needs nothing but Python, for scripts/pin runs it before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_BOUND = re.compile(r"(?P<package>[\w.-]+)(?P<extras>\[[\w.,-]+\])?>=(?P<version>[\w.]+)")


def adapters() -> list[str]:
    groups = tomllib.loads((_ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [extra for extra in sorted(_extras()) if f"oldest-{extra}" in groups]


def bounds(adapter: str) -> dict[str, str]:
    """From each package that the adapter stands on, with its extras, to the oldest version of it. Raises `ValueError`."""
    found: dict[str, str] = {}
    for requirement in _extras()[adapter]:
        bound = _BOUND.match(requirement.replace(" ", ""))
        if bound is None:
            raise ValueError(f"runtime/pyproject.toml, extra {adapter}: {requirement} has no lower bound")
        found[bound["package"] + (bound["extras"] or "")] = bound["version"]
    return found


def _extras() -> dict[str, list[str]]:
    return tomllib.loads((_ROOT / "runtime/pyproject.toml").read_text())["project"]["optional-dependencies"]


def _lines(arguments: list[str]) -> list[str]:
    if not arguments:
        return adapters()
    return [f"{package}=={version}" for package, version in bounds(arguments[0]).items()]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in _lines(sys.argv[1:]))
