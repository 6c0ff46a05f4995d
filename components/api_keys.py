"""The API keys of a workspace as a NiceGUI element.

It asks `/keys/all`, and for each change, by itself; the server looks at the right each time. Here are only its texts.
"""

from nicegui.element import Element

from livemon.texts import TEXTS

_OWN = ("keys.", "key.", "right.", "secret.", "act.", "copy", "copied", "invitation.nobody", "members.")


class ApiKeys(Element, component="api_keys.js"):
    """What machines may ask livemon for."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = {key: text for key, text in TEXTS.items() if key.startswith(_OWN)}
