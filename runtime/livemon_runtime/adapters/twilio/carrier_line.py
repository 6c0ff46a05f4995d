"""How a line of Twilio's that is gone without a word is noticed: by the kernel.

aiohttp's heartbeat would cost a turn of the event loop for each message, and Twilio sends fifty a second and call.
"""

import asyncio
import socket

_IDLE_S, _EVERY_S, _PROBES = 15, 10, 3
_GONE_MS = 45_000
"""So long may the other side leave unacknowledged what it is sent."""


def notice_when_gone(transport: asyncio.Transport | None) -> None:
    """Where the system can (Linux); else its own, longer times hold."""
    line = transport.get_extra_info("socket") if transport else None
    if line is None or not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _EVERY_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS)
