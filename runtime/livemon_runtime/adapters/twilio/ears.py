"""What caller and agent say, as text, if there is a speech-to-text engine: one ear a side, in the call's transcript.

The engine is one of `livemon_runtime.adapters.hearing`.
"""

import asyncio
import contextlib
import logging

from ...call import Call
from ...turn import Turn
from ..hearing.engine import Ear, Engine
from .mu_law import to_pcm

_LOG = logging.getLogger("livemon_runtime")
_LAST_WORDS_S = 3.0
NO_TRANSCRIPT = (
    "This call comes through the Twilio gateway, which was started without speech-to-text: what caller and agent say is not "
    "written down. Live Listen and Take Over work as ever. (livemon gateway twilio --stt)"
)


class Ears:
    """Caller's and agent's of one call; with no engine it says in the transcript why there is none."""

    def __init__(self, call: Call, engine: Engine | None) -> None:
        self._call = call
        self._ears: dict[str, Ear] = {}
        self._turns: dict[str, Turn] = {}
        if engine is None:
            call.say_entry({"id": "no-transcript", "role": "note", "time_ms": 0, "content": NO_TRANSCRIPT})
            return
        for side in ("user", "agent"):
            ear = self._ears[side] = engine.listen()
            ear.heard(lambda text, final, start, end, side=side: self._write(side, text, final=final))

    @property
    def open(self) -> bool:
        return bool(self._ears)

    def caller(self, mu_law: bytes) -> None:
        self._hear("user", mu_law)

    def agent(self, mu_law: bytes) -> None:
        self._hear("agent", mu_law)

    def _hear(self, side: str, mu_law: bytes) -> None:
        if (ear := self._ears.get(side)) is None:
            return
        try:
            ear.hear(to_pcm(mu_law))
        except Exception:
            _LOG.exception(
                "call %s: speech-to-text failed; nothing more of the %s is written", self._call.call_id, side
            )
            del self._ears[side]

    def _write(self, side: str, text: str, *, final: bool) -> None:
        begin = self._call.user_turn if side == "user" else self._call.agent_turn
        turn = self._turns.get(side) or begin()
        self._turns[side] = turn
        if not final:
            turn.partial(text)
            return
        del self._turns[side]
        if text:
            turn.final(text)
        else:
            turn.retract()

    async def close(self) -> None:
        """Their last words are written down, if they come soon."""
        ears, self._ears = list(self._ears.values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                for answer in await asyncio.gather(*(ear.close() for ear in ears), return_exceptions=True):
                    if isinstance(answer, Exception):
                        _LOG.error("call %s: speech-to-text failed at its end: %r", self._call.call_id, answer)
