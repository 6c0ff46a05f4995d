"""What may come of a command to a runtime, with the words a supervisor reads. Pure.

CommandFailed
├── RedisAway       the command may not have left; nobody knows yet
├── NoAnswer        the runtime has not answered in time, or is not reporting at all
├── TooMany         this node waits for as many answers as it may
└── Declined        the runtime, or the call's state, says no; `code` is the protocol's
"""

_DECLINED = {
    "not_found": "The agent's process does not have this call any more. It is probably over; the list will show it in a moment.",
    "already_ended": "The call has ended already. There is nothing left to do.",
    "refused": "The agent's process refused: {said} The call goes on.",
    "unsupported": "This agent's connection cannot do that, so nothing was changed. The call goes on.",
    "too_late": "The agent's process got the request too late and did nothing. The call goes on; please try again.",
    "failed": "The agent's process tried and failed: {said} The call goes on; please try again.",
}
KNOWN_CODES = frozenset({"ok", "broken_off", "redis_away", "no_answer", "too_many", *_DECLINED})
"""What a command's outcome may be called in the metrics; anything else is `other` there."""

_AWAY = {
    "end": "livemon cannot reach the agents at the moment, so it is not known whether the call has been ended."
    " Wait until the page says «live» again, see whether the call is still there, and try again.",
    "inject": "livemon cannot reach the agents at the moment, so it is not known whether the agent was told. The call goes"
    " on. Once livemon reaches them, see whether its transcript has what you sent before you send it again.",
}
_GONE = {
    "end": "The agent's process is not reporting, so nothing was sent to it. The call may still be going on"
    " without being seen here. Try again when it reports, or end the call where it is hosted.",
    "inject": "The agent's process is not reporting, so nothing was sent to it. The call may still be going on"
    " without being seen here. Try again when it reports.",
}
_SILENT = {
    "end": "The agent's process has not answered within 5 seconds. As far as we know the call goes on and the agent"
    " still has it; it may yet end by itself. Please try again.",
    "inject": "The agent's process has not answered within 5 seconds, so it is not known whether the agent was told. The"
    " call goes on. See whether its transcript has what you sent before you send it again.",
}
"""By the command's type."""

_MAX_CODE = 64
_OTHER = "The agent's process said no: {said} The call goes on."


class CommandFailed(Exception):
    """A command that was not done. `code` is for programs, the text for people."""

    code = "failed"


class RedisAway(CommandFailed):
    code = "redis_away"

    def __init__(self, kind: str = "end") -> None:
        super().__init__(_AWAY[kind])


class NoAnswer(CommandFailed):
    code = "no_answer"

    def __init__(self, kind: str = "end", *, gone: bool = False) -> None:
        super().__init__((_GONE if gone else _SILENT)[kind])


class TooMany(CommandFailed):
    code = "too_many"

    def __init__(self) -> None:
        super().__init__(
            "Too many commands are waiting for an answer. Nothing was sent; please try again in a few seconds."
        )


class Declined(CommandFailed):
    """`code` is one of the protocol's error codes, or one that we do not know yet."""

    def __init__(self, code: str, said: str = "") -> None:
        self.code = code[:_MAX_CODE]
        said = said.strip()[:300] or "it gave no reason"
        said = said if said.endswith((".", "!", "?")) else f"{said}."
        super().__init__(_DECLINED.get(code, _OTHER).format(said=said))
