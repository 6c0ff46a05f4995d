"""The word that a call is in another workspace of one's own, and the way there."""

from nicegui.element import Element

from livemon.texts import TEXTS


class OtherWorkspace(Element, component="other_workspace.js"):
    """`name` is the workspace's; `at_once`: a browser that has come by the call's address goes there by itself."""

    def __init__(self, *, call_id: str, slug: str, name: str, at_once: bool) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["call_id"] = call_id
        self._props["slug"] = slug
        self._props["name"] = name
        self._props["at_once"] = at_once
