"""Who asks: one person, in one workspace, through one session, as they were at the moment of asking."""

from dataclasses import dataclass

from .roles import Right, Role


@dataclass(frozen=True, slots=True)
class Person:
    """`workspace` is its slug; `session_id` names the session (`Sessions.person`, `end`, `hold`), and is no secret."""

    user_id: str
    name: str
    email: str
    role: Role
    workspace: str
    session_id: str

    def may(self, right: Right) -> bool:
        return self.role.may(right)
