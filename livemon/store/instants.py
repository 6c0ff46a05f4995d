"""How moments are kept in SQL: whole milliseconds since 1970 in UTC, so that no database has a say in time zones."""

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""A clock; gives aware datetimes."""


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970. Raises `ValueError` for a datetime without a time zone: it could mean anything."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; use datetime.now(UTC)")
    return int(moment.timestamp() * 1000)
