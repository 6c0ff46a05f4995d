"""Ends a call at Twilio by its REST API, with the official library; each try and all of them within a time."""

import asyncio
import logging
from typing import Any

from aiohttp import ClientError
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

_LOG = logging.getLogger("livemon_runtime")
_REQUESTS = logging.getLogger("livemon_runtime.twilio_requests")
_REQUESTS.setLevel(logging.WARNING)  # Twilio's library writes fourteen lines a request at INFO
_TRIES, _TRY_S, _PAUSE_S = 3, 1.4, 0.1
_OVER_ALREADY = 21220
"""Twilio's code for a call that is not in progress."""


class NotEnded(Exception):
    """Twilio did not take it; the text says why, fit for a supervisor."""


class HangUp:
    """`user`: the account's sid or an API key's; `secret`: its token or secret. `api_url`: another API than Twilio's."""

    def __init__(self, account_sid: str, user: str, secret: str, api_url: str | None = None) -> None:
        self._http: Any = AsyncTwilioHttpClient(pool_connections=False, logger=_REQUESTS)
        self._client = Client(user, secret, account_sid, http_client=self._http)
        if api_url:
            self._client.api.base_url = api_url

    async def end(self, call_sid: str) -> None:
        """Raises `NotEnded` after three tries, or at once if Twilio says no."""
        why = ""
        for n in range(_TRIES):
            if n:
                await asyncio.sleep(_PAUSE_S)
            try:
                async with asyncio.timeout(_TRY_S):
                    await self._client.calls(call_sid).update_async(status="completed")
            except TwilioRestException as error:
                if error.code == _OVER_ALREADY:
                    return
                why = f"HTTP {error.status}, {error.msg}"[:200]
                if error.status < 500 and error.status != 429:
                    break
            except (TwilioException, ClientError, OSError, TimeoutError) as error:
                why = f"no answer ({type(error).__name__})"
            else:
                return
            _LOG.warning("call %s: Twilio did not end it: %s", call_sid, why)
        raise NotEnded(why)
