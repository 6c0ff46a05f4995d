"""What people may do: the one table from role to rights. Which role somebody has is the store's business."""

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """Something that not everybody may do."""

    WATCH = "watch"
    """Live monitoring: see calls and transcripts, listen, end a call."""
    MANAGE = "manage"
    """The workspace itself: its people, their roles, sign-in links, settings."""


class Role(StrEnum):
    """What somebody is in one workspace."""

    ADMIN = "admin"
    DEVELOPER = "developer"
    MEMBER = "member"

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self]


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.ADMIN: frozenset({Right.WATCH, Right.MANAGE}),
    Role.DEVELOPER: frozenset({Right.WATCH}),
    Role.MEMBER: frozenset(),
}
