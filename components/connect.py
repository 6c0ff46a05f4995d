"""How to connect an agent, as a NiceGUI element: stacks with their lines, and how far the first agent has come.

Which runtimes are there comes through a socket of its own (`/feed/runtimes`), which looks at the right by itself, as do the
endpoints that show the password of Redis and make an API key. Here are the lines, without a secret, and the texts.
"""

from dataclasses import asdict

from nicegui.element import Element

from livemon.connect.deployment import Deployment
from livemon.connect.stacks import KEY_PLACEHOLDER, stacks
from livemon.texts import TEXTS

_OWN = ("connect.", "keys.", "key.", "right.", "secret.", "act.", "copy", "copied", "members.")


class Connect(Element, component="connect.js"):
    """`manages`: whether the person is an Admin, who may have the password shown, and makes API keys."""

    def __init__(self, deployment: Deployment, *, manages: bool) -> None:
        super().__init__()
        address = deployment.address
        self._props["texts"] = {key: text for key, text in TEXTS.items() if key.startswith(_OWN)}
        self._props["stacks"] = [asdict(stack) for stack in stacks(deployment)]
        self._props["manages"] = manages
        self._props["deployment"] = {
            "redis": address.masked,
            "embedded": deployment.embedded,
            "local": address.is_local,
            "secret": address.has_secret,
            "shared": deployment.shared,
            "workspace": deployment.workspace,
            "origin": deployment.origin,
            "key": KEY_PLACEHOLDER,
        }
