"""What `LIVEMON_DATABASE_URL` may say: a file of SQLite's, or a PostgreSQL server and how to reach it."""

import ssl as tls
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from .errors import UnusableDatabase

_SQLITE = ("sqlite", "sqlite+aiosqlite")
_POSTGRES = ("postgresql", "postgresql+asyncpg", "postgres")
_SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_NO_ADDRESS = "This text is not the address of a database (in a password / is written %2F, @ is %40, : is %3A)"
_OPTIONS = ("ssl", "sslmode", "sslrootcert", "host")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A PostgreSQL database; `str()` of it holds no password. What is empty is asyncpg's default."""

    host: str = ""
    """A name, an IP address, or the folder of a unix socket."""
    port: int = 5432
    user: str = ""
    password: str | None = field(default=None, repr=False)
    database: str = ""
    ssl: tls.SSLContext | Literal["prefer", "require"] | bool = "prefer"

    def __str__(self) -> str:
        name = self.database or self.user or "of this user's name"
        return f"{name} at {self.host or 'this machine'}{'' if self.host.startswith('/') else f':{self.port}'}"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """For `asyncpg.connect`."""
        named = {"host": self.host, "user": self.user, "password": self.password, "database": self.database}
        socket = self.host.startswith("/")
        return {
            **{name: value for name, value in named.items() if value},
            "port": self.port,
            "ssl": False if socket else self.ssl,
        }


def read_address(database_url: str) -> Path | ServerAddress:
    """The file of SQLite's, or the server. Raises `UnusableDatabase`, whose text holds no part of the address."""
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):  # whose texts may hold a part of the password
        raise UnusableDatabase(_not_usable(_NO_ADDRESS)) from None
    if "@" in (url.host or ""):  # the rest of a password
        raise UnusableDatabase(_not_usable(_NO_ADDRESS))
    if url.drivername in _SQLITE:
        return _file(url)
    if url.drivername in _POSTGRES:
        return _server(url)
    raise UnusableDatabase(_not_usable(f"{url.drivername} databases are not supported by livemon"))


def _file(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UnusableDatabase(
            _not_usable("SQLite needs a file: in memory, everyone would be signed out at each start")
        )
    if url.query:
        raise UnusableDatabase(_not_usable("options after a question mark are not supported for SQLite"))
    return Path(url.database).absolute()


def _server(url: URL) -> ServerAddress:
    options = {name: value if isinstance(value, str) else "" for name, value in url.query.items()}
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise UnusableDatabase(
            _not_usable(
                f"after the question mark only {', '.join(_OPTIONS)} may stand, each once, and not {unknown[0]}"
            )
        )
    return ServerAddress(
        host=options.get("host") or url.host or "",
        port=url.port or 5432,
        user=url.username or "",
        password=url.password,
        database=url.database or "",
        ssl=_ssl(options.get("ssl") or options.get("sslmode") or "", options.get("sslrootcert", "")),
    )


def _ssl(mode: str, authority: str) -> tls.SSLContext | Literal["prefer", "require"] | bool:
    """As libpq's `sslmode`; but verified against the system's authorities where no file of them is named."""
    mode = mode or ("verify-full" if authority else "prefer")
    if mode not in _SSL_MODES:
        raise UnusableDatabase(_not_usable(f"ssl is one of {', '.join(_SSL_MODES)}"))
    if mode == "disable":
        return False
    if mode == "prefer" or mode == "require":
        return mode
    try:
        context = tls.create_default_context(cafile=authority or None)
    except (OSError, tls.SSLError) as error:
        raise UnusableDatabase(
            _not_usable(f"sslrootcert is no file of certificates that this user can read ({error.strerror or error})")
        ) from error
    context.check_hostname = mode == "verify-full"
    return context


def _not_usable(why: str) -> str:
    return (
        f"LIVEMON_DATABASE_URL cannot be used: {why}. livemon does not start. Leave it out to have SQLite in the data "
        "folder, or name a file of your own, sqlite+aiosqlite:////var/lib/livemon/livemon.db, or a PostgreSQL database, "
        "postgresql://USER:PASSWORD@HOST/DATABASE"
    )
