"""How aioice behaves in livemon's process: the one place where its module settings are changed.

- Consent (RFC 7675): stock aioice notices a dead browser after 30 s, and livemon must stop listening for it sooner:
  a check every second, three misses.
- Host candidates: aioice never offers loopback. A machine that has nothing else (a laptop without a network, a
  container with `--network none`) offers 127.0.0.1, so that a browser on it can listen.
- A STUN server is never asked, here or in `peer`: livemon makes no connection that nobody configured.
"""

from aioice import ice

CONSENT_INTERVAL_S = 1
CONSENT_FAILURES = 3

_stock_host_addresses = ice.get_host_addresses


def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """The addresses that a peer binds and offers to the browser."""
    addresses = _stock_host_addresses(use_ipv4, use_ipv6)
    if addresses or not use_ipv4:
        return addresses
    return ["127.0.0.1"]


def configure() -> None:
    """Change aioice's settings; harmless when repeated."""
    ice.CONSENT_INTERVAL = CONSENT_INTERVAL_S
    ice.CONSENT_FAILURES = CONSENT_FAILURES
    ice.get_host_addresses = host_addresses
