"""Breaks livemon on purpose, one promise at a time, and sees that the tests notice: tests/mutants/run.py [WORD…]

Each mutant in mutants.toml replaces one text in one file, in a copy of the tree; the tests that it names must then
fail, and must pass on the copy as it was. WORDs choose the mutants whose name has one of them. Nothing is changed in
place.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).parent / "mutants.toml"
TIMEOUT_S = 300


class Verdict(StrEnum):
    """What became of a mutant; only `KILLED` is good."""

    KILLED = "killed"
    SURVIVED = "SURVIVED: its tests pass on the broken version"
    UNFIT = "UNFIT: its tests did not fail, they could not run"
    HUNG = "HUNG: its tests did not end"


#: pytest's exit codes (https://docs.pytest.org/en/stable/reference/exit-codes.html): 1 is «tests ran, and some failed»
VERDICTS = {0: Verdict.SURVIVED, 1: Verdict.KILLED}


class MutantError(Exception):
    """A mutant that does not fit the tree: the code has moved on, and mutants.toml has to follow."""


@dataclass(frozen=True)
class Mutant:
    """One deliberately broken version: `old` becomes `new` in `file`, and one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def text(self, tree: Path) -> str:
        """The broken file's text; raises MutantError unless `old` stands in it exactly once."""
        path = tree / self.file
        if not path.is_file():
            raise MutantError(f"{self.name}: there is no {self.file}")
        source = path.read_text()
        if (count := source.count(self.old)) != 1:
            raise MutantError(f"{self.name}: its text stands {count} times in {self.file}, not once")
        return source.replace(self.old, self.new)


def load(path: Path = LIST) -> list[Mutant]:
    """The mutants in their order."""
    entries = tomllib.loads(path.read_text()).get("mutant", [])
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def copy(root: Path, tree: Path) -> None:
    """Copy what git knows or would add, as it stands on disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, tree / name)


def verdict(tree: Path, tests: Iterable[str]) -> tuple[Verdict, str]:
    """How the tests went in this tree, and the end of what they said; its code comes before the installed one."""
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'runtime'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict.HUNG, ""
    return VERDICTS.get(done.returncode, Verdict.UNFIT), done.stdout[-2000:] + done.stderr[-1000:]


def judge(tree: Path, mutant: Mutant) -> tuple[Verdict, str]:
    """Break the tree, run the mutant's tests, and mend it again."""
    path = tree / mutant.file
    whole = path.read_text()
    path.write_text(mutant.text(tree))
    try:
        return verdict(tree, mutant.tests)
    finally:
        path.write_text(whole)


def run(root: Path, mutants: list[Mutant]) -> int:
    """Judge them all; answers 0 if every one was killed."""
    with tempfile.TemporaryDirectory(prefix="livemon-mutants-") as folder:
        tree = Path(folder)
        copy(root, tree)
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        whole, words = verdict(tree, tests)
        if whole is not Verdict.SURVIVED:
            sys.stdout.write(f"{words}\nThe tests have to pass on livemon as it is; mend that first.\n")
            return 1
        killed = 0
        for mutant in mutants:
            result, words = judge(tree, mutant)
            killed += result is Verdict.KILLED
            sys.stdout.write(f"{mutant.name}: {result}\n{'' if result is Verdict.KILLED else words}")
            sys.stdout.flush()
    sys.stdout.write(f"{killed} of {len(mutants)} broken versions noticed\n")
    return int(killed != len(mutants))


def main(words: list[str]) -> int:
    """Run those whose name has one of the words, or all."""
    mutants = [mutant for mutant in load() if not words or any(word in mutant.name for word in words)]
    if not mutants:
        sys.stdout.write(f"No mutant's name has any of {words}; they are in {LIST}.\n")
        return 2
    return run(ROOT, mutants)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
