"""Writes docs/protocol-scripts.md from the Lua scripts that the runtime SDK ships: scripts/protocol_scripts.py [--check]

--check writes nothing, and fails if the page is not what the scripts say.
"""

# ruff: noqa: E501  (a paragraph of the page is one line)
import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "runtime" / "livemon_runtime" / "scripts"
PAGE = ROOT / "docs" / "protocol-scripts.md"
WHAT = {
    "announce": "A call begins, or is said again after Redis lost it. `incarnation` is random and new for each announcement; sending the same one again (its answer was lost) changes nothing. `generation` is the highest claim that the runtime has answered, 0 at first. `controller` is `?` for a process that has no memory of the call: if the answer is `held`, announce again with the controller that came with it, and keep the agent silent. `last entry` is where the transcript stands: a runtime that continues a call goes on after it.",
    "update": "The call is now so: `data` replaces the stored one whole. The same `data` again changes nothing. After `announce`, announce the call again under a new incarnation.",
    "append": "Adds entries to the transcript, as many as you like in one go, none to ask where it stands. Whatever was sent, the answer's `last entry` is the truth: the next number is one more. Behind what you sent last, Redis has lost the rest: send it again. Ahead, it is in already.",
    "end": "The call is over, for good. Send what is left of the transcript first. `data` has `call_status` `ended` or `error`, `end_timestamp` and `disconnection_reason`.",
    "accept": "Yes to a claim (take-over). `data` is the call with `call_status` `taken_over`. Only on `yes` the agent is silenced; on no answer it holds its tongue and the script is sent again. It also writes the command's result.",
    "refuse": "No to a claim, at once, with a code of the page and words for the supervisor. It also writes the command's result. `accepted` means that Redis took an earlier accept whose answer never came: announce the call again as it is.",
    "supervisor": "The supervisor whose claim has the call has not been heard for three seconds (`silent_ms`: for how long by now), or is heard again (empty). `other` means that somebody else has it by now: read your commands.",
    "result": "The result of any other command.",
}
_CALL, _CALLS, _EVENTS = "livemon:{ws}:call:<call_id>", "livemon:{ws}:calls", "livemon:{ws}:events"
_MEMBERS, _TRANSCRIPT, _TAP = "livemon:{ws}:runtime:<runtime_id>:calls", f"{_CALL}:transcript", f"{_CALL}:tap"
KEYS = {
    "announce": (_CALL, _CALLS, _EVENTS, _MEMBERS, _TRANSCRIPT),
    "update": (_CALL, _CALLS, _EVENTS),
    "append": (_TRANSCRIPT, _CALL),
    "end": (_CALL, _CALLS, _EVENTS, _MEMBERS, _TRANSCRIPT, _TAP),
    "accept": (_CALL, _EVENTS),
    "refuse": (_CALL, _EVENTS),
    "supervisor": (_CALL, _EVENTS),
    "result": (_CALL, _EVENTS),
}
HEAD = """\
# The protocol's scripts
Beside [protocol.md](protocol.md): every change that a runtime makes is one of these Lua scripts, so that it is atomic and may safely run twice. This page is made from the files in `runtime/livemon_runtime/scripts/` by `scripts/protocol_scripts.py`; take the text from there or from here, it is the same.

How to use one: put `common` before it, load the whole by `SCRIPT LOAD` on each new connection, and run it by `EVALSHA sha number-of-keys KEYS… ARGV…`. After an error `NOSCRIPT` (the server was restarted) load and run again. An answer is an array: a word, then integers and strings as its head says; whole numbers in `ARGV` are decimal text. The names of keys are those of protocol.md, «Names»; where a line says `the runtime's calls` it is `livemon:{ws}:runtime:<runtime_id>:calls`, and `transcript` and `tap` are those of the call.

`data` is the JSON of the whole call (protocol.md, «Call»), which the scripts pass on as it is. After an error (`OOM`, `WRONGTYPE`, `READONLY`, …) nothing was written: wait, and send it again.

Test vectors stand in [vectors/](vectors): `messages.json` has entries, events, commands and results that every reader takes, and entries and events that it refuses (`refused_…`); `rtp.json` has packets by their bytes, and what is no packet.

## The order of things
1. Announce the call; then update, append, publish partials (`SPUBLISH livemon:{ws}:call:<call_id>:partials <entry>`) as it goes on; end it.
2. From the start, every 5 s: `TIME` (your offset to Redis's clock); `SET livemon:{ws}:runtime:<runtime_id> <JSON> EX 15`; `EXPIRE livemon:{ws}:runtime:<runtime_id>:calls 3600`, and the same for `…:commands`; `SMEMBERS …:calls`, and `end` the members that you do not have. For each call `HMGET <its hash> incarnation rev controller`, `ZSCORE livemon:{ws}:calls <call_id>`, `XREVRANGE <its transcript> + - COUNT 1` and `ZREVRANGE <its tap> 0 0 WITHSCORES`: then announce again, append again, or turn the audio on or off, as protocol.md says.
3. In a connection of its own `XREAD BLOCK 2000 STREAMS livemon:{ws}:runtime:<runtime_id>:commands <last id>`, from `0`: do what is within its deadline, and say how it went (`result`, `accept` or `refuse`).
4. Audio, while it is wanted, in a connection of its own: `SPUBLISH livemon:{ws:<call_id>}:audio:caller <packet>`.
5. While a supervisor has a call, in a connection of its own: `SSUBSCRIBE livemon:{ws:<call_id>}:audio:supervisor:<claim_id>`, of the accepted claim alone; a message is one RTP packet. When none has come for 3 s, and when one comes again: `supervisor`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, f"## common\nStands before each of the others.\n\n{_lua('common')}"]
    parts += [
        f"## {name}\n{what}\n\n{_keys(name)}\nSHA-1: `{_sha(name)}`\n\n{_lua(name)}" for name, what in WHAT.items()
    ]
    return "\n".join(parts)


def _keys(name: str) -> str:
    return "".join(f"{number}. `{key}`\n" for number, key in enumerate(KEYS[name], start=1))


def _sha(name: str) -> str:
    """Of `common` and the script, as the SDK loads them and as the page prints them."""
    source = "".join((FOLDER / f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


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
