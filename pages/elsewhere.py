"""A call's address leads to the call in whichever of the person's workspaces it is (docs/ux.md).

A workspace that somebody does not belong to, or in which they may not see calls, is not even looked into: its calls are as
if they did not exist.
"""

import asyncio
from dataclasses import dataclass

import structlog

from components.other_workspace import OtherWorkspace
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.access.workspaces import Belonging, workspaces_of
from livemon.calls.feed import AWAY
from livemon.node import Node
from livemon.store.errors import StoreError
from livemon.workspace import Workspace

FIND_TIMEOUT_S = 3.0

_log = structlog.get_logger("livemon.pages")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """That a call is in another workspace of the person's than their session is."""

    call_id: str
    workspace: Belonging

    def show(self, *, at_once: bool) -> None:
        """Offer to go there; `at_once`: if the browser has come by the address itself, it goes without being asked."""
        OtherWorkspace(call_id=self.call_id, slug=self.workspace.slug, name=self.workspace.name, at_once=at_once)


async def elsewhere(node: Node, person: Person, call_id: str) -> Elsewhere | None:
    """Where else the call is, live or ended within the hour; None if it is here, nowhere, or nobody can say in time."""
    here = node.workspaces.get(person.workspace)
    if here is None or (person.may(Right.WATCH) and here.calls.get(call_id) is not None):
        return None
    try:
        async with asyncio.timeout(FIND_TIMEOUT_S):
            if person.may(Right.WATCH) and await here.calls.find(call_id) is not None:
                return None
            for belonging in await workspaces_of(node.store, person.user_id):
                other = node.workspaces.get(belonging.slug)
                may = Right.WATCH in node.settings.rights[belonging.role]
                if other is not None and other is not here and may and await _has(other, call_id):
                    return Elsewhere(call_id, belonging)
    except (StoreError, TimeoutError, *AWAY) as error:
        _log.warning("a call was not looked for in other workspaces", why=str(error) or "no answer in time")
    return None


async def _has(workspace: Workspace, call_id: str) -> bool:
    return await workspace.calls.find(call_id) is not None
