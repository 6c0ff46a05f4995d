"""NiceGUI's page template, in which every inline script and style is given the nonce of its answer.

It is the template that is changed, not the page that comes of it: a script that somebody has got into the page by way of
a value has none.
"""

import re
from collections.abc import Callable
from typing import Any, cast

from jinja2 import BaseLoader, Environment
from nicegui.client import templates

from livemon.access.headers import nonce_of

_TAG = re.compile(r"<(script|style)(?=[\s>])")


def give_nonces() -> None:
    """Once a process is enough, more do no harm. Raises `LookupError` if the template has no inline script any more."""
    environment = templates.env
    if isinstance(environment.loader, _WithNonces):
        return
    assert environment.loader is not None
    environment.loader = _WithNonces(environment.loader)
    environment.globals.update(cast("dict[str, Any]", {"nonce_of": nonce_of}))
    source, _, _ = environment.loader.get_source(environment, "index.html")
    if "nonce_of(request)" not in source:
        raise LookupError("NiceGUI's page has no inline script any more; livemon.page_template is to be looked at")


class _WithNonces(BaseLoader):
    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, name, is_fresh = self._loader.get_source(environment, template)
        source = source.replace('style="display: none"', "hidden")  # an attribute can have no nonce
        return _TAG.sub(r'<\1 nonce="{{ nonce_of(request) }}"', source), name, is_fresh
