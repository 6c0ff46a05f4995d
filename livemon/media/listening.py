"""Live Listen: browsers that hear a call, and of whom the call never knows (docs/ux.md, «Live Listen»).

Nothing here publishes audio or writes anything of a call but its tap. A listener ends when asked to, and by itself:
with the call, with the person's session or role, and when the browser is gone. Audit and the right to listen are the
caller's business.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon.calls.feed import CallFeed
from livemon.calls.presence import Presence
from livemon.calls.registry import Change
from livemon_runtime.errors import RtpError
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import Call

from .audio_reader import AudioReader
from .channels import CallChannels
from .errors import CallNotFound, CallOver, NotAudible, PeerFailed, RedisAway, TooMany
from .listener import Hold, Listener
from .metrics import LISTENERS, LISTENERS_STOPPED, SUPERVISOR_REFUSED
from .offer import Offer, codec_name, read_offer
from .taps import Taps
from .voices import HEARD_VOICES, RUNTIME_VOICES, CallVoices, HeardVoice, codecs_of

MOST_LISTENERS = 1_000
MOST_OF_ONE_PERSON = 16
CHECK_EVERY_S = 0.25
CONNECT_TIMEOUT_S = 15.0
SILENCE_S = 20.0
SILENCE_PACKETS = 1_000
CLOSE_TIMEOUT_S = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser needs: `voices` in the order of the answer's media sections."""

    listener_id: str
    sdp: str
    voices: tuple[HeardVoice, ...]


class Listening:
    """Opens and closes listeners of one workspace on this node. `run` owns every task of theirs."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        node_id: str,
        calls: CallFeed,
        presence: Presence,
        *,
        most_listeners: int = MOST_LISTENERS,
    ) -> None:
        self._keys, self._calls, self._presence = keys, calls, presence
        self._most_listeners = most_listeners
        self._reader = AudioReader(redis)
        self._taps = Taps(redis, keys, node_id, self._runtime_of)
        self._channels: dict[str, CallChannels] = {}
        self._listeners: dict[str, Listener] = {}
        self._opening = Counter[str]()  # call id -> offers being answered, for which the voices are kept
        self._opening_by = Counter[str]()  # user id -> the same offers
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Serve listeners until cancelled; then each of them is let go."""
        self._calls.changed.append(self._note_changes)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._reader.run(), name="audio reader")
                tasks.create_task(self._taps.run(), name="taps")
                tasks.create_task(self._check(), name="listeners' check")
        finally:
            self._tasks = None
            self._calls.changed.remove(self._note_changes)

    async def open(
        self,
        call_id: str,
        user_id: str,
        name: str,
        sdp: str,
        hold: Hold | None = None,
        stopped: Callable[[str], None] | None = None,
        listener_id: str | None = None,
    ) -> Answer:
        """Let a browser hear a call. `hold` ends the listening with the session that asked for it; `stopped` is told, once,
        why a listening that was opened is over. `listener_id`: where one was promised before, which nobody can guess.

        An offer of three sections gets the voice of a supervisor who has the call too; one of two does without it.
        Raises a `ListenError` whose text says why not.
        """
        call = await self.audible(call_id)
        self._check_limits(user_id)
        offer = read_offer(sdp, len(RUNTIME_VOICES), len(HEARD_VOICES))
        async with self._kept_open(call_id, user_id):
            voices = self._voices_of(call)
            return await self._admit(voices, (user_id, name, listener_id), offer, hold, stopped)

    async def close(self, listener_id: str, reason: str = "asked") -> None:
        """Stop a listener; harmless when it is gone already. Returns when nothing is sent any more.

        `reason` counts unless the server has another: a page that hears first that it may not go on asks for the end itself.
        """
        listener = self._listeners.get(listener_id)
        if listener is None:
            return
        listener.stop(self._decided(listener) or reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await listener.gone.wait()

    def owner(self, listener_id: str) -> str | None:
        """The user id whose listener it is; None when there is no such listener."""
        listener = self._listeners.get(listener_id)
        return listener.user_id if listener else None

    def count(self, call_id: str) -> int:
        """How many listen to the call on this node."""
        return sum(listener.voices.call_id == call_id for listener in self._listeners.values())

    @contextlib.asynccontextmanager
    async def voices(self, call: Call, user_id: str) -> AsyncGenerator[CallVoices]:
        """The call's voices for whoever is no listener, such as a supervisor who speaks; kept until the block ends."""
        async with self._kept_open(call.call_id, user_id):
            yield self._voices_of(call)

    # --- opening -------------------------------------------------------------------------------------------------

    async def audible(self, call_id: str) -> Call:
        """The call, if it can be listened to. Raises a `ListenError` whose text says why not."""
        try:
            live = self._calls.get(call_id) or await self._calls.find(call_id)
        except (RedisError, OSError) as error:
            raise RedisAway from error
        if live is None:
            raise CallNotFound(call_id)
        if live.over:
            raise CallOver(call_id)
        if live.call.audio is None or "listen" not in live.call.capabilities:
            raise NotAudible("its runtime does not share audio")
        return live.call

    def _check_limits(self, user_id: str) -> None:
        if len(self._listeners) + self._opening.total() >= self._most_listeners:
            raise TooMany(self._most_listeners, "This server is")
        own = sum(listener.user_id == user_id for listener in self._listeners.values())
        if own + self._opening_by[user_id] >= MOST_OF_ONE_PERSON:
            raise TooMany(MOST_OF_ONE_PERSON, "You are")

    @contextlib.asynccontextmanager
    async def _kept_open(self, call_id: str, user_id: str) -> AsyncGenerator[None]:
        """Count an offer while it is answered, and keep the call's voices for it."""
        self._opening[call_id] += 1
        self._opening_by[user_id] += 1
        try:
            yield
        finally:
            self._opening -= Counter([call_id])  # what comes to nothing is left out
            self._opening_by -= Counter([user_id])
            await self._release(call_id)

    def _voices_of(self, call: Call) -> CallVoices:
        """The call's voices, which are read from Redis from now on."""
        assert call.audio is not None
        channels = self._channels.get(call.call_id)
        if channels is not None and same_codecs(channels.voices, call):
            return channels.voices
        if channels is not None:
            channels.close()
        voices = CallVoices(call.call_id, call.audio, time.monotonic, self._refuse)
        channels = self._channels[call.call_id] = CallChannels(self._reader, self._keys, voices)
        live = self._calls.get(call.call_id)
        channels.follow(live.controller if live else None)
        return voices

    async def _admit(
        self,
        voices: CallVoices,
        who: tuple[str, str, str | None],
        offer: Offer,
        hold: Hold | None,
        stopped: Callable[[str], None] | None,
    ) -> Answer:
        user_id, name, listener_id = who
        listener_id = listener_id or secrets.token_urlsafe(16)
        heard = HEARD_VOICES[: len(offer.plays)]
        for section, voice in enumerate(heard):
            if not offer.can_play(section, codec_name(voices.codecs[voice])):
                raise NotAudible(
                    f"this browser does not play {codec_name(voices.codecs[voice])}",
                    f"the connection offer does not have {codec_name(voices.codecs[voice])}",
                )
        if self._tasks is None:
            raise PeerFailed("livemon is starting or stopping")
        listener = Listener(listener_id, user_id, name, voices, heard, time.monotonic(), stopped)
        try:
            sdp = await listener.peer.answer(offer)
            await self._ask_for_audio(voices.call_id, user_id, name)
        except BaseException:
            listener.stop("not_opened")
            await listener.peer.close()
            raise
        self._listeners[listener.listener_id] = listener
        LISTENERS.inc()
        self._tasks.create_task(self._attend(listener, hold), name=f"listener {listener.listener_id}")
        return Answer(listener.listener_id, sdp, heard)

    async def _ask_for_audio(self, call_id: str, user_id: str, name: str) -> None:
        try:
            await self._taps.want(call_id, user_id, name)
        except (RedisError, OSError) as error:
            raise RedisAway from error

    # --- while they listen ---------------------------------------------------------------------------------------

    async def _attend(self, listener: Listener, hold: Hold | None) -> None:
        """A listener's whole life, and the one place where everything of it is let go."""
        try:
            async with hold or contextlib.nullcontext() as listener.held:
                self._presence.join(listener.voices.call_id, listener.listener_id, listener.user_id, listener.name)
                await listener.stopped.wait()
        except Exception:
            # one listener's failure must not end the others', which share the task group
            _log.exception("a listener failed", call_id=listener.voices.call_id)
            listener.stop("failed")
        finally:
            listener.stop("shutdown")
            await self._take_leave(listener)

    async def _take_leave(self, listener: Listener) -> None:
        self._listeners.pop(listener.listener_id, None)
        self._presence.leave(listener.listener_id)
        LISTENERS.dec()
        LISTENERS_STOPPED.labels(listener.reason).inc()
        if listener.told is not None:
            listener.told(listener.reason)
        _log.info("a listener has stopped", call_id=listener.voices.call_id, reason=listener.reason)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await listener.peer.close()
                await self._release(listener.voices.call_id)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("a listener was let go with an error", reason=listener.reason, error=str(error))
        finally:
            listener.gone.set()

    async def _release(self, call_id: str) -> None:
        """Stop reading a call's audio when nobody listens and nobody is about to."""
        if call_id in self._opening or self.count(call_id):
            return
        channels = self._channels.pop(call_id, None)
        if channels is None:
            return
        channels.close()
        await self._taps.drop(call_id)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            now = time.monotonic()
            for listener in list(self._listeners.values()):
                if reason := self._reason_to_stop(listener, now):
                    listener.stop(reason)

    def _reason_to_stop(self, listener: Listener, now: float) -> str | None:
        if reason := self._decided(listener):
            return reason
        peer = listener.peer
        if peer.over.is_set():
            return "connection_lost"
        if not peer.connected.is_set() and now - listener.opened_at > CONNECT_TIMEOUT_S:
            return "never_connected"
        if peer.sent_unheard > SILENCE_PACKETS and now - peer.heard_at > SILENCE_S:
            return "browser_silent"
        live = self._calls.get(listener.voices.call_id)
        return None if live is None or same_codecs(listener.voices, live.call) else "codec_changed"

    def _decided(self, listener: Listener) -> str | None:
        """Why it is over whatever the browser does, if it is: the call has ended, or the session or the right has."""
        live = self._calls.get(listener.voices.call_id)
        if live is None or live.over:
            return "call_ended"
        return "session_ended" if listener.held is not None and listener.held.ended.is_set() else None

    def _note_changes(self, changes: list[Change]) -> None:
        for change in changes:
            if channels := self._channels.get(change.call_id):
                channels.follow(change.now.controller)
        over = {change.call_id for change in changes if change.now.over}
        for listener in list(self._listeners.values()) if over else ():
            if listener.voices.call_id in over:
                listener.stop("call_ended")

    def _refuse(self, call_id: str, voice: HeardVoice, error: RtpError) -> None:
        """Count a dropped packet against the call's runtime; not a supervisor's, which livemon itself has sent."""
        if voice == "supervisor":
            SUPERVISOR_REFUSED.labels(error.reason).inc()
            return
        self._calls.drops.drop("packet", error, self._runtime_of(call_id), self._calls.now(), call_id)

    def _runtime_of(self, call_id: str) -> str | None:
        live = self._calls.get(call_id)
        return live.runtime if live else None


def same_codecs(voices: CallVoices, call: Call) -> bool:
    """Whether the call's voices still come in the codecs that these are made for."""
    return call.audio is not None and voices.codecs == codecs_of(call.audio)
