"""Requests to a provider: answered in time, of a bounded size, never led elsewhere, and never in the log."""

import asyncio
import json
import ssl
from collections.abc import Mapping

import httpx

from .errors import ProviderAway

TIMEOUT_S = 8.0
"""For a whole request, its answer included."""
CONNECT_TIMEOUT_S = 4.0
MAX_BYTES = 1_000_000


class ProviderHttp:
    """One provider's; the certificates that the machine trusts are read once, by a thread."""

    def __init__(self) -> None:
        self._trust: ssl.SSLContext | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> object:
        """The JSON of a 200. Raises `ProviderAway`."""
        status, answer = await self._send("GET", url, headers or {}, None)
        if status != 200:
            raise ProviderAway(f"{_place(url)} answers {status}")
        return answer

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> tuple[int, object]:
        """Status, and the JSON of the answer. Raises `ProviderAway`."""
        form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return await self._send("POST", url, form, body.encode())

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[int, object]:
        if self._trust is None:
            self._trust = await asyncio.to_thread(httpx.create_ssl_context)
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        accepting = {"Accept": "application/json", **headers}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                httpx.AsyncClient(verify=self._trust, timeout=timeout) as client,
                client.stream(method, url, headers=accepting, content=content) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise ProviderAway(f"{_place(url)} answers more than {MAX_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            why = str(error) or f"no answer within {TIMEOUT_S:g} s"
            raise ProviderAway(f"{_place(url)} does not answer ({why})") from error
        try:
            return response.status_code, json.loads(body)
        except (ValueError, RecursionError) as error:
            if response.status_code == 200:
                raise ProviderAway(f"{_place(url)} answers what is no JSON") from error
            return response.status_code, None


def _place(url: str) -> str:
    """The address without what may be secret."""
    return url.partition("?")[0]
