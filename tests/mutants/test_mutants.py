"""The runner of broken versions, and that each of them still fits the code."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
specification = importlib.util.spec_from_file_location("mutants_run", HERE / "run.py")
assert specification
assert specification.loader
run = importlib.util.module_from_spec(specification)
sys.modules[specification.name] = run
specification.loader.exec_module(run)

MUTANTS = run.load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_code_as_it_is(mutant):
    """Its text stands there once, the broken version is still valid code, and the tests that must notice exist."""
    broken = mutant.text(run.ROOT)
    assert broken != (run.ROOT / mutant.file).read_text()
    if mutant.file.endswith(".py"):
        ast.parse(broken)
    for test in mutant.tests:
        file, *names = test.split("::")
        assert all(name.split("[")[0] in (run.ROOT / file).read_text() for name in names), test


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tree of its own: one function, and one test of it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "double.py").write_text("def double(n):\n    return n * 2\n")
    (root / "test_double.py").write_text("from double import double\n\ndef test_two():\n    assert double(2) == 4\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True, timeout=180)
    return root


def mutant(new: str, tests: str = "test_double.py"):
    return run.Mutant(name="doubling", file="double.py", old="n * 2", new=new, tests=(tests,))


@pytest.mark.parametrize(
    ("new", "tests", "code", "said"),
    [
        ("n * 3", "test_double.py", 0, "killed"),
        ("n ** 2", "test_double.py", 1, "SURVIVED"),
        ("n *", "test_double.py", 1, "UNFIT"),
        ("n * 3", "test_absent.py", 1, "mend that first"),
    ],
)
def test_only_a_mutant_that_its_tests_fail_on_counts(project: Path, capsys, new: str, tests: str, code: int, said: str):
    assert run.run(project, [mutant(new, tests)]) == code
    assert said in capsys.readouterr().out
    assert (project / "double.py").read_text() == "def double(n):\n    return n * 2\n"


def test_a_mutant_whose_text_has_gone_is_refused(project: Path):
    (project / "double.py").write_text("def double(n):\n    return n + n\n")
    with pytest.raises(run.MutantError, match="0 times"):
        run.run(project, [mutant("n * 3")])
