"""`livemon doctor`: looks at a setup from outside and says what to do. It changes nothing, and starts nothing."""

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from redis.exceptions import RedisError
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Origin

from livemon.api.errors import CloseCode
from livemon.certificate import examine_certificate
from livemon.database_check import check_database
from livemon.finding import Finding, Grade
from livemon.media.ice import host_addresses
from livemon.redis_check import check_redis
from livemon.redis_client import connect
from livemon.settings import Settings

TIMEOUT_S = 5.0
LOW_DISK_BYTES = 1_000_000_000
_MARKS = {Grade.OK: "ok     ", Grade.WARNING: "warning", Grade.PROBLEM: "PROBLEM"}


async def examine(settings: Settings) -> list[Finding]:
    """Everything that was found, in the order in which it is to be mended."""
    running = await _running(settings)
    return [
        *_data(settings),
        await check_database(settings.database),
        *await _redis(settings),
        *_port(settings, running),
        *examine_certificate(settings),
        *await _way_in(settings, running),
        *await _providers(settings),
        *_udp(),
    ]


def report(findings: Sequence[Finding]) -> str:
    """The findings as lines of text, each with what to do below it."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.grade]}  {finding.what}.")
        if finding.advice:
            lines.append(f"{'':9}→ {finding.advice}")
    problems = sum(finding.grade is Grade.PROBLEM for finding in findings)
    warnings = sum(finding.grade is Grade.WARNING for finding in findings)
    if problems or warnings:
        return "\n".join([*lines, "", f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}."])
    return "\n".join([*lines, "", "Nothing to do."])


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


async def _running(settings: Settings) -> bool:
    """Whether a livemon answers where these settings have it listen."""
    url = f"{settings.own_url}/healthz"
    try:
        # whether its certificate fits is looked at below; here it only matters that somebody is there
        async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=False, trust_env=False) as client:  # noqa: S501
            return "redis" in (await client.get(url)).json()
    except (httpx.HTTPError, ValueError):
        return False


# --- data ---------------------------------------------------------------------------------------------------------


def _data(settings: Settings) -> list[Finding]:
    if settings.redis_url and settings.database_url:
        return []
    folder = settings.data_dir.absolute()
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        return [
            Finding(
                Grade.PROBLEM,
                f"The data folder {folder} cannot be written by this user",
                "Give this user the folder (chown), or name another with LIVEMON_DATA_DIR.",
            )
        ]
    free = shutil.disk_usage(above).free
    found = Finding(Grade.OK, f"The data folder {folder} can be written, with {free / 1e9:.1f} GB free")
    if free < LOW_DISK_BYTES:
        found = Finding(
            Grade.WARNING,
            f"Only {free / 1e6:.0f} MB are free for the data folder {folder}",
            "Make room: without it neither calls nor sign-ins can be kept over a restart.",
        )
    return [found]


# --- Redis --------------------------------------------------------------------------------------------------------


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.redis_url or _own_valkey(settings)
    if url is None:
        return [Finding(Grade.OK, "livemon will start its own Valkey (LIVEMON_REDIS_URL is not set)")]
    redis = connect(url)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check_redis(redis)
    except (RedisError, OSError, ValueError, TimeoutError) as error:
        if not settings.redis_url:
            return [Finding(Grade.OK, "livemon will start its own Valkey (LIVEMON_REDIS_URL is not set)")]
        where = urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path
        return [
            Finding(
                Grade.PROBLEM,
                f"Redis at {where} does not answer ({str(error) or type(error).__name__})",
                "Start it, see that this machine may reach it, and that LIVEMON_REDIS_URL has the right password.",
            )
        ]
    finally:
        await redis.aclose()


def _own_valkey(settings: Settings) -> str | None:
    try:
        port = int((settings.data_dir / "valkey" / "valkey.port").read_text())
    except (OSError, ValueError):
        return None
    return f"redis://127.0.0.1:{port}/0"


# --- the browser's way in -----------------------------------------------------------------------------------------


def _port(settings: Settings, running: bool) -> list[Finding]:
    where = f"{settings.host}:{settings.port}"
    if running:
        return [Finding(Grade.OK, f"livemon answers on {where}")]
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        return [
            Finding(
                Grade.PROBLEM,
                f"livemon does not answer on {where}, and could not listen there ({error.strerror or error})",
                "Stop what is there, or choose another port with LIVEMON_PORT (another address: LIVEMON_HOST).",
            )
        ]
    return [Finding(Grade.OK, f"livemon does not run, and {where} is free for it")]


async def _way_in(settings: Settings, running: bool) -> list[Finding]:
    return [*(await _through_the_front(settings) if running else []), _secure(settings)]


async def _through_the_front(settings: Settings) -> list[Finding]:
    """Ask for the page and for a socket as a browser would, by the address that people use."""
    url, trust = settings.url, ssl.create_default_context()
    if settings.public_url is None:  # nobody's certificate is for 127.0.0.1
        trust = _any_certificate()
    found: list[Finding] = []
    try:
        try:
            await _ask(url, trust)
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise
            found = [_untrusted(url, error)]
            trust = _any_certificate()
            await _ask(url, trust)
    except (httpx.HTTPError, ValueError) as error:
        return [
            *found,
            Finding(
                Grade.PROBLEM,
                f"{url}, where browsers should find livemon, does not lead here ({str(error) or type(error).__name__})",
                "Set LIVEMON_PUBLIC_URL to the address that people use, and see that the proxy there passes it on.",
            ),
        ]
    return [*found, Finding(Grade.OK, f"{url} leads to livemon"), await _socket(url, trust)]


async def _ask(url: str, trust: ssl.SSLContext) -> None:
    """Raises `httpx.HTTPError`, or `ValueError` if somebody else answers."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=trust, trust_env=False) as client:
        answer = await client.get(f"{url}/healthz")
        if "redis" not in answer.json():
            raise ValueError("something else answers there")


def _any_certificate() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    return trust


def _untrusted(url: str, error: httpx.ConnectError) -> Finding:
    why = str(error).partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or str(error)
    return Finding(
        Grade.WARNING,
        f"This machine does not trust the certificate at {url} ({why})",
        "Browsers that do not know who issued it refuse the page: get one from an authority that they know, or have"
        " yours installed on every device.",
    )


async def _socket(url: str, trust: ssl.SSLContext) -> Finding:
    refused = "the proxy answered something else"
    try:
        async with connect_websocket(
            f"{url.replace('http', 'ws', 1)}/feed/calls",
            origin=Origin(url),
            open_timeout=TIMEOUT_S,
            proxy=None,
            ssl=trust if url.startswith("https") else None,
        ) as websocket:
            async with asyncio.timeout(TIMEOUT_S):
                await websocket.wait_closed()
            if websocket.close_code == CloseCode.UNAUTHENTICATED:
                return Finding(Grade.OK, "WebSockets get through, with their Host and Origin")
            if websocket.close_code == CloseCode.FORBIDDEN:
                return Finding(
                    Grade.PROBLEM,
                    "WebSockets get through, but with another Host than the browser's, so livemon refuses them",
                    "Have the proxy pass the Host header on, or set LIVEMON_PUBLIC_URL to the address that people use.",
                )
            refused = f"closed with {websocket.close_code}"
    except (WebSocketException, InvalidHandshake, OSError, TimeoutError) as error:
        refused = str(error) or type(error).__name__
    return Finding(
        Grade.PROBLEM,
        f"No WebSocket gets through to livemon ({refused}): the list would stay empty",
        "Have the proxy pass WebSockets on (the headers Upgrade and Connection).",
    )


async def _providers(settings: Settings) -> list[Finding]:
    if not settings.oidc:
        return []
    from livemon.provider_check import check_providers

    return await check_providers(settings)


def _secure(settings: Settings) -> Finding:
    parts = urlsplit(settings.url)
    loopback = ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "https" or (parts.hostname in loopback and (settings.public_url or settings.host in loopback)):
        return Finding(Grade.OK, f"Browsers take {settings.url} for secure")
    where = "livemon's page on other machines" if parts.hostname in loopback else settings.url
    return Finding(
        Grade.WARNING,
        f"{where} is not secure: browsers give it no microphone, so nobody can take over a call there",
        "Set LIVEMON_TLS_CERT and LIVEMON_TLS_KEY, or put a proxy with https in front and set LIVEMON_PUBLIC_URL.",
    )


def _udp() -> list[Finding]:
    addresses = host_addresses(use_ipv4=True, use_ipv6=True)
    if all(address.startswith("127.") for address in addresses):
        return [
            Finding(
                Grade.WARNING,
                "This machine has no network address but its own loopback: only browsers on it can listen",
                "In a container use the host's network (--network host).",
            )
        ]
    return [Finding(Grade.OK, f"Listeners are sent audio by UDP from {', '.join(addresses)} (any port)")]
