"""The bar that shows the call one has, wherever one is, until it is over; and takes it up again after a reload.

What it shows is the browser's own (`held_call.js`): neither the server's side of the page nor NiceGUI's connection has a
part in a call that is held. It emits `open` (call_id, "pointer") to go back to the call.
"""

from nicegui.element import Element

from livemon.texts import TEXTS


class CallBar(Element, component="call_bar.js"):
    """One a page, in the shell for good: it outlives every drawer and every change of page."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
