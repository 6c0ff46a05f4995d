"""The drawer of one open call: details, transcript, Live Listen, Take Over, End Call.

The element only says which call is open. What it shows comes through a socket of its own (`/feed/calls/{call_id}`), and
what one does goes to the API, neither through NiceGUI. What it does not do: open or close itself. It emits `close`, and
`audio` ({call_id, listening}), and whoever put it there decides.
"""

from collections.abc import Iterable

from nicegui.element import Element

from livemon.texts import TEXTS


class CallDrawer(Element, component="call_drawer.js"):
    """Closed until `show` names a call. It stands in the shell for good, so that its audio outlives a change of page.

    `user_id` is the person in front of it, who is called "You" among those who listen; `may` names what they may do: what
    they may not is not offered. The server asks again whatever is offered here.
    """

    def __init__(self, *, user_id: str = "", may: Iterable[str] = ()) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["user_id"] = user_id
        self._props["may"] = sorted(may)
        self._props["call_id"] = None

    def show(self, call_id: str | None) -> None:
        """Show that call, in place of another one if need be; None closes the drawer, and ends the listening.

        A call that one has goes on (`CallBar`).
        """
        self._props["call_id"] = call_id
