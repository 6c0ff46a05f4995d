"""The members of a workspace as a NiceGUI element: people, roles, sessions, invitations.

It asks `/members/all`, and for each change, by itself; the server looks at the right each time. Here are only its texts.
"""

from nicegui.element import Element

from livemon.texts import TEXTS

_LISTS = ("members.", "member.", "session.", "invitation.", "invite.")
_SHARED = ("secret.", "act.", "role.", "device", "copy", "copied")


class Members(Element, component="members.js"):
    """Who belongs to the person's workspace, and who is invited."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = {key: text for key, text in TEXTS.items() if key.startswith(_LISTS + _SHARED)}
