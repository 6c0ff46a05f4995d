"""The alerts that an Admin has on every page: calls whose supervisor has lost the role, or is not heard by the caller.

What it shows comes through a socket of its own (`/feed/alerts`), which asks by itself who may know. It emits `open`
(call_id, "pointer") to bring the call's drawer up, and has that ask whether to rescue it.
"""

from nicegui.element import Element

from livemon.texts import TEXTS


class CallAlerts(Element, component="call_alerts.js"):
    """One a page, in the shell for good. `user_id` is the person in front of it, whose own call is no alert."""

    def __init__(self, *, user_id: str) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["user_id"] = user_id
