"""The errors of this package.

ListenError            why a call cannot be listened to; `code` is the API's (docs/interfaces.md, «Endpoints»)
├── BadOffer           an SDP offer that cannot be answered: `bad_request`
├── MicrophoneRefused  an SDP offer that could carry a microphone: `microphone_refused`
├── CallNotFound       no such call: `not_found`
├── CallOver           the call has ended: `already_ended`
├── NotAudible         the runtime shares no audio, or not in a form that this browser plays: `unsupported`
├── TooMany            a limit on listeners: `too_many`
├── RedisAway          the runtime cannot be asked for audio: `redis_away`
└── PeerFailed         the media connection could not be set up: `failed`
"""


class ListenError(Exception):
    """Base of all reasons why listening was refused.

    The text is fit to be shown to a supervisor at a page, `for_programs` to one that works through a program.
    """

    code = "failed"

    def __init__(self, what: str, page: str = "", program: str = "") -> None:
        """`what` has happened, and what can be done about it at a page and by a program."""
        super().__init__(f"{what} {page}".strip())
        self.for_programs = f"{what} {program}".strip()


class BadOffer(ListenError):
    code = "bad_request"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"This connection offer cannot be used ({detail}). The call is not affected.",
            "Reload the page; if it happens again, use a current Chrome, Edge, Safari or Firefox.",
            "docs/api.md, «The signalling», says what it has to be like.",
        )
        self.detail = detail


class MicrophoneRefused(ListenError):
    code = "microphone_refused"

    def __init__(self) -> None:
        super().__init__(
            "Who listens sends no microphone, and this offer has one. Nothing was sent to the call.",
            "Reload the page and start Live Listen again.",
            "Make every audio section recvonly; the microphone has an offer of its own, by the message talk.",
        )


class CallNotFound(ListenError):
    code = "not_found"

    def __init__(self, call_id: str) -> None:
        super().__init__(
            f"There is no live call {call_id[:128]}.",
            "It may have ended; choose another in the list.",
            "It may have ended; list the calls to see which there are.",
        )
        self.call_id = call_id


class CallOver(ListenError):
    code = "already_ended"

    def __init__(self, call_id: str) -> None:
        super().__init__(
            "This call has ended, so there is nothing to listen to.",
            "Its transcript stays in the drawer.",
            "For an hour /v2/get-call has its transcript.",
        )
        self.call_id = call_id


class NotAudible(ListenError):
    code = "unsupported"

    def __init__(self, why: str, program: str = "") -> None:
        """`program`: the reason in the words of who has no browser."""
        page, program = (
            f"This call cannot be listened to: {each}. The call is not affected." for each in (why, program or why)
        )
        super().__init__("", page, program)


class TooMany(ListenError):
    code = "too_many"

    def __init__(self, most: int, whose: str) -> None:
        super().__init__(
            f"{whose} at the limit of {most} listeners at once. The call is not affected.",
            "Close a page that listens, or try again in a few seconds.",
            "Leave one, or try again in a few seconds.",
        )
        self.most = most


class RedisAway(ListenError):
    code = "redis_away"

    def __init__(self) -> None:
        super().__init__(
            "livemon cannot reach Redis right now, so it cannot ask for this call's audio. The call goes on."
            " Try again in a few seconds."
        )


class PeerFailed(ListenError):
    def __init__(self, why: str) -> None:
        super().__init__(f"The audio connection could not be set up: {why}. The call is not affected; try again.")
