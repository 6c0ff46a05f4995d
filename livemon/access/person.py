"""Who asks: one person, in one workspace, through one session, as they were at the moment of asking."""

from dataclasses import dataclass, field

from .roles import Right, Role

OF_KEY = "key:"
"""How the session id and the user id of a key begin; no session's and no person's do."""


@dataclass(frozen=True, slots=True)
class Person:
    """`workspace` is its slug; `session_id` names the session (`Sessions.person`, `end`, `hold`), and is no secret.

    An API key is somebody too: it has its name, `key:…` for both ids, and the role of a Member, which is the least.
    `stale`: the session's cookie was given for another role, and is to be renewed.
    """

    user_id: str
    name: str
    email: str
    role: Role
    workspace: str
    session_id: str
    rights: frozenset[Right]
    stale: bool = field(default=False, compare=False)

    @property
    def is_key(self) -> bool:
        return self.user_id.startswith(OF_KEY)

    def may(self, right: Right) -> bool:
        return right in self.rights
