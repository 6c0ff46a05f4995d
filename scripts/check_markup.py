"""Refuses what would turn a caller's words into markup: scripts/check_markup.py [FILE…] (default: all that is served).

Python: anything built with sanitize=False, chat_message(text_html=…), notify(html=…). JavaScript: v-html, innerHTML and
their like. It reads the source alone: what a library does inside, or a dict of arguments hides, it does not see.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SERVED = ("livemon", "pages", "components")
IN_JAVASCRIPT = re.compile(
    r"v-html|\.(inner|outer)HTML\b|insertAdjacentHTML|\bDOMParser\b|\bhtml: *true|\beval\(|new Function\("
)


def unsafe_calls(source: str) -> Iterator[tuple[int, str]]:
    """The lines of Python source that would show text as markup, each with what is wrong."""
    for node in ast.walk(ast.parse(source)):
        for keyword in node.keywords if isinstance(node, ast.Call) else []:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
            if keyword.arg in {"text_html", "html"} and value is not False:
                yield keyword.lineno, f"{keyword.arg}={ast.unparse(keyword.value)} shows text as markup"
            if keyword.arg == "sanitize" and value is False:
                yield keyword.lineno, "sanitize=False lets scripts through"


def unsafe_lines(source: str) -> Iterator[tuple[int, str]]:
    """The lines of JavaScript source that would show text as markup, each with what is wrong."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := IN_JAVASCRIPT.search(line):
            yield number, f"{found.group()} shows text as markup: let Vue render it as text"


def main(arguments: list[str]) -> int:
    """Print every finding as path:line: reason, and answer how many there were, at most 1 for the shell."""
    root = Path(__file__).parents[1]
    files = [Path(name) for name in arguments] or [path for folder in SERVED for path in (root / folder).rglob("*")]
    findings = [
        f"{path}:{line}: {reason}"
        for path in sorted(files)
        for suffix, check in ((".py", unsafe_calls), (".js", unsafe_lines))
        if path.suffix == suffix
        for line, reason in check(path.read_text())
    ]
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return min(1, len(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
