"""The gateway: a server that Twilio opens a stream to for each call, and that opens one to the bot.

Nothing is announced, and no bot is called, before Twilio's signature is known to be good. It holds no call up: Redis may be
away, and livemon dead.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Self
from urllib.parse import parse_qsl

from aiohttp import ClientError, ClientSession, WSMsgType, WSServerHandshakeError, web

from ...call import Call
from ...errors import ProtocolError
from ...protocol import Audio
from ...runtime import Runtime
from ..hearing.engine import Engine
from . import twiml, wire
from .after import After, Step
from .bot_line import BotLine, session
from .bridge import Bridge, Parts
from .carrier_line import notice_when_gone
from .ears import Ears
from .fates import Fate, Fates
from .hang_up import HangUp
from .options import Options
from .signature import Signatures
from .wire import Start

_LOG = logging.getLogger("livemon_runtime")
_TICK_S, _LOOK_S = 0.02, 0.25
_MOST_BEFORE_START = 5
_MOST_FORM = 64_000
_DIGITS = 6
_CLOSE_S = 2.0
_ASKED_S = 3.0
"""Twilio asks at once; who has TwiML of their own asks somebody else, or nobody."""


class Gateway:
    """`async with Gateway(options, runtime, engine) as gateway:` serves; `gateway.drain(seconds)` before leaving it lets calls
    end. `redis_url`: where `/twiml/after` looks up a call that this process does not know."""

    def __init__(self, options: Options, runtime: Runtime, redis_url: str, engine: Engine | None = None) -> None:
        self._options, self._runtime, self._engine = options.check(), runtime, engine
        self._signatures = Signatures(
            None if options.insecure and not options.auth_token else options.auth_token,
            options.public_url.rstrip("/") if options.public_url else None,
            options.trusted,
        )
        hang_up = HangUp(*options.credentials, api_url=options.api_url) if options.credentials else None
        self._fates = Fates()
        self._parts = Parts(runtime, self._fates, hang_up)
        self._after = After(self._fates, runtime.keys, redis_url)
        self._bridges: set[Bridge] = set()
        self._opening = 0
        self._none_left = asyncio.Event()
        self._unasked: set[str] = set()
        """Calls whose streams were closed at the end of the gateway, and of which Twilio has not asked yet how they go on."""
        self._asked = asyncio.Event()
        self.draining = False
        self._session: ClientSession | None = None
        self._ticking: asyncio.Task[None] | None = None
        app = web.Application(client_max_size=_MOST_FORM)
        app.router.add_get(twiml.STREAM, self._stream)
        app.router.add_get("/health", self._health)
        for method in ("GET", "POST"):
            app.router.add_route(method, twiml.BEGIN, self._begin)
            app.router.add_route(method, twiml.AFTER, self._go_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
        self.port = options.port

    # --- life

    @property
    def calls(self) -> int:
        return len(self._bridges) + self._opening

    async def __aenter__(self) -> Self:
        """Raises `OSError` if it cannot listen there."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        self._session = session()
        self._ticking = asyncio.create_task(self._tick(), name="livemon twilio gateway")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Calls that are left: their streams are closed in order, and Twilio goes on with their next TwiML."""
        self.draining = True
        self._unasked = {bridge.start.call_sid for bridge in self._bridges}
        for bridge in list(self._bridges):
            bridge.finish("error_gateway_stopped", Fate.LOST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * _CLOSE_S + 1):
                await self._empty()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ASKED_S):
                await self._tell_how_they_go_on()
        if self._ticking:
            self._ticking.cancel()
        await self._runner.cleanup()
        await self._after.close()
        if self._session:
            await self._session.close()

    async def drain(self, seconds: float, say: Callable[[str], None]) -> None:
        """Take no new calls, and wait for those that are here, at most so long."""
        self.draining = True
        if self.calls:
            say(f"{self.calls} calls are left; new ones are refused. They have {seconds:g} s to end.")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty()
        if self.calls:
            say(
                f"{self.calls} calls are left after {seconds:g} s: their streams are closed, and Twilio goes on with them."
            )

    async def _empty(self) -> None:
        while self.calls:
            self._none_left.clear()
            await self._none_left.wait()

    async def _tell_how_they_go_on(self) -> None:
        """Twilio asks for the TwiML after each stream that was closed: without an answer it hangs up on the caller."""
        while self._unasked:
            self._asked.clear()
            await self._asked.wait()

    async def _tick(self) -> None:
        """One clock for all calls: what callers hear of their agents, while somebody wants it."""
        clock = self._runtime.clock
        while True:
            now = clock.monotonic()
            wanted: list[Bridge] = []
            for bridge in self._bridges:
                bridge.look(now)
                if bridge.wanted:
                    wanted.append(bridge)
            for bridge in wanted:
                try:
                    bridge.pump(now)
                except Exception as error:
                    self._runtime.drops.drop("twilio_pump_failed", f"{bridge.call.call_id}: {error!r}")
            await asyncio.sleep(_TICK_S if wanted else _LOOK_S)

    # --- requests

    async def _allowed(self, request: web.Request, *, stream: bool = False) -> tuple[bool, str, dict[str, str]]:
        """Whether Twilio has signed it, by which https address we are reached, and what it says."""
        headers, peer = request.headers, request.remote
        parameters: dict[str, str] = {}
        if request.method == "POST":
            body = (await request.read()).decode(errors="replace")  # not `post`: it fails at what strangers may send
            parameters = dict(parse_qsl(body, keep_blank_values=True))
        address = self._signatures.address(request.path_qs, headers, peer, secure=request.secure)
        signed = address.replace("http", "ws", 1) if stream else address
        good = self._signatures.good(signed, headers, parameters)
        if not good:
            self._runtime.drops.drop(
                "twilio_signature",
                f"a request to {signed} from {peer} is not signed with LIVEMON_TWILIO_AUTH_TOKEN over that address. If it was "
                "Twilio's, say --public-url as it stands in the TwiML",
            )
        return good, address.removesuffix(request.path_qs), {**request.query, **parameters}

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"calls": self.calls, "draining": self.draining}, status=503 if self.draining else 200)

    async def _begin(self, request: web.Request) -> web.Response:
        """A call comes in: the TwiML that sends it through the gateway."""
        good, address, told = await self._allowed(request)
        if not good:
            return web.Response(status=403, text="The signature is not Twilio's.\n")
        wanted = dict(request.query)
        if self._full:
            return _xml(twiml.straight_to_bot(self._options.bot, wanted, told))
        return _xml(twiml.through_gateway(address, 1, wanted, told))

    async def _go_on(self, request: web.Request) -> web.Response:
        """Its stream is over."""
        good, address, told = await self._allowed(request)
        if not good:
            return web.Response(status=403, text="The signature is not Twilio's.\n")
        call_sid = told.get("CallSid", "")
        self._let_go(call_sid)
        given = told.get("attempt", "")
        attempt = int(given) if given.isdecimal() and len(given) < _DIGITS else 1
        wanted = {name: value for name, value in request.query.items() if name not in ("attempt", twiml.CALL_ID)}
        step = await self._after.step(call_sid, attempt, straight=self._full)
        self._unasked.discard(call_sid)
        self._asked.set()
        if step is Step.ANEW:
            wanted[twiml.CALL_ID] = f"{call_sid}-{attempt + 1}"
        if step in (Step.AGAIN, Step.ANEW):
            return _xml(twiml.through_gateway(address, attempt + 1, wanted, told))
        if step is Step.STRAIGHT:
            return _xml(twiml.straight_to_bot(self._options.bot, wanted, told))
        return _xml(twiml.go_on(self._options.after) if step is Step.NEXT else twiml.hang_up())

    def _let_go(self, call_sid: str) -> None:
        """Twilio has given up this call's stream, whether or not it was heard to close."""
        for bridge in list(self._bridges):
            if bridge.start.call_sid == call_sid:
                bridge.finish("error_carrier_lost", Fate.LOST)

    @property
    def _full(self) -> bool:
        return self.draining or self.calls >= self._options.max_calls

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        good, _, _ = await self._allowed(request, stream=True)
        if not good:
            return web.Response(status=403, text="The signature is not Twilio's.\n")
        if self._full:
            self._runtime.drops.drop("twilio_refused", "draining" if self.draining else "too many calls")
            return web.Response(status=503, text="No more calls here.\n")
        carrier = web.WebSocketResponse(timeout=_CLOSE_S, max_msg_size=wire.MOST_FROM_CARRIER, compress=False)
        self._opening += 1
        try:
            await carrier.prepare(request)
            notice_when_gone(request.transport)
            begun = await self._await_start(carrier)
            if begun is not None:
                await self._answer(carrier, *begun)
        finally:
            self._opening -= 1
            await carrier.close()
            self._none_left.set()
        return carrier

    # --- a call

    async def _await_start(self, carrier: web.WebSocketResponse) -> tuple[Start, list[str]] | None:
        """What a stream says first; None if it is no call, and then nobody hears of it."""
        texts: list[str] = []
        try:
            async with asyncio.timeout(self._options.start_timeout):
                async for message in carrier:
                    if message.type is not WSMsgType.TEXT or len(texts) >= _MOST_BEFORE_START:
                        break
                    texts.append(message.data)
                    read = wire.read(message.data)
                    if read["event"] == "start":
                        return wire.start(read), texts
            self._runtime.drops.drop("twilio_no_start", "a stream said something else than connected and start")
        except TimeoutError:
            self._runtime.drops.drop("twilio_no_start", f"a stream did not start in {self._options.start_timeout:g} s")
        except ProtocolError as error:
            self._runtime.drops.drop(f"twilio_carrier_{error.reason}", error.detail)
        return None

    async def _answer(self, carrier: web.WebSocketResponse, start: Start, first: list[str]) -> None:
        self._let_go(start.call_sid)
        if not self._fates.become(start.call_sid, Fate.LIVE):
            self._runtime.drops.drop("twilio_over", f"{start.call_sid}: it was ended, and is not given back to the bot")
            return
        call = self._announce(start)
        bridge = Bridge(self._parts, start, call, carrier, Ears(call, self._engine))
        self._bridges.add(bridge)
        self._opening -= 1
        try:
            await self._connect(bridge, first)
        finally:
            self._bridges.discard(bridge)
            self._opening += 1

    async def _connect(self, bridge: Bridge, first: list[str]) -> None:
        options, drops = self._options, self._runtime.drops
        if self._session is None:
            return
        try:
            signed = self._signatures.sign(options.bot)
            bot = await BotLine.open(self._session, options.bot, signed, options.bot_timeout, drops)
        except (ClientError, OSError, TimeoutError) as error:
            words = f"{bridge.call.call_id}: {options.bot_shown}: {_why(error)}"
            drops.drop("twilio_bot_unreachable", words)
            bridge.finish("error_bot_unreachable", Fate.BOT_DONE)
            bridge.call.end("error_bot_unreachable")
            return
        await bridge.run(bot, first)

    def _announce(self, start: Start) -> Call:
        said, options = start.parameter, self._options
        call_id, n = said(twiml.CALL_ID) or start.call_sid, 1
        while self._runtime.had(call_id):
            n += 1
            call_id = f"{start.call_sid}-{n}"
        direction = options.direction or (said("direction") or "").lower()
        return self._runtime.call(
            call_id=call_id,
            call_type="phone_call",
            direction=direction if direction in ("inbound", "outbound") else None,
            from_number=said("from", "From", "from_number"),
            to_number=said("to", "To", "to_number"),
            agent_id=said("agent_id"),
            agent_name=said("agent", "agent_name") or options.agent_name,
            audio=Audio(caller="pcmu", agent="pcmu", supervisor="pcmu"),
            capabilities=("listen", "take_over", "end"),
            metadata={"carrier": "Twilio", "account_sid": start.account_sid, "stream_sid": start.stream_sid},
        )


def _why(error: Exception) -> str:
    """aiohttp's words for an answer that was no handshake have the whole address in them."""
    return f"HTTP {error.status}" if isinstance(error, WSServerHandshakeError) else str(error) or type(error).__name__


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/xml")
