"""What the log holds: acts, their outcomes, and who did them to what. Pure.

Neither words of a transcript, nor secrets, nor anybody's number may get in here: a call is named by its id alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_TEXT = 200
MAX_DETAILS = 16


class Action(StrEnum):
    """What is done, or was asked for."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    SESSION_END = "session_end"
    """A session that somebody else has ended, or that the person's next sign-in has."""
    LISTEN = "listen"
    TAKE_OVER = "take_over"
    END_CALL = "end_call"
    INJECT = "inject"
    ROLE = "role"
    INVITATION = "invitation"
    SIGN_IN_LINK = "sign_in_link"
    API_KEY = "api_key"
    REDIS_SHOWN = "redis_shown"
    """The password of Redis, shown on the Connect page."""
    SETTING = "setting"
    ACCESS = "access"
    """A page, a feed or an endpoint that somebody may not see."""
    EXPORT = "export"
    """The log itself, as a file."""
    BEGUN = "begun"
    RETENTION = "retention"
    NEW_KEY = "new_key"


class Outcome(StrEnum):
    """`ASKED` is written before an act is done; whatever comes of it is an entry of its own, `about` the first."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"
    """The person may not, or is not known."""
    FAILED = "failed"
    STOPPED = "stopped"
    """A listening that is over."""
    TALKING = "talking"
    """A take-over has come about: the supervisor has the call."""
    CANCELLED = "cancelled"
    LOST = "lost"
    ENDED = "ended"
    BROKEN_OFF = "broken_off"
    """livemon ended in the middle of it."""


@dataclass(frozen=True, slots=True)
class Act:
    """`person_id` and `person`: who does it, both empty for the server itself and for whoever is not known.

    `workspace`: its slug, empty for what belongs to none; `subject`: to whom or what it is done, where that is no call;
    `address`: from where; `detail`: small facts, such as a reason, by name.
    """

    action: Action
    outcome: Outcome
    workspace: str = ""
    person_id: str = ""
    person: str = ""
    subject: str = ""
    call_id: str = ""
    address: str = ""
    detail: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])


def clean(text: str) -> str:
    """What every database can keep and every screen can show: printable, and no longer than `MAX_TEXT`."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:MAX_TEXT])


def clean_detail(detail: Mapping[str, str | int]) -> dict[str, str | int]:
    """The facts, no more than `MAX_DETAILS`, cleaned like all texts."""
    few = list(detail.items())[:MAX_DETAILS]
    return {clean(name): clean(value) if isinstance(value, str) else value for name, value in few}
