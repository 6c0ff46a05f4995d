"""The pages for Admins alone: members, API keys, the audit log. Each is a sub page of the shell, with a tab of its own.

Whoever builds one has looked at the right; what stands on it asks the server by itself, which looks again each time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from components.api_keys import ApiKeys
from components.audit_log import AuditLog
from components.members import Members
from livemon.access.person import Person
from livemon.texts import say
from pages.card import card


@dataclass(frozen=True, slots=True)
class AdminPage:
    """`name` is that of its texts: `nav.NAME`, `NAME.forbidden.title`, `NAME.forbidden.text`."""

    path: str
    name: str
    tab: str
    """The tab's test id."""
    forbidden: str
    """The test id of what anybody else finds there."""
    show: Callable[[], object]

    @property
    def title(self) -> str:
        return say(f"nav.{self.name}")

    @property
    def forbidden_title(self) -> str:
        return say(f"{self.name}.forbidden.title")

    def show_forbidden(self, person: Person) -> None:
        """What anybody else finds there."""
        role = say(f"role.{person.role.value}")
        card(self.forbidden, self.forbidden_title, say(f"{self.name}.forbidden.text", name=person.name, role=role))


ADMIN_PAGES = (
    AdminPage("/members", "members", "nav-members", "members-forbidden", Members),
    AdminPage("/keys", "keys", "nav-keys", "keys-forbidden", ApiKeys),
    AdminPage("/audit", "audit", "nav-audit-log", "forbidden", AuditLog),
)
"""In the order of their tabs."""
