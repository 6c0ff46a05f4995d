"""The pages beside Live Monitoring that have a tab of their own, each for whoever has its right: sub pages of the shell.

Whoever builds one has looked at the right; what stands on it asks the server by itself, which looks again each time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from components.api_keys import ApiKeys
from components.audit_log import AuditLog
from components.members import Members
from livemon.access.person import Person
from livemon.access.roles import Right, Rights
from livemon.node import Node
from livemon.texts import say
from pages.card import card
from pages.connect import connect_page
from pages.rights import in_words, who_may


@dataclass(frozen=True, slots=True)
class TabPage:
    """`name` is that of its texts: `nav.NAME`, `NAME.forbidden.title`, `NAME.forbidden.text`."""

    path: str
    name: str
    tab: str
    """The tab's test id."""
    forbidden: str
    """The test id of what anybody else finds there."""
    right: Right
    show: Callable[[Node, Person, Request], object]

    @property
    def title(self) -> str:
        return say(f"nav.{self.name}")

    def forbidden_title(self, rights: Rights) -> str:
        return say(f"{self.name}.forbidden.title", roles=in_words(who_may(rights, self.right)))

    def show_forbidden(self, person: Person, rights: Rights) -> None:
        """What anybody else finds there."""
        role = say(f"role.{person.role.value}")
        text = say(f"{self.name}.forbidden.text", name=person.name, role=role)
        card(self.forbidden, self.forbidden_title(rights), text)


def _alone(component: Callable[[], object]) -> Callable[[Node, Person, Request], object]:
    """A page that is one component, which is the same for whoever may see it."""
    return lambda _node, _person, _request: component()


TAB_PAGES = (
    TabPage("/connect", "connect", "nav-connect", "connect-forbidden", Right.CONNECT, connect_page),
    TabPage("/members", "members", "nav-members", "members-forbidden", Right.MANAGE, _alone(Members)),
    TabPage("/keys", "keys", "nav-keys", "keys-forbidden", Right.MANAGE, _alone(ApiKeys)),
    TabPage("/audit", "audit", "nav-audit-log", "forbidden", Right.MANAGE, _alone(AuditLog)),
)
"""In the order of their tabs."""
