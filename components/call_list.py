"""The live call list as a NiceGUI element.

Its rows come through a socket of their own (`/feed/calls`), not through NiceGUI; here are only the props that say what
surrounds it. What it does not do: open a call. It emits `open` (call_id, "key" or "pointer"), and whoever put it there
decides.
"""

from nicegui.element import Element

from livemon.texts import TEXTS


class CallList(Element, component="call_list.js"):
    """Every ongoing call of the person's workspace.

    `may_connect`: whether there is a Connect page for them, to which a list without calls leads.
    """

    def __init__(self, *, may_connect: bool = False) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["may_connect"] = may_connect
        self._props["active"] = True

    def show(self, open_id: str | None, *, active: bool) -> None:
        """Say which call stands open beside the list, and whether the list is on screen and has the keys."""
        self._props["open_id"] = open_id
        self._props["active"] = active

    def pin(self, pinned: bool) -> None:
        """Say whether the open call is listened to or held: then the arrows move the selection only."""
        self._props["pinned"] = pinned
