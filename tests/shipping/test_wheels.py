"""What people install: both wheels, built as for a release, carry all that the code reads at run time."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {"livemon": ("livemon", "pages", "components"), "livemon_runtime": ("runtime/livemon_runtime",)}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both wheels, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder)]
    constraints = ["--build-constraints", "requirements-build.txt", "--require-hashes"]
    done = subprocess.run([*command, *constraints], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def names(wheels: Path, distribution: str) -> list[str]:
    (wheel,) = wheels.glob(f"{distribution}-[0-9]*.whl")
    return zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("distribution", ["livemon", "livemon_runtime"])
def test_a_wheel_carries_every_tracked_file_of_its_packages(wheels: Path, distribution: str):
    """Whatever git keeps in a package is shipped: Lua and JavaScript, styles, migrations, the demo's speech."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *SOURCES[distribution]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    tracked = {path.removeprefix("runtime/") for path in listed.stdout.split("\0") if path and (ROOT / path).exists()}
    assert tracked, "git lists no file"
    assert tracked - set(names(wheels, distribution)) == set()


@pytest.mark.parametrize("distribution", ["livemon", "livemon_runtime"])
def test_a_wheel_carries_its_licence_and_nothing_else_at_the_top(wheels: Path, distribution: str):
    inside = names(wheels, distribution)
    tops = {name.split("/")[0] for name in inside}
    info = {top for top in tops if top.endswith(".dist-info")}
    assert tops - info == {Path(source).name for source in SOURCES[distribution]}
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_installed_from_its_wheels_livemon_starts_without_the_source_tree(wheels: Path, tmp_path: Path):
    """The dependencies are this environment's; livemon itself is the wheels' alone."""
    dependencies = sysconfig.get_path("purelib")
    environment = tmp_path / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(python),
    ]
    subprocess.run([*install, *map(str, wheels.glob("*.whl"))], check=True, timeout=180)
    for command, offered in (("livemon", "demo"), ("livemon-runtime", "conform")):
        told = subprocess.run(
            [environment / "bin" / command, "--help"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": dependencies},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        assert offered in told.stdout
    where = subprocess.run(
        [python, "-c", "import livemon, pages, components, livemon_runtime as r; print(livemon.__file__, r.__file__)"],
        cwd=tmp_path,
        env={"PYTHONPATH": dependencies},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert all(file.startswith(str(environment)) for file in where.stdout.split()), where.stdout
