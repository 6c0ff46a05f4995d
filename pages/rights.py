"""Who may do what, in words: the table of docs/rights.md as this livemon's settings have it."""

from collections.abc import Iterable

from nicegui import ui

from livemon.access.roles import Right, Rights, Role
from livemon.texts import say
from pages.card import words


def who_may(rights: Rights, right: Right) -> list[Role]:
    """The roles that have a right."""
    return [role for role in Role if right in rights[role]]


def in_words(roles: Iterable[Role]) -> str:
    """ "Admins, Developers and Members"."""
    *others, last = [say(f"roles.{role.value}") for role in roles]
    return say("roles.and", others=", ".join(others), last=last) if others else last


def who_may_what(rights: Rights) -> None:
    """A table of every right and the roles that have it."""
    with ui.element("table").classes("lm-who"):
        for right in Right:
            _row(", ".join(say(f"roles.{role.value}") for role in who_may(rights, right)), say(f"right.{right.value}"))
        _row(say("home.all.who"), say("home.all"))


def _row(who: str, what: str) -> None:
    with ui.element("tr"):
        words("th", who).props('scope="row"')
        words("td", what)
