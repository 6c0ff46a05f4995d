"""The supervisor who has one call's caller: their voice to the bot, and whether they are still there.

Nothing of it exists while the agent has the call. It decides nothing about who has the call: it follows what the
call's record says. Each claim that has it gets two tasks: one hands frames to the bot (`player.py`), the other watches,
and none of the bot's functions is called in that one: whatever they do, it goes on, and on time.
"""

import asyncio
import contextlib
import logging
import sys
from array import array
from typing import TYPE_CHECKING

from .errors import RtpError
from .handlers import ask
from .limits import PACKETS_PER_S, TokenBucket
from .player import Player
from .rtp import RtpPacket
from .supervisor import Hook, Supervisor
from .watch import Watch, Watched

if TYPE_CHECKING:
    from .call import Call
    from .runtime import Runtime

_LOG = logging.getLogger("livemon_runtime")


class Supervision:
    def __init__(self, runtime: "Runtime", call: "Call") -> None:
        self._runtime, self._call = runtime, call
        self._claim_id = ""
        self._watch: Watch | None = None
        self._watching: asyncio.Task[None] | None = None
        self._back = asyncio.Event()
        """They are heard again: the watch has to look sooner than it thought."""
        self._player: Player | None = None
        self._bucket = TokenBucket(PACKETS_PER_S)
        self._last: tuple[int, int] | None = None
        """SSRC and sequence number of the newest packet."""

    def follow(self, supervisor: Supervisor) -> None:
        """That claim has the call from now on: its channel, and no other."""
        claim_id = supervisor.claim_id
        if claim_id == self._claim_id:
            return
        self.leave()
        self._claim_id, self._last = claim_id, None
        self._watch = watch = Watch(self._now(), supervisor.grace_ms / 1000)
        self._player = player = Player(self._runtime, self._call.call_id, supervisor, self._call.supervisor_codec)
        self._runtime.supervisor_audio.join(self._channel(claim_id), lambda data: self._take(claim_id, data))
        self._runtime.spawn(player.run())
        self._watching = self._runtime.spawn(self._keep_watch(watch, player))

    def leave(self) -> None:
        """Nobody has the call any more, or it is over."""
        if self._claim_id:
            self._runtime.supervisor_audio.leave(self._channel(self._claim_id))
        if self._player:
            self._player.close()
        if self._watching:
            self._watching.cancel()
        self._claim_id, self._watch, self._watching, self._player = "", None, None, None

    def _channel(self, claim_id: str) -> str:
        return self._runtime.keys.supervisor(self._call.call_id, claim_id)

    def _now(self) -> float:
        return self._runtime.clock.monotonic()

    # --- what comes

    def _take(self, claim_id: str, data: bytes) -> None:
        """One message of that claim's channel. Never raises."""
        watch, player = self._watch, self._player
        if claim_id != self._claim_id or watch is None or player is None:
            return
        try:
            packet = RtpPacket.parse(data)
        except RtpError as error:
            self._runtime.drops.drop(f"supervisor_{error.reason}", f"{self._call.call_id}: {error.detail}")
            return
        if not self._bucket.take(self._now()):
            self._runtime.drops.drop("supervisor_too_many", f"{self._call.call_id}: more than {PACKETS_PER_S} a second")
            return
        if self._repeated(packet):
            return
        if watch.heard(self._now()) is Watched.HEARD:
            self._say(watch, player, lost=False)
            self._back.set()
        player.take(self._frame(packet))

    def _repeated(self, packet: RtpPacket) -> bool:
        """Come already, or overtaken: Redis keeps the order, so what is late is a repetition."""
        if self._last is not None and self._last[0] == packet.ssrc:
            ahead = (packet.sequence - self._last[1]) & 0xFFFF
            if ahead == 0 or ahead >= 0x8000:
                self._runtime.drops.drop("supervisor_repeated", self._call.call_id)
                return True
        self._last = (packet.ssrc, packet.sequence)
        return False

    def _frame(self, packet: RtpPacket) -> bytes:
        codec = self._call.supervisor_codec
        if codec is None or not codec.startswith("l16") or sys.byteorder != "little":
            return packet.payload
        samples = array("h", packet.payload[: len(packet.payload) // 2 * 2])
        samples.byteswap()
        return samples.tobytes()

    # --- whether they are there

    async def _keep_watch(self, watch: Watch, player: Player) -> None:
        while True:
            self._back.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(watch.next_look(self._now())):
                    await self._back.wait()
            said = watch.look(self._now())
            if said is Watched.LOST:
                _LOG.warning("call %s: its supervisor is not heard; others may step in", self._call.call_id)
                self._say(watch, player, lost=True)
            elif said is Watched.GONE:
                _LOG.error("call %s: its supervisor did not come back; the call is ended", self._call.call_id)
                self._runtime.spawn(self._call.end_without_supervisor())
                return

    def _say(self, watch: Watch, player: Player, *, lost: bool) -> None:
        silent_ms = int(watch.silent_s(self._now()) * 1000)
        self._call.record.say_heard(self._claim_id, self._runtime.clock.now_ms() - silent_ms if lost else None)
        self._runtime.sender.notice(self._call.record)
        if hook := player.supervisor.hooks.get("lost"):
            self._runtime.spawn(_tell(hook, lost, self._runtime.handler_timeout))
        player.hold(lost)


async def _tell(hook: Hook, lost: bool, timeout: float) -> None:
    await ask(hook, lost, timeout, "a supervisor who is not heard")
