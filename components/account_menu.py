"""The account menu in the header: who one is, one's workspaces, light or dark, and signing out."""

from nicegui.element import Element

from livemon.texts import TEXTS


class AccountMenu(Element, component="account_menu.js"):
    """`name` and `role` as they are to be read; `workspace` is the workspace's slug."""

    def __init__(self, *, name: str, role: str, workspace: str) -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["name"] = name
        self._props["role"] = role
        self._props["workspace"] = workspace
