"""Hooks of schemathesis: what a document cannot say of a request that is good.

A pagination key that is written rightly has still to be one that livemon has given, and an Idempotency-Key may not have come
with another request before. What is written wrongly stays as it is.
"""

import re
from itertools import count
from typing import Any

import schemathesis

KEY = "WyJkIiwxLCJjLTEiXQ"
"""Of the page after the call `c-1` in descending order."""
_GOOD = re.compile(r"[!-~]([ -~]*[!-~])?")
_numbers = count()


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(key := body.get("pagination_key"), str) and len(key) <= 512:
        order = body.get("sort_order", "descending")
        return {**body, "pagination_key": KEY if order != "ascending" else "WyJhIiwxLCJjLTEiXQ"}
    return body


@schemathesis.hook
def map_headers(_context: Any, headers: Any) -> Any:
    key = headers.get("Idempotency-Key") if isinstance(headers, dict) else None
    if isinstance(key, str) and len(key) <= 200 and _GOOD.fullmatch(key):
        return {**headers, "Idempotency-Key": f"{key}-{next(_numbers)}"}
    return headers
