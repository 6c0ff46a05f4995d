"""Whether a request is Twilio's: `X-Twilio-Signature` over the address that Twilio used."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,  # pyright: ignore[reportUnknownVariableType]
)

_PORTS = {"wss": 443, "ws": 80, "https": 443, "http": 80}
Networks = Sequence[IPv4Network | IPv6Network]


class Signatures:
    """`public_url` (https://HOST[:PORT][/PATH]) is where Twilio reaches us; without it, a proxy's word is taken if its
    address is in `trusted`. Without `auth_token` everything counts as Twilio's."""

    def __init__(self, auth_token: str | None, public_url: str | None, trusted: Networks) -> None:
        self._validator = RequestValidator(auth_token) if auth_token else None
        self._public_url, self._trusted = public_url, trusted

    def address(self, path: str, headers: Mapping[str, str], peer: str | None, *, secure: bool) -> str:
        """The https address by which this request came. `path` with its query."""
        if self._public_url:
            return self._public_url + path
        host, scheme = headers.get("Host", ""), "https" if secure else "http"
        if self._trusts(peer):
            host = headers.get("X-Forwarded-Host", host).split(",")[0].strip()
            given = headers.get("X-Forwarded-Proto", scheme).split(",")[0].strip().lower()
            scheme = {"wss": "https", "ws": "http"}.get(given, given)
        return f"{scheme}://{host}{path}"

    def good(self, address: str, headers: Mapping[str, str], parameters: Mapping[str, str]) -> bool:
        """`address`: with wss where it is a stream's."""
        if self._validator is None:
            return True
        algorithm: str = get_signature_algorithm(headers.get(SIGNATURE_SETTINGS_HEADER, ""))
        signature = headers.get(SIGNATURE_HEADER, "")
        valid = self._validator.validate(_with_port(address), dict(parameters), signature, algorithm)  # pyright: ignore
        return valid is True

    def sign(self, address: str) -> dict[str, str]:
        """What a bot that looks for a signature gets, over its own address."""
        return {SIGNATURE_HEADER: self._validator.compute_signature(address, {})} if self._validator else {}

    def _trusts(self, peer: str | None) -> bool:
        try:
            return peer is not None and any(ip_address(peer) in network for network in self._trusted)
        except ValueError:
            return False


def _with_port(address: str) -> str:
    """The validator looks with and without a port, but knows only http's two."""
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        return address
    return address if port else parts._replace(netloc=f"{parts.netloc}:{_PORTS.get(parts.scheme, 443)}").geturl()
