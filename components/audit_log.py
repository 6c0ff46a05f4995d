"""The audit log as a NiceGUI element: filters, a page of entries, and the file.

It asks `/audit/entries` and `/audit/export.csv` by itself, which look at the right each time; here are only its texts.
"""

from nicegui.element import Element

from livemon.store.audit.acts import Action
from livemon.texts import TEXTS


class AuditLog(Element, component="audit_log.js"):
    """What was done in the person's workspace, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._props["texts"] = {key: text for key, text in TEXTS.items() if key.startswith("audit.")}
        self._props["actions"] = [action.value for action in Action]
