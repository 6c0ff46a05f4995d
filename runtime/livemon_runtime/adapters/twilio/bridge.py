"""One call: Twilio's stream on one side, the bot's on the other, and livemon in between.

What comes passes as the text that it is. livemon's part looks at it on its way, and changes it only while a supervisor has
the caller: then the bot hears silence and says nothing, and the supervisor's voice goes to Twilio.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from ...call import Call
from ...errors import Failure, ProtocolError, Unsupported
from ...runtime import Runtime
from ...supervisor import Supervisor
from . import wire
from .agent import Agent
from .bot_line import BotLine
from .ears import Ears
from .fates import Fate, Fates
from .hang_up import HangUp, NotEnded
from .supervisor_pace import SupervisorPace
from .wire import Message, Start

_LOG = logging.getLogger("livemon_runtime")
_GOODBYE_S = 4.0
ENDED_BY_CLOSING = (
    "Ended by closing Twilio's stream: the gateway has no credentials for Twilio's REST API. Twilio goes on with what follows "
    "<Connect> in the call's TwiML, and hangs up if nothing does (nothing does in the gateway's own TwiML)."
)
CLOSED_INSTEAD = "Its stream was closed instead: it goes on with the call's next TwiML, and hangs up if there is none."
NO_HINTS = "A bot behind the Twilio gateway takes no hints: Media Streams have no message for them."
BOT_LEFT = "The bot has closed its side. The supervisor has the caller, and the call goes on."


@dataclass(frozen=True, slots=True)
class Parts:
    """What all calls share."""

    runtime: Runtime
    fates: Fates
    hang_up: HangUp | None


class Bridge:
    def __init__(self, parts: Parts, start: Start, call: Call, carrier: web.WebSocketResponse, ears: Ears) -> None:
        self._parts, self.start, self.call, self._carrier, self._ears = parts, start, call, carrier, ears
        self._drops, self._clock = parts.runtime.drops, parts.runtime.clock
        self._agent = Agent(start.stream_sid)
        self._pace = SupervisorPace()
        self._bot: BotLine | None = None
        self._done = asyncio.Event()
        self._reason, self._fate = "", Fate.OVER
        self._sequence: int | None = None
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []
        self._was_heard = False
        self._own = f"livemon-s{secrets.token_hex(4)}-"
        self._marks = 0
        call.on_end(self._hang_up)
        call.on_inject(_no_hints)
        call.on_take_over(self._introduce)
        call.on_agent_silenced(self._silenced)

    # --- life

    @property
    def silent(self) -> bool:
        """Nothing of the bot's may reach the caller."""
        return self.call.agent_silent or self.call.controller is not None

    def finish(self, reason: str, fate: Fate) -> None:
        """The call is over here; the first word counts. Who was a supervisor's is never given back to the bot."""
        if not self._done.is_set():
            self._reason = self.call.ending or reason  # what livemon has asked for is why, whoever says it first
            self._fate = Fate.OVER if self.silent else fate
            self._parts.fates.become(self.start.call_sid, self._fate)
            self._done.set()

    async def run(self, bot: BotLine, first: list[str]) -> None:
        """Until the call is over. `first`: what Twilio has sent already."""
        self._bot = bot
        for text in first:
            bot.send(text)
        pumps = (self._from_carrier(), self._from_bot(bot), bot.run())
        self._tasks = tasks = [asyncio.create_task(self._guarded(pump)) for pump in pumps]
        try:
            await self._done.wait()
        finally:
            self.call.end(self._reason or "error_gateway_stopped")
            await self._close(bot)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_GOODBYE_S)

    async def _close(self, bot: BotLine) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                closing: list[Awaitable[object]] = [self._carrier.close(), bot.close(), self._ears.close()]
                await asyncio.gather(*closing, return_exceptions=True)

    async def _guarded(self, pump: Awaitable[None]) -> None:
        try:
            await pump
        except (ConnectionError, RuntimeError):
            return  # the other side has gone: whoever reads from it says so
        except Exception:
            _LOG.exception("call %s: the gateway failed", self.call.call_id)
            self._drops.drop("twilio_call_failed", self.call.call_id)
            self.finish("error_gateway", Fate.LOST)

    # --- from Twilio

    async def _from_carrier(self) -> None:
        monotonic = self._clock.monotonic
        async for message in self._carrier:
            passes: str | bytes | None = None
            if message.type is WSMsgType.TEXT:
                passes = self._hear(message.data)
            elif message.type is WSMsgType.BINARY and not self.silent:
                passes = message.data
            if passes is not None and self._bot is not None:
                try:  # noqa: SIM105 - this costs nothing, and is done fifty times a second
                    await self._bot.take(passes, monotonic())
                except ConnectionError:
                    pass  # it has just gone: the caller's line is read on
            if self._stopped:
                self.finish("user_hangup", Fate.BOT_DONE)
        self.finish("error_carrier_lost", Fate.LOST)

    def look(self, now: float) -> None:
        """Now and then: a bot that hangs must not keep Twilio's messages from being read."""
        if self._bot is not None and self._bot.hangs(now) and self._tasks:
            self._tasks[0].cancel()
            self._tasks.append(asyncio.create_task(self._guarded(self._from_carrier())))

    def _hear(self, text: str) -> str | None:
        """One message of Twilio's, as the bot is to have it. What cannot be read is the bot's to judge."""
        silent = self.silent
        try:
            message = wire.read(text)
            self._count(message)
            if not self._from_caller(message, silent):
                return None
            return wire.silenced(message) if silent and message["event"] == "media" else text
        except ProtocolError as error:
            self._drops.drop(f"twilio_carrier_{error.reason}", f"{self.call.call_id}: {error.detail}")
        except Exception as error:
            self._drops.drop("twilio_carrier_failed", f"{self.call.call_id}: {error!r}")
        return None if silent else text

    def _from_caller(self, message: Message, silent: bool) -> bool:
        """Whether it is the bot's business too."""
        event = message["event"]
        if event == "media":
            self._caller_speaks(message)
        elif event == "mark":
            return self._echoed(wire.mark_name(message))
        elif event == "dtmf":
            self.call.dtmf(wire.digit(message))
            return not silent
        elif event == "stop":
            self._stopped = True
        return True

    def _caller_speaks(self, message: Message) -> None:
        sound = wire.payload(message)
        if not (self.call.voices.caller_on or self._ears.open) or not wire.is_callers(message):
            return
        mu_law = wire.sound(sound)
        if mu_law:
            self.call.caller_audio(mu_law)
            self._ears.caller(mu_law)

    def _echoed(self, name: str) -> bool:
        now = self._clock.monotonic()
        if name.startswith(self._own):
            self._pace.echoed(name, now)
            return False
        return self._agent.echoed(name, now) and not self.silent

    def _count(self, message: Message) -> None:
        given = wire.sequence(message)
        if given is None:
            return
        if self._sequence is not None and given > self._sequence + 1:
            self._drops.drop("twilio_sequence_gap", self.call.call_id, given - self._sequence - 1)
        self._sequence = given

    # --- from the bot

    async def _from_bot(self, bot: BotLine) -> None:
        async for message in bot.socket:
            if message.type is WSMsgType.TEXT:
                await self._say(message.data)
            elif message.type is WSMsgType.BINARY and not self.silent:
                await self._carrier.send_bytes(message.data)
        self._bot = None
        if self._stopped or self._done.is_set():
            return  # it leaves because the call is over
        if self.silent:
            _LOG.warning("call %s: %s", self.call.call_id, BOT_LEFT)
            self._note(BOT_LEFT)
        else:
            self._bot_left(bot)

    def _bot_left(self, bot: BotLine) -> None:
        clean = bot.socket.close_code in (1000, 1001, 1005)
        self.finish("agent_hangup" if clean else "error_bot_lost", Fate.BOT_DONE)

    async def _say(self, text: str) -> None:
        """One message of the bot's. What it is made of is looked at before the gate is asked, and nothing is awaited
        between the gate and the wire."""
        more: list[str] = []
        silent = self.silent
        passes = not silent
        try:
            message = wire.read(text)
            if silent:
                self._shut()
            passes, more, back = self._agent.says(message, self._clock.monotonic(), heard=self._heard)
            self._give_back(back)
        except ProtocolError as error:
            self._drops.drop(f"twilio_bot_{error.reason}", f"{self.call.call_id}: {error.detail}")
        except Exception as error:
            self._drops.drop("twilio_bot_failed", f"{self.call.call_id}: {error!r}")
        if not passes:
            return
        await self._carrier.send_str(text)
        for own in more:
            await self._carrier.send_str(own)

    def _send_bot(self, text: str | bytes) -> None:
        if self._bot is not None:
            self._bot.send(text)

    def _give_back(self, names: list[str]) -> None:
        for name in names:
            self._send_bot(
                wire.write("mark", self.start.stream_sid, sequenceNumber=str(self._sequence or 0), mark={"name": name})
            )

    # --- what livemon hears

    @property
    def _heard(self) -> bool:
        """Whether anybody wants the agent's voice."""
        return self.call.voices.agent_on or self._ears.open

    @property
    def wanted(self) -> bool:
        """Whether `pump` has something to do every 20 ms."""
        return self._heard or self.silent

    def pump(self, now: float) -> None:
        """What the caller has heard of the agent goes to livemon; a silenced bot has its marks."""
        if not self._was_heard or self.silent:
            self._agent.skip(now)
        else:
            for frame in self._agent.heard(now):
                self.call.agent_audio(frame)
                self._ears.agent(frame)
        self._was_heard = self._heard
        self._give_back(self._agent.due(now))

    # --- what livemon asks

    async def _hang_up(self) -> None:
        """End, or the last of a supervisor whom nobody heard: by REST, or by closing the stream, and which of them is said."""
        self._parts.fates.become(self.start.call_sid, Fate.OVER)
        try:
            if self._parts.hang_up is None:
                self._note(ENDED_BY_CLOSING)
            else:
                await self._parts.hang_up.end(self.start.call_sid)
        except NotEnded as error:
            words = f"Twilio did not take the hang-up: {error}. {CLOSED_INSTEAD}"
            self._note(words)
            raise Failure(words) from error
        finally:
            self.finish("manual_stopped", Fate.OVER)

    def _introduce(self, supervisor: Supervisor) -> None:
        supervisor.hold_tone = True
        supervisor.on_audio(self._supervise)

    def _shut(self) -> None:
        now = self._clock.monotonic()
        if not self._agent.silenced:
            self._give_back(self._agent.silence(now))
            self._pace.begin_anew(now)

    async def _silenced(self, silent: bool) -> None:
        if silent:
            self._shut()
            await self._clear()
        elif not self.silent:
            self._give_back(self._agent.speak(self._clock.monotonic()))
            if self._bot is None:
                self.finish("agent_hangup", Fate.BOT_DONE)

    async def _clear(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._carrier.send_str(wire.write("clear", self.start.stream_sid))

    async def _supervise(self, frame: bytes) -> None:
        """20 ms of the supervisor's voice, or of the hold tone."""
        now = self._clock.monotonic()
        if self._done.is_set() or not self._agent.silenced:
            return
        if self._pace.stalled(now):
            self._drops.drop("twilio_carrier_stalled", f"{self.call.call_id}: it answers no marks")
            self._pace.begin_anew(now)
            await self._clear()
        if not self._pace.may_send(len(frame), now):
            self._drops.drop("twilio_supervisor_late", f"{self.call.call_id}: more than the carrier may have in hand")
            return
        with contextlib.suppress(ConnectionError):
            await self._carrier.send_str(wire.media(self.start.stream_sid, frame))
            if self._pace.sent(len(frame), now):
                self._marks += 1
                name = f"{self._own}{self._marks}"
                self._pace.mark(name, now)
                await self._carrier.send_str(wire.write("mark", self.start.stream_sid, mark={"name": name}))

    def _note(self, words: str) -> None:
        call = self.call
        call.say_entry(
            {"id": f"note-{secrets.token_hex(4)}", "role": "note", "time_ms": call.elapsed_ms, "content": words}
        )


def _no_hints() -> None:
    raise Unsupported(NO_HINTS)
