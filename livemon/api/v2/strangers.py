"""Sockets on which nobody has shown yet who they are: so many of one address, and so many of all. No I/O."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from livemon.access.sign_in_limits import counted_as
from livemon.api.errors import CloseCode
from livemon.api.sockets import Refused

MOST = 1_000
MOST_OF_ONE = 50
"""A program shows its token at once; what holds more than this open from one address waits for something else."""


class Strangers:
    """Those of one node."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Generator[None]:
        """One more from there, within the block. An IPv6 address counts as its /64. Raises `Refused`."""
        counted = counted_as(address) or ""
        if self._of[counted] >= self._most_of_one or self._of.total() >= self._most:
            raise Refused(CloseCode.TRY_AGAIN, "too_many")
        self._of[counted] += 1
        try:
            yield
        finally:
            self._of[counted] -= 1
            if not self._of[counted]:
                del self._of[counted]
