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
    """Base of all reasons why listening was refused. The text is fit to be shown to a supervisor."""

    code = "failed"


class BadOffer(ListenError):
    code = "bad_request"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"This browser's connection offer cannot be used ({detail}). The call is not affected. "
            "Reload the page; if it happens again, use a current Chrome, Edge, Safari or Firefox."
        )
        self.detail = detail


class MicrophoneRefused(ListenError):
    code = "microphone_refused"

    def __init__(self) -> None:
        super().__init__(
            "Live Listen never takes a microphone, and this offer has one. Nothing was sent to the call. "
            "Reload the page and start Live Listen again."
        )


class CallNotFound(ListenError):
    code = "not_found"

    def __init__(self, call_id: str) -> None:
        super().__init__(f"There is no live call {call_id[:128]}. It may have ended; choose another in the list.")
        self.call_id = call_id


class CallOver(ListenError):
    code = "already_ended"

    def __init__(self, call_id: str) -> None:
        super().__init__("This call has ended, so there is nothing to listen to. Its transcript stays in the drawer.")
        self.call_id = call_id


class NotAudible(ListenError):
    code = "unsupported"

    def __init__(self, why: str) -> None:
        super().__init__(f"This call cannot be listened to: {why}. The call is not affected.")


class TooMany(ListenError):
    code = "too_many"

    def __init__(self, most: int, whose: str) -> None:
        super().__init__(
            f"{whose} at the limit of {most} listeners at once. The call is not affected. "
            "Close a page that listens, or try again in a few seconds."
        )
        self.most = most


class RedisAway(ListenError):
    code = "redis_away"

    def __init__(self) -> None:
        super().__init__(
            "livemon cannot reach Redis right now, so it cannot ask for this call's audio. The call goes on. "
            "Try again in a few seconds."
        )


class PeerFailed(ListenError):
    def __init__(self, why: str) -> None:
        super().__init__(f"The audio connection could not be set up: {why}. The call is not affected; try again.")
