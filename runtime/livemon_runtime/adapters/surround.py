"""How one object's methods are surrounded, that object's alone. What is done there must fail into no bot."""

from collections.abc import Callable
from typing import Any

Act = Callable[..., Any]


def surround(thing: object, name: str, around: Callable[[Act], Act]) -> Act:
    """From now on that one object's method `name` is `around(what it was)`; answers what it was."""
    inner: Act = getattr(thing, name)
    setattr(thing, name, around(inner))
    return inner
