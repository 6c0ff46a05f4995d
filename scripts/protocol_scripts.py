"""Writes docs/protocol-scripts.md from the Lua scripts that the runtime SDK ships: scripts/protocol_scripts.py [--check]

--check writes nothing, and fails if the page is not what the scripts say.
"""

# ruff: noqa: E501  (a paragraph of the page is one line)
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "runtime" / "livemon_runtime" / "scripts"
PAGE = ROOT / "docs" / "protocol-scripts.md"
WHAT = {
    "announce": "A call begins, or is announced again: the runtime says it as it is, in a new incarnation.",
    "update": "The call's data changes.",
    "append": "Entries are added to the transcript, each once and in order.",
    "end": "The call is over, for good.",
    "accept": "The runtime accepts a supervisor's claim. Only on `yes` the agent is silenced.",
    "refuse": "The runtime refuses a claim.",
    "result": "A command's result, when no other script says it.",
}
HEAD = """\
# The protocol's scripts
Beside [protocol.md](protocol.md): every change that a runtime makes is one of these Lua scripts, so that it is atomic and may safely run twice. This page is made from the files in `runtime/livemon_runtime/scripts/` by `scripts/protocol_scripts.py`; take the text from there or from here, it is the same.

How to use one: put `common` before it, load the whole by `SCRIPT LOAD` on each new connection, and run it by `EVALSHA sha number-of-keys KEYS… ARGV…`. After an error `NOSCRIPT` (the server was restarted) load and run again. An answer is an array: a word, then integers and strings as its head says; whole numbers in `ARGV` are decimal text. The names of keys are those of protocol.md, «Names»; where a line says `the runtime's calls` it is `livemon:{ws}:runtime:<runtime_id>:calls`, and `transcript` and `tap` are those of the call.

What the scripts do not do: a heartbeat (`SET …:runtime:<id> JSON EX 15`, and `EXPIRE` of its calls and commands for an hour), partials (`SPUBLISH`), audio (`SPUBLISH`), reading the tap (`ZREVRANGE tap 0 0 WITHSCORES`) and the commands (`XREAD` from `0`). Test vectors (packets, entries, events) are in `tests/vectors/`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, f"## common\nStands before each of the others.\n\n{_lua('common')}"]
    parts += [f"## {name}\n{what}\n\n{_lua(name)}" for name, what in WHAT.items()]
    return "\n".join(parts)


def _lua(name: str) -> str:
    return f"```lua\n{(FOLDER / f'{name}.lua').read_text('utf-8').rstrip()}\n```\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if arguments == ["--check"]:
        return int(not PAGE.exists() or PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
