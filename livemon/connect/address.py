"""The address of Redis as agents need it, and as people may see it: without its password, unless they may have that. Pure."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

PLACEHOLDER = "PASSWORD"
"""Stands in the place of a password that is not shown."""
_SECRET_OPTIONS = frozenset({"ssl_password"})


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`url`: `redis://`, `rediss://` or `unix://`, as livemon itself uses it."""

    url: str

    @property
    def masked(self) -> str:
        """The address with `PLACEHOLDER` for each password in it."""
        parts = urlsplit(self.url)
        userinfo, at, host = parts.netloc.rpartition("@")
        user, colon, password = userinfo.partition(":")
        if colon and password:
            userinfo = f"{user}:{PLACEHOLDER}"
        query = parts.query
        options = parse_qsl(query, keep_blank_values=True)
        if any(name in _SECRET_OPTIONS for name, _ in options):
            query = urlencode([(name, PLACEHOLDER if name in _SECRET_OPTIONS else value) for name, value in options])
        # What stands behind a # is no part of such an address: the rest of a password that was not encoded, maybe.
        return f"{parts.scheme}://{userinfo}{at}{host}{parts.path}{'?' if query else ''}{query}"

    @property
    def has_secret(self) -> bool:
        return self.masked != self.url

    @property
    def is_local(self) -> bool:
        """Whether only processes of livemon's own machine (or container) reach it."""
        parts = urlsplit(self.url)
        host = parts.hostname or "localhost"
        if parts.scheme == "unix" or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False
