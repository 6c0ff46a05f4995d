"""What people may do: the one table from role to rights. Which role somebody has is the store's business.

`LIVEMON_DEVELOPER_RIGHTS` and `LIVEMON_MEMBER_RIGHTS` set other rights for these two; an Admin always has all.
"""

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """Something that not everybody may do."""

    WATCH = "watch"
    """Live monitoring: see which calls there are, and their details. Nothing else of a call is possible without it."""
    READ = "read"
    """Read transcripts."""
    UNMASKED = "unmasked"
    """See numbers, e-mail addresses and card numbers as they are; without it they are masked before they leave the server."""
    LISTEN = "listen"
    """Hear a call."""
    TAKE_OVER = "take_over"
    """Take a call over."""
    END = "end"
    """End a call."""
    INJECT = "inject"
    """Give the agent of a call context, or have it answer now. There is no button for it: it is for programs."""
    CONNECT = "connect"
    """See how agents are connected (the address of Redis, without its password), and which runtimes are there."""
    MANAGE = "manage"
    """The workspace itself: its people, their roles, sessions, keys, the audit log. Nobody has it but Admins."""


class Role(StrEnum):
    """What somebody is in one workspace."""

    ADMIN = "admin"
    DEVELOPER = "developer"
    MEMBER = "member"


RANK = (Role.MEMBER, Role.DEVELOPER, Role.ADMIN)
"""From the least to the most."""

CALL_RIGHTS = frozenset(Right) - {Right.MANAGE}
"""What settings and API keys may give."""

Rights = Mapping[Role, frozenset[Right]]

RIGHTS: Rights = {
    Role.ADMIN: frozenset(Right),
    Role.DEVELOPER: CALL_RIGHTS,
    Role.MEMBER: frozenset(),
}


class RightsError(ValueError):
    """A list of rights that nobody can have; the text says what to write."""


def read_rights(text: str) -> frozenset[Right]:
    """The rights named in `text`, with commas or spaces between; `none` is the empty list. Raises `RightsError`."""
    names = text.replace(",", " ").lower().split()
    if names == ["none"]:
        return frozenset()
    known = ", ".join(right for right in Right if right in CALL_RIGHTS)
    if not names or not CALL_RIGHTS.issuperset(names):
        raise RightsError(f"a list of rights is needed, such as watch,read,listen; there are {known}, or the word none")
    rights = frozenset(Right(name) for name in names)
    if Right.WATCH not in rights:
        raise RightsError(f"nothing of a call is possible without {Right.WATCH}; add it, or write none")
    return rights
