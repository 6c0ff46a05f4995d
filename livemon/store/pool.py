"""How long anything may take, and how many connections a process has to its database."""

from typing import TypedDict

CALL_TIMEOUT_S = 10.0
"""For everything that is done within one `Store.session()`, the wait for a connection included."""
CONNECTIONS, MORE_CONNECTIONS = 5, 10
"""Kept open, and opened beside them for as long as they are needed."""


class _Pool(TypedDict):
    pool_size: int
    max_overflow: int
    pool_timeout: float


POOL: _Pool = {"pool_size": CONNECTIONS, "max_overflow": MORE_CONNECTIONS, "pool_timeout": CALL_TIMEOUT_S}
