"""JSON for the browser. Pure.

Runtimes may put any JSON into metadata and fields that we don't know, also whole numbers that orjson refuses: one such
call must not stop the others' feeds.
"""

from typing import cast

import orjson

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def encode(message: object) -> bytes:
    """The message as JSON; whole numbers beyond 64 bits, which no browser holds exactly, become strings of their digits."""
    try:
        return orjson.dumps(message)
    except TypeError:
        return orjson.dumps(_fitting(message))


def encode_to_keep(message: object) -> bytes:
    """`encode` for what stays in memory: orjson's bytes hold on to the 4 to 8 kB that it wrote them in."""
    return bytes(memoryview(encode(message)))


def _fitting(value: object) -> object:
    if isinstance(value, dict):
        return {key: _fitting(part) for key, part in cast("dict[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_fitting(part) for part in cast("list[object]", value)]
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        return str(value)
    return value
