"""Each adapter's tests pass with the oldest version that it supports, too: in an environment of its own, `.oldest/ADAPTER`.

`scripts/sync oldest ADAPTER` makes it, from `requirements-oldest-ADAPTER.txt`; the version is the lower bound in
runtime/pyproject.toml, and this fails when the three are not of one mind.
"""

import faulthandler
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def is_at_its_oldest(extra: str) -> bool:
    """Whether the oldest version of an extra's library, its first requirement, is the one that all other tests run with."""
    package, _, rest = EXTRAS[extra][0].partition(">=")
    return Version(version(package)) == Version(rest.partition(",")[0])


ADAPTERS = sorted(
    extra
    for extra in set(EXTRAS) & {path.name for path in Path(__file__).parent.iterdir()}
    if not is_at_its_oldest(extra)
)
"""What has an extra and a folder of tests, both of the library's name, and supports an older version than the newest."""
INSTALL_S, TESTS_S = 600, 900
VERSION = "from importlib.metadata import version; import sys; print(version(sys.argv[1].partition('[')[0]))"


def run(command: list[str], timeout: float) -> str:
    """What it prints. The output is told if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    print(done.stdout)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-20_000:]}"
    return done.stdout.strip()


def oldest(*adapter: str) -> list[str]:
    return run([sys.executable, "scripts/oldest.py", *adapter], 60).splitlines()


def test_every_adapter_that_has_tests_has_an_oldest_version() -> None:
    assert ADAPTERS
    assert set(ADAPTERS) <= set(oldest()), (
        "pyproject.toml needs a group oldest-ADAPTER, and scripts/pin --keep to be run"
    )


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_passes_its_tests_with_the_oldest_version_that_it_supports(adapter: str, tmp_path: Path) -> None:
    faulthandler.dump_traceback_later(
        INSTALL_S + TESTS_S, exit=True, file=sys.__stderr__
    )  # the child has its own, a test
    run(["sh", "scripts/sync", "oldest", adapter], INSTALL_S)
    python = str(ROOT / ".oldest" / adapter / "bin" / "python")
    for requirement in oldest(adapter):
        package, _, bound = requirement.partition("==")
        assert Version(run([python, "-c", VERSION, package], 60)) == Version(bound), (
            f"requirements-oldest-{adapter}.txt does not hold the lower bound of {package}: run scripts/pin --keep"
        )
    report = tmp_path / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", "junit_family=xunit1"]
    run([python, "-m", "pytest", *options, f"tests/adapters/{adapter}"], TESTS_S)
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    assert not [case.get("name") for case in cases if case.find("skipped") is not None], "none may be skipped"
    passed = {case.get("file") for case in cases if not len(case)}  # a case that did not pass says so in an element
    every = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "adapters" / adapter).glob("test_*.py")}
    assert every
    assert every <= passed, f"not one test of these has passed: {sorted(every - passed)}"
