"""Supervisors' microphones: each browser's connection, and its voice on the way to the runtime (docs/ux.md, «Take Over»).

Nothing here decides who has a call: until `publish_to` is called not one packet leaves this process, and after `hush` none
does. Whoever opened a link closes it.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from livemon.calls.feed import AWAY, CallFeed
from livemon.calls.registry import LiveCall
from livemon_runtime.codecs import Codec
from livemon_runtime.errors import RtpError
from livemon_runtime.keys import Keys, Voice
from livemon_runtime.opus import duration
from livemon_runtime.protocol import Call
from livemon_runtime.rtp import RtpPacket

from .errors import CallNotFound, CallOver, NotAudible, PeerFailed, RedisAway, TooMany
from .fan_out import Outlet
from .jitter_buffer import CLOCK, JitterBuffer
from .listening import Listening, same_codecs
from .metrics import MICROPHONE_BAD, MICROPHONE_HELD_BACK, TALKERS
from .offer import codec_name, read_talk_offer
from .packet_rate import PacketRate
from .supervisor_publisher import SupervisorPublisher
from .supervisor_voice import SupervisorVoice
from .talk_peer import TalkPeer
from .voices import CallVoices

MOST_TALKERS = 200
CONNECT_TIMEOUT_S = 15.0
CHECK_EVERY_S = 0.25
GONE_AFTER_S = 10.0
"""A connected browser from which no packet of its microphone has come for so long has none any more."""
SPEAKS_WITHIN_S = 1.0
SOUND_A_SECOND, SOUND_BURST_S = 1.2, 2.0
"""Seconds of sound that a microphone may bring a second: more is none, and would cost others the time of its decoding."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TalkAnswer:
    """What the browser needs."""

    sdp: str
    voices: tuple[Voice, ...] = ("caller",)


class MicrophoneLink:
    """One browser that speaks, and hears the caller. `heard`: the microphone's first packet is here."""

    def __init__(self, live: LiveCall, codec: Codec, voices: CallVoices, keys: Keys, out: SupervisorPublisher) -> None:
        self.live, self.call_id = live, live.call.call_id
        """The call as it was when the browser asked."""
        self.heard, self.gone, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._codec, self._voices, self._keys, self._out = codec, voices, keys, out
        self.peer = TalkPeer(voices.codecs["caller"], self._on_connected, self._take)
        self._outlet: Outlet | None = None
        self._buffer = JitterBuffer()
        self._ssrc: int | None = None
        self._rate = PacketRate()
        self._sound = PacketRate(SOUND_A_SECOND * CLOCK, SOUND_BURST_S * CLOCK)
        self._voice: SupervisorVoice | None = None
        self._channel = ""
        self._wake = asyncio.Event()
        self._opened_at = time.monotonic()
        self.last_packet_at = self._opened_at

    def speaks(self, now: float) -> bool:
        """Whether packets of the microphone are arriving at this moment; silence is packets, too."""
        return self.heard.is_set() and not self.gone.is_set() and now - self.last_packet_at < SPEAKS_WITHIN_S

    def publish_to(self, claim_id: str) -> None:
        """The claim has the call: from now on the voice goes to its channel, from the next word."""
        if not self.gone.is_set():
            self._buffer = JitterBuffer()
            self._voice = SupervisorVoice(self._codec)
            self._channel = self._keys.supervisor(self.call_id, claim_id)

    def hush(self) -> None:
        """Not one packet more, whatever waits; what is on its way to Redis at this moment goes where nobody listens."""
        if self._channel:
            self._out.forget(self._channel)
        self._channel, self._voice = "", None

    async def close(self) -> None:
        """Let go of the browser; harmless when that has happened."""
        self.hush()
        self.gone.set()
        self._wake.set()
        await self.closed.wait()

    # --- the way of a packet

    def _on_connected(self) -> None:
        self.last_packet_at = time.monotonic()
        self._outlet = self.peer.outlets()["caller"]
        self._voices.lines["caller"].fan_out.add(self._outlet)

    def _take(self, packet: RtpPacket) -> None:
        now = time.monotonic()
        if not self._allows(packet, now):
            MICROPHONE_BAD.inc()
            return
        self.last_packet_at = now
        self.heard.set()
        if self._voice is None:
            MICROPHONE_HELD_BACK.inc()
            return
        if packet.ssrc != self._ssrc:  # a source with numbers of its own
            self._ssrc, self._buffer = packet.ssrc, JitterBuffer()
        self._buffer.push(packet.sequence, packet.timestamp, packet.payload, now)
        self._wake.set()

    def _allows(self, packet: RtpPacket, now: float) -> bool:
        try:
            length = duration(packet.payload)
        except RtpError:
            return False
        return self._rate.allows(now) and self._sound.allows(now, length)

    def _send_due(self) -> None:
        for spoken in self._buffer.pop(time.monotonic()):
            if self._voice is None:
                return
            try:
                for packet in self._voice.packets(spoken):
                    self._out.say(self._channel, packet)
            except RtpError:
                MICROPHONE_BAD.inc()

    async def pace(self) -> None:
        """Send each packet when it is due, until the link is gone."""
        while not self.gone.is_set():
            self._wake.clear()
            self._send_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._buffer.due_in(time.monotonic())):
                    await self._wake.wait()

    def check(self, now: float, call: Call | None) -> None:
        """Notice a browser that never came, or is there no more; or a call that comes in other codecs now."""
        never = not self.peer.connected.is_set() and now - self._opened_at > CONNECT_TIMEOUT_S
        silent = self.peer.connected.is_set() and now - self.last_packet_at > GONE_AFTER_S
        other = call is not None and not same_codecs(self._voices, call)
        if never or silent or other or self.peer.over.is_set():
            self.hush()
            self.gone.set()
            self._wake.set()

    async def end(self) -> None:
        """Release everything; for the task that owns the link."""
        self.hush()
        self.gone.set()
        if self._outlet is not None:
            self._voices.lines["caller"].fan_out.remove(self._outlet)
        try:
            await self.peer.close()
        finally:
            self.closed.set()


class Talking:
    """The microphones of one workspace on this node. `run` owns every task of theirs."""

    def __init__(self, redis: Redis, keys: Keys, calls: CallFeed, listening: Listening) -> None:
        self._keys, self._calls, self._listening = keys, calls, listening
        self._out = SupervisorPublisher(redis)
        self._links: set[MicrophoneLink] = set()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Serve links until cancelled; then each is let go."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._out.run(), name="supervisors' voices")
                tasks.create_task(self._check(), name="microphones' check")
        finally:
            self._tasks = None

    async def open(self, call_id: str, user_id: str, sdp: str) -> tuple[MicrophoneLink, TalkAnswer]:
        """Answer a browser's offer to speak with a call's caller. Raises a `ListenError` whose text says why not."""
        live = await self._callable(call_id)
        call = live.call
        offer = read_talk_offer(sdp)
        assert call.audio is not None
        for codec in (Codec.OPUS, call.audio.caller):
            if not offer.can_play(0, codec_name(codec)):
                raise NotAudible(
                    f"this browser does not speak {codec_name(codec)}",
                    f"the connection offer does not have {codec_name(codec)}",
                )
        if self._tasks is None:
            raise PeerFailed("livemon is starting or stopping")
        if len(self._links) >= MOST_TALKERS:
            raise TooMany(MOST_TALKERS, "This server is")
        stack = contextlib.AsyncExitStack()
        try:
            voices = await stack.enter_async_context(self._listening.voices(call, user_id))
            link = MicrophoneLink(live, call.audio.supervisor or call.audio.caller, voices, self._keys, self._out)
            stack.push_async_callback(link.end)
            answer = TalkAnswer(await link.peer.answer(offer))
        except BaseException:
            await stack.aclose()
            raise
        self._links.add(link)
        self._tasks.create_task(self._attend(link, stack), name=f"microphone to {call_id}")
        return link, answer

    async def _callable(self, call_id: str) -> LiveCall:
        try:
            live = self._calls.get(call_id) or await self._calls.find(call_id)
        except AWAY as error:
            raise RedisAway from error
        if live is None:
            raise CallNotFound(call_id)
        if live.over:
            raise CallOver(call_id)
        if live.call.audio is None or "take_over" not in live.call.capabilities:
            raise NotAudible("its runtime does not hand calls over")
        return live

    async def _attend(self, link: MicrophoneLink, stack: contextlib.AsyncExitStack) -> None:
        """A link's whole life, and the one place where everything of it is let go."""
        async with stack:
            with TALKERS.track_inprogress():
                try:
                    await link.pace()
                except Exception:
                    # one microphone's failure must not end the others', which share the task group
                    _log.exception("a microphone failed", call_id=link.call_id)
                finally:
                    self._links.discard(link)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            for link in list(self._links):
                live = self._calls.get(link.call_id)
                link.check(now, live.call if live else None)
