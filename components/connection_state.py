"""The chip in the header that says whether what is on screen is live.

It repeats the `livemon:connection` events of the list, and asks nobody.
"""

from nicegui.element import Element

from livemon.texts import TEXTS


class ConnectionState(Element, component="connection_state.js"):
    """Live, reconnecting, offline, or Redis is away; and since when."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
